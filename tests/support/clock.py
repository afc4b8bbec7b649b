"""Virtual time on both event loops: minutes of back-off run in milliseconds and end at exact moments.

Sleeps and scopes set timers here. While there are timers, a separate task, the pump, waits until every other task is
blocked, moves the time to the earliest timer and fires it. So any number of tasks share one consistent time, and only a
timer makes it pass.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Generator
from contextlib import contextmanager
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
import sniffio

START = 1_000.0
WALL_AHEAD = 1_700_000_000.0
"""The difference of ``wall`` and ``monotonic``."""

Uniform = Callable[[float, float], float]


def lowest(low: float, high: float) -> float:
    """Draw the lower bound."""
    del high
    return low


def highest(low: float, high: float) -> float:
    """Draw the upper bound."""
    del low
    return high


class _Timer:
    __slots__ = ("fire",)

    def __init__(self, fire: Callable[[], object]) -> None:
        self.fire: Callable[[], object] | None = fire


class FakeClock:
    """A clock whose time passes only while all tasks wait.

    Args:
        uniform: draws the random numbers; :func:`lowest` by default, or seeded ones with ``seed``.
        seed: for random numbers that are the same in every run.
    """

    def __init__(self, uniform: Uniform = lowest, seed: int | None = None) -> None:
        self.now = START
        self.sleeps: list[float] = []
        """Every requested sleep, in order."""
        self._uniform = uniform if seed is None else Random(seed).uniform
        self._timers: list[tuple[float, int, _Timer]] = []
        self._order = itertools.count()
        self._pump: object = None

    @property
    def passed(self) -> float:
        """Return the seconds since this clock was made."""
        return self.now - START

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + WALL_AHEAD

    def uniform(self, low: float, high: float) -> float:
        return self._uniform(low, high)

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        await self.wait(seconds)

    async def wait(self, seconds: float) -> None:
        """Sleep without recording it, for code that plays the service."""
        if seconds <= 0:
            await anyio.lowlevel.checkpoint()
            return
        over = anyio.Event()
        with self._timer(seconds, over.set):
            await over.wait()

    @contextmanager
    def move_on_after(self, seconds: float | None) -> Generator[anyio.CancelScope]:
        with anyio.CancelScope() as scope:
            if seconds is None:
                yield scope
            elif seconds <= 0:
                scope.cancel()
                yield scope
            else:
                with self._timer(seconds, scope.cancel):
                    yield scope

    @contextmanager
    def _timer(self, seconds: float, fire: Callable[[], object]) -> Generator[None]:
        timer = _Timer(fire)
        heapq.heappush(self._timers, (self.now + seconds, next(self._order), timer))
        self._start_pump()
        try:
            yield
        finally:
            timer.fire = None

    def _start_pump(self) -> None:
        if self._pump is not None:
            return
        if sniffio.current_async_library() == "trio":
            import trio

            self._pump = trio.lowlevel.spawn_system_task(self._run_on_trio)
        else:
            self._pump = asyncio.get_running_loop().create_task(self._run())

    async def _run_on_trio(self) -> None:
        import trio

        # An exception in a system task ends the whole run, even its own cancellation at the end.
        try:
            await self._run()
        except trio.Cancelled:
            return

    async def _run(self) -> None:
        try:
            while self._waited_for():
                await _all_blocked()
                if self._waited_for():
                    self.now = max(self.now, self._timers[0][0])
                while self._waited_for() and self._timers[0][0] <= self.now:
                    timer = heapq.heappop(self._timers)[2]
                    if timer.fire:
                        timer.fire()
        finally:
            self._pump = None

    def _waited_for(self) -> bool:
        while self._timers and self._timers[0][2].fire is None:
            heapq.heappop(self._timers)
        return bool(self._timers)


async def _all_blocked() -> None:
    """Return when no other task can run."""
    if sniffio.current_async_library() == "trio":
        import trio.testing

        await trio.testing.wait_all_tasks_blocked()
        return
    # asyncio can't tell this, but the loop's private queue holds everything that is ready to run. Pumps of other clocks
    # are in it too, and don't count.
    loop: Any = asyncio.get_running_loop()
    _polling.append(loop)
    try:
        while True:
            await asyncio.sleep(0)
            if len(loop._ready) < _polling.count(loop):
                return
    finally:
        _polling.remove(loop)


_polling: list[object] = []
