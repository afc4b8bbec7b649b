"""Several tasks take orders from one iteration, and each order goes to exactly one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random
from urllib.parse import parse_qs, urlsplit

import anyio
import anyio.lowlevel
import pytest

from norce_order_async import ForbiddenError, Order
from norce_order_async.engines.base import WireRequest
from tests.support.engine import Step, answer
from tests.support.pipeline import Stand, stand

pytestmark = pytest.mark.anyio

START = datetime(2026, 1, 1, tzinfo=UTC)


def late_pages(count: int, *instead: Step | None) -> Stand:
    """Return a service with ``count`` orders whose pages come 50 to 200 ms late. ``instead`` replaces the first
    pages."""
    random = Random(0)
    replies = list(instead)
    orders = [
        {"id": f"o{number:03}", "created": (START + timedelta(seconds=number)).isoformat()} for number in range(count)
    ]

    def page(request: WireRequest) -> Step:
        if replies and (reply := replies.pop(0)):
            return reply
        query = parse_qs(urlsplit(request.url).query)
        begin = query.get("date_from", [START.isoformat()])[0].replace("Z", "+00:00")
        found = [order for order in orders if order["created"] >= begin]
        offset, limit = int(query["offset"][0]), int(query["limit"][0])
        return answer(200, {"data": found[offset : offset + limit]}, takes=random.uniform(0.05, 0.2))

    return stand(page)


async def share(
    walk: AsyncIterator[Order], service: Stand, workers: int, *, cancel: frozenset[int] = frozenset()
) -> list[str]:
    """Return the orders that workers take from one iteration, each busy for a while with every order. The workers in
    ``cancel`` are cancelled while they, or others, wait for a page."""
    taken: list[str] = []
    random = Random(workers)

    async def work(number: int) -> None:
        with service.clock.move_on_after(0.12 * (number + 1) if number in cancel else None):
            async for order in walk:
                taken.append(order.id)
                await service.clock.wait(random.uniform(0.0, 0.01))

    async with anyio.create_task_group() as tasks:
        for number in range(workers):
            tasks.start_soon(work, number)
    return taken


@pytest.mark.parametrize("prefetch", [True, False])
@pytest.mark.parametrize("workers", [1, 2, 8])
async def test_each_order_comes_once(workers: int, prefetch: bool) -> None:
    """Workers that share an iteration get each order once, and no page is read twice."""
    service = late_pages(300)
    walk = service.client.orders.iterate(page_size=20, prefetch=prefetch)
    taken = await share(walk, service, workers)
    assert sorted(taken) == [f"o{number:03}" for number in range(300)]
    alone = late_pages(300)
    await share(alone.client.orders.iterate(page_size=20, prefetch=prefetch), alone, 1)
    assert service.sent == alone.sent


@pytest.mark.every_loop
@pytest.mark.parametrize("prefetch", [True, False])
async def test_cancelled_workers_lose_no_order(prefetch: bool) -> None:
    """If six of eight workers are cancelled while pages are in flight, the others still get every remaining order."""
    service = late_pages(300)
    walk = service.client.orders.iterate(page_size=20, prefetch=prefetch)
    taken = await share(walk, service, 8, cancel=frozenset(range(6)))
    assert sorted(taken) == [f"o{number:03}" for number in range(300)]


@pytest.mark.parametrize("prefetch", [True, False])
async def test_a_limit_holds_for_all_of_them(prefetch: bool) -> None:
    service = late_pages(300)
    walk = service.client.orders.iterate(page_size=20, limit=130, prefetch=prefetch)
    taken = await share(walk, service, 8)
    assert sorted(taken) == [f"o{number:03}" for number in range(130)]


@pytest.mark.parametrize("prefetch", [True, False])
async def test_a_page_that_fails_costs_no_order(prefetch: bool) -> None:
    """One worker gets the error. The others read the page again, and no order is missing or doubled."""
    service = late_pages(100, None, answer(403, takes=0.1))
    walk = service.client.orders.iterate(page_size=20, prefetch=prefetch)
    taken: list[str] = []
    refused: list[int] = []

    async def work(number: int) -> None:
        try:
            async for order in walk:
                taken.append(order.id)
                await anyio.lowlevel.checkpoint()
        except ForbiddenError:
            refused.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(work, number)
    assert len(refused) == 1
    assert sorted(taken) == [f"o{number:03}" for number in range(100)]
