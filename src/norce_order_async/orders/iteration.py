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

A listing that can't be walked is never taken for one that is complete. Two pages in a row with the same orders although
the offset moved mean that the service does not honour it, and the walk fails with that reason. Between those two pages
other orders may also have come in before the offset, just as many as it moved by, so both are read once more before
that. Pages of known orders alone are no fault: that is how the walk gets past what it has met.
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
from norce_order_async.pipeline.home import Door, Home
from norce_order_async.pipeline.operations import LIST_ORDERS

STEP_BACK = timedelta(milliseconds=1)
"""How far before the last order the next page begins: covers a service that excludes the moment itself, or that keeps
times finer than it shows them."""

SMALLEST_PAGE = 10
"""A page must have room for the overlap, and for more than may appear in front of it meanwhile."""

MOST_RESTARTS = 100
"""How often in a row the walk goes back without meeting anything new, before it believes that this is the end: a
service that contradicts itself must not hold it for ever."""

MOST_LOOKS = 3
"""How often in a row the same page comes at another offset before the offset counts as not honoured."""

MOST_ROUNDS = 5
"""How often in a row the walk goes back to see whether the service or the listing is odd."""


class Listed(Protocol):
    """What a walk needs of an order."""

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
"""One page: created from when on, and how many to skip."""

Fault = Callable[[str], NorceError]
"""The error for a listing that can't be walked, with what was wrong with it."""


def _unavailable(what: str) -> NorceError:
    return UnavailableError(what, operation=LIST_ORDERS.id)


@dataclass(frozen=True, slots=True)
class _Page:
    """A page as it came, and where it was asked for."""

    date_from: datetime | None
    offset: int
    ids: list[str]

    def is_at_another_offset(self, other: _Page) -> bool:
        """Whether the other one is the same page, asked for at another offset."""
        return self.ids == other.ids and self.date_from == other.date_from and self.offset != other.offset


class Walk(Generic[ListedT]):
    """Where the walk is: which page is next, and which orders of it are new."""

    __slots__ = (
        "_begin",
        "_fault",
        "_fetch",
        "_from",
        "_last",
        "_looks",
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
        """From when the next page without an offset is asked for."""
        self._offset = 0
        self._last: _Page | None = None
        """The page before, unless it was empty."""
        self._looks = 0
        self._restarts = 0
        self._rounds = 0
        self._widest = 0
        """The most orders that a page has had."""
        self._sorted = True
        self._seen: set[str] = set()

    async def page(self) -> list[ListedT] | None:
        """The new orders of the next page, perhaps none; None at the end.

        Raises:
            UnavailableError: the listing can't be walked.
        """
        page = await self._fetch(self._from, self._offset)
        if self._is_the_page_before(page):
            return []
        if self._offset and (not page or page[0].id not in self._seen) and self._restarts < MOST_RESTARTS:
            # Something before the offset has gone; an empty page too may only mean that.
            self._restarts += 1
            self._from, self._offset = self._begin, 0
            return []
        self._widest = max(self._widest, len(page))
        new = [order for order in page if order.id not in self._seen]
        if not new:
            # One that was seen is the overlap, or the last order met: nothing lies beyond it.
            if len(page) > 1:
                self._offset += len(page) - 1
                self._go_back_from_far_beyond()
                return []
            return await self._look_beyond(page)
        self._restarts = self._rounds = 0
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

    def _is_the_page_before(self, page: Sequence[ListedT]) -> bool:
        """Whether a page at another offset is the one before again. Then the next one to be read is that one, where it
        came first: there, what has come in before the offset shows."""
        last = self._last
        self._last = _Page(self._from, self._offset, [order.id for order in page]) if page else None
        if last is None or self._last is None or not self._last.is_at_another_offset(last):
            self._looks = 0
            return False
        self._looks += 1
        if self._looks >= MOST_LOOKS:
            raise self._cannot_go_on(
                f"the service does not honour the offset: {min(last.offset, self._offset)} and "
                f"{max(last.offset, self._offset)} give the same page of {len(page)} orders"
            )
        self._offset = last.offset
        return True

    async def _look_beyond(self, page: Sequence[ListedT]) -> list[ListedT] | None:
        """A page of one known order, or of none, is the end; but where none has had more, pages that hold one order
        each look just like that, and can't overlap."""
        if page and self._widest == 1:
            beyond = await self._fetch(self._from, self._offset + 1)
            if any(order.id not in self._seen for order in beyond):
                # It may also have come just now.
                self._go_round("the service gives one order a page")
                return []
        return None

    def _go_back_from_far_beyond(self) -> None:
        """Begin again where an offset lies twice as far as there are orders met: the listing holds others before it, or
        the service gives at every offset what it likes."""
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
    """A page being fetched ahead, in a task of the client's: leaving the loop early tears nothing."""

    __slots__ = ("done", "error", "interrupted", "orders")

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.orders: list[ListedT] | None = None
        self.error: Exception | None = None
        self.interrupted = False
        """Whether the client was closed meanwhile, so that the page has to be asked for as if for the first time."""


class OrderIteration(StaysInProcess, AsyncIterator[ListedT]):
    """The orders of a walk, with at most one page fetched ahead.

    Several tasks may take from it: each order comes to one of them. One at a time turns the page, the others wait for
    that; when it is cancelled meanwhile, the next one goes on.

    No async generator, so that a loop that is left early leaves nothing to be closed. It stays on the event loop of its
    first order.
    """

    def __init__(self, walk: Walk[ListedT], door: Door, *, limit: int | None, prefetch: bool) -> None:
        self._walk = walk
        self._door = door
        self._home: Home | None = None
        self._left = limit
        self._prefetch = prefetch
        self._ahead: _Ahead[ListedT] | None = None
        self._orders: list[ListedT] = []
        self._ended = False
        self._turning: anyio.Lock | None = None

    async def __anext__(self) -> ListedT:
        if self._home is None or self._turning is None:
            self._home, self._turning = self._door.enter(LIST_ORDERS.id, {}), anyio.Lock()
        else:
            self._door.stay(self._home, "this iteration", LIST_ORDERS.id)
        # From here to the end nothing is awaited once an order is at hand, so no other task can take it.
        while not self._orders and not self._is_over:
            async with self._turning:
                # Another task may have turned the page while this one waited for its turn.
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
        # From the end, because taking from the front of a list moves all of it.
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
            home.owned.start(fetch)
        except UnsentError:
            # The client was closed meanwhile; reading the page when it is needed raises the usual error.
            return
        self._ahead = ahead
