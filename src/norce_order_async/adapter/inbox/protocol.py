"""The protocol of inboxes, and their errors.

An entry is in one of four states::

    store ──> waiting ──> working ──> handled ──(24 h)──> forgotten
                 ^           │
                 ├─ failed ──┤
                 │           └── too many tries ──> dead ──(retry, or a twin arrives)──> waiting
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Final, Literal, Protocol, Self, get_args

from norce_order_async.adapter.deliveries import Delivery
from norce_order_async.display import shown
from norce_order_async.errors import NorceError

State = Literal["waiting", "working", "handled", "dead"]
"""``waiting``: to be handled now or after a pause. ``working``: being handled. ``handled``: within the last 24 hours.
``dead``: given up."""

STATES: Final[tuple[State, ...]] = get_args(State)


class InboxError(NorceError):
    """The inbox can't be used, or can't be written now. The text says why and what to do.

    Example::

        try:
            async with SqliteInbox("erp.inbox") as inbox:
                print(await inbox.counts())
        except InboxError as error:
            print(error)
    """


class InboxLockedError(InboxError):
    """Another process handles the notifications in the file of this inbox."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A notification that is being handled.

    Example::

        async def handle(taken: Taken) -> None:
            if not taken.is_stale:
                print(taken.delivery.order_id, taken.attempt)
    """

    delivery: Delivery
    attempt: int
    """The number of this attempt, from 1. An attempt whose process ended counts too."""
    is_stale: bool
    """Whether a later change of the same order was handled already."""


Handle = Callable[[Taken], Awaitable[object]]
"""Handles a notification. If it raises, it is called again after a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxEntry:
    """A notification in an inbox, without its body.

    Example::

        async with SqliteInbox("erp.inbox") as inbox:
            async for entry in inbox.entries("dead"):
                print(entry.id, entry.order_id, entry.attempts, entry.error)
    """

    id: int
    state: State
    adapter_id: str
    route: str
    merchant: str
    channel: str
    order_id: str
    received_at: datetime
    """When it was received, in UTC."""
    attempts: int
    """How often a handler was started for it."""
    due: datetime | None
    """When a waiting entry is tried next, in UTC; None in other states."""
    changed: datetime
    """When it came into its state, in UTC."""
    error: str
    """The class of the error that the handler raised last; empty if it did not raise. ``the process ended`` if its
    process ended during the last attempt."""

    def __repr__(self) -> str:
        return f"<InboxEntry {self.id} {self.state}: {shown(self.route)} of order {shown(self.order_id)}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxCounts:
    """The number of entries in an inbox, and the age of the oldest.

    Example::

        async with SqliteInbox("erp.inbox") as inbox:
            found = await inbox.counts()
            print(found.depth, found.counts["dead"], found.oldest)
    """

    counts: Mapping[State, int]
    """Entries by state."""
    oldest: float
    """Age in seconds of the oldest entry that is waiting or working; 0 if no entry is."""

    @property
    def depth(self) -> int:
        """Entries that are still to be handled: waiting and working."""
        return self.counts["waiting"] + self.counts["working"]


class Inbox(Protocol):
    """Keeps notifications until they are handled. Enter it once: ``async with inbox:``.

    Every method raises an :class:`InboxError` if the inbox can't be used.

    Example::

        async def retry_dead(inbox: Inbox) -> None:
            async for entry in inbox.entries("dead"):
                await inbox.retry(entry.id)

        async with SqliteInbox("erp.inbox") as inbox:
            await retry_dead(inbox)
    """

    async def __aenter__(self) -> Self:
        """Open the inbox."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the writes that have begun, and close the inbox."""
        ...

    async def store(self, delivery: Delivery) -> bool:
        """Store a notification. When this returns, it is on disk and will be handled.

        Returns:
            Whether there is something to do. False if a twin is stored or was handled within the last 24 hours; True if
            a dead twin is tried again because of it.
        """
        ...

    async def work(self, handle: Handle, *, workers: int = 8, adapter_id: str | None = None) -> None:
        """Handle stored notifications, until this is cancelled.

        A handler that raises is called again after a pause, which grows with each attempt. After a number of attempts
        the entry is dead. If this call is cancelled, the entries of its handlers are put back.

        Args:
            handle: called for each notification.
            workers: handlers that run at the same time.
            adapter_id: the adapter whose entries are handled; all by default.

        Raises:
            InboxLockedError: another process handles the entries of the inbox, which is for one process.
        """
        ...

    def entries(self, state: State | None = None) -> AsyncIterator[InboxEntry]:
        """Iterate over the entries, oldest first. They are read in pages, so a million of them take little memory."""
        ...

    async def retry(self, id: int) -> State | None:
        """Have an entry handled again.

        A dead entry, or one that waits for its next attempt, is due at once. A handled entry has no body any more. It
        is forgotten, so that the notification is handled if the service sends it again. An entry that is being handled
        is left alone.

        Returns:
            The state in which the entry was; None if there is no such entry.
        """
        ...

    async def drop(self, id: int) -> State | None:
        """Remove an entry. The notification is handled if the service sends it again.

        An entry that is being handled is left alone.

        Returns:
            The state in which the entry was; None if there is no such entry.
        """
        ...

    async def counts(self) -> InboxCounts:
        """Count the entries by state, and return the age of the oldest."""
        ...
