"""Jobs over many orders: the cost of the journal, and the growth of memory.

Every item is one PATCH, a hundred of them in flight. The service answers from memory, so that the cost of the journal
shows beside a client at full speed; a real service is slower, as in the rows with latency.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from pathlib import Path

from benchmarks.contestants import bare, ours
from benchmarks.contestants.base import CONNECTIONS, ORDER_ID, PATH
from benchmarks.figures import Figures, Table, Tell, interleaved, median, spread
from benchmarks.machine import resident
from benchmarks.parts.calls import block
from benchmarks.scale import Scale
from benchmarks.server import Door, Target, service
from benchmarks.worker import apart, worker
from norce_order_async import Fixed
from norce_order_async.bulk import actions

TITLE = "Jobs"

WITH = "with a journal"
WITHOUT = "without"
LATENCIES = (0.0, 0.05)
_SAMPLE_EVERY = 1000
_PARTS = 10
_STATE = b'"accepted"'
TWICE = 0.46
"""Of aiohttp's PUT against an item: twice what it was in November 2026."""


def measure(scale: Scale, tell: Tell) -> Figures:
    """Jobs with and without a journal in turns, then a long one."""
    rates: Figures = {}
    with service([Door(latency) for latency in LATENCIES]) as answering:
        with worker() as client:
            for latency in LATENCIES:
                found: dict[str, list[Figures]] = {WITHOUT: [], WITH: []}
                for number, name in interleaved(list(found), scale.rounds):
                    tell(f"{scale.bulk_items} items {name}, {latency * 1000:g} ms, round {number + 1}")
                    target = answering.targets[Door(latency)]
                    found[name].append(client.run(_job, target, scale.bulk_items, journal=name == WITH))
                rates[f"{latency * 1000:g}"] = found
        tell(f"{scale.bulk_memory_items} items {WITH}")
        long = apart(_job, answering.targets[Door()], scale.bulk_memory_items, journal=True)
        tell(f"{scale.bulk_memory_items} transitions")
        transitions = apart(_transitions, answering.targets[Door()], scale.bulk_memory_items)
    return {"turns": rates, "long": long, "transitions": transitions}


def _transitions(target: Target, items: int) -> Figures:
    return asyncio.run(_against_aiohttp(target, items))


async def _against_aiohttp(target: Target, items: int) -> Figures:
    """Ten parts of a job, between parts of the same number of bare PUTs."""
    url = f"{target.url}{PATH}/state"
    found: list[float] = []
    rates: list[float] = []
    async with bare.session(target, CONNECTIONS) as session, ours.client(target) as norce:

        async def put() -> None:
            async with session.put(url, data=_STATE, headers={"content-type": "application/json"}) as response:
                await response.read()

        for part in range(_PARTS):
            ids = [f"o{part}-{number}" for number in range(items // _PARTS)]
            bare_us, _ = await block(put, len(ids), CONNECTIONS)
            started, used = time.perf_counter(), time.process_time()
            async with norce.bulk(load=Fixed(in_flight=CONNECTIONS)) as job:
                done = 0
                async for outcome in job.run(ids, actions.transition("accepted")):
                    done += outcome.verdict == "done"
            took, used = time.perf_counter() - started, time.process_time() - used
            if done != len(ids):
                raise RuntimeError(f"{done} of {len(ids)} items were done")
            found.append(bare_us / (used / done * 1e6))
            rates.append(done / took)
    return {"items": items, "against": found, "rates": rates}


def _job(target: Target, items: int, *, journal: bool) -> Figures:
    # On a disk, as a journal would be: a file in memory would not survive a crash.
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        return asyncio.run(_run(target, items, Path(folder, "patch.journal") if journal else None))


async def _run(target: Target, items: int, journal: Path | None) -> Figures:
    async with ours.client(target) as norce:
        # The connections and the imports are ready before it begins.
        await asyncio.gather(*(norce.orders.get(ORDER_ID) for _ in range(CONNECTIONS)))
        gc.collect()
        began = highest = resident()
        done = 0
        started, used = time.perf_counter(), time.process_time()
        async with norce.bulk(journal, load=Fixed(in_flight=CONNECTIONS)) as job:
            async for outcome in job.run((f"o{number}" for number in range(items)), actions.patch_attributes({"a": 1})):
                done += outcome.verdict == "done"
                if done % _SAMPLE_EVERY == 0:
                    highest = max(highest, resident())
        took, used = time.perf_counter() - started, time.process_time() - used
    if done != items:
        raise RuntimeError(f"{done} of {items} items were done")
    return {
        "items": items,
        "rate": items / took,
        "cpu_us": used / items * 1e6,
        "grown_mb": max(highest, resident()) - began,
    }


def cost(figures: Figures, latency: float) -> list[float]:
    """The share of its rate that a job loses to the journal, round by round."""
    found = figures["turns"][f"{latency * 1000:g}"]
    pairs = zip(found[WITH], found[WITHOUT], strict=True)
    return [1 - kept["rate"] / bare["rate"] for kept, bare in pairs]


def tables(figures: Figures) -> list[Table]:
    """Items a second, the journal's share, and memory."""
    rows: list[list[str]] = []
    for latency in LATENCIES:
        found = figures["turns"][f"{latency * 1000:g}"]
        rates = [f"{median(one['rate'] for one in found[name]):,.0f}" for name in (WITHOUT, WITH)]
        cpu = [f"{median(one['cpu_us'] for one in found[name]):,.0f}" for name in (WITHOUT, WITH)]
        lost = spread([share * 100 for share in cost(figures, latency)], "{:.0f}")
        rows.append([f"{latency * 1000:g} ms latency", *rates, lost, *cpu])
    long = figures["long"]
    memory = [WITH, f"{long['items']:,}", f"{long['rate']:,.0f}", f"{long['grown_mb']:+.1f}"]
    return [
        Table(
            ["", "items/s without", "with a journal", "lost, %", "CPU µs an item without", "with a journal"],
            rows,
            f"{CONNECTIONS} in flight, one PATCH an item:",
        ),
        Table(["", "items", "items/s", "MB beyond the start"], [memory], "A long job, no latency, in a fresh process:"),
        Table(
            ["", "items", "items/s", "processor time of aiohttp's PUT against an item"],
            [
                [
                    "transitions, no journal",
                    f"{figures['transitions']['items']:,}",
                    spread(figures["transitions"]["rates"], "{:,.0f}"),
                    spread(figures["transitions"]["against"]),
                ]
            ],
        ),
    ]
