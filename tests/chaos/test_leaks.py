"""Thousands of calls, with and without faults: flat memory and flat descriptors."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator

import anyio
import pytest

from norce_order_async import CallError, NorceOrderClient
from norce_order_async.engines.choose import EngineName
from norce_order_async.sandbox import Sandbox
from tests.support.faults import ALL_THAT_END, Fault, Plan, Seeded, passes
from tests.support.proxy import Proxy

from .leftovers import descriptors, tasks, until
from .service import CONTEXT, cart, client_of

pytestmark = pytest.mark.anyio

CALLERS = 10
BLOCKS, BLOCKS_A_CALL = 800, 0.1
"""Allocated blocks that may stay: some for another client, and a few for chance. A single object left behind by each
call would be one block a call or more."""
MEMORY = 12 * 1024 * 1024
"""Bytes by which the process may grow: the allocator's, and what the service in it remembers."""


@pytest.fixture
def forgetful() -> Iterator[Proxy]:
    """A service in this process that keeps next to nothing, and a proxy in front of it."""
    with Sandbox(keep_requests=10) as sandbox, Proxy(sandbox.base_url) as proxy:
        yield proxy


def resident() -> int:
    with open("/proc/self/statm") as statistics:
        return int(statistics.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def allocated() -> int:
    """Blocks held by Python objects, garbage aside."""
    gc.collect()
    return sys.getallocatedblocks()


async def calls(norce: NorceOrderClient, order_id: str, count: int) -> None:
    """So many calls of three kinds, ten at a time, whatever comes of them."""
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            order = norce.orders(order_id)
            try:
                if number % 3:
                    await order.refresh()
                elif number % 2:
                    await order.set_reference(f"reference-{number}")
                else:
                    await norce.orders.list(limit=1)
            except CallError:
                continue

    async with anyio.create_task_group() as group:
        for _ in range(CALLERS):
            group.start_soon(work)


@pytest.mark.parametrize("count", [1_500, pytest.param(10_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize(
    "plan",
    [passes, Seeded(1, 0.3, [fault for fault in ALL_THAT_END if fault is not Fault.DELAY])],
    ids=["calm", "chaos"],
)
async def test_nothing_grows(
    forgetful: Proxy, engine: EngineName, plan: Plan, tell: Callable[[str], None], count: int
) -> None:
    """After a warm-up, a client that made many calls holds no more than one that made few; while it makes them, no
    more sockets than its callers need are open."""
    clients: list[NorceOrderClient] = []

    async def run(calls_of_it: int) -> int:
        """Descriptors at the end of it."""
        norce = client_of(forgetful.base_url, "acme", engine=engine)
        clients.append(norce)
        forgetful.plan = passes
        order_id = (await norce.orders.create(**CONTEXT, cart=cart())).id
        forgetful.plan = plan
        await calls(norce, order_id, calls_of_it)
        opened = descriptors()
        # Each connection is worth hundreds of blocks: those are to be gone before anything is counted.
        await norce.aclose()
        await until(lambda: not forgetful.connections)
        await anyio.sleep(0.05)
        return opened

    await run(count // 3)
    blocks, memory, before, running = allocated(), resident(), descriptors(), tasks()
    opened = await run(count)
    blocks, memory = allocated() - blocks, resident() - memory
    assert blocks < BLOCKS + BLOCKS_A_CALL * count
    assert memory < MEMORY
    # Each of the ten callers has a connection to the proxy and the proxy one to the service: two ends each.
    assert opened <= before + 4 * CALLERS
    assert (descriptors(), tasks()) == (before, running)
    if count > 2_000:
        tell(f"{count} calls: {blocks} blocks and {memory // 1024} KiB more; {opened - before} descriptors while at it")
