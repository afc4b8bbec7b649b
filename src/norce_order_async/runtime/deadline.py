"""The time one call has in all: every attempt, read-back and sleep within it, counted from the first permit on."""

from __future__ import annotations

from norce_order_async.runtime.clock import Clock


class Deadline:
    """Counts down once started. Without seconds it never ends."""

    __slots__ = ("_clock", "_end", "seconds", "started")

    def __init__(self, clock: Clock, seconds: float | None) -> None:
        self._clock = clock
        self._end: float | None = None
        self.seconds = seconds
        self.started = False
        """Whether something of what it bounds has begun."""

    def start(self) -> None:
        """Begin to count; starting again changes nothing."""
        if self.started:
            return
        self.started = True
        if self.seconds is not None:
            self._end = self._clock.monotonic() + self.seconds

    def remaining(self) -> float | None:
        """Seconds left, not below 0; None when there is no end; all of them before the start."""
        if self._end is None:
            return self.seconds
        return max(0.0, self._end - self._clock.monotonic())

    def leaves(self, seconds: float) -> bool:
        """Whether a wait of ``seconds`` would end before the deadline does."""
        remaining = self.remaining()
        return remaining is None or seconds < remaining
