"""What a job does while the service is away: it holds everything back and sends one call now and then.

A call that was not sent or was turned away for good puts its item back. After :data:`IN_A_ROW` of these without a
success between, or at once when the retry budget is empty, the service counts as away: one item at a time goes as a
probe, after a wait of full jitter that doubles up to the longest delay, and never before a Retry-After is over. The
first probe that is answered ends it.
"""

from __future__ import annotations

import anyio

from norce_order_async.clock import Clock
from norce_order_async.pipeline import backoff

IN_A_ROW = 5
FIRST_WAIT = 1.0


class Outage:
    """Whether the service is away, as far as one job can tell."""

    def __init__(self, clock: Clock, longest: float) -> None:
        self._clock = clock
        self._longest = longest
        self._failures = 0
        self._waits = 0
        self._probing = False
        self._turn = anyio.Event()
        self._asked = 0.0
        self._over = False
        self._sleeping: anyio.CancelScope | None = None
        self.away = False
        self.seconds = 0.0
        """Time spent waiting for probes, so far."""

    async def gate(self) -> bool:
        """Pass when the service is there; when it is away, wait for the turn to probe it. True for a probe."""
        while self.away and self._probing and not self._over:
            await self._turn.wait()
        if not self.away or self._over:
            return False
        self._probing = True
        started = self._clock.monotonic()
        self._waits += 1
        wait = backoff.jittered(self._waits, base=FIRST_WAIT, cap=self._longest, uniform=self._clock.uniform)
        try:
            with anyio.CancelScope() as self._sleeping:
                await self._clock.sleep(max(wait, self._asked))
        except BaseException:
            self.give_up_turn()
            raise
        finally:
            self.seconds += self._clock.monotonic() - started
        return True

    def end(self) -> None:
        """Nobody is to wait any longer."""
        self._over = True
        if self._sleeping is not None:
            self._sleeping.cancel()
        self._wake()

    def give_up_turn(self) -> None:
        """The probe was not made after all."""
        self._probing = False
        self._wake()

    def answered(self) -> None:
        """The service did something with a call, whatever it was."""
        self._failures = self._waits = 0
        self._asked = 0.0
        self.away = self._probing = False
        self._wake()

    def failed(self, *, probe: bool, at_once: bool, asked: float | None) -> None:
        """A call was not sent, or turned away for good."""
        self._failures += 1
        if probe:
            self._probing = False
        self._asked = asked or 0.0
        self.away = self.away or at_once or self._failures >= IN_A_ROW
        self._wake()

    def _wake(self) -> None:
        turn, self._turn = self._turn, anyio.Event()
        turn.set()
