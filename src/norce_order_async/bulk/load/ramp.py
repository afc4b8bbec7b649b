"""The first seconds of an adaptive load: one more in flight for every answer, so twice as many each time the service
has answered them all, until the first sign that it is under pressure. Then :mod:`.vegas` goes on from there.

Signs are "too many requests", a request without an answer, and answers that take so much longer than the first ones
that a good part of the requests must be waiting somewhere (by Little's law, as in :mod:`.vegas`). The times are means
over a round: from one moment until the first request is answered that was sent after it, or until as many are answered
as may be in flight.

Nothing here waits or looks at a clock: moments are handed in.
"""

from __future__ import annotations

import math

from norce_order_async.bulk.load.vegas import MANY, START


class Ramp:
    """The limit until the first sign of pressure.

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
