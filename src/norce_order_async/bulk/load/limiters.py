"""Concurrency and rate limits of a job: the load that a user chooses, and the limiter that it makes.

:class:`Fixed` has fixed numbers. :class:`Adaptive` learns from attempts as they end; nothing runs in the background.
"Too many requests" sets the rate (:mod:`.cubic`). Latency, and requests without an answer, set how many are in flight
(:mod:`.vegas`). Both stay within ceilings. A permit is granted when fewer attempts are in flight than the limit, the
bucket (:mod:`.rates`) has a token, and there is no pause.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from norce_order_async.bulk.load.cubic import Cubic
from norce_order_async.bulk.load.rates import BURST_SECONDS, Meter, TokenBucket
from norce_order_async.bulk.load.vegas import Ramp, Vegas
from norce_order_async.checking import as_given, check_number
from norce_order_async.errors import ConfigurationError
from norce_order_async.pipeline.limiter import Limiter, Pause
from norce_order_async.pipeline.retry import Outcome
from norce_order_async.runtime.clock import Clock

MAX_IN_FLIGHT = 100

_OVERLOADED = frozenset({408, 502, 503, 504})
"""Statuses of a service, or a proxy in front of it, that is too slow or overloaded."""


class Load(Protocol):
    """The protocol of a job's ``load``; :class:`Fixed` and :class:`Adaptive` implement it."""

    def limiter(self, clock: Clock, pause: Pause) -> Limiter:
        """Make a limiter for one job."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """Fixed limits, for a service whose limits you know.

    For example, 10 attempts at once and 25 a second, at most::

        norce.bulk("close.journal", load=Fixed(in_flight=10, rate=25))

    Args:
        in_flight: attempts in flight at once.
        rate: attempts a second; None for no bound.
    """

    in_flight: int
    rate: float | None = None

    def __post_init__(self) -> None:
        check_limits("in_flight", self.in_flight, "rate", self.rate)

    def limiter(self, clock: Clock, pause: Pause) -> Limiter:
        """Make a limiter for one job, with these numbers."""
        return PacedLimiter(self.in_flight, self.rate, clock, pause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptive:
    """Limits that follow the service: up while it answers quickly, down when it refuses or slows down.

    It starts with 4 attempts in flight and doubles until the first sign of pressure. For example, within ceilings::

        norce.bulk("close.journal", load=Adaptive(max_in_flight=20, max_rate=50))

    Args:
        max_in_flight: attempts in flight at once, at most.
        max_rate: attempts a second, at most; None for no bound.
    """

    max_in_flight: int = MAX_IN_FLIGHT
    max_rate: float | None = None

    def __post_init__(self) -> None:
        check_limits("max_in_flight", self.max_in_flight, "max_rate", self.max_rate)

    def limiter(self, clock: Clock, pause: Pause) -> Limiter:
        """Make a limiter for one job, within these ceilings."""
        return AdaptiveLimiter(self.max_in_flight, self.max_rate, clock, pause)


class PacedLimiter(Limiter):
    """A limiter that also keeps to a rate."""

    __slots__ = ("_bucket",)

    def __init__(self, limit: int, rate: float | None, clock: Clock, pause: Pause) -> None:
        super().__init__(limit, clock, pause)
        self._bucket = TokenBucket(rate, clock.monotonic())

    @property
    def rate(self) -> float | None:
        """Attempts a second, at most; None for no bound."""
        return self._bucket.rate

    def change_rate(self, rate: float | None) -> None:
        """Change the rate from now on, also for callers that wait."""
        if rate == self._bucket.rate:
            return
        now = self._clock.monotonic()
        left = self._bucket.wait(now)
        self._bucket.change(rate, now)
        if left - self._bucket.wait(now) > BURST_SECONDS:
            # Smaller differences are left to the bucket: a rate that follows the service changes with every answer.
            self._look_again()

    def _held(self) -> float:
        return max(super()._held(), self._bucket.wait(self._clock.monotonic()))

    def _grant(self) -> None:
        super()._grant()
        self._bucket.take(self._clock.monotonic())


class AdaptiveLimiter(PacedLimiter):
    """A limiter whose rate and limit follow the service."""

    __slots__ = ("_cubic", "_max_rate", "_meter", "_ramp", "_vegas")

    def __init__(self, max_in_flight: int, max_rate: float | None, clock: Clock, pause: Pause) -> None:
        self._max_rate = max_rate
        self._cubic = Cubic(max_rate)
        self._vegas = Vegas(max_in_flight)
        self._ramp: Ramp | None = Ramp(max_in_flight)
        """Until the first sign of pressure."""
        self._meter = Meter()
        super().__init__(self._vegas.limit, max_rate, clock, pause)

    def learned(self, outcome: Outcome, *, seconds: float, throttled: bool, status: int | None) -> None:
        """Adjust the rate and the limit after an attempt has ended."""
        now = self._clock.monotonic()
        sent = now - seconds
        if throttled:
            self._cubic.throttled(now, sent=sent, measured=self._meter.rate(now))
            if self._ramp is not None:
                self._ramp.throttled()
        elif outcome in (Outcome.SUCCEEDED, Outcome.REFUSED):
            self._cubic.admitted(now, measured=self._meter.rate(now))
            # The attempt's own permit was returned already.
            (self._ramp or self._vegas).answered(now, sent=sent, in_flight=self.in_flight + 1)
        elif status is None or status in _OVERLOADED:
            if self._ramp is not None:
                self._ramp.lost()
                self._end_ramp(self._ramp, now)
            self._vegas.lost(now, sent=sent)
        if self._ramp is not None and self._ramp.is_over:
            self._end_ramp(self._ramp, now)
        self.change_rate(self._cubic.rate)
        before, self.limit = self.limit, (self._ramp or self._vegas).limit
        if self.limit > before:
            self._hand_out()

    def _end_ramp(self, ramp: Ramp, now: float) -> None:
        self._ramp = None
        self._vegas.begin(now, limit=ramp.limit, base=ramp.base)

    def _grant(self) -> None:
        super()._grant()
        self._meter.count(self._clock.monotonic())

    def _throttled(self) -> bool:
        return super()._throttled() or self._cubic.rate != self._max_rate


def check_limits(limit_name: str, limit: int, rate_name: str, rate: float | None) -> None:
    """Reject limits that are out of range.

    Raises:
        ConfigurationError: the limit is below 1, or the rate is not a finite number above 0.
    """
    if not isinstance(limit, int) or not 1 <= limit < 2**63:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(f"{limit_name} must be at least 1; got {as_given(limit)}")
    if rate is not None:
        check_number(rate_name, rate, "a finite number above 0", ConfigurationError, above=True)
