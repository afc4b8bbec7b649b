"""One run of a job: it begins when the first outcome is asked for, and yields the outcomes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import TypeVar

import anyio
from anyio import to_thread

from norce_order_async.auth.providers import StaysInProcess
from norce_order_async.bulk.actions.output import OutputFile, in_words
from norce_order_async.bulk.journal.journal import Journal
from norce_order_async.bulk.outcome import ItemOutcome, Summary, failure_of
from norce_order_async.bulk.prepare import Plan, begin
from norce_order_async.bulk.queue import Notifier, ResultBuffer
from norce_order_async.bulk.workers import Workers
from norce_order_async.engines.base import UnsentError
from norce_order_async.pipeline.home import Home
from norce_order_async.pipeline.tasks import SendTasks

T = TypeVar("T")


class Run(StaysInProcess, AsyncIterator[ItemOutcome[T]]):
    """The outcomes of one run, as they come or in the order of the source. Made by ``job.run(...)``.

    Several tasks may iterate one run; each outcome goes to one of them. For example::

        async for outcome in job.run(order_ids, actions.validate()):
            print(outcome.key, outcome.value)
    """

    def __init__(self, plan: Plan[T], journal: Journal | None, tasks: SendTasks, home: Home) -> None:
        self._plan = plan
        self._home = home
        self._journal = journal
        self._tasks = tasks
        self._clock = plan.session.core.clock
        self._notifier = Notifier()
        self._buffer: ResultBuffer[T] = ResultBuffer(ordered=plan.ordered)
        self._summary = Summary()
        self._output: OutputFile[T] | None = None
        self._work: Workers[T] | None = None
        self._beginning = anyio.CancelScope()
        self._has_begun = False
        """Whether the run is prepared: its workers have started, or never will."""
        self._failure: Exception | None = None
        self._ending = anyio.Lock()
        self._started: float | None = None
        self._ended_at: float | None = None

    async def __anext__(self) -> ItemOutcome[T]:
        self._plan.session.core.loop_guard.check_same(self._home, "this job", "bulk")
        if self._started is None:
            self._start()
        while (outcome := self._buffer.take()) is None:
            if self._is_over:
                await self._end()
                raise StopAsyncIteration
            await self._notifier.wait_for_change()
        self._notifier.notify()
        return outcome

    @property
    def summary(self) -> Summary:
        """The counts of the run, also while it runs."""
        summary = self._summary
        if self._started is not None:
            now = self._clock.monotonic() if self._ended_at is None else self._ended_at
            summary.elapsed = now - self._started
        summary.throttled_seconds = self._plan.session.limiter.throttled_seconds
        return summary

    def stop(self, grace: float | None, why: str) -> None:
        """Begin nothing new; cancel calls in flight after ``grace`` seconds, or at once for None."""
        if self._ended_at is not None:
            return
        if self._work is not None:
            self._work.stop(grace, why)
            return
        self._summary.stopped = self._summary.stopped or why
        self._beginning.cancel()

    def leave(self) -> None:
        """Drop all outcomes from now on: the caller takes no more."""
        self._buffer.close()
        if self._work is not None:
            self._work.leave()

    async def ended(self) -> None:
        """Wait until the last worker has ended, and close the file that was being written."""
        while self._started is not None and not self._is_over:
            await self._notifier.wait_for_change()
        if self._output is not None:
            self._output.close()

    @property
    def _is_over(self) -> bool:
        return self._has_begun and (self._work is None or self._work.is_over)

    def _start(self) -> None:
        self._started = self._clock.monotonic()
        try:
            # In a task of the job: if the caller that asked first is cancelled, the others still get outcomes.
            self._tasks.start(self._begin)
        except UnsentError:
            # The job was left before.
            self._has_begun = True

    async def _begin(self) -> None:
        try:
            # The run may be stopped before this, or while the source is being listed.
            with self._beginning:
                prepared = await begin(self._plan, self._journal, self._summary)
                self._output = prepared.output
                if self._journal is not None:
                    await self._journal.sample(self._plan.session.limiter)
                if not self._summary.stopped:
                    self._work = Workers(
                        self._plan, prepared, self._journal, self._tasks, self._buffer, self._notifier, self._summary
                    )
                    self._work.start()
        except Exception as error:  # noqa: BLE001 - raised from the iteration
            self._failure = error
            self._summary.stopped = self._summary.stopped or failure_of(error)
        finally:
            self._has_begun = True
            self._notifier.notify_all()

    async def _end(self) -> None:
        if self._ended_at is None:
            self._ended_at = self._clock.monotonic()
        failure = self._failure if self._work is None else self._work.failure
        if failure is not None:
            raise failure
        async with self._ending:
            if self._output is not None and not self._summary.stopped:
                if self._journal is not None:
                    await self._journal.finish_output(self._output)
                else:
                    with in_words(self._output.out):
                        await to_thread.run_sync(partial(self._output.finish, keep_lines=False))
                self._output = None
