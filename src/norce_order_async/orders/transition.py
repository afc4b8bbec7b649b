"""Changes of an order's status: the log of past changes, and ``order.transition_to``.

A transition is normally one PUT. The order is read only if the answer leaves the result open.
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
    """The log, sorted by time. Entries without a status or a time are left out.

    As far as known, the log begins with the first change, so it does not have the first status of a new order.
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
    """False if the order had the status already and nothing was sent."""
    attempts: tuple[Attempt, ...] = ()
    origin: str | None = None
    """The status before, as far as known; with ``confirm=True`` from the service's log. If nothing was sent, the same
    as ``to``."""
    at: datetime | None = None
    """The time of the change from the service's log, if the order was read since; ``confirm=True`` reads it. None
    otherwise."""


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
    """Ask the service for a status, and wait until the order has it.

    Args:
        order: the order's record, which a read replaces.
        target: the status asked for.
        confirm: whether to read the order afterwards.
        force: whether to send also if the order is known to have the status.
        validate: whether to validate the order first, and to send only if there are no problems.
        explain: whether to validate the order after a refusal, and to add the problems to the error.
        options: settings of the calls.

    Raises:
        ValidationFailedError: there are problems; nothing was changed.
        CallError: as :meth:`Order.transition_to` raises it.
    """
    current = order.fresh_status()
    deadline = order.session.deadline(options)
    if isinstance(plan(current, target), Stay) and not force:
        if confirm and order.stale:
            await order.read(options, deadline)
        return _with_log(order, target, Transitioned(to=target, called=False, origin=current))
    if validate:
        checked = await order.session.call(VALIDATE, {"order_id": order.id}, options=options, deadline=deadline)
        read_report(order.id, checked).raise_for_errors()
    try:
        answer = await order.write(
            SET_STATE,
            {"currentStatus": target},
            # After a lost answer the change may be repeated from the current status, or else from any that leads here.
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
        # The status that is read counts, even if another program has moved the order on since.
        await order.read(options, deadline)
    else:
        order.saw_status(target)
    return _with_log(order, target, Transitioned(to=target, called=True, attempts=answer.attempts, origin=current))


def _with_log(order: OrderRecord, target: OrderStatus, result: Transitioned) -> Transitioned:
    """The result with the time and origin from the service's log, if the order was read after the change."""
    state: State | None = None if order.stale or order.body is None else order.body.part("state")
    if state is None:
        return result
    log = periods(state.transitions or [])
    entered = next((index for index in reversed(range(len(log))) if log[index].status == target), None)
    if entered is None:
        return result
    if not result.called:
        return replace(result, at=log[entered].entered)
    # The log begins with the first change, which starts in the status of new orders.
    origin = log[entered - 1].status if entered else FIRST_STATUS
    return replace(result, origin=origin, at=log[entered].entered)


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
    validates = explain or await _is_by_service(order, refused, deadline, options)
    problems = await _problems(order, deadline, options) if validates else ()
    also = ", ".join(f"{shown_code(adapter)}: {shown_code(code)}" for adapter, code in problems)
    if refused.maybe_changed:
        advice = "an earlier attempt may have taken effect: read the order before going on"
    elif also:
        advice = f"validation also reports {also}"
    elif validates or (current is not None and is_terminal(current)):
        advice = ""
    else:
        advice = "pass explain=True to validate the order and see what is missing"
    return TransitionRefusedError.of(
        refused, target=target, current=current, problems=problems, known=known_of(current, target), advice=advice
    )


async def _is_by_service(
    order: OrderRecord, refused: RefusedError, deadline: Deadline, options: CallOptions | None
) -> bool:
    """Whether the service itself refused the change, so that its validation can show the reason.

    As far as known, a refusal by a hook has the same code. Validating the order would then call every registered
    validation and show other problems. So this is certain only for an order without hooks.
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


async def _problems(
    order: OrderRecord, deadline: Deadline, options: CallOptions | None
) -> tuple[tuple[str | None, str | None], ...]:
    """The problems that the service's validation finds; none if the order can't be validated now."""
    try:
        answer = await order.session.call(VALIDATE, {"order_id": order.id}, options=options, deadline=deadline)
        report = read_report(order.id, answer)
    except NorceError:
        return ()
    return tuple((each.adapter_id, each.code) for each in report.problems)
