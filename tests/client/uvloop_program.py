"""Uses one client on uvloop: on several loops one after the other, on asyncio's too, and after a fork with calls in
flight.

Run by ``test_uvloop.py``, with the engine as its argument; prints what it found.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from typing import cast

import uvloop

from norce_order_async import NorceOrderClient
from norce_order_async.engines.select import EngineName
from norce_order_async.sandbox import Sandbox

SLOW = {"rules": [{"operations": "CreateCheckoutOrder", "fault": {"delay": 0.3}}]}


async def made(norce: NorceOrderClient, name: str) -> int:
    """Return how many of ten orders that are made at once are the requested ones."""

    # Development mode would report each step that is slow on a busy machine.
    asyncio.get_running_loop().slow_callback_duration = 3600

    async def one(reference: str) -> bool:
        order = await norce.orders.create(cart={"reference": reference})
        return (await order.refresh()).cart.reference == reference

    return sum(await asyncio.gather(*(one(f"{name}-{number}") for number in range(10))))


async def while_in_flight(norce: NorceOrderClient) -> tuple[int, int]:
    """Fork with calls in flight, and return how many orders the parent made and how many the child."""
    calls = asyncio.ensure_future(made(norce, "parent"))
    await asyncio.sleep(0.1)
    child = os.fork()
    if child == 0:
        # The child leaves the parent's loop behind, as after a program's own fork.
        asyncio._set_running_loop(None)
        found = uvloop.run(made(norce, "child"))
        gc.collect()
        os._exit(found)
    parents = await calls
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    return parents, os.waitstatus_to_exitcode(status)


def main(engine: str) -> None:
    sandbox = Sandbox().start()
    norce = NorceOrderClient(
        base_url=sandbox.base_url,
        token=sandbox.token,
        merchant="acme",
        channel="se",
        engine=cast("EngineName", engine),
    )
    found = [uvloop.run(made(norce, "a")), asyncio.run(made(norce, "b")), uvloop.run(made(norce, "c"))]
    sandbox.faults.play(SLOW)
    found += uvloop.run(while_in_flight(norce))
    sandbox.faults.stop()
    found.append(uvloop.run(made(norce, "d")))
    uvloop.run(norce.aclose())
    found.append(len(sandbox.effects.of(operation="CreateCheckoutOrder")))
    json.dump(found, sys.stdout)
    sandbox.stop()


if __name__ == "__main__":
    main(sys.argv[1])
