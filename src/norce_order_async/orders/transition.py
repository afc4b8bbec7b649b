"""Changes of an order's status: the log of those that were, and the driver of ``order.transition_to``.

A transition is one PUT on the plain path, and reads only where the answer leaves a doubt.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from norce_order_async.display import shown_code
from norce_order_async.errors import (
    Attempt,
    BadRequestError,
    ConflictError,
    NorceError,
    RefusedError,
    TransitionRefusedError,
)
from norce_order_async.models import OrderStatus
from norce_order_async.orders.lifecycle import FIRST_STATUS, Stay, is_terminal, plan, predecessors
from norce_order_async.orders.lifecycle import explain as known_of
from norce_order_async.orders.polling import until_shown
from norce_order_async.orders.record import FRESH_FOR, OrderRecord
from norce_order_async.orders.validation import read_report
from norce_order_async.pipeline.operations import SET_STATE, VALIDATE
from norce_order_async.pipeline.readback import Baseline
from norce_order_async.pipeline.settings import CallOptions
from norce_order_async.runtime.clock import Deadline

if TYPE_CHECKING:
    from norce_order_async.models import State, Transition

VALIDATION_CODE: Final = "order-validation"
"""The code of a refusal by the service's own validation, or by a hook; assumed, as no codes are published for it."""


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


@dataclass(frozen=True, slots=True)
class Transitioned:
    """The result of a change of status.

    Example::

        result = await order.transition_to("removed")
        result.origin, result.to, result.called  # ("checkout", "removed", True)
    """

    to: OrderStatus
    called: bool
    """False when the order was there already and nothing was sent."""
    attempts: tuple[Attempt, ...] = ()
    origin: str | None = None
    """The status before, as far as known; with ``confirm=True`` from the service's log. When nothing was sent, the
    same as ``to``."""
    at: datetime | None = None
    """When it was entered, by the service's log; with ``confirm=True``, or when the order had to be read anyway."""


async def transition(
    order: OrderRecord,
    target: OrderStatus,
    *,
    confirm: bool,
    force: bool,
    validate: bool,
    explain: bool,
    options: CallOptions | None,
) -> Transitioned:
    """Ask the service for a status and see that it is there.

    Args:
        order: what the handle knows; replaced when the order had to be read.
        target: the status asked for.
        confirm: read the order afterwards.
        force: send also when the order is known to be there.
        validate: have the service check the order before, and ask for the status only if everything holds.
        explain: have the service check the order after a refusal, and tell what it says.
        options: what the calls do differently.

    Raises:
        ValidationFailedError: something does not hold; nothing was changed.
    """
    current = order.fresh_status()
    deadline = order.session.deadline(options)
    if isinstance(plan(current, target), Stay) and not force:
        if confirm and order.stale:
            await order.read(options, deadline)
        return _told(order, target, Transitioned(to=target, called=False, origin=current))
    if validate:
        checked = await order.session.call(VALIDATE, {"order_id": order.id}, options=options, deadline=deadline)
        read_report(order.id, checked).raise_for_errors()
    try:
        answer = await order.write(
            SET_STATE,
            {"currentStatus": target},
            # From where it may be asked for again after a lost answer: where it was, else any status it can come from.
            before=Baseline(repeat_from=predecessors(target) if current is None else frozenset({current})),
            options=options,
            deadline=deadline,
        )
    except (BadRequestError, ConflictError) as refused:
        raise await _refused(order, refused, current, target, deadline, options, explain=explain) from refused
    if answer.status == 202:
        await until_shown(
            order,
            lambda body: body.status == target,
            what=target,
            target=target,
            operation=SET_STATE,
            answer=answer,
            deadline=deadline,
            options=options,
        )
    elif confirm:
        # What is read is believed, also when another program has moved the order on since.
        await order.read(options, deadline)
    else:
        order.saw_status(target)
    return _told(order, target, Transitioned(to=target, called=True, attempts=answer.attempts, origin=current))


def _told(order: OrderRecord, target: OrderStatus, came_to: Transitioned) -> Transitioned:
    """With what the service's log adds, when the snapshot is one read since."""
    state: State | None = None if order.stale or order.body is None else order.body.part("state")
    if state is None:
        return came_to
    log = periods(state.transitions or [])
    entered = next((index for index in reversed(range(len(log))) if log[index].status == target), None)
    if entered is None:
        return came_to
    if not came_to.called:
        return replace(came_to, at=log[entered].entered)
    # A new order is in checkout, and the log begins with the first change.
    origin = log[entered - 1].status if entered else FIRST_STATUS
    return replace(came_to, origin=origin, at=log[entered].entered)


async def _refused(
    order: OrderRecord,
    refused: BadRequestError | ConflictError,
    current: str | None,
    target: OrderStatus,
    deadline: Deadline,
    options: CallOptions | None,
    *,
    explain: bool,
) -> TransitionRefusedError:
    asks = explain or await _is_own_demand(order, refused, deadline, options)
    problems = await _missing(order, deadline, options) if asks else ()
    also = ", ".join(f"{shown_code(adapter)}: {shown_code(code)}" for adapter, code in problems)
    if refused.maybe_changed:
        advice = "an earlier attempt may have taken effect: read the order before going on"
    elif also:
        advice = f"validation also reports {also}"
    elif asks or (current is not None and is_terminal(current)):
        advice = ""
    else:
        advice = "with explain, the order's validation is asked what is missing"
    return TransitionRefusedError.of(
        refused, target=target, current=current, problems=problems, known=known_of(current, target), advice=advice
    )


async def _is_own_demand(
    order: OrderRecord, refused: RefusedError, deadline: Deadline, options: CallOptions | None
) -> bool:
    """Whether the service itself misses something, so that its validation can say what.

    The code is the same where a hook says no, as far as known. Validating would call every registered validation then,
    and tell of something else: so this is sure only of an order without hooks.
    """
    if refused.code != VALIDATION_CODE or "hook" in (refused.message or "").lower():
        return False
    age = order.age
    if order.stale or age is None or age > FRESH_FOR:
        try:
            await order.read(options, deadline)
        except NorceError:
            return False
    return order.body is not None and order.body.plain.get("hooks") == []


async def _missing(
    order: OrderRecord, deadline: Deadline, options: CallOptions | None
) -> tuple[tuple[str | None, str | None], ...]:
    """What the service's validation says; nothing when it can't be asked now."""
    try:
        answer = await order.session.call(VALIDATE, {"order_id": order.id}, options=options, deadline=deadline)
        report = read_report(order.id, answer)
    except NorceError:
        return ()
    return tuple((each.adapter_id, each.code) for each in report.problems)
