"""Walking over every order that matches, while orders come, change and leave the filter.

The API has offset pages and no cursor, so this makes one of ``created``: pages are asked for by creation time
ascending, each from the last one met on, and what was given already is left out. An offset is used only where a page
brings nothing new, which happens when more orders share a time than fit on a page, or when the service filters on the
time of the last change and older orders come again.

While an offset is in use the starting time stays, so that orders that came again are skipped once and not with every
page.

An order that leaves the filter while an offset is in use would shift the rest under it, and one that was never seen
could slip through. So pages with an offset overlap by one: the first entry must be one that was seen, else the walk
goes back to offset 0.

Right under both readings of what is published: nothing relies on ``size`` or ``totalSize``, an empty page is the end;
and whether ``date_from`` means created or last modified, and includes its own moment or not, every order created from
the last one on is asked for (an order is never modified before it is created). Whether the service sorts as asked is
looked at on each page; once it does not, the walk goes by offsets alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import anyio

from norce_order_async.engines.base import NotSentError
from norce_order_async.pipeline.ownership import OwnedSends

if TYPE_CHECKING:
    from norce_order_async.orders.order import Order

STEP_BACK = timedelta(milliseconds=1)
"""How far before the last order the next page begins: covers a service that excludes the moment itself, or that keeps
times finer than it shows them."""

SMALLEST_PAGE = 10
"""A page must have room for the overlap, and for more than may appear in front of it meanwhile."""

MOST_RESTARTS = 100
"""How often in a row the walk goes back without meeting anything new, before it believes that this is the end: a
service that contradicts itself must not hold it for ever."""

Fetch = Callable[[datetime | None, int], Awaitable[Sequence["Order"]]]
"""One page: created from when on, and how many to skip."""


class Walk:
    """Where the walk is: which page is next, and which orders of it are new."""

    __slots__ = ("_begin", "_fetch", "_from", "_offset", "_restarts", "_seen", "_sorted")

    def __init__(self, fetch: Fetch, date_from: datetime | None) -> None:
        self._fetch = fetch
        self._from = date_from
        self._begin = date_from
        """From when the next page without an offset is asked for."""
        self._offset = 0
        self._restarts = 0
        self._sorted = True
        self._seen: set[str] = set()

    async def page(self) -> list[Order] | None:
        """The new orders of the next page, perhaps none; None at the end."""
        page = await self._fetch(self._from, self._offset)
        if self._offset and (not page or page[0].id not in self._seen) and self._restarts < MOST_RESTARTS:
            # Something before the offset has gone; an empty page too may only mean that.
            self._restarts += 1
            self._from, self._offset = self._begin, 0
            return []
        new = [order for order in page if order.id not in self._seen]
        if not new:
            # One that was seen is the overlap, or the last order met: nothing lies beyond it.
            if len(page) <= 1:
                return None
            self._offset += len(page) - 1
            return []
        self._restarts = 0
        self._seen.update(order.id for order in new)
        created = [order.created for order in page if order.created is not None]
        self._sorted = self._sorted and all(one <= other for one, other in pairwise(created))
        if created and self._sorted:
            last = created[-1] - STEP_BACK
            self._begin = last if self._begin is None else max(self._begin, last)
        if self._offset or self._begin == self._from:
            self._offset += len(page) - 1
        else:
            self._from = self._begin
        return new


class _Ahead:
    """A page being fetched ahead, in a task of the client's: leaving the loop early tears nothing."""

    __slots__ = ("done", "error", "orders")

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.orders: list[Order] | None = None
        self.error: BaseException | None = None


class OrderIteration(AsyncIterator["Order"]):
    """The orders of a walk, with at most one page fetched ahead.

    No async generator, so that a loop that is left early leaves nothing to be closed.
    """

    def __init__(self, walk: Walk, owned: OwnedSends, *, limit: int | None, prefetch: bool) -> None:
        self._walk = walk
        self._owned = owned
        self._left = limit
        self._prefetch = prefetch
        self._ahead: _Ahead | None = None
        self._orders: list[Order] = []
        self._ended = False

    async def __anext__(self) -> Order:
        while not self._orders:
            if self._ended or self._left == 0:
                raise StopAsyncIteration
            await self._turn()
        if self._left == 0:
            raise StopAsyncIteration
        if self._left is not None:
            self._left -= 1
        return self._orders.pop()

    async def _turn(self) -> None:
        page = await self._next_page()
        if page is None:
            self._ended = True
            return
        # From the end, because taking from the front of a list moves all of it.
        self._orders = page[::-1]
        if self._prefetch and (self._left is None or self._left > len(page)):
            self._fetch_ahead()

    async def _next_page(self) -> list[Order] | None:
        ahead = self._ahead
        if ahead is None:
            return await self._walk.page()
        await ahead.done.wait()
        self._ahead = None
        if ahead.error is not None:
            raise ahead.error
        return ahead.orders

    def _fetch_ahead(self) -> None:
        ahead = _Ahead()

        async def fetch() -> None:
            try:
                ahead.orders = await self._walk.page()
            except Exception as error:  # noqa: BLE001 - whoever takes the page gets it
                ahead.error = error
            except BaseException as error:
                ahead.error = RuntimeError(f"fetching the next page was interrupted by {type(error).__name__}")
                raise
            finally:
                ahead.done.set()

        try:
            self._owned.start(fetch)
        except NotSentError:
            # The client was closed meanwhile; reading the page when it is needed says so as every call does.
            return
        self._ahead = ahead
