"""What an inbox does, wherever it keeps its notifications, and the errors that it raises.

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
"""To be handled now or after a pause; being handled; handled within the last 24 hours; given up."""

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
    """Another process uses the file of this inbox."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A notification that is handled now.

    Example::

        async def handle(taken: Taken) -> None:
            if not taken.is_stale:
                print(taken.delivery.order_id, taken.attempt)
    """

    delivery: Delivery
    attempt: int
    """Counts from 1. An attempt that ended with its process counts too."""
    is_stale: bool
    """Whether a later change of the same order was handled already."""


Handle = Callable[[Taken], Awaitable[object]]
"""Handles a notification. It is handled when this returns; when it raises, it is tried again after a pause."""


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
    """In UTC."""
    attempts: int
    """Times that a handler was started."""
    due: datetime | None
    """When a waiting one is tried next, in UTC; None in other states."""
    changed: datetime
    """When it came into its state, in UTC."""
    error: str
    """The class of what the handler raised last; empty if it did not raise."""

    def __repr__(self) -> str:
        return f"<InboxEntry {self.id} {self.state}: {shown(self.route)} of order {shown(self.order_id)}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxCounts:
    """How full an inbox is.

    Example::

        async with SqliteInbox("erp.inbox") as inbox:
            found = await inbox.counts()
            print(found.depth, found.counts["dead"], found.oldest)
    """

    counts: Mapping[State, int]
    """Entries by state."""
    oldest: float
    """Seconds since the oldest entry that waits or is worked on arrived; 0 if there is none."""

    @property
    def depth(self) -> int:
        """Entries that are still to be handled: waiting and working."""
        return self.counts["waiting"] + self.counts["working"]


class Inbox(Protocol):
    """Keeps notifications until they are handled. Entered once: ``async with inbox:``.

    Every method raises an :class:`InboxError` if the inbox can't be used.

    Example::

        async def retry_dead(inbox: Inbox) -> None:
            async for entry in inbox.entries("dead"):
                await inbox.retry(entry.id)

        async with SqliteInbox("erp.inbox") as inbox:
            await retry_dead(inbox)
    """

    async def __aenter__(self) -> Self:
        """Open it.

        Raises:
            InboxLockedError: another process uses its file.
        """
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is being stored, and close it."""
        ...

    async def store(self, delivery: Delivery) -> bool:
        """Store a notification. When this returns, it is on disk and will be handled.

        Returns:
            Whether there is something to do: False if a twin is stored, or was handled within the last 24 hours. A twin
            of a dead entry puts that back to work, which is True.
        """
        ...

    async def work(self, handle: Handle, *, workers: int = 8, adapter_id: str | None = None) -> None:
        """Handle what is stored, until this is cancelled.

        A handler that raises is tried again with the pause of the pipeline's repeats, and its entry is dead after a
        number of tries. A handler that is cancelled with this puts its entry back.

        Args:
            handle: called for each notification.
            workers: handlers that run at the same time.
            adapter_id: only entries of this adapter; all when left out.
        """
        ...

    def entries(self, state: State | None = None) -> AsyncIterator[InboxEntry]:
        """The entries, oldest first. They are read as they are iterated, so a million of them take no memory."""
        ...

    async def retry(self, id: int) -> State | None:
        """Have an entry handled again.

        A dead one, or one that waits for its next try, is due at once. A handled one has no body any more: it is
        forgotten, so that it is handled when the service sends it again.

        Returns:
            The state in which the entry was; None if there is no such entry. One that is being handled is left alone.
        """
        ...

    async def drop(self, id: int) -> State | None:
        """Remove an entry for good. It is handled if the service sends it again.

        Returns:
            The state in which the entry was; None if there is no such entry. One that is being handled is left alone.
        """
        ...

    async def counts(self) -> InboxCounts:
        """How many entries there are, and how long the oldest has waited."""
        ...
