"""Memory of the client's process: over many calls, and with many in flight."""

from __future__ import annotations

import asyncio
import gc
import itertools

from benchmarks.contestants import CONTESTANTS, bare, ours
from benchmarks.figures import Figures, Table, Tell
from benchmarks.machine import resident
from benchmarks.scale import Scale
from benchmarks.server import Door, Target, service
from benchmarks.worker import apart

TITLE = "Memory"

NAMES = (ours.ON_AIOHTTP, ours.ON_HTTPX, bare.AIOHTTP)
_TASKS = 100
_SAMPLES = 20
_SHARE_ON_HTTPX = 5
"""httpx takes several times as long, so it makes a fraction of the calls."""


def measure(scale: Scale, tell: Tell) -> Figures:
    """Each contestant in a process of its own."""
    over: Figures = {}
    air: Figures = {}
    names = [name for name in NAMES if scale.contestants is None or name in scale.contestants]
    with service([Door(), Door(scale.memory_latency)]) as answering:
        for name in names:
            calls = scale.memory_calls // (_SHARE_ON_HTTPX if name == ours.ON_HTTPX else 1)
            tell(f"{calls} calls: {name}")
            over[name] = apart(_over_calls, name, answering.targets[Door()], calls)
            tell(f"{scale.memory_in_flight} in flight: {name}")
            air[name] = apart(_in_flight, name, answering.targets[Door(scale.memory_latency)], scale.memory_in_flight)
    return {"calls": over, "in_flight": air}


def _over_calls(name: str, target: Target, calls: int) -> Figures:
    return asyncio.run(_reading(name, target, calls))


async def _reading(name: str, target: Target, calls: int) -> Figures:
    samples: list[float] = []
    async with CONTESTANTS[name].open(target, _TASKS) as read:
        # A first round: imports, connections, caches.
        await asyncio.gather(*(read() for _ in range(2 * _TASKS)))
        gc.collect()
        began = resident()
        left = iter(range(calls))
        every = max(1, calls // _SAMPLES)

        async def work() -> None:
            for number in left:
                await read()
                if number % every == 0:
                    samples.append(resident())

        await asyncio.gather(*(work() for _ in range(_TASKS)))
        gc.collect()
        samples.append(resident())
    return {"calls": calls, "start_mb": began, "highest_mb": max(samples), "end_mb": samples[-1], "samples_mb": samples}


def _in_flight(name: str, target: Target, count: int) -> Figures:
    return asyncio.run(_held(name, target, count))


async def _held(name: str, target: Target, count: int) -> Figures:
    async with CONTESTANTS[name].open(target, count) as read:
        await read()
        gc.collect()
        began = resident()
        highest = began
        reading = [asyncio.ensure_future(read()) for _ in range(count)]
        for pause in itertools.repeat(0.05):
            done, _ = await asyncio.wait(reading, timeout=pause)
            highest = max(highest, resident())
            if len(done) == count:
                break
        for task in reading:
            task.result()
    return {"count": count, "start_mb": began, "highest_mb": highest}


def tables(figures: Figures) -> list[Table]:
    """Growth over the start."""
    over = [
        [
            name,
            f"{found['calls']:,}",
            f"{found['start_mb']:.1f}",
            f"{found['highest_mb'] - found['start_mb']:+.1f}",
            f"{found['end_mb'] - found['start_mb']:+.1f}",
        ]
        for name, found in figures["calls"].items()
    ]
    air = [
        [
            name,
            f"{found['count']:,}",
            f"{found['start_mb']:.1f}",
            f"{found['highest_mb'] - found['start_mb']:+.1f}",
            f"{(found['highest_mb'] - found['start_mb']) * 1024 / found['count']:.0f}",
        ]
        for name, found in figures["in_flight"].items()
    ]
    return [
        Table(
            ["", "calls", "at the start, MB", "highest", "at the end"],
            over,
            f"Resident memory over many calls, {_TASKS} tasks, against that after the first {2 * _TASKS}:",
        ),
        Table(
            ["", "in flight", "before, MB", "highest", "KB for each"],
            air,
            "All waiting at once, each on a connection of its own, the answers held to the end:",
        ),
    ]
