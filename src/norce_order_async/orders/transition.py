"""The driver of ``order.transition_to``: one PUT on the plain path, reading only where the answer leaves a doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from norce_order_api.models.order_status import OrderStatus
from norce_order_async.errors import Attempt, BadRequestError, TransitionRefusedError
from norce_order_async.orders.lifecycle import explain, predecessors
from norce_order_async.orders.shown import until_shown
from norce_order_async.pipeline.operations import SET_STATE
from norce_order_async.pipeline.settings import CallOptions
from norce_order_async.pipeline.settle import Before

if TYPE_CHECKING:
    from norce_order_async.orders.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Transitioned:
    """What a change of status came to."""

    to: OrderStatus
    called: bool
    """False when the order was there already and nothing was sent."""
    attempts: tuple[Attempt, ...] = ()
    origin: str | None = None
    """The status before, as far as known without reading."""


async def transition(
    order: Snapshot, target: OrderStatus, *, current: str | None, options: CallOptions | None
) -> Transitioned:
    """Ask the service for a status and see that it is there.

    Args:
        order: what the handle knows; replaced when the order had to be read.
        target: the status asked for.
        current: the status the order is in, when that is freshly known.
        options: what this call does differently.
    """
    session = order.session
    deadline = session.deadline(options)
    repeat_from = predecessors(target) if current is None else frozenset({current})
    try:
        answer = await order.write(
            SET_STATE,
            {"currentStatus": target},
            before=Before(repeat_from=repeat_from),
            options=options,
            deadline=deadline,
        )
    except BadRequestError as refused:
        raise _refused(refused, current, target) from refused
    if answer.status == 202:
        await until_shown(
            order,
            lambda data: data.state is not None and data.state.current_status == target,
            what=target,
            target=target,
            operation=SET_STATE,
            answer=answer,
            deadline=deadline,
            options=options,
        )
    order.saw_status(target)
    return Transitioned(to=target, called=True, attempts=answer.attempts, origin=current)


def _refused(refused: BadRequestError, current: str | None, target: OrderStatus) -> TransitionRefusedError:
    code = f" ({refused.code})" if refused.code else ""
    return TransitionRefusedError(
        f"refused with {refused.status}{code} {explain(current, target)}",
        target=target,
        current=current,
        status=refused.status,
        code=refused.code,
        message=refused.message,
        problem=refused.problem,
        retry_after=refused.retry_after,
        maybe_changed=refused.maybe_changed,
        operation=refused.operation,
        order_id=refused.order_id,
        correlation_id=refused.correlation_id,
        attempts=refused.attempts,
        advice=(
            "an earlier attempt may have taken effect: read the order before going on"
            if refused.maybe_changed
            else "await order.validate() tells what is missing"
        ),
    )
