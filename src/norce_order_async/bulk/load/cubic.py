"""The rate that a service admits, learned from its "too many requests" by CUBIC, as in AWS's adaptive retry mode.

After a throttling answer the rate falls to ``beta`` of what it was and climbs back along a cubic curve: fast at first,
flat around the rate that was too high (``peak``), then ever faster to find a higher one. With ``t`` the seconds since::

    rate(t) = scale * (t - k) ** 3 + peak        k = cbrt(peak * (1 - beta) / scale)

so ``rate(0) == beta * peak`` and ``rate(k) == peak``. Until the first throttling answer there is no rate at all.

This follows RFC 9438 (CUBIC for TCP) and the "adaptive" mode of the AWS SDKs. Two numbers and two rules differ from the
latter; docs/load.md gives the reasons:

* ``BETA`` is 0.85, not 0.7.
* ``scale`` grows with ``peak``, so that the way back to the peak takes as long at 20 requests a second as at 2000. Past
  the peak, it is at least AWS's 0.4.
* Requests that were in flight when the rate was cut don't cut it again (RFC 9438, too, cuts once a round trip).
* Time in which the rate was not used, as during a pause, does not count as ``t`` (RFC 9438, application-limited).

Nothing here waits or reads a clock: the caller passes the time.
"""

from __future__ import annotations

import math

BETA = 0.85
"""The share of the rate that remains after a throttling answer."""

SCALE_BY_PEAK = 0.005
"""``scale`` for each request a second of ``peak``: AWS's 0.4 at 80 requests a second."""

MIN_SCALE_PAST_PEAK = 0.4
"""The lowest ``scale`` past the peak, so that a rate that was cut to almost nothing recovers within seconds."""

MIN_RATE = 0.5
"""The rate never falls below one request in two seconds, so that a service that is back is noticed."""

GROWTH = 2.0
"""The rate grows to at most this many times the rate of sends, and counts as used if the sends reach at least its half.
A rate that was never reached proves nothing."""


class Cubic:
    """The rate, and the curve that it follows.

    Args:
        ceiling: requests a second that the rate never exceeds; None for no bound.
    """

    __slots__ = ("_ceiling", "_cut_at", "_heard_at", "_k", "_on_curve", "_peak", "_scale", "rate")

    def __init__(self, ceiling: float | None = None) -> None:
        self.rate = ceiling
        """Requests a second; None without a ceiling until the first throttling answer."""
        self._ceiling = math.inf if ceiling is None else ceiling
        self._peak: float | None = None
        self._scale = self._k = 0.0
        self._on_curve = 0.0
        self._cut_at = self._heard_at = -math.inf

    def throttled(self, now: float, *, sent: float, measured: float) -> None:
        """Cut the rate after a throttling answer.

        Args:
            now: the time.
            sent: when that request was sent.
            measured: requests a second that were sent in the last second.
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
        """Raise the rate after the service took a request."""
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
