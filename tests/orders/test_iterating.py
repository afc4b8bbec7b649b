"""``orders.iterate`` over a socket while orders are created and every yielded order leaves the filter."""

from __future__ import annotations

import sys
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest

from norce_order_async import (
    BadRequestError,
    ForbiddenError,
    InvalidRequestError,
    NorceOrderClient,
    NotSentError,
    OrderFilter,
    RefusedError,
    Scope,
    UnavailableError,
)
from norce_order_async.engines.base import WireRequest
from norce_order_async.sandbox import ManualClock, Sandbox
from tests.support.engine import Step, answer
from tests.support.orders import CONTEXT, client_of
from tests.support.pipeline import Stand, stand
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

LISTING = "GetCheckoutOrders"
OPEN = OrderFilter(status="checkout")

READINGS = [(pages, dates) for pages in ("returned", "matches") for dates in ("created", "last-modified")]


async def make(norce: Scope, count: int) -> set[str]:
    """Create orders, several at a time."""
    ids: set[str] = set()
    limiter = anyio.CapacityLimiter(8)

    async def one() -> None:
        async with limiter:
            ids.add((await norce.orders.create(CONTEXT)).id)

    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(one)
    return ids


async def emptied(count: int, readings: tuple[Any, Any], *, prefetch: bool, clump: int) -> tuple[int, int]:
    """Move every order that an iteration yields out of its status while others are created.

    A ``clump`` of orders shares one moment, and the others share their moments in sevens.

    Returns:
        The number of pages that were read, and of orders that were yielded.
    """
    clock = ManualClock()
    chosen: dict[str, str] = dict(zip(("pagination-size", "dates"), readings, strict=True))
    with Sandbox(clock=clock, readings=chosen, keep_requests=20 * count) as sandbox:
        async with client_of(sandbox) as norce:
            wanted = await make(norce, clump)
            while len(wanted) < count:
                clock.advance(0.0004)
                wanted |= await make(norce, min(7, count - len(wanted)))
            sandbox.requests.clear()
            met: list[str] = []
            async for order in norce.orders.iterate(OPEN, prefetch=prefetch):
                met.append(order.id)
                clock.advance(0.0001)
                await order.transition_to("removed")
                if len(met) % 5 == 0 and len(met) < count:
                    await norce.orders.create(CONTEXT)
            assert len(met) == len(set(met))
            assert wanted <= set(met)
            assert [each async for each in norce.orders.iterate(OPEN)] == []
            return len(sandbox.requests.of(LISTING)), len(met)


@pytest.mark.parametrize("readings", READINGS, ids="-".join)
# The service decides how a listing is read; the iteration awaits only its answers.
@pytest.mark.in_turn("anyio_backend")
async def test_300_orders_each_come_once(readings: tuple[str, str]) -> None:
    """Each order comes once under every reading of the pagination and of ``date_from``, with 120 orders of one
    moment."""
    pages, met = await emptied(300, readings, prefetch=readings in READINGS[:1] + READINGS[3:], clump=120)
    assert met >= 300
    assert pages < 30


@pytest.mark.soak
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("readings", READINGS, ids="-".join)
async def test_5000_orders_each_come_once(readings: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Each of 5,000 orders comes once under every reading, with 1,000 orders of one moment."""
    began = time.monotonic()
    pages, met = await emptied(5_000, readings, prefetch=True, clump=1_000)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{'-'.join(readings)}: {met} orders met in {pages} pages, {time.monotonic() - began:.0f} s\n"
        )
    assert met >= 5_000


async def test_the_readings_of_the_service() -> None:
    """``date_from`` finds an order that was changed since only if the service reads dates as the last change."""
    readings: list[tuple[str, list[str]]] = [("created", []), ("last-modified", ["seen"])]
    for dates, found in readings:
        clock = ManualClock()
        with Sandbox(clock=clock, readings={"dates": dates}) as sandbox:
            async with client_of(sandbox) as norce:
                order = await norce.orders.create(CONTEXT)
                clock.advance(60)
                since = OrderFilter(date_from=clock.now())
                await order.set_reference("seen")
                assert [each.reference async for each in norce.orders.iterate(since)] == found


async def test_orders_that_are_changed_and_stay_come_once() -> None:
    """A yielded order that is written to comes again in the list if dates mean the last change. It is yielded once."""
    with Sandbox(readings={"dates": "last-modified"}) as sandbox:
        async with client_of(sandbox) as norce:
            wanted = await make(norce, 250)
            met: list[str] = []
            async for order in norce.orders.iterate(OPEN, page_size=20):
                met.append(order.id)
                await order.set_reference(f"seen {len(met)}")
            assert sorted(met) == sorted(wanted)
            assert len(sandbox.requests.of(LISTING)) < 60


@pytest.fixture
async def channel_of_25(norce: NorceOrderClient) -> Scope:
    """Create a channel of its own with 25 orders."""
    scope = norce.scoped(channel=f"c{time.monotonic_ns()}")
    await make(scope, 25)
    return scope


async def test_page_size_1_requests_more_than_the_overlap(channel_of_25: Scope, sandbox: Sandbox) -> None:
    """A page size of 1 is sent as 10, because pages of one entry would hold only known orders."""
    assert len({order.id async for order in channel_of_25.orders.iterate(page_size=1)}) == 25
    assert {parse_qs(request.query)["limit"][0] for request in sandbox.requests.of(LISTING)} == {"10"}


async def test_a_service_that_gives_less_than_asked_for(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """The service gives at most 100 orders a page whatever the limit, and a short page is not taken for the last
    one."""
    scope = norce.scoped(channel=f"capped{time.monotonic_ns()}")
    wanted = await make(scope, 130)
    assert {order.id async for order in scope.orders.iterate(page_size=500)} == wanted


@pytest.mark.parametrize("limit", [0, 1, 10, 24, 25, 26])
async def test_a_limit_is_the_largest_number_of_orders(channel_of_25: Scope, sandbox: Sandbox, limit: int) -> None:
    """``limit`` bounds the orders that are yielded. A limit of 0 reads no page, and a limit that one page can meet
    reads one."""
    sandbox.requests.clear()
    found = [order.id async for order in channel_of_25.orders.iterate(limit=limit)]
    assert len(found) == len(set(found)) == min(limit, 25)
    pages = len(sandbox.requests.of(LISTING))
    assert pages == (0 if limit == 0 else 1) or limit > 25


async def test_oldest_first(channel_of_25: Scope) -> None:
    """Orders come in the order of their creation times."""
    created = [order.created async for order in channel_of_25.orders.iterate(page_size=10)]
    assert all(created)
    assert created == sorted(created, key=str)


@pytest.mark.every_loop
@pytest.mark.parametrize("prefetch", [True, False])
async def test_leaving_the_loop_early_leaves_nothing_behind(channel_of_25: Scope, prefetch: bool) -> None:
    """Leaving the loop by break, error or cancellation leaves no generator to close and no task; a warning would fail
    this test."""
    async for _ in channel_of_25.orders.iterate(page_size=10, prefetch=prefetch):
        break

    async def fails_at_the_first() -> None:
        async for _ in channel_of_25.orders.iterate(page_size=10, prefetch=prefetch):
            raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        await fails_at_the_first()
    with anyio.move_on_after(0.05) as scope:
        async for _ in channel_of_25.orders.iterate(page_size=10, prefetch=prefetch):
            await anyio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_page_that_can_not_be_read_raises_when_it_is_needed() -> None:
    """A page that was read ahead and failed raises only after the orders before it. The next step reads the page
    again."""
    first = {"data": [{"id": f"o{number}"} for number in range(10)]}
    second = {"data": [{"id": "o9"}, {"id": "o10"}]}
    replies = [answer(200, first), answer(403), answer(200, second), answer(200, {"data": [{"id": "o10"}]})]
    walk = stand(replies).client.orders.iterate(page_size=10)
    assert [(await anext(walk)).id for _ in range(10)] == [f"o{number}" for number in range(10)]
    with pytest.raises(ForbiddenError):
        await anext(walk)
    assert [order.id async for order in walk] == ["o10"]


@pytest.mark.every_loop
async def test_a_client_that_is_closed_meanwhile(sandbox: Sandbox) -> None:
    """If the client is closed during an iteration, the orders that were read are yielded. Then ``NotSentError`` is
    raised, as by any call."""
    async with client_of(sandbox) as norce:
        scope = norce.scoped(channel=f"c{time.monotonic_ns()}")
        await make(scope, 35)
        walk = scope.orders.iterate(page_size=10)
        given = [await anext(walk)]
        await norce.aclose()

        async def the_rest() -> None:
            async for order in walk:
                given.append(order)  # noqa: PERF401 - what came before the error counts

        with pytest.raises(NotSentError):
            await the_rest()
    assert len(given) >= 10


async def test_without_prefetch_a_page_is_read_when_it_is_needed(channel_of_25: Scope, sandbox: Sandbox) -> None:
    """Without prefetch ten orders need one page. With it the iteration reads one page ahead and no more."""
    pages = channel_of_25.orders.iterate(page_size=10, prefetch=False)
    sandbox.requests.clear()
    for _ in range(10):
        await anext(pages)
    assert len(sandbox.requests.of(LISTING)) == 1
    sandbox.requests.clear()
    ahead = channel_of_25.orders.iterate(page_size=10)
    await anext(ahead)
    await until(lambda: len(sandbox.requests.of(LISTING)) == 2)
    # A third would have been requested by now.
    for _ in range(100):
        await anyio.sleep(0.002)
    assert len(sandbox.requests.of(LISTING)) == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"limit": -1}, "limit must be a whole number, 0 or more"),
        ({"page_size": 0}, "page_size must be a whole number, 1 or more"),
        ({"where": OrderFilter(order_by="cartTotal")}, "use list for another order"),
        ({"where": OrderFilter(order_by_direction="desc")}, "use list for another order"),
    ],
)
async def test_impossible_arguments_are_refused(norce: NorceOrderClient, arguments: Any, complaint: str) -> None:
    """``iterate`` refuses wrong arguments when it is called, not at the first order."""
    with pytest.raises(InvalidRequestError, match=complaint):
        norce.orders.iterate(**arguments)


def capped(count: int, most: int | None, *, default: int = 10) -> Stand:
    """Return a service that refuses larger pages than ``most``, and gives ``default`` orders without a page size. Each
    order has its number as its reference and as its cart's."""
    orders = [
        {"id": f"o{number}", "reference": str(number), "cart": {"reference": str(number)}} for number in range(count)
    ]

    def page(request: WireRequest) -> Step:
        query = parse_qs(urlsplit(request.url).query)
        size = int(query["limit"][0]) if "limit" in query else default
        if most is not None and size > most:
            return answer(400, {"code": "limit", "message": "too many"})
        begin = int(query["offset"][0])
        return answer(200, {"data": orders[begin : begin + size]})

    return stand(page)


def sizes(service: Stand) -> list[str]:
    """Return the requested page sizes."""
    return [parse_qs(urlsplit(request.url).query).get("limit", ["none"])[0] for request in service.engine.requests]


@pytest.mark.parametrize(
    ("asked", "most", "tried"), [(100, 50, ["100", "50"]), (100, 30, ["100", "50", "25"]), (15, 10, ["15", "10"])]
)
async def test_a_page_size_that_is_refused_gets_smaller(asked: int, most: int, tried: list[str]) -> None:
    """The iteration asks for smaller pages until the service accepts one, and keeps that size."""
    service = capped(60, most)
    assert len([order async for order in service.client.orders.iterate(page_size=asked)]) == 60
    assert sizes(service)[: len(tried)] == tried
    assert set(sizes(service)[len(tried) :]) <= {tried[-1]}


async def test_a_refusal_for_another_reason_is_the_first_one() -> None:
    """If no page size helps, the answer to the first request is raised."""
    replies = [answer(400, {"code": "first"}), *[answer(400, {"code": "later"})] * 3]
    service = stand(replies)
    with pytest.raises(BadRequestError, match="first"):
        await anext(service.client.orders.iterate(page_size=50))
    assert sizes(service) == ["50", "25", "12", "10"]


@pytest.mark.parametrize("status", [400, 422])
async def test_a_size_that_was_accepted_before_is_not_the_reason(status: int) -> None:
    """A refusal is raised as it is after its page size was accepted once, or if its status is neither 400 nor 422."""
    orders = [{"id": f"o{number}"} for number in range(10)]
    service = stand([answer(200, {"data": orders}), answer(status)])
    walk = service.client.orders.iterate(page_size=10, prefetch=False)
    with pytest.raises(RefusedError):
        assert [order async for order in walk] == []
    service = stand([answer(403)])
    with pytest.raises(ForbiddenError):
        await anext(service.client.orders.iterate())


async def test_looking_up_sends_no_page_size() -> None:
    """Look-ups work where larger pages than five are refused, because they send no page size. They read on past similar
    references."""
    service = capped(60, 5, default=3)
    for number in (0, 2, 5, 59):
        found = await service.client.orders.find_by_cart_reference(str(number))
        assert found is not None
        assert found.id == f"o{number}"
        assert [order.id for order in await service.client.orders.find_by_reference(str(number))] == [f"o{number}"]
    assert await service.client.orders.find_by_cart_reference("60") is None
    order, created = await service.client.orders.get_or_create(cart_reference="33")
    assert (order.id, created) == ("o33", False)
    assert await service.client.orders.find_by_payment("60") is None
    assert set(sizes(service)) == {"none"}


async def test_a_look_up_without_a_working_offset_proves_nothing() -> None:
    """``get_or_create`` creates nothing if the service does not honour the offset, because the order may be on a page
    that can't be read."""
    alike = [{"id": f"o{number}", "cart": {"reference": f"c{number}"}} for number in range(10, 13)]
    service = stand(lambda _request: answer(200, {"data": alike}))
    with pytest.raises(UnavailableError, match="does not honour the offset"):
        await service.client.orders.get_or_create(CONTEXT, cart_reference="c1")
    assert {request.method for request in service.engine.requests} == {"GET"}


async def test_the_error_about_an_offset_that_is_not_honoured() -> None:
    """The error names the operation, the correlation id, the number of orders so far and what helps."""
    orders = [{"id": f"o{number}"} for number in range(120)]
    service = stand(lambda _request: answer(200, {"data": orders[:100]}))
    given: list[str] = []

    async def all_of_them() -> None:
        async for order in service.client.orders.iterate():
            given.append(order.id)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(UnavailableError) as raised:
        await all_of_them()
    assert len(given) == 100
    error = raised.value
    assert (error.operation, error.status, len(error.attempts)) == (LISTING, 200, 1)
    assert error.correlation_id == service.engine.requests[-1].headers["x-correlation-id"]
    assert str(error) == (
        "GetCheckoutOrders: the service does not honour the offset: 0 and 99 give the same page of 100 orders; 100 "
        f"orders were given so far, and there may be more (correlation id {error.correlation_id}); narrow the "
        "filter with date_from and date_to until the orders fit on one page, or raise page_size"
    )
    with pytest.raises(UnavailableError):
        await all_of_them()
    assert len(service.engine.requests) < 10
