"""A program that uses a client, forks, and continues in both processes; run by the tests of forks.

    python -m tests.client.forked_program URL AUTHORITY ENGINE LOOP

The parent's calls are slow and in flight when it forks. The child makes calls of its own with the same client,
collects garbage and exits as programs do. Both print as JSON which id they got for each id that they requested.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import ssl
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import trio

from norce_order_async import NorceOrderClient
from norce_order_async.engines.select import EngineName

SLOW = 10

RUNS: dict[str, Callable[[Callable[[], Coroutine[Any, Any, None]]], None]] = {
    "asyncio": lambda work: asyncio.run(work()),
    "trio": trio.run,
}


async def ask(norce: NorceOrderClient, ids: list[str], found: dict[str, str | None]) -> None:
    """Read these orders at once."""

    async def one(order_id: str) -> None:
        found[order_id] = (await norce.orders.get(order_id)).data.id

    import anyio

    async with anyio.create_task_group() as group:
        for order_id in ids:
            group.start_soon(one, order_id)


def main(url: str, authority: str, engine: EngineName, loop: str) -> None:
    context = ssl.create_default_context(cafile=authority)
    norce = NorceOrderClient(
        base_url=url, token="t", merchant="acme", channel="se", engine=engine, verify=context, retry_budget=0
    )
    run = RUNS[loop]
    in_flight = threading.Event()
    parents: dict[str, str | None] = {}

    async def parent() -> None:
        import anyio

        await ask(norce, ["warm"], {})
        async with anyio.create_task_group() as group:
            group.start_soon(ask, norce, [f"slow-{number}" for number in range(SLOW)], parents)
            # The service reports when all of them have arrived.
            await norce.orders.get("all-arrived")
            in_flight.set()

    thread = threading.Thread(target=run, args=(parent,))
    thread.start()
    assert in_flight.wait(30)
    child = os.fork()
    if child == 0:
        children: dict[str, str | None] = {}

        async def work() -> None:
            await ask(norce, [f"child-{number}" for number in range(5)], children)
            await norce.aclose()

        run(work)
        del norce
        gc.collect()
        sys.stdout.write(json.dumps({"child": children}) + "\n")
        sys.stdout.flush()
        return
    _, status = os.waitpid(child, 0)
    # Only now does the service answer the slow ones.
    done: dict[str, str | None] = {}
    RUNS["asyncio"](lambda: _release(url, context, done))
    thread.join()
    sys.stdout.write(json.dumps({"parent": parents, "child_status": status}) + "\n")


async def _release(url: str, context: ssl.SSLContext, done: dict[str, str | None]) -> None:
    async with NorceOrderClient(base_url=url, token="t", merchant="acme", channel="se", verify=context) as other:
        await ask(other, ["release"], done)


if __name__ == "__main__":
    name: EngineName = "httpx" if sys.argv[3] == "httpx" else "auto"
    main(sys.argv[1], sys.argv[2], name, sys.argv[4])
