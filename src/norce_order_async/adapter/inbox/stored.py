"""The inbox as an adapter uses it: it does not block the loop, writes in groups, and runs the handlers.

Deliveries and the ends of handlers are written in the same groups, so they share disk writes. While the store can't be
written, no entry is taken, and a handler that has ended keeps its entry until its end is recorded.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Final, Self, TypeVar

import anyio
from anyio import to_thread

from norce_order_async.adapter.deliveries import Delivery
from norce_order_async.adapter.inbox.protocol import STATES, Handle, InboxCounts, InboxEntry, InboxError, State
from norce_order_async.adapter.inbox.sql import PAGE, Change, End, Entries, Held, Store
from norce_order_async.checking import as_given, check_number, check_whole
from norce_order_async.engines.base import UnsentError
from norce_order_async.errors import ConfigurationError, InvalidRequestError
from norce_order_async.pipeline.retry import jittered
from norce_order_async.pipeline.tasks import SendTasks
from norce_order_async.runtime.clock import Clock, SystemClock, boottime
from norce_order_async.storage.groups import Groups

T = TypeVar("T")

_LOOK_EVERY: Final = 1.0
"""Seconds between queries for entries that other processes have stored or put back."""

_LOCKED: Final = 0.05
"""Seconds until the next query for an entry that another process has locked."""

_STORE_AWAY: Final = 1.0
"""Seconds between attempts while the store can't be written."""

_AT_THE_END: Final = 5.0
"""Seconds that a closing inbox has for its last writes."""

_OF_THE_LEASE: Final = 0.8
"""The part of a lease after which a handler whose entry could not be renewed is cancelled."""


class StoredInbox:
    """The base class of inboxes; see :class:`~norce_order_async.adapter.Inbox` for their methods."""

    def __init__(
        self, store: Store, *, max_attempts: int, backoff_base: float, backoff_cap: float, clock: Clock | None
    ) -> None:
        check_whole("max_attempts", max_attempts, 1, ConfigurationError)
        check_number("backoff_base", backoff_base, "seconds, 0 or more", ConfigurationError)
        check_number("backoff_cap", backoff_cap, "seconds, 0 or more", ConfigurationError)
        self._store = store
        self._clock: Clock = SystemClock() if clock is None else clock
        self._retries = _Retries(max_attempts, backoff_base, backoff_cap, self._clock)
        self._open: _Open | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._store.name}>"

    async def __aenter__(self) -> Self:
        """Open the inbox; it is made if it does not exist.

        Raises:
            InboxError: it can't be opened, is damaged, or is not an inbox.
        """
        if self._open is not None:
            raise InboxError(f"inbox {self._store.name} is open already")
        await to_thread.run_sync(self._store.open)
        self._open = _Open(self._store, self._clock)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the writes that have begun, and close the inbox."""
        opened, self._open = self._opened(), None
        with anyio.CancelScope(shield=True):
            await opened.tasks.drain(_AT_THE_END)
            await opened.in_thread(self._store.close)

    async def store(self, delivery: Delivery) -> bool:
        """Store a notification. When this returns, it is on disk and will be handled.

        Returns:
            Whether there is something to do. False if a twin is stored or was handled within the last 24 hours; True if
            a dead twin is tried again because of it.

        Raises:
            InvalidRequestError: an id holds characters that a database can't store.
            InboxError: it is not stored, because the disk is full or the database is away.
        """
        opened = self._opened()
        texts = (delivery.adapter_id, delivery.route, delivery.merchant, delivery.channel, delivery.order_id)
        for text in texts:
            if "\0" in text or (not text.isascii() and not _is_utf8(text)):
                raise InvalidRequestError(f"a delivery can't hold {as_given(ascii(text))}")
        changed = await opened.groups.add(delivery)
        if changed:
            opened.notify()
        return changed

    async def work(self, handle: Handle, *, workers: int = 8, adapter_id: str | None = None) -> None:
        """Handle stored notifications, until this is cancelled.

        A handler that raises is called again after a pause, which grows with each attempt. After ``max_attempts`` the
        entry is dead. If this call is cancelled, the entries of its handlers are put back.

        Args:
            handle: called for each notification.
            workers: handlers that run at the same time.
            adapter_id: the adapter whose entries are handled; all by default.

        Raises:
            InboxLockedError: another process handles the entries of the inbox, which is for one process.
        """
        check_whole("workers", workers, 1, ConfigurationError)
        opened = self._opened()
        async with opened.beginning:
            if not opened.working:
                await opened.in_thread(self._store.begin_work)
            opened.working += 1
        try:
            await _Work(opened, self._retries, handle, workers, adapter_id).run()
        finally:
            opened.working -= 1
            if not opened.working:
                self._store.end_work()

    async def entries(self, state: State | None = None) -> AsyncIterator[InboxEntry]:
        """Iterate over the entries, oldest first. They are read in pages, so a million of them take little memory.

        Args:
            state: only entries in this state: ``"waiting"``, ``"working"``, ``"handled"`` or ``"dead"``.

        Raises:
            ConfigurationError: there is no such state.
            InboxError: it can't be read.
        """
        if state is not None and state not in STATES:
            raise ConfigurationError(f"there is no state {as_given(state)}; there are {', '.join(STATES)}")
        after = 0
        while True:
            page = await self._in_thread(partial(Entries.page, state=state, after=after))
            for entry in page:
                after = entry.id
                yield entry
            if len(page) < PAGE:
                return

    async def retry(self, id: int) -> State | None:
        """Have an entry handled again.

        A dead entry, or one that waits for its next attempt, is due at once. A handled entry has no body any more. It
        is forgotten, so that the notification is handled if the service sends it again. An entry that is being handled
        is left alone.

        Returns:
            The state in which the entry was; None if there is no such entry.
        """
        check_whole("id", id, 1, InvalidRequestError)
        found = await self._in_thread(partial(Entries.retry, id=id))
        self._opened().notify()
        return found

    async def drop(self, id: int) -> State | None:
        """Remove an entry. The notification is handled if the service sends it again.

        An entry that is being handled is left alone.

        Returns:
            The state in which the entry was; None if there is no such entry.
        """
        check_whole("id", id, 1, InvalidRequestError)
        return await self._in_thread(partial(Entries.drop, id=id))

    async def counts(self) -> InboxCounts:
        """Count the entries by state, and return the age of the oldest."""
        return await self._in_thread(Entries.counts)

    async def _in_thread(self, work: Callable[[Entries], T]) -> T:
        return await self._opened().run(work)

    def _opened(self) -> _Open:
        if self._open is None:
            raise InboxError(f"inbox {self._store.name} is not open: use it inside `async with inbox:`")
        return self._open


class _Open:
    """An open inbox, on one event loop."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.working = 0
        """Calls of ``work`` that run."""
        self.beginning = anyio.Lock()
        self.changed = anyio.Event()
        """Set if an entry may be due; each ring replaces it with another event."""
        self.tasks = SendTasks()
        self.groups: Groups[Change, bool] = Groups(
            self._start,
            lambda changes: self.run(lambda entries: entries.write(changes)),
            lambda: InboxError(f"inbox {store.name}: writing was cut off"),
        )
        self._entries = Entries(store)
        self._one = anyio.CapacityLimiter(1)
        """Allows one call of the store at a time, in a thread that handlers can't use up."""

    async def run(self, work: Callable[[Entries], T]) -> T:
        """Run ``work`` on the entries in a thread, and return its result."""
        return await self.in_thread(lambda: work(self._entries))

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run ``work`` in a thread, and return its result."""
        return await to_thread.run_sync(work, limiter=self._one)

    def notify(self) -> None:
        """Wake calls of ``work``, because an entry may be due."""
        self.changed.set()
        self.changed = anyio.Event()

    def _start(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            self.tasks.start(work)
        except UnsentError:
            raise InboxError(f"inbox {self.store.name} is closed") from None


class _Retries:
    """How often an entry is tried, and the pauses between the attempts."""

    def __init__(self, attempts: int, base: float, cap: float, clock: Clock) -> None:
        self.attempts = attempts
        self._base = base
        self._cap = cap
        self._clock = clock

    def after(self, held: Held, error: str) -> End:
        """Return the new state of an entry whose handler failed."""
        attempt = held.taken.attempt
        if attempt >= self.attempts:
            return End(held, "dead", error=error)
        pause = jittered(attempt, base=self._base, cap=self._cap, uniform=self._clock.uniform)
        return End(held, "waiting", pause, error)


class _Handling:
    """A running handler and its entry."""

    __slots__ = ("held", "scope", "until")

    def __init__(self, held: Held, until: float) -> None:
        self.held = held
        self.scope = anyio.CancelScope()
        self.until = until
        """When the handler is cancelled, by :func:`boottime`: another process may soon take the entry."""


class _Work:
    """One call of ``work``."""

    def __init__(self, opened: _Open, retries: _Retries, handle: Handle, workers: int, adapter_id: str | None) -> None:
        self._opened = opened
        self._retries = retries
        self._handle = handle
        self._workers = workers
        self._adapter_id = adapter_id
        self._clock = opened.clock
        self._lease = opened.store.lease
        self._handling: dict[int, _Handling] = {}
        self._room = anyio.Event()

    async def run(self) -> None:
        async with anyio.create_task_group() as group:
            if math.isfinite(self._lease):
                group.start_soon(self._renew)
                group.start_soon(self._watch)
            while True:
                while len(self._handling) >= self._workers:
                    await self._room.wait()
                changed = self._opened.changed
                for handling in await self._take():
                    group.start_soon(self._run, handling)
                if len(self._handling) < self._workers:
                    await self._wait(changed)

    async def _take(self) -> list[_Handling]:
        """Take entries that are due. However this ends, entries that were taken are not lost."""
        taken: list[Held] = []
        until = boottime() + _OF_THE_LEASE * self._lease
        free = self._workers - len(self._handling)
        try:
            await self._opened.run(lambda entries: taken.extend(entries.take(free, self._adapter_id)))
            handlings = [_Handling(held, until) for held in taken]
        except InboxError:
            await self._clock.sleep(_STORE_AWAY)
            return []
        except BaseException:
            await self._put_back(taken)
            raise
        self._handling.update((handling.held.id, handling) for handling in handlings)
        return handlings

    async def _wait(self, changed: anyio.Event) -> None:
        """Wait until an entry may be due."""
        try:
            due = await self._opened.run(lambda entries: entries.next_due(self._adapter_id))
        except InboxError:
            due = None
        # An entry that is due and was not taken is locked by another process for a moment.
        with self._clock.move_on_after(_LOOK_EVERY if due is None else min(max(due, _LOCKED), _LOOK_EVERY)):
            await changed.wait()

    async def _run(self, handling: _Handling) -> None:
        held, end = handling.held, None
        try:
            if held.taken.attempt > self._retries.attempts:
                # The process ended in the last of its attempts.
                end = End(held, "dead", error="the process ended", unused=1)
            else:
                with handling.scope:
                    try:
                        await self._handle(held.taken)
                    except Exception as error:  # noqa: BLE001 - handlers may raise anything
                        end = self._retries.after(held, type(error).__name__)
                    else:
                        end = End(held, "handled")
            if end is not None:
                await self._write(end)
        except BaseException:
            # The adapter is closing. A handled entry is recorded, any other is put back.
            await self._last_write([end or End(held, "waiting", unused=1)])
            raise
        finally:
            del self._handling[held.id]
            self._room.set()
            self._room = anyio.Event()

    async def _write(self, end: End) -> None:
        """Record the end of an entry, as soon as the store can be written."""
        while True:
            try:
                await self._opened.groups.add(end)
            except InboxError:
                await self._clock.sleep(_STORE_AWAY)
            else:
                return

    async def _put_back(self, taken: Sequence[Held]) -> None:
        await self._last_write([End(held, "waiting", unused=1) for held in taken])

    async def _last_write(self, ends: Sequence[End]) -> None:
        with anyio.CancelScope(shield=True), self._clock.move_on_after(_AT_THE_END):
            for end in ends:
                try:
                    await self._opened.groups.add(end)
                except InboxError:
                    # The entries are taken again when their leases are over.
                    return

    async def _renew(self) -> None:
        """Renew the leases of entries that are being handled."""
        while True:
            await self._clock.sleep(self._lease / 3)
            handlings = list(self._handling.values())
            if not handlings:
                continue
            until = boottime() + _OF_THE_LEASE * self._lease
            try:
                kept = await self._opened.run(partial(Entries.renew, held=[each.held for each in handlings]))
            except InboxError:
                continue
            for handling, still_ours in zip(handlings, kept, strict=True):
                if still_ours:
                    handling.until = until
                elif self._handling.get(handling.held.id) is handling:
                    handling.scope.cancel()

    async def _watch(self) -> None:
        """Cancel handlers whose leases could not be renewed, before another process may take their entries."""
        while True:
            await self._clock.sleep(self._lease / 30)
            now = boottime()
            for handling in list(self._handling.values()):
                if now >= handling.until:
                    handling.scope.cancel()


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
