"""Iterates over every order that matches, while orders come, change and leave the filter.

The API has offset pages and no cursor, so this uses ``created`` as a cursor: pages are sorted by creation time, oldest
first. Each page begins at the time of the last order so far, and orders that were given already are left out. An offset
is used only if a page has nothing new. That happens when more orders share a time than fit on a page, or when the
service filters by the time of the last change and older orders come again.

While an offset is in use the starting time stays, so orders that came again are skipped once and not with every page.

If an order leaves the filter while an offset is in use, all later orders move by one, and one of them could be missed.
So pages with an offset overlap by one: if the first order of a page is not a known one, the walk goes back to offset 0.

The walk is correct for both readings of the published pages. It does not rely on ``size`` or ``totalSize``: an empty
page is the end. ``date_from`` may mean created or last modified, and may include its own time or not: every order
created from the last one on is asked for, because an order is never modified before it is created. Each page is checked
for its sorting; if the service does not sort, the walk uses offsets only.

The walk never ends early without an error. If two offsets keep giving the same page, the service does not honour the
offset, and the walk fails with that reason. Once is no proof: just as many orders may have come in before the offset as
it moved by. So a page further on is read, and then the first one again. If both are still the same, the offset is not
honoured: too many orders would have to come in at once. If the page further on differs, the service may still round
offsets, and the two offsets are read in turn. As soon as one of them gives other orders, the list had only changed, and
the walk continues. Pages with only known orders are not a fault: that is how the walk gets past orders it has seen.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

import anyio

from norce_order_async.auth.providers import StaysInProcess
from norce_order_async.engines.base import UnsentError
from norce_order_async.errors import NorceError, UnavailableError
from norce_order_async.pipeline.home import Home, LoopGuard
from norce_order_async.pipeline.operations import LIST_ORDERS

STEP_BACK = timedelta(milliseconds=1)
"""How long before the last order the next page begins. This covers a service that excludes the time itself, or that
keeps times more exactly than it shows them."""

SMALLEST_PAGE = 10
"""The smallest page size: a page needs room for the overlap, and for orders that come in before it meanwhile."""

MOST_RESTARTS = 100
"""How many times in a row the walk goes back without a new order before it ends. A service that contradicts itself must
not keep it going for ever."""

LOOKS = (0, 1, 0, 1)
"""Which of two offsets with the same page are read again, after a page further on: 0 is the first and 1 the second. If
all give that page, the offset counts as not honoured. If the page further on gave it too, the first of these is enough.
An order that enters and leaves with every page can't follow this order of reading."""

MOST_DOUBTS = 100
"""How many times the walk finds out why two offsets gave the same page, without a new order, before it ends."""

MOST_ROUNDS = 5
"""How many times in a row the walk starts again to check an odd listing before it fails."""


class Listed(Protocol):
    """An order, as far as a walk uses it."""

    @property
    def id(self) -> str:
        """The service's identifier."""
        ...

    @property
    def created(self) -> datetime | None:
        """When it was created, if the service gives it."""
        ...


ListedT = TypeVar("ListedT", bound=Listed)

Fetch = Callable[[datetime | None, int], Awaitable[Sequence[ListedT]]]
"""Reads one page. It gets the time from which on orders were created, and how many to skip."""

Fault = Callable[[str], NorceError]
"""Makes the error for a listing that can't be walked. It gets the reason."""


def _unavailable(what: str) -> NorceError:
    return UnavailableError(what, operation=LIST_ORDERS.id)


@dataclass(frozen=True, slots=True)
class _Page:
    """The ids of a page, with the time and offset that it was read with."""

    date_from: datetime | None
    offset: int
    ids: list[str]

    def has_the_orders_of(self, other: _Page) -> bool:
        """Whether the other page has the same orders, from the same starting time."""
        return self.ids == other.ids and self.date_from == other.date_from


@dataclass(slots=True)
class _Doubt:
    """Two offsets that gave the same page, while the walk finds out why."""

    first: _Page
    second: _Page
    is_far_same: bool = False
    """Whether the page further on was the same too."""
    looks: int = 0
    """How many pages of `LOOKS` were asked for."""


class Walk(Generic[ListedT]):
    """The position of an iteration: the next page, and the orders that were seen."""

    __slots__ = (
        "_begin",
        "_doubt",
        "_doubts",
        "_fault",
        "_fetch",
        "_from",
        "_last",
        "_offset",
        "_restarts",
        "_rounds",
        "_seen",
        "_sorted",
        "_widest",
    )

    def __init__(self, fetch: Fetch[ListedT], date_from: datetime | None, fault: Fault = _unavailable) -> None:
        self._fetch = fetch
        self._fault = fault
        self._from = date_from
        self._begin = date_from
        """The starting time of the next page without an offset."""
        self._offset: int = 0
        self._last: _Page | None = None
        """The last page; None if it was empty."""
        self._doubt: _Doubt | None = None
        self._doubts = 0
        self._restarts = 0
        self._rounds = 0
        self._widest = 0
        """The most orders on one page so far."""
        self._sorted = True
        self._seen: set[str] = set()

    async def page(self) -> list[ListedT] | None:
        """The new orders of the next page, which may be none; None at the end.

        Raises:
            UnavailableError: the listing can't be walked.
        """
        page = await self._fetch(self._from, self._offset)
        if self._handle_repeat(page):
            return []
        if self._offset and (not page or page[0].id not in self._seen) and self._restarts < MOST_RESTARTS:
            # An order before the offset has left the filter. An empty page may mean only that, too.
            self._restarts += 1
            self._from, self._offset = self._begin, 0
            return []
        self._widest = max(self._widest, len(page))
        new = [order for order in page if order.id not in self._seen]
        if not new:
            # A single known order is the overlap, or the last order: there is nothing after it.
            if len(page) > 1:
                self._offset += len(page) - 1
                self._go_back_from_far_beyond()
                return []
            return await self._look_beyond(page)
        self._doubts = self._restarts = self._rounds = 0
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

    def _handle_repeat(self, page: Sequence[ListedT]) -> bool:
        """Find out why two offsets gave the same page. Returns whether more pages have to be read for that."""
        last, doubt = self._last, self._doubt
        read = self._last = _Page(self._from, self._offset, [order.id for order in page]) if page else None
        if doubt is None:
            if last is None or read is None or not read.has_the_orders_of(last) or read.offset == last.offset:
                return False
            self._doubts += 1
            if self._doubts > MOST_DOUBTS:
                raise self._cannot_go_on("the list changes faster than it can be read")
            self._doubt = _Doubt(last, read)
            self._offset = read.offset + 2 * len(page)
            return True
        is_same = read is not None and read.has_the_orders_of(doubt.first)
        if not doubt.looks:
            doubt.is_far_same = is_same
        elif not is_same:
            self._doubt = None
            return False
        if doubt.looks == (1 if doubt.is_far_same else len(LOOKS)):
            self._doubt = None
            offsets = sorted([doubt.first.offset, doubt.second.offset])
            raise self._cannot_go_on(
                f"the service does not honour the offset: {offsets[0]} and {offsets[1]} give the same page of "
                f"{len(page)} orders"
            )
        self._offset = (doubt.first, doubt.second)[LOOKS[doubt.looks]].offset
        doubt.looks += 1
        return True

    async def _look_beyond(self, page: Sequence[ListedT]) -> list[ListedT] | None:
        """A page with one known order or none is the end. But if no page has had more than one order, the service may
        give one order a page; then pages can't overlap, and one more page is read to find out."""
        if page and self._widest == 1:
            beyond = await self._fetch(self._from, self._offset + 1)
            if any(order.id not in self._seen for order in beyond):
                # The order may also have come just now.
                self._go_round("the service gives one order a page")
                return []
        return None

    def _go_back_from_far_beyond(self) -> None:
        """Start again if the offset is more than twice the number of seen orders: then the listing has other orders
        before it, or the service ignores the offset."""
        if self._offset > 2 * len(self._seen):
            self._go_round(f"the service does not honour the offset: {self._offset} gives known orders again")

    def _go_round(self, suspicion: str) -> None:
        self._rounds += 1
        if self._rounds >= MOST_ROUNDS:
            raise self._cannot_go_on(suspicion)
        self._from, self._offset = self._begin, 0

    def _cannot_go_on(self, what: str) -> NorceError:
        count = len(self._seen)
        return self._fault(f"{what}; {count} orders were given so far, and there may be more")


class _Ahead(Generic[ListedT]):
    """A page that is read ahead in a task of the client, so that a loop can be left early."""

    __slots__ = ("done", "error", "interrupted", "orders")

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.orders: list[ListedT] | None = None
        self.error: Exception | None = None
        self.interrupted = False
        """Whether the client was closed meanwhile, so that the page has to be read again."""


class OrderIteration(StaysInProcess, AsyncIterator[ListedT]):
    """The orders of a walk, with at most one page read ahead.

    Several tasks may take orders from it: each order goes to one of them. One task at a time reads the next page while
    the others wait; if it is cancelled, the next one continues.

    It is not an async generator, so a loop that is left early leaves nothing to close. It can be used only on the event
    loop of its first order.
    """

    def __init__(self, walk: Walk[ListedT], loop_guard: LoopGuard, *, limit: int | None, prefetch: bool) -> None:
        self._walk = walk
        self._loop_guard = loop_guard
        self._home: Home | None = None
        self._left = limit
        self._prefetch = prefetch
        self._ahead: _Ahead[ListedT] | None = None
        self._orders: list[ListedT] = []
        self._ended = False
        self._turning: anyio.Lock | None = None

    async def __anext__(self) -> ListedT:
        if self._home is None or self._turning is None:
            self._home, self._turning = self._loop_guard.check(LIST_ORDERS.id, {}), anyio.Lock()
        else:
            self._loop_guard.check_same(self._home, "this iteration", LIST_ORDERS.id)
        # Once there is an order, nothing is awaited until the return, so no other task can take it.
        while not self._orders and not self._is_over:
            async with self._turning:
                # Another task may have read the page while this one waited.
                if not self._orders and not self._is_over:
                    await self._turn(self._home)
        if self._is_over:
            raise StopAsyncIteration
        if self._left is not None:
            self._left -= 1
        return self._orders.pop()

    @property
    def _is_over(self) -> bool:
        return self._left == 0 or (self._ended and not self._orders)

    async def _turn(self, home: Home) -> None:
        page = await self._next_page()
        if page is None:
            self._ended = True
            return
        # Reversed, because taking from the front of a list moves all of it.
        self._orders = page[::-1]
        if self._prefetch and (self._left is None or self._left > len(page)):
            self._fetch_ahead(home)

    async def _next_page(self) -> list[ListedT] | None:
        ahead = self._ahead
        if ahead is None:
            return await self._walk.page()
        await ahead.done.wait()
        self._ahead = None
        if ahead.interrupted:
            return await self._walk.page()
        if ahead.error is not None:
            raise ahead.error
        return ahead.orders

    def _fetch_ahead(self, home: Home) -> None:
        ahead: _Ahead[ListedT] = _Ahead()

        async def fetch() -> None:
            try:
                ahead.orders = await self._walk.page()
            except Exception as error:  # noqa: BLE001 - raised to the task that takes the page
                ahead.error = error
            except BaseException:
                ahead.interrupted = True
                raise
            finally:
                ahead.done.set()

        try:
            home.sends.start(fetch)
        except UnsentError:
            # The client was closed meanwhile. Reading the page when it is needed raises the usual error.
            return
        self._ahead = ahead
