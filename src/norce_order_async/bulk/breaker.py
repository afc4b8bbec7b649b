"""What a job does while the service is away: it holds everything back and sends one call now and then.

A call that was not sent or was turned away for good puts its item back. After :data:`IN_A_ROW` of these without a
success between, or at once when the retry budget is empty, the service counts as away: one item at a time goes as a
probe, after a wait of full jitter that doubles up to the longest delay, and never before a Retry-After is over. The
first probe that is answered ends it.

Every item is worked on inside :meth:`Outage.turn`. Leaving that gives back a probe's turn, whatever became of the item:
there is no other place where it could be forgotten.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from norce_order_async.pipeline import retry as backoff
from norce_order_async.pipeline.limiter import Limiter
from norce_order_async.runtime.clock import Clock

IN_A_ROW = 5
FIRST_WAIT = 1.0


class Slot:
    """Leave to work on one item."""

    __slots__ = ()


class CircuitBreaker:
    """Whether the service is away, as far as one job can tell."""

    def __init__(self, clock: Clock, limiter: Limiter, longest: float) -> None:
        self._clock = clock
        self._limiter = limiter
        self._longest = longest
        self._failures = 0
        self._waits = 0
        self._prober: Slot | None = None
        """Who finds out whether the service is back."""
        self._changed = anyio.Event()
        self._asked = 0.0
        self._over = False
        self._sleeping: anyio.CancelScope | None = None
        self.away = False

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[Slot]:
        """Leave to work on one item: at once when the service is there, else when it is time to probe it with this."""
        while self.away and self._prober is not None and not self._over:
            await self._changed.wait()
        turn = Slot()
        try:
            if self.away and not self._over:
                self._prober = turn
                await self._wait_to_probe()
            yield turn
        finally:
            if self._prober is turn:
                self._prober = None
                self._tell()

    def end(self) -> None:
        """Nobody is to wait any longer."""
        self._over = True
        self._stop_waiting()

    def answered(self) -> None:
        """The service did something with a call, whatever it was."""
        self._failures = self._waits = 0
        self._asked = 0.0
        self.away = False
        self._prober = None
        self._stop_waiting()

    def failed(self, turn: Slot, *, at_once: bool, asked: float | None) -> bool:
        """A call was not sent, or turned away for good. Whether it was a probe's."""
        self._failures += 1
        self._asked = asked or 0.0
        self.away = self.away or at_once or self._failures >= IN_A_ROW
        return self._prober is turn

    async def _wait_to_probe(self) -> None:
        self._waits += 1
        wait = backoff.jittered(self._waits, base=FIRST_WAIT, cap=self._longest, uniform=self._clock.uniform)
        began, counted = self._clock.monotonic(), self._limiter.throttled_seconds
        try:
            with anyio.CancelScope() as self._sleeping:
                await self._clock.sleep(max(wait, self._asked))
        finally:
            self._sleeping = None
            # The limiter's account is the job's only one: it gets what it has not counted itself meanwhile.
            waited = self._clock.monotonic() - began
            self._limiter.throttled_seconds = max(self._limiter.throttled_seconds, counted + waited)

    def _stop_waiting(self) -> None:
        if self._sleeping is not None:
            self._sleeping.cancel()
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
