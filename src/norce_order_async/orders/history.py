"""What an order has been through: the service's log of statuses as typed, time-ordered data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from norce_order_async.models import OrderStatus, Transition


@dataclass(frozen=True, slots=True)
class StatusPeriod:
    """A status that the order was in, from the service's log.

    Example::

        for period in order.transitions:
            print(period.status, period.entered, period.duration)
    """

    status: OrderStatus | str
    entered: datetime
    left: datetime | None
    """None for the status it is still in."""

    @property
    def duration(self) -> timedelta | None:
        """How long it stayed; None while it is still there."""
        return None if self.left is None else self.left - self.entered


def periods(transitions: Iterable[Transition]) -> tuple[StatusPeriod, ...]:
    """The log in the order of time. Entries without a status or a time are left out.

    A new order's first status is not in the service's log, as far as known: the log begins with the first change.
    """
    logged = sorted(
        ((each.time_stamp, each.status) for each in transitions if each.time_stamp is not None and each.status),
        key=lambda entry: entry[0],
    )
    left: list[datetime | None] = [*(entered for entered, _ in logged[1:]), None]
    return tuple(StatusPeriod(status, entered, until) for (entered, status), until in zip(logged, left, strict=False))
