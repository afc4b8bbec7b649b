"""After a 202: read the order until it shows what was taken in.

202 means taken in, not done, and perhaps dropped for a newer request; only reading tells. The reads, and the jittered
pauses between them, stay within the deadline of the call that was answered so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from norce_order_async import display
from norce_order_async.errors import CallError, PendingError
from norce_order_async.orders.waiting import Polling

if TYPE_CHECKING:
    from norce_order_api.models import OrderData
    from norce_order_async.orders.snapshot import Snapshot
    from norce_order_async.pipeline.answer import Answer
    from norce_order_async.pipeline.deadline import Deadline
    from norce_order_async.pipeline.operations import Operation
    from norce_order_async.pipeline.settings import CallOptions


async def until_shown(
    order: Snapshot,
    shows: Callable[[OrderData], bool],
    *,
    what: str,
    target: str | None = None,
    operation: Operation,
    answer: Answer,
    deadline: Deadline,
    options: CallOptions | None,
) -> None:
    """Read ``order`` until ``shows`` holds.

    Args:
        order: what the handle knows; replaced by each read.
        shows: whether an order shows the change.
        what: the change, for the error's text.
        target: the status asked for, when the change is one of status.
        operation: what was called.
        answer: its 202.
        deadline: of the call.
        options: what the call does differently.

    Raises:
        PendingError: it did not show in time, or the order could not be read.
    """
    polling = Polling(order.session.core.clock, deadline)
    failed: CallError | None = None
    while True:
        try:
            if shows(await order.read(options, deadline)):
                return
        except CallError as error:
            failed = error
            break
        if not await polling.pause():
            break
    current = order.fresh_status() if target else None
    seen = f"reading it back failed ({type(failed).__name__})" if failed else "it is not shown in time"
    raise PendingError(
        f"{what} was taken in (202) but {seen}"
        + (f"; the order was last seen in {display.shown(current)}" if current else ""),
        target=target,
        current=current,
        operation=operation.id,
        order_id=order.id,
        correlation_id=answer.correlation_id,
        attempts=answer.attempts,
        gave_up=failed.gave_up if failed else "deadline",
        advice="it may still come, or have been dropped for a newer request: read the order again",
    ) from failed
