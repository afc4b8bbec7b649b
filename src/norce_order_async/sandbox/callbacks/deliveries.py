"""The record of notifications: each delivery with its attempts, and which are still to be made."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias, overload

from norce_order_async.sandbox.arguments import check_is, check_moment, check_text, check_whole
from norce_order_async.sandbox.json_text import Json

DeliveryState: TypeAlias = Literal["waiting", "delivered", "failed"]


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One call, or why there was none: `status` is what was answered, `problem` what went wrong.

    Example::

        for delivery in sandbox.deliveries.of(order.id):
            print(delivery.state, [attempt.status for attempt in delivery.attempts])
    """

    at: str
    status: int | None
    problem: str | None = None


@dataclass(slots=True)
class Delivery:
    """One notification of one change, with the order as it was committed.

    Example::

        for delivery in sandbox.deliveries.of(order.id):
            print(delivery.state, [attempt.status for attempt in delivery.attempts])
    """

    id: str
    created_at: str
    order_id: str
    notification: Json = field(repr=False)
    order: Json = field(repr=False)
    attempts: list[DeliveryAttempt] = field(default_factory=list[DeliveryAttempt])
    next_at: datetime | None = None
    """When the next attempt is due; None when none is to come."""
    failures: int = 0
    """How many attempts have failed since it was made, or was sent again."""

    @property
    def state(self) -> DeliveryState:
        """``"waiting"`` for an attempt, ``"delivered"`` or ``"failed"``."""
        if self.next_at is not None:
            return "waiting"
        return "delivered" if self.attempts and self.attempts[-1].problem is None else "failed"


class Deliveries(Sequence[Delivery]):
    """All deliveries, oldest first; safe to read while the server runs.

    `keep` bounds how many are kept; the oldest finished ones go first, and none that is waiting does.

    Example::

        for delivery in sandbox.deliveries.of(order.id):
            print(delivery.state, [attempt.status for attempt in delivery.attempts])
    """

    def __init__(self, keep: int) -> None:
        check_whole("keep", keep, 0, sys.maxsize)
        self._lock = threading.Lock()
        self._keep = keep
        self._all: dict[str, Delivery] = {}
        self._waiting: dict[str, Delivery] = {}
        self._in_flight: dict[str, Delivery] = {}

    def add(self, delivery: Delivery) -> None:
        """Add a delivery; it is due at once.

        Raises:
            TypeError: it is none.
        """
        check_is("delivery", delivery, Delivery, "a Delivery")
        with self._lock:
            self._all[delivery.id] = delivery
            if delivery.next_at is not None:
                self._waiting[delivery.id] = delivery
            self._make_room()

    def of(self, order_id: str) -> Sequence[Delivery]:
        """The deliveries about one order.

        Raises:
            TypeError: its id is no string.
        """
        check_is("order_id", order_id, str, "a string")
        return [delivery for delivery in self if delivery.order_id == order_id]

    def clear(self) -> None:
        """Forget all, those that are waiting too."""
        with self._lock:
            self._all.clear()
            self._waiting.clear()

    def send_again(self, delivery_id: str, now: datetime) -> None:
        """Make a delivery due once more, with as many retries as a new one.

        Raises:
            LookupError: there is no such delivery.
            TypeError, ValueError: this can't be the id of one, or the moment can't be one.
        """
        check_text("delivery_id", delivery_id)
        check_moment("now", now)
        with self._lock:
            delivery = self._all.get(delivery_id)
            if delivery is None:
                raise LookupError(f"there is no delivery {delivery_id}")
            delivery.failures = 0
            if delivery_id not in self._in_flight:
                delivery.next_at = now
                self._waiting[delivery_id] = delivery

    # For the courier

    def take_due(self, now: datetime) -> list[Delivery]:
        """The deliveries whose time has come; they are in flight until given back.

        Raises:
            TypeError, ValueError: the moment can't be one.
        """
        check_moment("now", now)
        with self._lock:
            due = [each for each in self._waiting.values() if each.next_at is not None and each.next_at <= now]
            due.sort(key=lambda delivery: (delivery.next_at, delivery.id))
            for delivery in due:
                self._in_flight[delivery.id] = self._waiting.pop(delivery.id)
        return due

    def give_back(self, delivery: Delivery) -> None:
        """Return a delivery that was taken and not sent.

        Raises:
            TypeError: it is none.
        """
        check_is("delivery", delivery, Delivery, "a Delivery")
        with self._lock:
            self._in_flight.pop(delivery.id, None)
            if delivery.next_at is not None and delivery.id in self._all:
                self._waiting[delivery.id] = delivery
            self._make_room()

    @property
    def in_flight(self) -> bool:
        """Whether a delivery is being sent."""
        return bool(self._in_flight)

    @overload
    def __getitem__(self, index: int) -> Delivery: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Delivery]: ...
    def __getitem__(self, index: int | slice) -> Delivery | Sequence[Delivery]:
        return self._kept()[index]

    def __iter__(self) -> Iterator[Delivery]:
        return iter(self._kept())

    def __len__(self) -> int:
        return len(self._all)

    def _make_room(self) -> None:
        if len(self._all) > self._keep:
            finished = next((old for old in self._all.values() if old.next_at is None), None)
            if finished is not None:
                del self._all[finished.id]

    def _kept(self) -> list[Delivery]:
        with self._lock:
            return list(self._all.values())
