"""Stopping the calls of a job: which attempts may still leave, and what has left so far.

The calls made for one item of a job share an :class:`ItemCalls`. Once the job is stopped, none of their attempts leaves
any more, first or repeat, but reads for an item of which something was sent: only they tell what became of that. What
waits for a token, for a permit or to be repeated does not wait any longer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator
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
        """Stop. Waits that lead to nothing any more end at once."""
        self.came = True
        for scope in tuple(self._waits):
            scope.cancel()

    @contextmanager
    def ends(self, scope: anyio.CancelScope) -> Generator[None]:
        """While inside, a stop cancels the scope; one that has come does so at once."""
        self._waits.add(scope)
        if self.came:
            scope.cancel()
        try:
            yield
        finally:
            self._waits.discard(scope)


@final
class ItemCalls:
    """The calls made for one item."""

    __slots__ = ("_stop", "held_back", "looks", "written")

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self.written = 0
        """Writes that are in flight, and those that have taken effect or may have."""
        self.looks = False
        """Whether reads are made to find out what became of the item."""
        self.held_back = False
        """Whether the stop kept an attempt from leaving."""

    def may_leave(self, *, reads: bool) -> bool:
        """Whether an attempt may leave now."""
        return not self._stop.came or self._tells(reads)

    @contextmanager
    def until_stopped(self, *, reads: bool) -> Generator[None]:
        """Something that an attempt waits for before it leaves. It is left, without an exception, when the attempt may
        not leave any more."""
        if self._tells(reads):
            yield
            return
        try:
            with anyio.CancelScope() as scope, self._stop.ends(scope):
                yield
        finally:
            # Also where the job does not even wait for this: it cancels what it has stopped.
            self.held_back = self.held_back or self._stop.came

    def _tells(self, reads: bool) -> bool:
        """Whether an attempt tells what became of something that was sent."""
        return reads and (self.looks or self.written > 0)


ITEM_CALLS: ContextVar[ItemCalls | None] = ContextVar("norce_order_async.item_calls", default=None)
"""Those that a call belongs to; None for a call that is not made for an item of a job."""


async def until_stopped(item: ItemCalls | None, wait: Awaitable[T], *, reads: bool) -> T | None:
    """What an attempt waits for before it leaves; None, too, when it may not leave any more."""
    if item is None:
        return await wait
    with item.until_stopped(reads=reads):
        return await wait
    return None


@contextmanager
def made_for(calls: ItemCalls) -> Generator[None]:
    """Calls made inside, in this task and in those it starts there, belong to an item."""
    token = ITEM_CALLS.set(calls)
    try:
        yield
    finally:
        ITEM_CALLS.reset(token)
