"""The deadline of one call. It covers every attempt, read-back and sleep, and starts with the first permit."""

from __future__ import annotations

from norce_order_async.runtime.clock import Clock


class Deadline:
    """Counts down once it is started. Without seconds it never ends."""

    __slots__ = ("_clock", "_end", "seconds", "started")

    def __init__(self, clock: Clock, seconds: float | None) -> None:
        self._clock = clock
        self._end: float | None = None
        self.seconds = seconds
        self.started = False
        """Whether the countdown has begun."""

    def start(self) -> None:
        """Begin to count; a second call does nothing."""
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
