"""Reads an order again, with growing, jittered pauses, until it shows a change that the service has accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from norce_order_async import display
from norce_order_async.errors import CallError, PendingError
from norce_order_async.runtime.clock import Clock, Deadline

if TYPE_CHECKING:
    from norce_order_async.orders.lazy import OrderBody
    from norce_order_async.orders.record import OrderRecord
    from norce_order_async.pipeline.answer import Answer
    from norce_order_async.pipeline.operations import Operation
    from norce_order_async.pipeline.settings import CallOptions

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 5.0
LAST_LOOK = 0.25
"""Seconds that are kept for the read after the last pause."""


class Polling:
    """The pauses of one wait. Pause *n* is drawn from the upper half of ``min(5 s, 0.25 s * 2 ** (n - 1))``, so that
    there are never many short pauses in a row. The last pause ends ``LAST_LOOK`` before the deadline, so that a late
    change is still seen."""

    __slots__ = ("_clock", "_deadline", "_pauses")

    def __init__(self, clock: Clock, deadline: Deadline) -> None:
        self._clock = clock
        self._deadline = deadline
        self._pauses = 0

    async def pause(self) -> bool:
        """Sleep before the next read. Returns False at once if there is no time left for one."""
        step = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._pauses, 10))
        seconds = self._clock.uniform(step / 2, step)
        remaining = self._deadline.remaining()
        if remaining is not None:
            seconds = min(seconds, remaining - LAST_LOOK)
        if seconds <= 0:
            return False
        self._pauses += 1
        await self._clock.sleep(seconds)
        return True


async def until_shown(
    order: OrderRecord,
    shows: Callable[[OrderBody], bool],
    *,
    what: str,
    target: str | None = None,
    operation: Operation,
    answer: Answer,
    deadline: Deadline,
    options: CallOptions | None,
) -> None:
    """Read ``order`` until ``shows`` returns True.

    Args:
        order: the order's record, which each read replaces.
        shows: whether an order shows the change.
        what: the change in words, for the error's text.
        target: the status asked for, if it is a change of status.
        operation: the operation of the change.
        answer: its answer with status 202.
        deadline: the deadline of the change and the reads.
        options: settings of the reads.

    Raises:
        PendingError: the change did not show in time, or the order could not be read.
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
        f"{what} was accepted (202) but {seen}"
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
