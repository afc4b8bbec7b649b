"""The iteration against a list in memory that changes between any two pages, under every reading of the listing."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, cycle, product, repeat
from random import Random
from typing import Any, TypeVar, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norce_order_async import UnavailableError
from norce_order_async.orders.iteration import LOOKS, MOST_DOUBTS, MOST_RESTARTS, Walk

START = datetime(2026, 1, 1, tzinfo=UTC)
T = TypeVar("T")


@dataclass(eq=False)
class Listed:
    """An order with the members that an iteration reads, and members for the test's service."""

    id: str
    created: datetime
    modified: datetime
    matches: bool = True


class Listing:
    """A service's list of orders under one reading of the rules that are not published.

    Args:
        page: the number of entries on a page, whatever was requested.
        by_change: whether ``date_from`` looks at the last change instead of at the creation.
        inclusive: whether ``date_from`` includes its own moment.
    """

    def __init__(self, *, page: int, by_change: bool = False, inclusive: bool = True) -> None:
        self.orders: list[Listed] = []
        self.now = START
        self.before_page: Callable[[], None] = lambda: None
        self.pages = 0
        self._page = page
        self._by_change = by_change
        self._inclusive = inclusive

    def add(self, count: int = 1, *, matches: bool = True) -> None:
        for _ in range(count):
            self.orders.append(Listed(f"o{len(self.orders):05}", self.now, self.now, matches))

    def change(self, order: Listed, *, matches: bool) -> None:
        order.modified, order.matches = self.now, matches

    async def fetch(self, date_from: datetime | None, offset: int) -> Sequence[Listed]:
        self.before_page()
        self.pages += 1
        found = [order for order in self.orders if order.matches and self._within(order, date_from)]
        return sorted(found, key=lambda order: (order.created, order.id))[offset : offset + self._page]

    def _within(self, order: Listed, date_from: datetime | None) -> bool:
        moment = order.modified if self._by_change else order.created
        return date_from is None or moment > date_from or (self._inclusive and moment == date_from)


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as ended:
        return cast("T", ended.value)
    raise AssertionError("it waited")


def walked(walk: Walk[Listed], most: int = 10_000, met: Callable[[str], None] = lambda _: None) -> list[str]:
    """Return the ids that an iteration yields, in order. ``met`` is called with each when it comes."""
    ids: list[str] = []
    for _ in range(most):
        page = at_once(walk.page())
        if page is None:
            return ids
        for order in page:
            ids.append(order.id)
            met(order.id)
    raise AssertionError("it does not end")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    data=st.data(),
    page=st.integers(2, 5),
    by_change=st.booleans(),
    inclusive=st.booleans(),
    steps=st.lists(st.sampled_from([0, 1, 400, 1_000, 7_000]), min_size=1, max_size=14),
    unrest=st.integers(0, 25),
)
def test_an_order_that_matched_all_along_comes_exactly_once(
    data: st.DataObject, page: int, by_change: bool, inclusive: bool, steps: list[int], unrest: int
) -> None:
    """Orders that match all along are yielded exactly once while others come, change, leave and enter between pages."""
    listing = Listing(page=page, by_change=by_change, inclusive=inclusive)
    for microseconds in steps:
        listing.now += timedelta(microseconds=microseconds)
        listing.add(matches=data.draw(st.booleans(), label="matches"))
    left: set[str] = {order.id for order in listing.orders if not order.matches}

    def something_happens() -> None:
        if listing.pages >= unrest:
            return
        for event in data.draw(st.lists(st.sampled_from(["add", "leave", "enter", "touch", "time"]), max_size=3)):
            listing.now += timedelta(microseconds=data.draw(st.sampled_from([0, 300, 5_000])))
            order = listing.orders[data.draw(st.integers(0, len(listing.orders) - 1))]
            if event == "add":
                listing.add()
                left.add(listing.orders[-1].id)  # not there from the start
            elif event == "leave":
                left.add(order.id)
                listing.change(order, matches=False)
            elif event == "enter":
                listing.change(order, matches=True)
            elif event == "touch":
                listing.change(order, matches=order.matches)

    listing.before_page = something_happens
    met = walked(Walk(listing.fetch, None))
    assert len(met) == len(set(met))
    assert {order.id for order in listing.orders} - left <= set(met)


@pytest.mark.parametrize("by_change", [False, True])
@pytest.mark.parametrize("page", [2, 10, 100])
@pytest.mark.parametrize("leaves", [True, False])
def test_many_orders_of_one_moment(page: int, by_change: bool, leaves: bool) -> None:
    """The iteration yields each of 300 orders of one moment, more than a page holds, while yielded orders change or
    leave the filter."""
    listing = Listing(page=page, by_change=by_change)
    listing.add(300)
    by_id = {order.id: order for order in listing.orders}

    def handle(order_id: str) -> None:
        listing.now += timedelta(milliseconds=3)
        listing.change(by_id[order_id], matches=not leaves)

    assert walked(Walk(listing.fetch, None), met=handle) == sorted(by_id)


def test_an_empty_page_with_an_offset_is_not_the_end_yet() -> None:
    """If all yielded orders leave at once, the rest moves in front of the offset, and the iteration still finds it."""
    listing = Listing(page=4)
    listing.add(6)

    def all_met_leave() -> None:
        if listing.pages == 2:
            for order in listing.orders[:4]:
                listing.change(order, matches=False)

    listing.before_page = all_met_leave
    assert walked(Walk(listing.fetch, None)) == [order.id for order in listing.orders]


def test_changed_orders_that_come_again_are_skipped_once() -> None:
    """If dates mean the last change, a yielded and changed order is at the front of every later page: the iteration
    passes it by offset once, and not again for every page."""
    listing = Listing(page=100, by_change=True)
    for _ in range(2_000):
        listing.now += timedelta(seconds=1)
        listing.add()
    by_id = {order.id: order for order in listing.orders}
    met = walked(Walk(listing.fetch, None), met=lambda order_id: listing.change(by_id[order_id], matches=True))
    assert met == sorted(by_id)
    assert listing.pages < 50


def test_it_begins_at_the_date_of_the_filter() -> None:
    """The iteration starts exactly at the filter's ``date_from`` and not before it."""
    listing = Listing(page=3)
    for _ in range(5):
        listing.add()
        listing.now += timedelta(hours=1)
    assert walked(Walk(listing.fetch, START + timedelta(hours=2))) == ["o00002", "o00003", "o00004"]


def test_orders_without_a_time_are_walked_by_offset() -> None:
    """If the service shows no times, the iteration pages by offset alone."""
    found = [Listed(f"o{number:05}", START, START) for number in range(25)]
    for order in found:
        cast("Any", order).created = None

    async def fetch(date_from: datetime | None, offset: int) -> Sequence[Listed]:
        assert date_from is None
        return found[offset : offset + 10]

    assert walked(Walk(fetch, None)) == [order.id for order in found]


def test_a_service_that_contradicts_itself_ends_it() -> None:
    """If every page with an offset is empty although orders exist, the iteration ends after a bounded number of
    restarts."""
    asked: list[int] = []

    async def fetch(_: datetime | None, offset: int) -> Sequence[Listed]:
        asked.append(offset)
        return [] if offset else [Listed("o1", START, START), Listed("o2", START, START)]

    assert walked(Walk(fetch, None)) == ["o1", "o2"]
    assert len(asked) < 3 * MOST_RESTARTS


class NewestFirst(Listing):
    """A service that ignores the requested sort order."""

    async def fetch(self, date_from: datetime | None, offset: int) -> Sequence[Listed]:
        self.before_page()
        found = [order for order in self.orders if order.matches and self._within(order, date_from)]
        page = sorted(found, key=lambda order: (order.created, order.id), reverse=True)
        return page[offset : offset + self._page]


def test_a_service_that_does_not_sort_loses_nothing() -> None:
    """If the service ignores the requested sort order, the iteration still yields every order once."""
    listing = NewestFirst(page=4)
    for _ in range(30):
        listing.add()
        listing.now += timedelta(seconds=1)
    ids = walked(Walk(listing.fetch, None))
    assert sorted(ids) == [order.id for order in listing.orders]


def undated(number: int, created: datetime | None = None) -> Listed:
    """Build an order without a time, or with the given one."""
    order = Listed(f"o{number:05}", START, START)
    cast("Any", order).created = created
    return order


class OddOffsets:
    """A service that interprets the offset in its own way, with orders that show no time, or share one.

    Args:
        count: the number of orders.
        page: the number of entries on a page.
        taken: gives the offset that the service uses for the requested one.
    """

    def __init__(self, count: int, page: int, taken: Callable[[int], int], created: datetime | None = None) -> None:
        self.orders = [undated(number, created) for number in range(count)]
        self.pages = 0
        self._page = page
        self._taken = taken

    async def fetch(self, _: datetime | None, offset: int) -> Sequence[Listed]:
        self.pages += 1
        begin = self._taken(offset)
        return self.orders[begin : begin + self._page]


def ignored(_: int) -> int:
    return 0


def clamped(offset: int) -> int:
    return min(offset, 100)


def by_whole_pages(offset: int) -> int:
    return offset // 100 * 100


def as_asked(offset: int) -> int:
    return offset


def until_it_fails(walk: Walk[Listed]) -> tuple[list[str], str]:
    """Return the ids that an iteration yields until it fails, and the text of the error."""
    ids: list[str] = []
    with pytest.raises(UnavailableError) as raised:
        walked(walk, most=100, met=ids.append)
    return ids, str(raised.value)


@pytest.mark.parametrize("created", [None, START], ids=["without a time", "of one moment"])
@pytest.mark.parametrize(
    ("taken", "given", "said"),
    [
        (ignored, 100, "0 and 99 give the same page of 100 orders; 100 orders were given so far"),
        (clamped, 200, "198 and 297 give the same page of 100 orders; 200 orders were given"),
        (by_whole_pages, 100, "0 and 99 give the same page of 100 orders; 100 orders were given"),
    ],
)
def test_an_offset_that_is_not_honoured_is_reported(
    taken: Callable[[int], int], given: int, said: str, created: datetime | None
) -> None:
    """An offset that the service does not honour soon raises an error, also when iterated again. The iteration never
    ends as if the orders were complete."""
    listing = OddOffsets(320, 100, taken, created)
    walk = Walk(listing.fetch, None)
    ids, told = until_it_fails(walk)
    assert ids == [f"o{number:05}" for number in range(given)]
    assert f"the service does not honour the offset: {said}" in told
    assert listing.pages < 10
    assert until_it_fails(walk)[0] == []
    assert listing.pages < 20


def test_an_offset_clamped_at_100_of_120_orders() -> None:
    """A last page that comes again and again is reported and not taken for the end."""
    listing = OddOffsets(120, 100, clamped)
    ids, told = until_it_fails(Walk(listing.fetch, None))
    assert len(set(ids)) == len(ids) == 120
    assert "119 and 138 give the same page of 20 orders; 120 orders were given so far" in told
    assert listing.pages < 10


@pytest.mark.parametrize("newcomers", [0, 40])
def test_pages_in_no_order_end_it_too(newcomers: int) -> None:
    """A service that ignores the offset and shuffles its orders is reported, also while new orders come."""
    random = Random(5)
    listing = OddOffsets(120, 100, ignored)

    async def shuffled(date_from: datetime | None, offset: int) -> Sequence[Listed]:
        if listing.pages < newcomers:
            listing.orders.append(undated(len(listing.orders)))
        random.shuffle(listing.orders)
        return await listing.fetch(date_from, offset)

    ids, told = until_it_fails(Walk(shuffled, None))
    assert "the service does not honour the offset: " in told
    assert f"{len(ids)} orders were given so far" in told
    assert len(set(ids)) == len(ids)
    assert listing.pages < 100


@pytest.mark.parametrize("page", [2, 3, 10])
def test_as_many_new_ones_in_front_as_the_offset_moves_by(page: int) -> None:
    """New orders in front can make the previous page come again at the next offset. The iteration still completes,
    because the offset is honoured."""
    listing = OddOffsets(60, page, as_asked)
    wanted = {order.id for order in listing.orders}
    again: list[int] = []
    last: list[str] = []

    async def moving(date_from: datetime | None, offset: int) -> Sequence[Listed]:
        if offset and listing.pages % 4 == 1 and len(listing.orders) < 200:
            listing.orders[:0] = [undated(len(listing.orders) + more) for more in range(page - 1)]
        found = await listing.fetch(date_from, offset)
        ids = [order.id for order in found]
        if ids == last:
            again.append(offset)
        last[:] = ids
        return found

    assert wanted <= set(walked(Walk(moving, None)))
    assert len(again) > 5


class Flickering(Listing):
    """Six orders of one moment; another one sorts before them and enters and leaves the filter between the pages.

    Args:
        matches: whether that order matches when a page is read, for each page from the first on.
    """

    def __init__(self, matches: Iterator[bool]) -> None:
        super().__init__(page=2)
        self.add(7)
        self.before_page = lambda: self.change(self.orders[0], matches=next(matches))

    def walked(self) -> list[str]:
        """Walk the list, and return the orders that matched all along, in the order in which they came."""
        ids = walked(Walk(self.fetch, None), most=100)
        assert len(ids) == len(set(ids))
        return [each for each in ids if each != self.orders[0].id]


@pytest.mark.parametrize("begins", [False, True])
def test_an_order_that_enters_and_leaves_with_every_page_is_no_fault(begins: bool) -> None:
    """An order that enters or leaves with each page makes the previous page come again, which is not reported as an
    offset that is not honoured."""
    listing = Flickering(cycle([begins, not begins]))
    assert listing.walked() == [order.id for order in listing.orders[1:]]


def test_only_changes_in_step_with_every_read_look_like_an_offset_that_is_not_honoured() -> None:
    """Of all ways in which an order can enter and leave before the first seven pages with one starting time, two end
    the walk. In both, six of the pages hold the same two orders, so that nothing shows that the offset is honoured. The
    page further on does not hold them, and may come either way."""
    failed: list[tuple[bool, ...]] = []
    for matches in product([False, True], repeat=3 + len(LOOKS)):
        listing = Flickering(chain([False], matches, repeat(False)))
        try:
            assert listing.walked() == [order.id for order in listing.orders[1:]]
        except UnavailableError:
            failed.append(matches)
    assert failed == [(False, True, further_on, *(look == 1 for look in LOOKS)) for further_on in (False, True)]


def test_a_list_that_changes_with_every_page_does_not_keep_it_going_for_ever() -> None:
    """Two orders change places on every read of the first page, and the walk ends with an error."""
    orders = [undated(0), undated(1)]

    async def fetch(_: datetime | None, offset: int) -> Sequence[Listed]:
        if offset == 0:
            orders.reverse()
        return list(orders) if offset < 2 else []

    with pytest.raises(
        UnavailableError, match="the list changes faster than it can be read; 2 orders were given so far"
    ):
        walked(Walk(fetch, None), most=4 * MOST_DOUBTS)


@pytest.mark.parametrize("created", [None, START], ids=["without a time", "of one moment"])
def test_one_order_a_page_is_not_the_end(created: datetime | None) -> None:
    """Pages of one order can't overlap, so they are reported. A list with a single order is no fault, also if another
    order joins it."""
    ids, told = until_it_fails(Walk(OddOffsets(3, 1, as_asked, created).fetch, None))
    assert ids == ["o00000"]
    assert "the service gives one order a page; 1 orders were given so far" in told
    alone = OddOffsets(1, 10, as_asked, created)
    assert walked(Walk(alone.fetch, None)) == ["o00000"]
    assert alone.pages <= 3
    joined = OddOffsets(1, 10, as_asked, created)

    async def fetch(date_from: datetime | None, offset: int) -> Sequence[Listed]:
        if joined.pages == 2:
            joined.orders.append(undated(1, created))
        return await joined.fetch(date_from, offset)

    assert walked(Walk(fetch, None)) == ["o00000", "o00001"]
