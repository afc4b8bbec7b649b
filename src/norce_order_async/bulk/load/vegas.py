"""How many requests a service works on at once, learned from how long it takes: TCP Vegas, counted in requests.

With ``base`` the time a request takes when nothing queues and ``mean`` the time they take now, ``limit * (1 - base /
mean)`` of them are waiting somewhere (Little's law). A window of requests with few waiting raises the limit, one with
many lowers it; in between it stays. What counts as few and many grows with ``log10(limit)``, as in Netflix's
concurrency-limits. A request that got no answer takes a tenth off, at most once for those in flight together.

``base`` goes stale, and under load it can't be measured. So every :data:`PROBE_EVERY` seconds one window runs at half
the limit, which empties the queue, and its mean becomes the new base (BBR probes the same way). Means, not minima: the
smallest of many noisy times would pass for a queue where none is.

A load begins with a :class:`Ramp`, and :class:`Vegas` goes on from where it ends.

Nothing here waits or looks at a clock: moments are handed in.
"""

from __future__ import annotations

import math

START = 4
"""The limit to begin with."""

FEW, SOME, MANY = 1.0, 3.0, 6.0
"""Requests waiting, in units of ``log10(limit)``: up to few it grows by many, up to some by one, past many it shrinks
by one."""

KEPT_AFTER_LOSS = 0.9
"""What is left of the limit after a request without an answer."""

WINDOW = 30
ROUNDS = 4
"""A window is at least so many answers, and at least so many for every request that may be in flight."""

PROBE_EVERY = 30.0
"""Seconds between two measurements of ``base``."""

CLEARLY_FASTER = 0.6
"""A mean under this share of ``base`` becomes the base at once."""


class Ramp:
    """The limit until the first sign of pressure: one more in flight for every answer.

    It doubles each time the service has answered all requests in flight. Signs are "too many requests", a request
    without an answer, and answers that take so much longer than the first ones that a good part of the requests must be
    waiting somewhere (by Little's law). The times are means over a round: from one moment until the first request is
    answered that was sent after it, or until as many are answered as may be in flight.

    Args:
        ceiling: the limit never exceeds it.
    """

    __slots__ = ("_ceiling", "_count", "_round_began", "_total", "_was_full", "base", "is_over", "limit")

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self.limit = min(START, ceiling)
        """How many requests may be in flight."""
        self.base = 0.0
        """The shortest mean of a round, in seconds; 0 until there was one."""
        self.is_over = False
        """Whether there was a sign, or none at the ceiling either."""
        self._was_full = False
        """Whether the round began at the ceiling."""
        self._round_began = -math.inf
        self._count = 0
        self._total = 0.0

    def answered(self, now: float, *, sent: float, in_flight: int) -> None:
        """A request was answered.

        Args:
            now: this moment.
            sent: when it was sent.
            in_flight: how many were in flight with it.
        """
        if self._count >= (START if sent >= self._round_began else self.limit):
            self._end_round(now)
            if self.is_over:
                return
        self._count += 1
        self._total += now - sent
        # A limit that is not used proves nothing.
        if in_flight * 2 >= self.limit:
            self.limit = min(self._ceiling, self.limit + 1)

    def lost(self) -> None:
        """A request got no answer in time: as much of the limit as was added last goes."""
        self.limit = max(min(START, self.limit), self.limit // 2)
        self.is_over = True

    def throttled(self) -> None:
        """The service said "too many"."""
        self.is_over = True

    def _end_round(self, now: float) -> None:
        mean = self._total / self._count
        was_full, self._was_full = self._was_full, self.limit == self._ceiling
        self._round_began = now
        self._count = 0
        self._total = 0.0
        self.base = min(self.base or mean, mean)
        # A clock too coarse for these answers says that they take no time.
        waiting = self.limit * (1 - self.base / mean) if mean else 0.0
        if waiting > MANY * max(1.0, math.log10(self.limit)):
            # As many as are not waiting.
            self.limit = max(1, round(self.limit - waiting))
            self.is_over = True
        elif was_full:
            # A whole round at the ceiling without a sign.
            self.is_over = True


class Vegas:
    """The limit, and the window of answers it is judged by.

    Args:
        ceiling: the limit never exceeds it.
    """

    __slots__ = (
        "_base",
        "_busiest",
        "_ceiling",
        "_count",
        "_cut_at",
        "_limit",
        "_probe_at",
        "_probing",
        "_since",
        "_total",
    )

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self._limit = float(min(START, ceiling))
        self._base = 0.0
        self._cut_at = -math.inf
        # The first window measures the base, at a limit that is small anyway.
        self._probing = True
        self._probe_at = math.inf
        self._since = -math.inf
        self._count = 0
        self._total = 0.0
        self._busiest = 0

    @property
    def limit(self) -> int:
        """How many requests may be in flight."""
        halved = self._probing and self._base > 0
        return max(1, int(self._limit / 2 if halved else self._limit))

    def begin(self, now: float, *, limit: int, base: float) -> None:
        """Go on from a limit that was found by other means, and measure its base soon.

        Args:
            now: this moment.
            limit: what was found.
            base: seconds that a request took while few were in flight; 0 if that is not known.
        """
        self._limit = float(limit)
        self._base = base
        self._probing = not base or limit < self._ceiling
        self._probe_at = math.inf if self._probing else now + PROBE_EVERY
        self._begin_window(now)

    def answered(self, now: float, *, sent: float, in_flight: int) -> None:
        """A request was answered.

        Args:
            now: this moment.
            sent: when it was sent.
            in_flight: how many were in flight with it.
        """
        if self._probing and sent < self._since:
            return
        self._count += 1
        self._total += now - sent
        self._busiest = max(self._busiest, in_flight)
        if self._count >= max(WINDOW, ROUNDS * self.limit):
            self._judge(now)

    def lost(self, now: float, *, sent: float) -> None:
        """A request got no answer in time, or none of the service's own."""
        if sent < self._cut_at:
            return
        self._limit = max(1.0, self._limit * KEPT_AFTER_LOSS)
        self._cut_at = now
        self._begin_window(now)

    def _judge(self, now: float) -> None:
        mean = self._total / self._count
        if self._probing or mean < CLEARLY_FASTER * self._base:
            self._base = mean
            self._probing = False
            self._probe_at = now + PROBE_EVERY
        elif now >= self._probe_at:
            self._probing = True
        else:
            self._adjust(mean)
        self._begin_window(now)

    def _adjust(self, mean: float) -> None:
        unit = max(1.0, math.log10(self._limit))
        waiting = self._limit * (1 - self._base / mean) if mean else 0.0
        used = self._busiest * 2 >= self._limit
        if waiting > MANY * unit:
            self._limit -= unit
        elif used and waiting <= FEW * unit:
            self._limit += MANY * unit
        elif used and waiting < SOME * unit:
            self._limit += unit
        self._limit = min(float(self._ceiling), max(1.0, self._limit))

    def _begin_window(self, now: float) -> None:
        self._since = now
        self._count = self._busiest = 0
        self._total = 0.0
