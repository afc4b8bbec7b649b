"""Thousands of calls, with and without faults, leave memory and descriptors as they were."""

from __future__ import annotations

import dataclasses
import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator

import anyio
import pytest

from norce_order_async import CallError, NorceOrderClient
from norce_order_async.engines.select import EngineName
from norce_order_async.sandbox import Sandbox
from tests.support.faults import ALL_THAT_END, Fault, Plan, Seeded, passes
from tests.support.proxy import Proxy
from tests.support.waiting import until

from .leftovers import descriptors, tasks, timers
from .service import AT_ONCE, CONTEXT, Truth, cart, client_of

pytestmark = [pytest.mark.anyio, pytest.mark.every_loop]

CALLERS = 10
BRIEF = dataclasses.replace(AT_ONCE, deadline=3.0, write_timeout=3.0, read_timeout=3.0)
"""Short timeouts, because the timer of a timeout may outlive its call until its time."""
WARM, ROUNDS, AT_MOST = 2, 3, 12
"""The rounds before the count begins, the counted rounds, and how many rounds there are at most. Chance weighs less
with each round, while the growth for each call stays the same."""
BLOCKS_A_CALL = 0.25
"""Allocated blocks that a call may leave on average. One object left by each call would be one."""
BYTES_A_CALL = 2048
"""How much the process may grow for each call. The service in it remembers some of it, and the allocator keeps some."""


@pytest.fixture
def forgetful() -> Iterator[Sandbox]:
    """A service in this process that keeps almost nothing."""
    with Sandbox(token="sandbox-token", keep_requests=10) as sandbox:
        yield sandbox


def resident() -> int:
    with open("/proc/self/statm") as statistics:
        return int(statistics.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def allocated() -> int:
    """Blocks held by Python objects, garbage aside."""
    gc.collect()
    return sys.getallocatedblocks()


async def calls(norce: NorceOrderClient, order_id: str, count: int) -> None:
    """Make a number of calls of three kinds, ten at a time, with any result."""
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


@pytest.mark.parametrize("count", [500, pytest.param(3_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize(
    "plan",
    [passes, Seeded(1, 0.3, [fault for fault in ALL_THAT_END if fault is not Fault.DELAY])],
    ids=["calm", "chaos"],
)
# The plan "chaos" shows both, because two thirds of its calls meet no fault.
@pytest.mark.in_turn("plan")
async def test_nothing_grows(
    forgetful: Sandbox,
    engine: EngineName,
    plan: Plan,
    tell: Callable[[str], None],
    count: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A client makes many calls and is closed, round after round. A warm process returns to its earlier memory, and
    during the calls no more sockets are open than the callers need."""
    # pytest keeps log records until the test is over.
    caplog.set_level(logging.CRITICAL, logger="norce_order_async")
    with Proxy(forgetful.base_url, plan) as proxy:
        before, running = descriptors(), tasks()
        order_id: str = Truth(forgetful, "acme").ask("POST", "", {**CONTEXT, "cart": cart()})["id"]

        async def rounds(number: int) -> tuple[int, int]:
            """Blocks and bytes at the end of this many rounds."""
            for _ in range(number):
                norce = client_of(proxy.base_url, "acme", engine=engine, options=BRIEF)
                await calls(norce, order_id, count)
                # Each of the ten callers has a connection to the proxy and the proxy one to the service: two ends each.
                await until(lambda: descriptors() <= before + 4 * CALLERS)
                await norce.aclose()
            # Each connection and each timer has many blocks, so they must be gone before the count.
            await until(lambda: not (proxy.connections or timers()))
            await until(lambda: descriptors() <= before and tasks() <= running)
            return allocated(), resident()

        blocks, memory = await rounds(WARM)
        made = 0
        while True:
            blocks_now, memory_now = await rounds(1 if made else ROUNDS)
            made += (1 if made else ROUNDS) * count
            more, bytes_more = blocks_now - blocks, memory_now - memory
            if more < BLOCKS_A_CALL * made and bytes_more < BYTES_A_CALL * made:
                break
            assert made < AT_MOST * count, f"{made} calls left {more} blocks and {bytes_more} bytes behind"
        if count > 2_000:
            tell(f"{made} calls: {more} blocks and {bytes_more // 1024} KiB more")
