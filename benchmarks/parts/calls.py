"""The cost of one call: processor time and latency, over the engines called bare and the libraries under them.

One task reads one order after the other; then fifty do. The pipeline and the handles cost what the client takes beyond
its engine called bare, without decoding; over the real engines and over one that answers at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from benchmarks.contestants import CONTESTANTS, bare, ours
from benchmarks.contestants.base import HEADERS, ORDER_ID, PATH, Read
from benchmarks.figures import Figures, Table, Tell, interleaved, median, spread
from benchmarks.instant import ANSWER, InstantEngine
from benchmarks.parts.codecs import decode_ours
from benchmarks.scale import Scale
from benchmarks.server import Door, Target, service
from benchmarks.worker import apart
from norce_order_async import NorceOrderClient
from norce_order_async.engines.aiohttp import AiohttpEngine
from norce_order_async.engines.base import Engine, Timeouts, WireRequest
from norce_order_async.engines.httpx import HttpxEngine

TITLE = "What one call costs"

AIOHTTP_ENGINE = "aiohttp engine, bare"
HTTPX_ENGINE = "httpx engine, bare"
INSTANT_ENGINE = "instant engine, bare"
OVER_INSTANT = "client over the instant engine"
DECODING = "decoding alone"

ADDED = (
    ("aiohttp", ours.ON_AIOHTTP, AIOHTTP_ENGINE),
    ("httpx", ours.ON_HTTPX, HTTPX_ENGINE),
    ("instant", OVER_INSTANT, INSTANT_ENGINE),
)
"""The engine, the client on it, and it alone."""


def measure(scale: Scale, tell: Tell) -> Figures:
    """Blocks of calls, one contestant after the other."""
    tell(f"{scale.blocks} blocks of {scale.block_calls} calls each")
    with service([Door()]) as answering:
        return apart(_measured, answering.targets[Door()], scale)


def _measured(target: Target, scale: Scale) -> Figures:
    return asyncio.run(_blocks(target, scale))


async def _blocks(target: Target, scale: Scale) -> Figures:
    figures: Figures = {}
    for tasks in scale.block_tasks:
        cpu: dict[str, list[float]] = {}
        wall: dict[str, list[float]] = {}
        async with _readers(target, tasks) as readers:
            for _, name in interleaved(list(readers), scale.blocks):
                used, took = await block(readers[name], scale.block_calls, tasks)
                cpu.setdefault(name, []).append(used)
                wall.setdefault(name, []).append(took)
        figures[str(tasks)] = {"cpu_us": cpu, "wall_us": wall}
    return figures


@asynccontextmanager
async def _readers(target: Target, tasks: int) -> AsyncGenerator[dict[str, Read]]:
    instant = InstantEngine()
    async with AsyncExitStack() as stack:
        readers: dict[str, Read] = {
            name: await stack.enter_async_context(CONTESTANTS[name].open(target, tasks))
            for name in (bare.AIOHTTP, ours.ON_AIOHTTP, bare.HTTPX, ours.ON_HTTPX)
        }
        engines = ((AIOHTTP_ENGINE, AiohttpEngine()), (HTTPX_ENGINE, HttpxEngine()), (INSTANT_ENGINE, instant))
        for name, engine in engines:
            readers[name] = await stack.enter_async_context(_bare(engine, target))
        norce = await stack.enter_async_context(ours.client(target, tasks, engine=instant))
        readers[OVER_INSTANT] = partial(_decoded, norce)
        readers[DECODING] = _decoding
        yield readers


async def block(read: Callable[[], Awaitable[object]], calls: int, tasks: int = 1) -> tuple[float, float]:
    """Microseconds of processor time and of time for a call, the mean of one block."""

    async def work(times: int) -> None:
        for _ in range(times):
            await read()

    async def all_tasks(times: int) -> None:
        await asyncio.gather(*(work(times) for _ in range(tasks)))

    # Connections may have to be opened, or may have been closed meanwhile.
    await all_tasks(1)
    each = max(4, calls // tasks)
    used, took = time.process_time(), time.perf_counter()
    await all_tasks(each)
    used, took = time.process_time() - used, time.perf_counter() - took
    return used / (each * tasks) * 1e6, took / each * 1e6


@asynccontextmanager
async def _bare(engine: Engine, target: Target) -> AsyncGenerator[Read]:
    request = WireRequest("GET", target.url + PATH, HEADERS, None, Timeouts(), 30.0)
    try:
        yield lambda: engine.send(request)
    finally:
        await engine.aclose()


async def _decoded(norce: NorceOrderClient) -> object:
    return (await norce.orders.get(ORDER_ID)).data


async def _decoding() -> object:
    return decode_ours(ANSWER.body)


def added(figures: Figures, tasks: int, engine: str) -> list[float]:
    """Microseconds of processor time that pipeline and handles take for a call, block by block."""
    cpu = figures[str(tasks)]["cpu_us"]
    _, client, alone = next(one for one in ADDED if one[0] == engine)
    return [whole - sent - decoded for whole, sent, decoded in zip(cpu[client], cpu[alone], cpu[DECODING], strict=True)]


def tables(figures: Figures) -> list[Table]:
    """All contestants, and the cost of the pipeline."""
    order = (
        *(bare.AIOHTTP, AIOHTTP_ENGINE, ours.ON_AIOHTTP),
        *(bare.HTTPX, HTTPX_ENGINE, ours.ON_HTTPX),
        *(INSTANT_ENGINE, OVER_INSTANT, DECODING),
    )
    counts = [int(tasks) for tasks in figures]
    all_tasks = [
        [
            name,
            *(f"{median(figures[str(tasks)][kind][name]):,.0f}" for tasks in counts for kind in ("cpu_us", "wall_us")),
        ]
        for name in order
    ]
    beyond = [
        [engine, *(spread(added(figures, tasks, engine), "{:.0f}") for tasks in counts)] for engine, _, _ in ADDED
    ]
    columns = [f"{kind}, {_tasks(tasks)}" for tasks in counts for kind in ("CPU µs a call", "µs until it is there")]
    before = "What pipeline and handles add, CPU µs a call, decoding apart; median of the blocks and its range:"
    return [
        Table(["no latency", *columns], all_tasks),
        Table(["over the engine", *(_tasks(tasks) for tasks in counts)], beyond, before),
    ]


def _tasks(count: int) -> str:
    return f"{count} task{'s' * (count > 1)}"
