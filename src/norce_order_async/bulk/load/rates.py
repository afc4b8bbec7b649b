"""A token bucket that keeps to a rate, and a meter that measures one. The caller passes the time."""

from __future__ import annotations

from collections import deque

BURST_SECONDS = 0.05
"""Seconds whose permits may be given at once, to make up for a timer that rang late."""

_ENOUGH = 1 - 1e-9
"""A whole token, less rounding errors: a wait too short to move the clock would never end."""


class TokenBucket:
    """Gives tokens evenly at a rate that may change; without a rate there is always a token."""

    __slots__ = ("_filled_at", "_tokens", "rate")

    def __init__(self, rate: float | None, now: float, *, tokens: float = 1.0) -> None:
        self.rate = rate
        self._tokens = tokens
        self._filled_at = now

    def change(self, rate: float | None, now: float) -> None:
        """Change the rate from now on. Tokens in the bucket stay, as far as they still fit."""
        if rate == self.rate:
            return
        self._fill(now)
        self.rate = rate

    def wait(self, now: float) -> float:
        """Seconds until there is a token."""
        if self.rate is None:
            return 0.0
        self._fill(now)
        return 0.0 if self._tokens >= _ENOUGH else (1 - self._tokens) / self.rate

    def take(self, now: float) -> None:
        """Take a token that is there."""
        if self.rate is not None:
            self._fill(now)
            self._tokens -= 1

    def _fill(self, now: float) -> None:
        if self.rate is not None:
            size = max(1.0, self.rate * BURST_SECONDS)
            self._tokens = min(size, self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now


class Meter:
    """Counts events and measures their rate over the last second."""

    __slots__ = ("_began", "_slots", "_total")

    SLOTS_A_SECOND = 10

    def __init__(self) -> None:
        self._slots: deque[list[int]] = deque()
        self._total = 0
        self._began = 0.0

    def count(self, now: float) -> None:
        """Count one event now."""
        self._forget(now)
        slot = int(now * self.SLOTS_A_SECOND)
        if not self._slots:
            self._began = now
        if not self._slots or self._slots[-1][0] != slot:
            self._slots.append([slot, 0])
        self._slots[-1][1] += 1
        self._total += 1

    def rate(self, now: float) -> float:
        """Events a second over the last second, or since the first event if that is less, but at least over a burst."""
        first = self._forget(now)
        began = max(self._began, first / self.SLOTS_A_SECOND)
        return self._total / max(BURST_SECONDS, now - began)

    def _forget(self, now: float) -> int:
        """Drop slots that are too old, and return the number of the first that counts."""
        first = int(now * self.SLOTS_A_SECOND) - self.SLOTS_A_SECOND + 1
        while self._slots and self._slots[0][0] < first:
            self._total -= self._slots.popleft()[1]
        return first
