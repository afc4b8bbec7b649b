"""Taking the items of a job through their action.

A number of workers take one item each, do it, write down what came of it and hand the outcome to whoever iterates.
They are tasks of the job's own, not of a task group entered here, so that the iteration can be left and cancelled from
anywhere. What is in memory is what the workers hold: a source is read as they need it, and a journal a few hundred
items at a time.

An item whose call was not sent or was turned away goes back and is tried again (:mod:`.outage` says when). One whose
answer was lost is settled once by reading; one that can't be settled is told as unknown and never sent again. When a
journal is resumed, what was in the air is settled before anything is sent.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar, cast

import anyio
from anyio import to_thread

from norce_order_async.bulk.action import Action, Settled
from norce_order_async.bulk.database import State
from norce_order_async.bulk.errors import JournalError
from norce_order_async.bulk.journal import Journal
from norce_order_async.bulk.outage import Outage
from norce_order_async.bulk.outcome import ItemOutcome, Summary, Verdict
from norce_order_async.bulk.source import Entry, Item, Items, Key, Partition, Source, as_json, check_source
from norce_order_async.bulk.spool import Spool
from norce_order_async.errors import (
    CallError,
    InvalidRequestError,
    NorceError,
    NotSentError,
    RefusedError,
    RejectedError,
    TokenError,
    UnauthorizedError,
    UnavailableError,
)
from norce_order_async.orders.capture import capture_answers
from norce_order_async.orders.collection import OrderCollection
from norce_order_async.orders.filter import OrderFilter
from norce_order_async.orders.order import Order
from norce_order_async.pipeline.ownership import OwnedSends
from norce_order_async.pipeline.session import Session

T = TypeVar("T")

SHARE_AFTER = 20
"""Outcomes before a share of failures is believed."""
WAITING = 4
"""Calls in the limiter's queue beyond which no further item is begun: what waits there is not in the air, but would be
marked as sent."""
WINDOW = 4
"""How far items may be ahead of the next one to be given in order, in multiples of the workers."""
TRIES = 3
"""How often an item is sent whose answer was lost and that reading showed not to be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Generic[T]):
    """What a run is to do."""

    session: Session
    action: Action[T]
    source: Source | None
    key: Key
    partition: Partition
    workers: int
    ordered: bool
    failure_limit: float | None
    dry_run: bool


class Run(AsyncIterator[ItemOutcome[T]]):
    """The outcomes of one run, as they come or in the order of the source."""

    def __init__(self, plan: Plan[T], journal: Journal | None, tasks: OwnedSends) -> None:
        session = plan.session
        self._plan = plan
        self._action = plan.action
        self._journal = journal
        self._tasks = tasks
        self._clock = session.core.clock
        self._limiter = session.limiter
        self._outage = Outage(self._clock, session.settings.max_delay)
        self._spool: Spool[T] | None = None
        self._source: AsyncIterator[Item] | None = None
        self._reading = anyio.Lock()
        self._read_up_to = 0
        self._planned: deque[Item] = deque()
        self._back: deque[Item] = deque()
        """Items to be tried again."""
        self._scopes: set[anyio.CancelScope] = set()
        self._workers = 0
        """Tasks at work: those that take items, and those that write down what came of them."""
        self._outcomes: deque[ItemOutcome[T]] = deque()
        self._held: dict[int, ItemOutcome[T]] = {}
        """Outcomes that wait for those before them."""
        self._next_number: deque[int] = deque()
        """Numbers taken, in order, for giving outcomes in that order."""
        self._busy = 0
        """Items that are being worked on."""
        self._probe: Item | None = None
        """The item that finds out whether the service is back."""
        self._settling = False
        """Whether the items being taken are those that were in the air when an earlier run ended."""
        self._idle: deque[anyio.Event] = deque()
        """Workers that wait for something to do."""
        self._changed = anyio.Event()
        self._beginning: anyio.CancelScope | None = None
        self._timer: anyio.CancelScope | None = None
        self._stopping = False
        self._left = False
        self._begun = False
        self._failure: Exception | None = None
        self._started = 0.0
        self._ended_at: float | None = None
        self._summary = Summary()

    # Iterating

    async def __anext__(self) -> ItemOutcome[T]:
        if not self._begun:
            self._begun = True
            self._started = self._clock.monotonic()
            with anyio.CancelScope() as self._beginning:
                await self._begin()
            self._beginning = None
        while True:
            if self._outcomes:
                outcome = self._outcomes.popleft()
                self._wake()
                return outcome
            if self._workers == 0:
                await self._end()
                raise StopAsyncIteration
            await self._changed.wait()

    @property
    def summary(self) -> Summary:
        """The run so far."""
        summary = self._summary
        now = self._clock.monotonic() if self._ended_at is None else self._ended_at
        summary.elapsed = now - self._started if self._started else 0.0
        summary.throttled_seconds = self._outage.seconds + getattr(self._limiter, "throttled_seconds", 0.0)
        return summary

    def stop(self, grace: float | None, why: str) -> None:
        """Begin nothing new; cancel what is in the air after ``grace`` seconds, or at once for None."""
        if self._ended_at is not None:
            return
        if not self._stopping:
            self._stopping = True
            self._summary.stopped = why
            self._outage.end()
            if self._beginning is not None:
                self._beginning.cancel()
            if grace is not None and self._workers:
                self._tasks.start(lambda: self._cancel_after(grace))
        if grace is None:
            self._cancel_all()
        self._wake_all()

    def leave(self) -> None:
        """Nobody takes outcomes any more."""
        self._left = True
        self._wake_all()

    async def ended(self) -> None:
        """Wait until no worker works."""
        while self._workers:
            await self._changed.wait()

    # Beginning and ending

    async def _begin(self) -> None:
        if self._plan.source is not None:
            check_source(self._plan.source)
        spool = None if self._plan.dry_run else self._action.spool()
        if self._journal is None:
            self._source = await self._unjournaled()
            if spool is not None:
                await to_thread.run_sync(spool.open, 0)
                self._spool = spool
        else:
            await self._begin_journaled(self._journal, spool)
        for _ in range(self._plan.workers):
            self._workers += 1
            self._tasks.start(self._work)

    async def _unjournaled(self) -> AsyncIterator[Item]:
        source = self._plan.source
        if isinstance(source, OrderFilter):
            # The work may take orders out of the filter or put others in, so all are listed before.
            source = [order.id async for order in self._listed(source)]
        if isinstance(source, list | tuple):
            self._summary.total = len(cast("list[Entry]", source)) if self._plan.partition.of == 1 else None
        return self._items(source)

    async def _begin_journaled(self, journal: Journal, spool: Spool[T] | None) -> None:
        plan = self._plan
        facts = self._facts()
        if plan.source is None:
            await journal.check_listed(facts)
        else:
            source = plan.source
            entries = self._listed(source) if isinstance(source, OrderFilter) else source
            await journal.list_items(facts, lambda: self._items(entries), compare=not isinstance(source, OrderFilter))
        counts = await journal.counts()
        self._summary.total = sum(counts.values())
        for state, verdict in (("confirmed", "done"), ("refused", "refused"), ("unknown", "unknown")):
            if counts[state]:
                self._summary.before[verdict] = counts[state]
        if spool is not None and (counts["planned"] or counts["sent"]):
            await journal.use_spool(spool)
            self._spool = spool
        if counts["sent"]:
            await self._wait_for_late_ones(journal)
            self._settling = True

    async def _wait_for_late_ones(self, journal: Journal) -> None:
        """What a killed run sent last may still be landing; a read before that would say "not done" too early."""
        sent = await journal.last_sent()
        pause = self._plan.session.settings.settling_pause
        if sent is not None and (wait := min(pause, sent + pause - time.time())) > 0:
            await self._clock.sleep(wait)

    async def _end(self) -> None:
        if self._ended_at is None:
            self._ended_at = self._clock.monotonic()
            finished = self._failure is None and not self._summary.stopped
            if self._spool is not None and finished:
                await to_thread.run_sync(self._spool.finish)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _facts(self) -> dict[str, Any]:
        context, partition = self._plan.session.context, self._plan.partition
        source = self._plan.source
        return {
            "action": self._action.name,
            "parameters": _plain(self._action.parameters),
            "columns": list(self._action.columns),
            "merchant": context.merchant,
            "channel": context.channel,
            "service": self._plan.session.core.base_url,
            "partition": [partition.index, partition.of],
            "source": _filter_facts(source) if isinstance(source, OrderFilter) else "items",
        }

    def _listed(self, where: OrderFilter) -> AsyncIterator[Order]:
        return OrderCollection(self._plan.session).iterate(where)

    def _items(self, source: Any) -> AsyncIterator[Item]:
        return Items(cast("list[Entry]", source), self._plan.key, self._action.columns, self._plan.partition)

    # One worker

    async def _work(self) -> None:
        item: Item | None = None
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                while (item := await self._take()) is not None:
                    outcome = await self._handled(item)
                    self._end_probe(item)
                    if outcome is not None and self._journal is None:
                        await self._give(item, outcome)
                    elif outcome is not None:
                        # Aside, so that the last line of this item and the first of the next go to disk together.
                        self._tasks.start(partial(self._give_aside, item, outcome))
                        self._workers += 1
                    item = None
            except Exception as error:  # noqa: BLE001 - whoever iterates gets it
                self._fail(error)
        self._scopes.discard(scope)
        if scope.cancelled_caught and item is not None:
            self._cut_off(item)
        self._worker_ended()

    def _end_probe(self, item: Item) -> None:
        """Whatever came of a probe, the next one may go."""
        if item is self._probe:
            self._probe = None
            self._outage.give_up_turn()

    async def _give_aside(self, item: Item, outcome: ItemOutcome[T]) -> None:
        try:
            await self._give(item, outcome)
        except Exception as error:  # noqa: BLE001 - whoever iterates gets it
            self._fail(error)
        self._worker_ended()

    def _worker_ended(self) -> None:
        self._workers -= 1
        if self._workers == 0:
            self._give_rest()
            self._wake_all()

    async def _take(self) -> Item | None:
        """The next item, when it may be begun; None when there is none left for this worker."""
        while not self._stopping:
            if self._holds_back():
                await self._idly()
                continue
            probing = await self._outage.gate()
            item = None if self._stopping else await self._next()
            if item is not None:
                if probing:
                    self._probe = item
                return item
            if probing:
                self._outage.give_up_turn()
            if not self._busy and not self._settling:
                break
            # Somebody's item may come back.
            await self._idly()
        return None

    def _holds_back(self) -> bool:
        limiter = self._limiter
        if limiter.waiting > WAITING or self._busy >= 2 * limiter.limit + WAITING:
            return True
        # Outcomes pile up because nobody takes them, or because an earlier item is not done yet.
        return not self._left and len(self._outcomes) + len(self._held) >= WINDOW * self._plan.workers

    async def _next(self) -> Item | None:
        async with self._reading:
            item = self._back.popleft() if self._back else await self._read()
            if item is not None:
                self._busy += 1
                if self._plan.ordered and not item.tries:
                    self._next_number.append(item.number)
            return item

    async def _read(self) -> Item | None:
        if self._source is not None:
            return await anext(self._source, None)
        if self._journal is None:
            return None
        if not self._planned:
            self._planned.extend(await self._journal.some("sent" if self._settling else "planned", self._read_up_to))
            if self._planned:
                self._read_up_to = self._planned[-1].number
            elif self._settling and not self._busy:
                # Everything that was in the air is settled; only now is anything sent.
                self._settling = False
                self._read_up_to = 0
                self._wake_all()
                return await self._read()
        return self._planned.popleft() if self._planned else None

    # One item

    async def _handled(self, item: Item) -> ItemOutcome[T] | None:
        """What came of it; None when it went back."""
        order = Order(self._plan.session, item.key)
        if self._plan.dry_run:
            return await self._previewed(item, order)
        settling = self._settling
        with capture_answers() as answers:
            try:
                if settling:
                    outcome = await self._settled_from_before(item, order)
                else:
                    if self._journal is not None:
                        await self._journal.record(item, "sent")
                    item.tries += 1
                    value = await self._action.apply(order, item.row)
                    nothing = self._action.did_nothing(value)
                    outcome = ItemOutcome(key=item.key, verdict="already done" if nothing else "done", value=value)
            except JournalError:
                raise
            except Exception as error:  # noqa: BLE001 - each kind is decided on in one place
                outcome = await self._decided(item, order, error)
            finally:
                attempts = tuple(attempt for answer in answers for attempt in answer.attempts)
        if outcome is None:
            return None
        self._outage.answered()
        lost = outcome.error.attempts if isinstance(outcome.error, CallError) else ()
        return replace(outcome, attempts=(*attempts, *lost))

    async def _decided(self, item: Item, order: Order, error: Exception) -> ItemOutcome[T] | None:
        """What an error means for the item."""
        if _was_not_done(error, reading=self._settling or not self._action.writes):
            await self._put_back(item, error)
            return None
        if self._settling and isinstance(error, RefusedError) and not isinstance(error, UnauthorizedError):
            # It could not be looked at, and that says nothing of what was sent.
            return _outcome(item, "unknown", error)
        if isinstance(error, UnauthorizedError) and not error.maybe_changed:
            # The next one would fare no better.
            self._fail(error)
            await self._return(item, settled=False)
            return None
        if not isinstance(error, NorceError):
            self._fail(error)
            return _outcome(item, "unknown", error, "the action failed by itself")
        if isinstance(error, InvalidRequestError):
            return _outcome(item, "refused", error)
        if isinstance(error, RefusedError):
            return await self._refused(item, order, error)
        settled = await self._settle_quietly(item, order)
        if settled == "done":
            return _outcome(item, "done", note="found by reading")
        if settled == "not done" and item.tries < TRIES:
            await self._put_back(item, error)
            return None
        return _outcome(item, "unknown", error)

    async def _refused(self, item: Item, order: Order, error: RefusedError) -> ItemOutcome[T]:
        if not error.maybe_changed and not self._action.excuses(error):
            return _outcome(item, "refused", error)
        settled = await self._settle_quietly(item, order)
        if settled == "done":
            return _outcome(item, "done" if error.maybe_changed else "already done", note="found by reading")
        return _outcome(item, "unknown" if error.maybe_changed and settled == "unknown" else "refused", error)

    async def _settle_quietly(self, item: Item, order: Order) -> Settled:
        try:
            return await self._action.settle(order, item.row)
        except NorceError:
            return "unknown"

    async def _settled_from_before(self, item: Item, order: Order) -> ItemOutcome[T] | None:
        """An item that was in the air when an earlier run ended."""
        settled = await self._action.settle(order, item.row)
        self._outage.answered()
        if settled == "not done":
            await self._return(item)
            return None
        return _outcome(
            item, "done" if settled == "done" else "unknown", note="was in the air when an earlier run ended"
        )

    async def _previewed(self, item: Item, order: Order) -> ItemOutcome[T] | None:
        try:
            note = await self._action.preview(order, item.row)
        except Exception as error:  # noqa: BLE001 - told with the item, as for one that is acted on
            if not isinstance(error, NorceError):
                self._fail(error)
            return _outcome(item, "not tried", error, "could not be looked at")
        return ItemOutcome(key=item.key, verdict="not tried", note=note)

    async def _put_back(self, item: Item, error: Exception) -> None:
        """It was not done: it is tried again, when the service is there."""
        asked = error.retry_after if isinstance(error, RejectedError) else None
        gave_up = error.gave_up if isinstance(error, CallError) else "token"
        if gave_up == "closed":
            self._fail(error)
        summary = self._summary
        summary.retries += 1
        if isinstance(error, CallError):
            summary.retries += max(0, len(error.attempts) - 1)
            summary.throttled += sum(attempt.outcome == "rejected" for attempt in error.attempts)
        probe = item is self._probe
        if probe:
            self._probe = None
            summary.failed_probes += 1
            self._check_failures()
        self._outage.failed(probe=probe, at_once=gave_up in ("budget", "retry-after", "token"), asked=asked)
        await self._return(item, settled=False)

    async def _return(self, item: Item, *, settled: bool = True) -> None:
        """Back to planned, in the journal too; one that is still to be settled stays as it is."""
        if self._journal is not None and not (self._settling and not settled):
            await self._journal.record(item, "planned")
        self._busy -= 1
        if self._settling and settled:
            # It is met again among the planned ones.
            if self._plan.ordered:
                self._next_number.remove(item.number)
        else:
            item.tries = max(item.tries, 1)
            self._back.append(item)
        self._wake()

    # Outcomes

    async def _give(self, item: Item, outcome: ItemOutcome[T]) -> None:
        await self._write_down(item, outcome)
        self._busy -= 1
        self._summary.count(cast("ItemOutcome[object]", outcome))
        self._check_failures()
        if self._plan.ordered:
            self._held[item.number] = outcome
            while self._next_number and self._next_number[0] in self._held:
                self._outcomes.append(self._held.pop(self._next_number.popleft()))
        else:
            self._outcomes.append(outcome)
        if self._left:
            self._outcomes.clear()
        self._wake()

    def _cut_off(self, item: Item) -> None:
        """A worker was cancelled: what it had sent may have arrived. A journal keeps it as sent."""
        self._busy -= 1
        sent = item.tries > 0 and self._action.writes
        outcome: ItemOutcome[T] = ItemOutcome(
            key=item.key, verdict="unknown" if sent else "not tried", note="stopped while it was in the air"
        )
        self._summary.count(cast("ItemOutcome[object]", outcome))
        self._held[item.number] = outcome

    async def _write_down(self, item: Item, outcome: ItemOutcome[T]) -> None:
        line = b""
        if self._spool is not None and outcome.verdict == "done" and outcome.value is not None:
            line = self._spool.line(outcome.value)
        if self._journal is None:
            if self._spool is not None and line:
                self._spool.append([line], durable=False)
            return
        state = _STATES.get(outcome.verdict)
        if state is None:
            return
        error = outcome.error
        await self._journal.record(
            item,
            state,
            attempts=outcome.attempts,
            reason=outcome.reason,
            correlation_id=error.correlation_id if isinstance(error, CallError) else "",
            line=line,
        )

    def _give_rest(self) -> None:
        """The last worker has ended: what came back and was not tried again is told too."""
        for item in self._back:
            outcome: ItemOutcome[T] = ItemOutcome(key=item.key, verdict="not tried")
            self._summary.count(cast("ItemOutcome[object]", outcome))
            self._held[item.number] = outcome
        self._back.clear()
        for number in sorted(self._held):
            self._outcomes.append(self._held.pop(number))

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
            self.stop(None if self._outage.away else _AFTER_FAILURES, f"{failures} failures, more than the limit")

    def _fail(self, error: Exception) -> None:
        """Something that ends the run, and is raised to whoever iterates."""
        self._failure = self._failure or error
        self.stop(_AFTER_FAILURES, "failed")

    # Stopping

    async def _cancel_after(self, grace: float) -> None:
        with anyio.CancelScope() as self._timer:
            if self._workers:
                await self._clock.sleep(grace)
                self._cancel_all()

    def _cancel_all(self) -> None:
        for scope in tuple(self._scopes):
            scope.cancel()

    # Waking

    async def _idly(self) -> None:
        """Wait until something may have changed for one worker."""
        turn = anyio.Event()
        self._idle.append(turn)
        await turn.wait()

    def _wake(self) -> None:
        """One worker, and whoever iterates; all of them when nothing is being worked on any more."""
        if not self._busy:
            self._wake_all()
            return
        if self._idle:
            self._idle.popleft().set()
        self._tell()

    def _wake_all(self) -> None:
        while self._idle:
            self._idle.popleft().set()
        if self._workers == 0 and self._timer is not None:
            self._timer.cancel()
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()


_AFTER_FAILURES = 30.0
"""Seconds that what is in the air gets when the run ends itself."""
_STATES: dict[str, State] = {
    "done": "confirmed",
    "already done": "confirmed",
    "refused": "refused",
    "unknown": "unknown",
}


def _was_not_done(error: Exception, *, reading: bool) -> bool:
    """Whether nothing was changed and it may be tried again; so it is after any read."""
    if isinstance(error, NotSentError | RejectedError | TokenError):
        return True
    return reading and isinstance(error, UnavailableError)


def _outcome(item: Item, verdict: Verdict, error: Exception | None = None, note: str = "") -> ItemOutcome[Any]:
    return ItemOutcome(key=item.key, verdict=verdict, error=error, note=note)


def _plain(parameters: Any) -> Any:
    """As a journal gives it back."""
    return json.loads(as_json(parameters))


def _filter_facts(where: OrderFilter) -> str:
    return as_json({name: str(value) for name, value in where.query().items()})
