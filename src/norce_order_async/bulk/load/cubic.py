"""How many requests a second a service admits, learned from its "too many": CUBIC, as AWS's adaptive retry mode has it.

After a throttling answer the rate falls to ``beta`` of what it was and climbs back along a cubic curve: fast at first,
flat around the rate that was too much (``peak``), then ever faster in search of more. With ``t`` the seconds since::

    rate(t) = scale * (t - k) ** 3 + peak        k = cbrt(peak * (1 - beta) / scale)

so ``rate(0) == beta * peak`` and ``rate(k) == peak``. Until the first throttling answer there is no rate at all.

From RFC 9438 (CUBIC for TCP) and the "adaptive" mode of the AWS SDKs; two numbers and two rules differ from the latter,
each for a reason given in docs/load.md:

* ``BETA`` is 0.85, not 0.7.
* ``scale`` grows with ``peak``, so that the way back to it takes as long at 20 requests a second as at 2000; past it,
  it is at least AWS's 0.4.
* Requests that were in flight when the rate was cut don't cut it again (RFC 9438 does so too: once a round trip).
* Time in which the rate was not used, as during a pause, does not count as ``t`` (RFC 9438, application-limited).

Nothing here waits or looks at a clock: moments are handed in.
"""

from __future__ import annotations

import math

BETA = 0.85
"""What is left of the rate after a throttling answer."""

SCALE_BY_PEAK = 0.005
"""``scale`` for each request a second of ``peak``: AWS's 0.4 at 80 requests a second."""

MIN_SCALE_PAST_PEAK = 0.4
"""Past the peak ``scale`` is at least this, so that a rate cut to nothing comes back within seconds."""

MIN_RATE = 0.5
"""The rate never falls below one request in two seconds: the least that still finds out whether the service is back."""

GROWTH = 2.0
"""A rate grows to at most this many times the rate of sends, and counts as used if at least that share of it is sent: a
rate that was never reached proves nothing."""


class Cubic:
    """The rate, and the curve it is on.

    Args:
        ceiling: requests a second the rate never exceeds; None for no such bound.
    """

    __slots__ = ("_ceiling", "_cut_at", "_heard_at", "_k", "_on_curve", "_peak", "_scale", "rate")

    def __init__(self, ceiling: float | None = None) -> None:
        self.rate = ceiling
        """Requests a second; None until the first throttling answer when there is no ceiling."""
        self._ceiling = math.inf if ceiling is None else ceiling
        self._peak: float | None = None
        self._scale = self._k = 0.0
        self._on_curve = 0.0
        self._cut_at = self._heard_at = -math.inf

    def throttled(self, now: float, *, sent: float, measured: float) -> None:
        """The service turned a request away.

        Args:
            now: this moment.
            sent: when that request was sent.
            measured: requests a second really sent of late.
        """
        if sent < self._cut_at:
            return
        known = measured if self.rate is None else self.rate
        peak = max(MIN_RATE, known if self._used(measured) else known / GROWTH)
        self._peak = peak
        self._scale = SCALE_BY_PEAK * peak
        self._k = math.cbrt(peak * (1 - BETA) / self._scale)
        self._on_curve = 0.0
        self._cut_at = self._heard_at = now
        self.rate = min(self._ceiling, max(MIN_RATE, BETA * peak))

    def admitted(self, now: float, *, measured: float) -> None:
        """The service took a request."""
        if self.rate is None or self._peak is None:
            return
        passed = now - self._heard_at
        self._heard_at = now
        if not self._used(measured):
            return
        self._on_curve += min(passed, 1 / MIN_RATE)
        past_peak = self._on_curve - self._k
        scale = self._scale if past_peak < 0 else max(MIN_SCALE_PAST_PEAK, self._scale)
        wanted = scale * past_peak**3 + self._peak
        self.rate = min(self._ceiling, max(self.rate, min(wanted, GROWTH * measured)))

    def _used(self, measured: float) -> bool:
        return GROWTH * measured >= (self.rate or 0.0)
