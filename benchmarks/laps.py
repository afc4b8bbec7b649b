"""Laps: a number of tasks that each read one order after the other for a while."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from benchmarks.contestants import CONTESTANTS
from benchmarks.contestants.base import CONNECTIONS
from benchmarks.server import Target

_FIRST_READ_WITHIN = 30.0


@dataclass(frozen=True)
class Lap:
    """The result of one lap. A wait is the time from the start of a task's read to the order."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """The client's processor time for an order."""
    failures: int


def lap(name: str, target: Target, tasks: int, settle: float, window: float) -> Lap:
    """Let a contestant run, and count the reads that end within the window."""
    return asyncio.run(_lap(name, target, tasks, settle, window))


async def _lap(name: str, target: Target, tasks: int, settle: float, window: float) -> Lap:
    clock = time.perf_counter
    counting = False
    waits: list[float] = []
    failures = 0
    wished = [0.0] * tasks

    async with CONTESTANTS[name].open(target, CONNECTIONS) as read:

        async def work(number: int) -> None:
            nonlocal failures
            while True:
                wished[number] = begin = clock()
                try:
                    await read()
                except Exception:  # noqa: BLE001 - whatever a contestant fails with is counted
                    failures += 1
                else:
                    if counting:
                        waits.append(clock() - begin)

        running = [asyncio.create_task(work(number)) for number in range(tasks)]
        await asyncio.sleep(settle)
        opened, used = clock(), time.process_time()
        counting = True
        await asyncio.sleep(window)
        # Without any read there is no processor time for one. On a busy machine the first may end after a short window.
        while not (waits or failures) and clock() - opened < _FIRST_READ_WITHIN:  # noqa: ASYNC110 - both end it
            await asyncio.sleep(window)
        counting = False
        took, used = clock() - opened, time.process_time() - used
        closed = clock()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    p50, p99 = percentiles(waits, [closed - begin for begin in wished])
    count = len(waits)
    return Lap(count / took, p50 * 1000, p99 * 1000, used / count * 1e6 if count else float("nan"), failures)


def percentiles(answered: list[float], unanswered: list[float]) -> tuple[float, float]:
    """Median and 99th percentile of the waits.

    A task that still waits at the end, longer already than 99 of 100 have, belongs to the last hundredth, and counts
    with the time that it has waited so far. Otherwise the tasks that starve in an unfair queue would be left out.
    """
    answered = sorted(answered)
    starving = [wait for wait in unanswered if not answered or wait > answered[len(answered) * 99 // 100]]
    waits = sorted([*answered, *starving])
    return waits[len(waits) // 2], waits[len(waits) * 99 // 100]
