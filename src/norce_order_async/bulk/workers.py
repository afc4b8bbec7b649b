"""The workers of a run: each runs the action on one item at a time.

A worker takes an item, runs the action, records the result in the journal and puts the outcome into the buffer that the
caller iterates. Workers are tasks of the job, not of a task group entered here, so the iteration can be left and
cancelled from anywhere. Only the items that workers hold are in memory.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Generic, TypeVar, cast

import anyio

from norce_order_async.bulk.actions.output import in_words
from norce_order_async.bulk.breaker import CircuitBreaker, Slot
from norce_order_async.bulk.journal.errors import JournalError
from norce_order_async.bulk.journal.journal import Journal
from norce_order_async.bulk.journal.reading import State
from norce_order_async.bulk.journal.store import Change
from norce_order_async.bulk.outcome import ItemOutcome, Summary, failure_of
from norce_order_async.bulk.prepare import Plan, Prepared
from norce_order_async.bulk.process import HeldBack, ItemProcessor, Requeue, StillToDo, asked_to_wait, must_wait
from norce_order_async.bulk.queue import Notifier, ResultBuffer, WorkQueue
from norce_order_async.bulk.source import Item
from norce_order_async.engines.base import UnsentError
from norce_order_async.errors import CallError, NorceError, RefusedError
from norce_order_async.pipeline.tasks import SendTasks
from norce_order_async.runtime.stop import ItemCalls, Stop

T = TypeVar("T")

SHARE_AFTER = 20
"""Outcomes before a share of failures counts."""
WAITING = 4
"""No further item is started while more calls than this wait for the limiter: a waiting call is not in flight, but
its item would be marked as sent."""
WINDOW = 4
"""How far items may be ahead of the next outcome to be yielded, in multiples of the workers."""

_AFTER_FAILURES = 30.0
"""Seconds that calls in flight have to end when the run ends itself."""
_STATES: dict[str, State] = {
    "done": "confirmed",
    "already done": "confirmed",
    "refused": "refused",
    "unknown": "unknown",
}


class Workers(Generic[T]):
    """The workers of one run, from their start to the end of the last one."""

    def __init__(
        self,
        plan: Plan[T],
        prepared: Prepared[T],
        journal: Journal | None,
        tasks: SendTasks,
        buffer: ResultBuffer[T],
        notifier: Notifier,
        summary: Summary,
    ) -> None:
        session = plan.session
        self._plan = plan
        self._journal = journal
        self._kept_back = None if journal is None else journal.kept_back
        self._output = prepared.output
        self._tasks = tasks
        self._buffer = buffer
        self._notifier = notifier
        self._summary = summary
        self._clock = session.core.clock
        self._limiter = session.limiter
        self._breaker = CircuitBreaker(self._clock, self._limiter, session.settings.max_delay)
        self._queue = WorkQueue(prepared.items, notifier, settling=prepared.settling)
        self._handling = ItemProcessor(plan, journal)
        self._scopes: set[anyio.CancelScope] = set()
        self._timer: anyio.CancelScope | None = None
        self._to_come = 0
        """Workers that may still be started."""
        self._pending = 0
        """Workers that have not ended, and outcomes that are not recorded yet."""
        self._stopping = False
        self._stop = Stop()
        self._cut_short = False
        """Whether items that had been started were given up."""
        self._unread = False
        """Whether the caller takes no more outcomes."""
        self.failure: Exception | None = None
        """What ended the run."""

    @property
    def is_over(self) -> bool:
        """Whether all workers have ended and all outcomes are recorded."""
        return self._pending == 0

    def start(self) -> None:
        """Start the first worker. Each worker starts another when it takes an item, as long as there may be more."""
        left = self._summary.left
        self._to_come = self._plan.workers if left is None else min(self._plan.workers, max(1, left))
        self._start_another()

    def stop(self, grace: float | None, why: str) -> None:
        """From now on, send only reads of items that were sent before.

        Calls that are still in flight after ``grace`` seconds are cancelled; with None, at once.
        """
        if not self._stopping:
            self._stopping = True
            self._summary.stopped = why
            self._breaker.end()
            self._stop.now()
            if grace is not None and not self.is_over:
                self._tasks.start(partial(self._cancel_after, grace))
        if grace is None:
            self._cancel_all()
        self._notifier.notify_all()

    def leave(self) -> None:
        """Let a full buffer hold back no worker from now on: the caller takes no more outcomes."""
        self._unread = True
        self._notifier.notify_all()

    # Workers

    def _start(self, work: Callable[[], Awaitable[None]]) -> None:
        async def to_its_end() -> None:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - raised from the iteration
                self._fail(error)
            finally:
                self._pending -= 1
                if self.is_over:
                    self._end()

        self._tasks.start(to_its_end)
        self._pending += 1

    def _start_another(self) -> None:
        if self._to_come and not self._stopping:
            self._to_come -= 1
            try:
                self._start(self._worker)
            except UnsentError:
                # The job was left: the workers that run finish it.
                self._to_come = 0

    async def _worker(self) -> None:
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                while not self._stopping:
                    if self._holds_back():
                        await self._notifier.wait_for_work()
                    elif not await self._work_on_one() and not self._stopping:
                        if self._queue.is_over:
                            break
                        # Another worker may put its item back.
                        await self._notifier.wait_for_work()
            finally:
                self._scopes.discard(scope)

    def _holds_back(self) -> bool:
        limiter = self._limiter
        if limiter.waiting > WAITING or self._queue.busy >= 2 * limiter.limit + WAITING:
            return True
        if self._unread or self._queue.has_returned:
            # In order, all later outcomes wait for the item that was put back.
            return False
        # Outcomes pile up because the caller does not take them, or because an earlier item is not done yet.
        return len(self._buffer) >= WINDOW * self._plan.workers

    async def _work_on_one(self) -> bool:
        """Work on the next item; False if there is none, or none may be started."""
        if self._journal is not None and self._kept_back is not None and self._kept_back() is not None:
            # Without this, the next item would be marked as sent and its request would then be held back.
            await self._journal.renew()
        async with self._breaker.turn() as turn:
            item = None if self._stopping else await self._queue.next()
            if item is None:
                return False
            self._buffer.expect(item)
            self._start_another()
            calls = ItemCalls(self._stop, self._kept_back)
            try:
                result = await self._handling.handle(item, calls)
            except anyio.get_cancelled_exc_class():
                self._give_up(item, calls)
                raise
            except JournalError:
                # The item could not be marked as sent, so nothing was sent.
                self._queue.put_back(item)
                raise
            if isinstance(result, HeldBack):
                self._count_attempts(result.error, beyond=-1)
                await self._hold_back(item)
                return True
            if isinstance(result, Requeue):
                await self._put_back(item, turn, result)
                return True
            if isinstance(result, ItemOutcome) and must_wait(result.error):
                self._failed(turn, at_once=True, asked=asked_to_wait(result.error))
            else:
                self._breaker.answered()
        if isinstance(result, ItemOutcome) and not isinstance(result.error, NorceError | None):
            # The action itself is faulty and would fail on the next item too.
            self._fail(result.error)
        if isinstance(result, StillToDo):
            await self._plan_again(item)
        else:
            self._record(item, result)
        return True

    # Results

    async def _put_back(self, item: Item, turn: Slot, result: Requeue) -> None:
        error, summary = result.error, self._summary
        if result.ends_run:
            self._fail(error)
        else:
            summary.retries += 1
            self._failed(turn, at_once=result.is_away, asked=result.asked)
        self._count_attempts(error)
        if item.in_flight:
            # An item that must still be read stays marked as sent.
            self._queue.put_back(item)
        else:
            await self._hold_back(item)

    async def _hold_back(self, item: Item) -> None:
        """Put back an item for which nothing was done."""
        try:
            if self._journal is not None:
                await self._journal.record(item, "planned")
        finally:
            self._queue.put_back(item)

    def _count_attempts(self, error: Exception | None, beyond: int | None = None) -> None:
        """Count the attempts of a failed call; ``beyond=-1`` leaves out the last, which a stop kept from being made."""
        if isinstance(error, CallError):
            attempts = error.attempts[:beyond]
            self._summary.retries += sum(attempt.number > 1 for attempt in attempts)
            self._summary.throttled += sum(attempt.throttled for attempt in attempts)

    def _failed(self, turn: Slot, *, at_once: bool, asked: float | None) -> None:
        if asked:
            self._limiter.wanted_nothing(asked)
        if self._breaker.failed(turn, at_once=at_once, asked=asked):
            self._summary.failed_probes += 1
            self._check_failures()

    async def _plan_again(self, item: Item) -> None:
        """Plan an item again that was in flight and is not done."""
        item.in_flight = False
        item.was_sent = True
        try:
            if self._journal is not None:
                await self._journal.record(item, "planned")
        finally:
            if self._queue.settling:
                # The queue will read it again with the planned items.
                self._buffer.forget(item)
                self._queue.ended()
            else:
                self._queue.put_back(item)

    def _record(self, item: Item, outcome: ItemOutcome[T]) -> None:
        """Record an outcome, and give it to the caller when the record is on disk.

        The worker does not wait for that, so the last change of this item and the first of the next share one write.
        """
        # A callback, not a task: a task for each item was a third of a journal's cost.
        then = partial(self._deliver, item, outcome)
        self._pending += 1
        try:
            line = b""
            if self._output is not None and outcome.verdict == "done" and outcome.value is not None:
                line = self._output.line(outcome.value)
            state = _STATES.get(outcome.verdict)
            if self._journal is not None and state is not None:
                self._journal.record_result(_change(item, state, outcome, line), then)
                return
            if self._journal is None and self._output is not None and line:
                with in_words(self._output.working):
                    self._output.append([line], durable=False)
        except Exception as error:  # noqa: BLE001 - raised from the iteration
            then(error)
        else:
            then(None)

    def _deliver(self, item: Item, outcome: ItemOutcome[T], error: Exception | None) -> None:
        """Give an outcome to the caller, unless it could not be recorded."""
        try:
            if error is None:
                self._summary.count(cast("ItemOutcome[object]", outcome))
                self._check_failures()
                self._buffer.put(item, outcome)
            else:
                self._fail(error)
        finally:
            self._queue.ended()
            self._pending -= 1
            if self.is_over:
                self._end()

    def _give_up(self, item: Item, calls: ItemCalls) -> None:
        """Give up the item of a cancelled worker; its request may have arrived, so a journal keeps it as sent."""
        if not item.in_flight and (item.tries == 0 or (calls.held_back and not calls.written)):
            try:
                # In a task of its own: nothing can be awaited in a cancelled worker.
                self._start(partial(self._hold_back, item))
            except UnsentError:
                self._queue.put_back(item)
            return
        self._cut_short = True
        self._put_unfinished(item, sent=item.tries > 0)
        self._queue.ended()

    def _put_unfinished(self, item: Item, *, sent: bool) -> None:
        outcome: ItemOutcome[T] = ItemOutcome(key=item.key, verdict="not tried")
        if sent and self._plan.action.writes:
            outcome = ItemOutcome(key=item.key, verdict="unknown", note="stopped while it was in flight")
        self._summary.count(cast("ItemOutcome[object]", outcome))
        self._buffer.put(item, outcome)

    # Ending

    def _end(self) -> None:
        """End the run after the last worker, with an outcome for each item that was put back and not tried again."""
        for item in self._queue.left_over():
            self._cut_short = True
            self._put_unfinished(item, sent=item.in_flight and item.tries > 0)
        if not self._cut_short and self.failure is None and self._is_through():
            # The stop came so late that nothing was left to do.
            self._summary.stopped = ""
        self._buffer.end()
        if self._timer is not None:
            self._timer.cancel()
        self._notifier.notify_all()

    def _is_through(self) -> bool:
        summary = self._summary
        ended = sum(summary.before.values()) + sum(summary.verdicts.values())
        return self._queue.is_exhausted or ended == summary.total

    def _check_failures(self) -> None:
        limit, summary = self._plan.failure_limit, self._summary
        if limit is None:
            return
        failures = summary.verdicts["refused"] + summary.verdicts["unknown"] + summary.failed_probes
        if isinstance(limit, int):
            over = failures > limit
        else:
            outcomes = summary.finished + summary.failed_probes
            over = outcomes >= SHARE_AFTER and failures > limit * outcomes
        if over:
            self.stop(None if self._breaker.away else _AFTER_FAILURES, f"{failures} failures, more than the limit")

    def _fail(self, error: Exception) -> None:
        """End the run with an error that is raised from the iteration."""
        self.failure = self.failure or error
        self.stop(_AFTER_FAILURES, failure_of(error))

    async def _cancel_after(self, grace: float) -> None:
        with anyio.CancelScope() as self._timer:
            if not self.is_over:
                await self._clock.sleep(grace)
                self._cancel_all()

    def _cancel_all(self) -> None:
        for scope in tuple(self._scopes):
            scope.cancel()


def _change(item: Item, state: State, outcome: ItemOutcome[Any], line: bytes) -> Change:
    error = outcome.error
    return Change(
        item.number,
        state,
        len(outcome.attempts),
        outcome.reason,
        error.code if isinstance(error, RefusedError) else None,
        error.message if isinstance(error, RefusedError) else None,
        error.correlation_id if isinstance(error, CallError) else "",
        item.was_sent,
        line,
    )
