"""Stopping the calls of a job: which attempts may still be sent, and which were sent.

The calls made for one item of a job share an :class:`ItemCalls`. Once the job is stopped, it sends no further attempts,
neither first ones nor repeats. The exception is reads for an item with a write that was sent: only they can show
whether it took effect. Waits for a token, a permit or a repeat end at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar, final

import anyio

T = TypeVar("T")


@final
class Stop:
    """Whether a job was stopped; shared by the calls of all its items."""

    __slots__ = ("_waits", "came")

    def __init__(self) -> None:
        self.came = False
        self._waits: set[anyio.CancelScope] = set()

    def now(self) -> None:
        """Stop. Waits for attempts that may no longer be sent end at once."""
        self.came = True
        for scope in tuple(self._waits):
            scope.cancel()

    @contextmanager
    def ends(self, scope: anyio.CancelScope) -> Generator[None]:
        """While inside, a stop cancels the scope; at once if the stop has come already."""
        self._waits.add(scope)
        if self.came:
            scope.cancel()
        try:
            yield
        finally:
            self._waits.discard(scope)


@final
class ItemCalls:
    """The calls made for one item.

    Args:
        stop: Whether the job was stopped.
        kept_back: Called before each attempt in a job whose items can move to another worker. Returns the reason if
            nothing more may be sent for the item, and None otherwise.
    """

    __slots__ = ("_kept_back", "_stop", "held_back", "looks", "written")

    def __init__(self, stop: Stop, kept_back: Callable[[], str | None] | None = None) -> None:
        self._stop = stop
        self._kept_back = kept_back
        self.written = 0
        """Number of writes that are in flight, have taken effect, or may have."""
        self.looks = False
        """Whether the calls read in order to find out if an earlier write took effect."""
        self.held_back = False
        """Whether the stop, or the loss of the item, kept an attempt from being sent."""

    @property
    def before_first_byte(self) -> Callable[[], str | None] | None:
        """The function that an engine calls before each attempt, reads too; None if items never change workers."""
        return None if self._kept_back is None else self._ask

    def may_send(self, *, reads: bool) -> bool:
        """Whether an attempt may be sent now.

        Args:
            reads: Whether the attempt only reads.
        """
        if self._kept_back is not None and self._ask() is not None:
            return False
        return not self._stop.came or self._settles(reads)

    def _ask(self) -> str | None:
        why = None if self._kept_back is None else self._kept_back()
        self.held_back = self.held_back or why is not None
        return why

    @contextmanager
    def until_stopped(self, *, reads: bool) -> Generator[None]:
        """A scope for the wait of an attempt before it is sent. It ends without an exception when the attempt may no
        longer be sent."""
        if self._settles(reads):
            yield
            return
        try:
            with anyio.CancelScope() as scope, self._stop.ends(scope):
                yield
        finally:
            # In a finally block, because a job may also cancel the calls that it has stopped.
            self.held_back = self.held_back or self._stop.came

    def _settles(self, reads: bool) -> bool:
        """Whether an attempt can show if an earlier write took effect."""
        return reads and (self.looks or self.written > 0)


ITEM_CALLS: ContextVar[ItemCalls | None] = ContextVar("norce_order_async.item_calls", default=None)
"""The item's calls that a call belongs to; None for a call outside a job."""


async def until_stopped(item: ItemCalls | None, wait: Awaitable[T], *, reads: bool) -> T | None:
    """Wait for something that an attempt needs before it is sent. None if the attempt may no longer be sent."""
    if item is None:
        return await wait
    with item.until_stopped(reads=reads):
        return await wait
    return None


@contextmanager
def made_for(calls: ItemCalls) -> Generator[None]:
    """Inside, calls made in this task, and in the tasks that it starts, belong to the item."""
    token = ITEM_CALLS.set(calls)
    try:
        yield
    finally:
        ITEM_CALLS.reset(token)
