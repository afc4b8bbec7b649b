"""Third part: many orders at once, and then a look at what the service itself says of them.

A fixed number of workers take the next order each; the client's own limiter bounds the requests in flight besides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio

from norce_order_async import NorceError, NorceOrderClient, OrderFilter
from norce_order_async.cli.demo import goods

OTHERS = 500
"""How many orders that are not the batch's own a listing is followed past."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of creating and completing the orders."""

    ids: frozenset[str]
    """Those the client took to completed."""
    failures: tuple[NorceError, ...]


async def complete_many(
    norce: NorceOrderClient, run: str, *, count: int, concurrency: int, advance: Callable[[], None]
) -> Batch:
    """Create and complete ``count`` orders; one that fails does not stop the others."""
    ids: set[str] = set()
    failures: list[NorceError] = []
    numbers = iter(range(1, count + 1))

    async def work() -> None:
        for number in numbers:
            try:
                ids.add(await _complete_one(norce, f"{run}-{number}"))
            except NorceError as error:
                failures.append(error)
            advance()

    async with anyio.create_task_group() as workers:
        for _ in range(min(concurrency, count)):
            workers.start_soon(work)
    return Batch(frozenset(ids), tuple(failures))


async def _complete_one(norce: NorceOrderClient, reference: str) -> str:
    order = await goods.create_order(norce, reference)
    await order.shippings.create(goods.shipping())
    await order.payments.create(goods.payment(goods.TOTAL))
    await order.transition_to("completed")
    return order.id


async def listed_as_completed(norce: NorceOrderClient, ids: frozenset[str], since: float) -> frozenset[str]:
    """Which of the orders the service lists as completed, from ``since`` (seconds since 1970) on."""
    where = OrderFilter(status="completed", date_from=datetime.fromtimestamp(since, UTC))
    found: set[str] = set()
    async for order in norce.orders.iterate(where, limit=len(ids) + OTHERS):
        if order.id in ids and order.status == "completed":
            found.add(order.id)
        if len(found) == len(ids):
            break
    return frozenset(found)
