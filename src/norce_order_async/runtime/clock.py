"""Time, sleep, randomness and deadlines. Every part is given a clock, so that rules about time can be tested."""

from __future__ import annotations

import random
import time
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

import anyio


class Clock(Protocol):
    """The source of time for the pipeline and the engines. Seconds are floats."""

    def monotonic(self) -> float:
        """Seconds that never decrease; for durations and deadlines."""
        ...

    def wall(self) -> float:
        """Seconds since 1970 in UTC; to compare with dates from the service."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellable."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """A random number between the two."""
        ...

    def move_on_after(self, seconds: float | None) -> AbstractContextManager[Any]:
        """A scope that ends after ``seconds`` without an exception; with None it never ends early."""
        ...


def boottime() -> float:
    """Seconds that never decrease. On Linux they also count the time that the machine sleeps."""
    return time.clock_gettime(_BOOTTIME) if _BOOTTIME is not None else time.monotonic()


_BOOTTIME: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)


class SystemClock:
    """The machine's clock; works on asyncio and trio."""

    __slots__ = ("_random",)

    def __init__(self, seed: int | None = None) -> None:
        # Without a seed this is the system's random source, which has no state that forked processes would share.
        self._random = random.SystemRandom() if seed is None else random.Random(seed)

    def monotonic(self) -> float:
        """Seconds that never decrease."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970 in UTC."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``; cancellable."""
        await anyio.sleep(seconds)

    def uniform(self, low: float, high: float) -> float:
        """A random number between the two."""
        return self._random.uniform(low, high)

    def move_on_after(self, seconds: float | None) -> AbstractContextManager[Any]:
        """A scope that ends after ``seconds`` without an exception; with None it never ends early."""
        return anyio.move_on_after(seconds)


class Deadline:
    """The deadline of one call, over every attempt, read-back and sleep. It starts with the first permit.

    Args:
        clock: where time comes from.
        seconds: the time from the start to the end; None for no end.
    """

    __slots__ = ("_clock", "_end", "seconds", "started")

    def __init__(self, clock: Clock, seconds: float | None) -> None:
        self._clock = clock
        self._end: float | None = None
        self.seconds = seconds
        self.started = False
        """Whether the countdown has begun."""

    def start(self) -> None:
        """Start the countdown; a second call does nothing."""
        if self.started:
            return
        self.started = True
        if self.seconds is not None:
            self._end = self._clock.monotonic() + self.seconds

    def remaining(self) -> float | None:
        """Seconds left, at least 0; all of them before the start; None if there is no end."""
        if self._end is None:
            return self.seconds
        return max(0.0, self._end - self._clock.monotonic())

    def leaves(self, seconds: float) -> bool:
        """Whether a wait of ``seconds`` would end before the deadline."""
        remaining = self.remaining()
        return remaining is None or seconds < remaining
