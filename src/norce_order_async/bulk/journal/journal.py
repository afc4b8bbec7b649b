"""The journal as a running job uses it: it does not block the loop, and writes in groups.

After a failed write, nothing more is written and every writer gets the error, so an item that could not be marked as
sent is not sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import anyio
from anyio import from_thread, to_thread

from norce_order_async._json import is_mapping, mapping_or_empty
from norce_order_async.bulk.actions.output import OutputFile
from norce_order_async.bulk.journal.errors import JournalError, JournalMismatchError
from norce_order_async.bulk.journal.reading import (
    DATES,
    DUPLICATES,
    KEPT,
    LISTED,
    MADE,
    MADE_OF,
    MAX_RATE,
    SETTLES,
    SOURCE,
    SPOOLED,
    State,
)
from norce_order_async.bulk.journal.samples import Sampler, samples_in
from norce_order_async.bulk.journal.store import Change, Store
from norce_order_async.bulk.source import Item, Items, rows_differ
from norce_order_async.pipeline.limiter import Limiter
from norce_order_async.pipeline.tasks import SendTasks
from norce_order_async.storage.groups import Groups

T = TypeVar("T")
U = TypeVar("U")

LISTED_AT_ONCE = 5_000
_SENDS_WITHIN = 0.005
"""Seconds that a store has to send a full batch before the loop reads the next one. While the loop reads a source in
memory, it holds Python's lock. The store's thread would wait for it at each step, and lists took a fifth longer."""
READ_AT_ONCE = 500
_SHOWN = ("action", "merchant", "channel", "service", "partition")


@dataclass(slots=True)
class Journal:
    """One job's journal. Made by :meth:`open`."""

    _store: Store
    _tasks: SendTasks
    _one: anyio.Lock = field(default_factory=anyio.Lock)
    """Held by the one call that the store is busy with."""
    _groups: Groups[Change, None] = field(init=False)
    _broken: JournalError | None = None
    _output: OutputFile[Any] | None = None
    _sampler: Sampler | None = None
    _inherited: bool = False
    """Whether this is a forked child's copy."""

    def __post_init__(self) -> None:
        self._groups = Groups(self._tasks.start, self._write, self._cut_off)

    @classmethod
    async def open(cls, store: Store, tasks: SendTasks) -> Journal:
        """Take the journal in a store for this run; it is made if it does not exist.

        Raises:
            JournalLockedError: another run has it.
            JournalError: it can't be opened, is damaged, or is not a journal.
        """
        await to_thread.run_sync(store.take)
        return cls(store, tasks)

    @property
    def name(self) -> str:
        """The journal's name in error messages."""
        return self._store.name

    @property
    def kept_back(self) -> Callable[[], str | None] | None:
        """Returns the reason if no request may be sent now, because another run may have the journal; otherwise None.

        None for a journal that no other run can take.
        """
        return self._store.kept_back

    async def renew(self) -> None:
        """Renew the lease. A database that is away is waited for, as long as the lease is certain to be this run's.

        Raises:
            JournalLockedError: another run has the journal now.
            JournalError: the database can't be reached.
        """
        await self._in_thread(self._store.renew)

    @property
    def since_late(self) -> float | None:
        """Seconds since the lease of an earlier run ended that did not release the journal; None if it did."""
        return self._store.since_late()

    def close(self) -> None:
        """Close the output and release the store. Blocking, for a moment."""
        if self._inherited:
            return
        if self._output is not None:
            self._output.close()
        self._store.release()

    def forked(self) -> None:
        """Called in a forked child: the journal is the parent's."""
        self._inherited = True
        self._store.abandon()

    # What the job is about

    async def list_items(
        self,
        facts: Mapping[str, Any],
        items: Callable[[], Items],
        *,
        dates: Mapping[str, str],
        settles: bool,
        compare: bool,
    ) -> Mapping[str, str] | None:
        """List all items of the source; if the journal has a list already, check that it is the same.

        Args:
            facts: the facts by which the job is recognised.
            items: makes the items of the source.
            dates: the dates of a filter. They may differ when a journal is continued: "the last two days" are other
                dates each time.
            settles: whether the action can read if it took effect. A newer version of an action may differ.
            compare: whether to compare an existing list with the source. A filter finds other orders each time.

        Returns:
            The dates of an existing list; None if the list was made now.

        Raises:
            JournalMismatchError: the journal belongs to another job, or the items differ.
            JournalError: the journal can't be written.
        """
        found = await self._in_thread(self._store.facts)
        listed = bool(found.get(LISTED))
        if listed:
            _check_facts(self.name, found, facts)
            if compare:
                await self._compare(items())
            await self._in_thread(lambda: self._store.put_facts({SETTLES: settles}))
            return mapping_or_empty(found.get(DATES))
        await self._in_thread(lambda: self._store.begin({**facts, DATES: dict(dates), SETTLES: settles}))
        duplicates = 0

        def added(came: tuple[int, str | None]) -> None:
            nonlocal duplicates
            again, other = came
            if other is not None:
                raise rows_differ(other)
            duplicates += again

        await self._go_through(items(), self._store.add, added)
        await self._in_thread(lambda: self._store.put_facts({LISTED: True, DUPLICATES: duplicates}))
        return None

    async def is_listed(self) -> bool:
        """Whether all items are listed."""
        return bool((await self._in_thread(self._store.facts)).get(LISTED))

    async def check_listed(self, facts: Mapping[str, Any], *, settles: bool) -> None:
        """Check that the journal has its list and belongs to this job.

        Raises:
            JournalMismatchError: it has no list, or belongs to another job.
        """
        found = await self._in_thread(self._store.facts)
        if not found.get(LISTED):
            raise JournalMismatchError(f"journal {self.name} holds no list of items yet: give a source")
        _check_facts(self.name, found, {name: value for name, value in facts.items() if name != "source"})
        await self._in_thread(lambda: self._store.put_facts({SETTLES: settles}))

    async def set_max_rate(self, rate: float | None) -> None:
        """Record the rate that the workers share, in attempts a second; None for no limit."""
        await self._in_thread(lambda: self._store.put_facts({MAX_RATE: rate}))

    async def _compare(self, items: Items) -> None:
        await self._in_thread(self._store.begin_comparison)
        await self._go_through(items, self._store.compare, _nothing)
        difference = await self._in_thread(self._store.difference)
        if difference:
            raise JournalMismatchError(
                f"journal {self.name} was begun with other items ({difference}): give the same items"
                ", or None to continue with those in the journal, or name another journal"
            )

    async def _go_through(self, items: Items, work: Callable[[Sequence[Item]], T], then: Callable[[T], None]) -> None:
        """Pass all items to the store in batches. While it works on one batch, the next is read and prepared.

        Args:
            items: the items.
            work: called in a thread with each batch.
            then: called with each result; it may raise to end this.
        """
        some = await self._next_of(items)
        while some:
            begun = anyio.Event()
            pause = _SENDS_WITHIN if len(some) == LISTED_AT_ONCE else 0
            _, some = await _both(
                partial(self._work_on, some, begun, work, then), partial(self._after, begun, pause, items)
            )

    async def _after(self, begun: anyio.Event, pause: float, items: Items) -> Sequence[Item]:
        await begun.wait()
        if pause:
            await anyio.sleep(pause)
        return await self._next_of(items)

    async def _next_of(self, items: Items) -> Sequence[Item]:
        some = await items.some(LISTED_AT_ONCE)
        return self._store.prepared(some) if some else some

    async def _work_on(
        self, some: Sequence[Item], begun: anyio.Event, work: Callable[[Sequence[Item]], T], then: Callable[[T], None]
    ) -> None:
        def begin() -> T:
            # Reading a source in memory blocks the loop, so it may begin only when this thread is at work.
            from_thread.run_sync(begun.set)
            return work(some)

        then(await self._in_thread(begin))

    async def duplicates(self) -> int:
        """The number of entries of the source that repeat an earlier one."""
        return int((await self._in_thread(self._store.facts)).get(DUPLICATES, 0))

    async def counts(self) -> Counter[str]:
        """The number of items by state."""
        return Counter(await self._in_thread(self._store.counts))

    async def last_change(self) -> float | None:
        """When an item last changed its state, in seconds since 1970; None if none has."""
        return await self._in_thread(self._store.last_change)

    async def since_sent(self) -> float | None:
        """Seconds since the latest item in flight was sent."""
        return await self._in_thread(self._store.since_sent)

    async def some(self, state: State, after: int) -> list[Item]:
        """The next items in a state, after a number and in the order of the source."""
        return await self._in_thread(lambda: self._store.some(state, after, READ_AT_ONCE))

    # Results

    async def left_unmade(self, output: OutputFile[Any]) -> bool:
        """Whether an earlier run wrote lines for a file and ended before it made the file."""

        def is_left() -> bool:
            facts = self._store.facts()
            output.made, output.made_of = facts.get(MADE, ()), facts.get(MADE_OF)
            return output.is_left(facts.get(SPOOLED))

        return await self._in_thread(is_left)

    async def use_output(self, output: OutputFile[Any]) -> None:
        """Write lines to a file from now on, from the length on that the journal has recorded."""

        def opened() -> None:
            facts = self._store.facts()
            if KEPT in facts:
                output.check_kept(facts[KEPT])
            output.open(int(facts.get(SPOOLED, 0)))

        await self._in_thread(opened)
        self._output = output

    async def finish_output(self, output: OutputFile[Any]) -> None:
        """Make the real file of the output's lines. They are kept if there are items that may be tried again.

        Raises:
            JournalError: the file can't be written. Its lines are kept, and the next run makes it.
        """

        def finish() -> None:
            counts = self._store.counts()
            failed = bool(counts.get("refused") or counts.get("unknown"))
            is_recorded = False

            def record(versions: Sequence[list[int]]) -> None:
                nonlocal is_recorded
                self._store.put_facts({MADE: versions})
                is_recorded = True

            output.finish(keep_lines=failed, record=record)
            if is_recorded:
                # Last, so that a run that is killed before leaves all that remains to the next one.
                kept = {KEPT: output.kept_lines(output.length)} if failed else {}
                self._store.put_facts({MADE_OF: output.length, **kept})

        await self._in_thread(finish)

    async def sample(self, limiter: Limiter) -> None:
        """Record samples of the job's load from now on."""
        if not self._store.take_samples(limiter):
            self._sampler = Sampler(limiter, samples_in(await self._in_thread(self._store.facts)))

    async def record(self, item: Item, state: State) -> None:
        """Record the new state of an item, and return when it is on disk.

        Raises:
            JournalError: the journal can't be written, now or since an earlier write.
        """
        if self._broken is not None:
            raise self._broken
        await self._groups.add(Change(item.number, state, was_sent=item.was_sent))

    def record_result(self, change: Change, then: Callable[[Exception | None], None]) -> None:
        """Record the result of an item without waiting.

        Args:
            change: the result.
            then: called with None when it is on disk, or with the ``JournalError`` if it can't be written. It must not
                raise.
        """
        if self._broken is not None:
            then(self._broken)
        else:
            self._groups.put(change, then)

    async def _write(self, changes: Sequence[Change]) -> Sequence[None]:
        if self._broken is not None:
            raise self._broken
        try:
            facts = dict(self._sampler.facts()) if self._sampler is not None else {}
            await self._in_thread(partial(self._commit, changes, facts))
        except JournalError as error:
            self._broken = error
            raise
        except Exception as error:  # noqa: BLE001 - raised below, without the secrets that a database's errors may hold
            why = type(error).__name__
        else:
            return [None] * len(changes)
        raise self._cut_off(f" by {why}")

    def _cut_off(self, by: str = "") -> JournalError:
        self._broken = self._broken or JournalError(f"journal {self.name}: writing was cut off{by}")
        return self._broken

    def _commit(self, changes: Sequence[Change], facts: dict[str, Any]) -> None:
        lines = [change.line for change in changes if change.line]
        if lines and self._output is not None:
            self._output.append(lines, durable=True)
            facts[SPOOLED] = self._output.length
        self._store.record(changes, facts)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        async with self._one:
            try:
                return await to_thread.run_sync(work)
            except OSError as error:
                raise JournalError(f"{error.filename or self.name}: {error.strerror or error}") from error


def _nothing(_: object) -> None:
    pass


async def _both(first: Callable[[], Awaitable[T]], second: Callable[[], Awaitable[U]]) -> tuple[T, U]:
    """Run two functions at the same time, and return both results. If both fail, the error of the first is raised."""
    firsts: list[T] = []
    seconds: list[U] = []
    failed: BaseException | None = None

    async def do_second() -> None:
        nonlocal failed
        try:
            seconds.append(await second())
        except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001 - raised below, without a group
            failed = error

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(do_second)
        try:
            firsts.append(await first())
        except Exception as error:  # noqa: BLE001 - as above
            failed = error
            tasks.cancel_scope.cancel()
    if failed is not None:
        raise failed
    return firsts[0], seconds[0]


def _check_facts(name: str, found: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    different = [_difference(fact, found.get(fact), now) for fact, now in facts.items() if found.get(fact) != now]
    if different:
        raise JournalMismatchError(
            f"journal {name} belongs to another job: {'; '.join(different)}. Name another journal for this "
            "job, or give the arguments of the job that began it"
        )


def _difference(name: str, was: object, now: object) -> str:
    """Describe a difference in words, without values of filters, parameters and rows, which may be personal."""
    if name in _SHOWN:
        return f"its {name} was {was} and is {now} now"
    if name == SOURCE and is_mapping(was) and is_mapping(now):
        members = sorted(member for member in {*was, *now} if was.get(member) != now.get(member))
        return f"its filter had another {', '.join(members)}"
    return f"it had {'other' if name.endswith('s') else 'another'} {name}"
