"""Time, sleep and randomness, handed in everywhere, so that every rule about time can be tested exactly."""

from __future__ import annotations

import random
import time
from contextlib import AbstractContextManager
from typing import Any, Protocol

import anyio


class Clock(Protocol):
    """What the pipeline knows of time. Seconds are floats."""

    def monotonic(self) -> float:
        """Seconds that only grow; for durations and deadlines."""
        ...

    def wall(self) -> float:
        """Seconds since 1970 in UTC; for dates that come from outside."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellable."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """A random number between the two."""
        ...

    def move_on_after(self, seconds: float | None) -> AbstractContextManager[Any]:
        """A scope that is left, without an exception, once the time is up; None never ends."""
        ...


class SystemClock:
    """The machine's own time, on whichever event loop runs."""

    __slots__ = ("_random",)

    def __init__(self, seed: int | None = None) -> None:
        # Without a seed the system's source: it has no state that forked processes would share.
        self._random = random.SystemRandom() if seed is None else random.Random(seed)

    def monotonic(self) -> float:
        """Seconds that only grow."""
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
        """A scope that ends after ``seconds`` without an exception; None never ends."""
        return anyio.move_on_after(seconds)
