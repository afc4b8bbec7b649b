"""A circuit breaker: while the service is away, a job waits and sends single calls as probes.

A call that was not sent or was finally turned away puts its item back. After :data:`IN_A_ROW` of these without a
success between, or at once when the retry budget is empty, the service counts as away. One item at a time is then sent
as a probe, after a wait with full jitter that doubles up to the longest delay, and never before a Retry-After is over.
The first probe that is answered closes the breaker.

Every item is worked on inside :meth:`CircuitBreaker.turn`. Leaving it returns the probe's slot, however the item ended,
so no slot can be lost.
"""

from __future__ import annotations

from typing import Self

import anyio

from norce_order_async.pipeline import retry as backoff
from norce_order_async.pipeline.limiter import Limiter
from norce_order_async.runtime.clock import Clock
from norce_order_async.runtime.loop import Wake, wake

IN_A_ROW = 5
FIRST_WAIT = 1.0


class Slot:
    """Permission to work on one item, for an ``async with``."""

    __slots__ = ("_breaker",)

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker = breaker

    async def __aenter__(self) -> Self:
        await self._breaker.enter(self)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._breaker.leave(self)


class CircuitBreaker:
    """Whether the service is away, as one job has seen it."""

    def __init__(self, clock: Clock, limiter: Limiter, longest: float) -> None:
        self._clock = clock
        self._limiter = limiter
        self._longest = longest
        self._failures = 0
        self._waits = 0
        self._prober: Slot | None = None
        """The slot whose item probes whether the service is back."""
        # Usually no task waits when a call is answered. So a task that waits makes an event, rather than every answer.
        self._waiting: list[Wake] = []
        self._asked = 0.0
        self._over = False
        self._sleeping: anyio.CancelScope | None = None
        self.away = False

    def turn(self) -> Slot:
        """Return a slot. Entering it waits until the time of the next probe; not at all while the service is there."""
        return Slot(self)

    async def enter(self, turn: Slot) -> None:
        """Wait for the time of this slot."""
        while self.away and self._prober is not None and not self._over:
            changed = wake()
            self._waiting.append(changed)
            await changed.wait()
        if self.away and not self._over:
            self._prober = turn
            try:
                await self._wait_to_probe()
            except BaseException:
                self.leave(turn)
                raise

    def leave(self, turn: Slot) -> None:
        """Return a slot after its item has ended, in whatever way."""
        if self._prober is turn:
            self._prober = None
            self._announce()

    @property
    def is_probing(self) -> bool:
        """Whether an item is being worked on, or waits to be, as a probe."""
        return self._prober is not None

    def end(self) -> None:
        """End all waits."""
        self._over = True
        self._stop_waiting()

    def answered(self) -> None:
        """Close the breaker: the service itself answered a call, with success or a refusal."""
        self._failures = self._waits = 0
        self._asked = 0.0
        self.away = False
        self._prober = None
        if self._sleeping is not None or self._waiting:
            self._stop_waiting()

    def failed(self, turn: Slot, *, at_once: bool, asked: float | None) -> bool:
        """Count a call that was not sent or was finally turned away, and return whether it was a probe."""
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
            # The limiter alone counts throttled seconds: add those that it has not counted itself meanwhile.
            waited = self._clock.monotonic() - began
            self._limiter.throttled_seconds = max(self._limiter.throttled_seconds, counted + waited)

    def _stop_waiting(self) -> None:
        if self._sleeping is not None:
            self._sleeping.cancel()
        self._announce()

    def _announce(self) -> None:
        waiting, self._waiting = self._waiting, []
        for changed in waiting:
            changed.set()
