"""How many requests a service works on at once, learned from its latency: TCP Vegas, counted in requests.

With ``base`` the time that a request takes when nothing queues, and ``mean`` the time that requests take now, ``limit *
(1 - base / mean)`` of them are waiting somewhere (Little's law). A window of requests with few waiting raises the
limit; one with many lowers it; in between, the limit stays. The bounds of "few" and "many" grow with ``log10(limit)``,
as in Netflix's concurrency-limits. A request that got no answer lowers the limit by a tenth, at most once for those in
flight together.

``base`` goes stale, and can't be measured under load. So every :data:`PROBE_EVERY` seconds one window runs at half the
limit, which empties the queue, and its mean becomes the new base (BBR probes the same way). It is a mean and not a
minimum: next to the smallest of many noisy times, normal ones would look like a queue.

A load begins with a :class:`Ramp`, and :class:`Vegas` continues where it ends.

Nothing here waits or reads a clock: the caller passes the time.
"""

from __future__ import annotations

import math

START = 4
"""The limit to begin with."""

FEW, SOME, MANY = 1.0, 3.0, 6.0
"""Requests waiting, in units of ``log10(limit)``. Up to ``FEW``, the limit grows by ``MANY`` units; below ``SOME``, by
one unit; above ``MANY``, it shrinks by one unit."""

KEPT_AFTER_LOSS = 0.9
"""The share of the limit that remains after a request without an answer."""

WINDOW = 30
ROUNDS = 4
"""A window has at least ``WINDOW`` answers, and at least ``ROUNDS`` for each request that may be in flight."""

PROBE_EVERY = 30.0
"""Seconds between two measurements of ``base``."""

CLEARLY_FASTER = 0.6
"""A mean under this share of ``base`` becomes the base at once."""


class Ramp:
    """The limit until the first sign of pressure: it grows by one for every answer.

    So it doubles each time the service has answered all requests in flight. Signs of pressure are "too many requests",
    a request without an answer, and answers that take so much longer than the first ones that a good part of the
    requests must be waiting somewhere (by Little's law). The times are means over a round. A round ends when a request
    is answered that was sent after its start, or when as many were answered as may be in flight.

    Args:
        ceiling: the highest limit.
    """

    __slots__ = ("_ceiling", "_count", "_round_began", "_total", "_was_full", "base", "is_over", "limit")

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self.limit = min(START, ceiling)
        """How many requests may be in flight."""
        self.base = 0.0
        """The shortest mean of a round, in seconds; 0 until there was one."""
        self.is_over = False
        """Whether there was a sign of pressure, or a whole round at the ceiling without one."""
        self._was_full = False
        """Whether the round began at the ceiling."""
        self._round_began = -math.inf
        self._count = 0
        self._total = 0.0

    def answered(self, now: float, *, sent: float, in_flight: int) -> None:
        """Learn from a request that was answered.

        Args:
            now: the time.
            sent: when it was sent.
            in_flight: how many requests were in flight with it.
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
        """End the ramp after a request without an answer, and halve the limit."""
        self.limit = max(min(START, self.limit), self.limit // 2)
        self.is_over = True

    def throttled(self) -> None:
        """End the ramp after "too many requests"."""
        self.is_over = True

    def _end_round(self, now: float) -> None:
        mean = self._total / self._count
        was_full, self._was_full = self._was_full, self.limit == self._ceiling
        self._round_began = now
        self._count = 0
        self._total = 0.0
        self.base = min(self.base or mean, mean)
        # With a coarse clock, answers may seem to take no time.
        waiting = self.limit * (1 - self.base / mean) if mean else 0.0
        if waiting > MANY * max(1.0, math.log10(self.limit)):
            # Keep as many as are not waiting.
            self.limit = max(1, round(self.limit - waiting))
            self.is_over = True
        elif was_full:
            # A whole round at the ceiling without a sign.
            self.is_over = True


class Vegas:
    """The limit, and the window of answers by which it is adjusted.

    Args:
        ceiling: the highest limit.
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
        """Continue from the limit and the base that a :class:`Ramp` found.

        The base is measured at once if it is unknown or the limit is below the ceiling, and after
        :data:`PROBE_EVERY` seconds otherwise.

        Args:
            now: the time.
            limit: the limit to begin with.
            base: seconds that a request took while few were in flight; 0 if that is not known.
        """
        self._limit = float(limit)
        self._base = base
        self._probing = not base or limit < self._ceiling
        self._probe_at = math.inf if self._probing else now + PROBE_EVERY
        self._begin_window(now)

    def answered(self, now: float, *, sent: float, in_flight: int) -> None:
        """Learn from a request that was answered.

        Args:
            now: the time.
            sent: when it was sent.
            in_flight: how many requests were in flight with it.
        """
        if self._probing and sent < self._since:
            return
        self._count += 1
        self._total += now - sent
        self._busiest = max(self._busiest, in_flight)
        if self._count >= max(WINDOW, ROUNDS * self.limit):
            self._judge(now)

    def lost(self, now: float, *, sent: float) -> None:
        """Lower the limit after a request that got no answer in time, or none from the service itself."""
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
