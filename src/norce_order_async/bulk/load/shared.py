"""One rate for all members of a job that several machines share.

A member is a run of a shard. It sends at its part: the rate divided by how many members there are. Twice a second its
*beat* says in the job's database that it is there, and brings back its part and a pause that another was asked for.

The parts add up to no more than the rate, also when runs join, die or freeze:

* A part holds for :data:`HOLDS` seconds, counted from before its beat was asked for, by a clock that also runs while
  the machine sleeps. Without another beat nothing is sent then.
* A member is counted until its last beat is :data:`OLD` seconds old, which is later.
* One that joins sends nothing until each of the others has had a beat that counted it (``bulk/journal/members.py``).

So a member that dies leaves its part unused for a while, and none is ever used twice.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final, NoReturn, final
from uuid import uuid4

from norce_order_async.bulk.load.limiters import MAX_IN_FLIGHT, AdaptiveLimiter, check_limits
from norce_order_async.bulk.load.rates import TokenBucket
from norce_order_async.checking import check_number
from norce_order_async.errors import ConfigurationError
from norce_order_async.pipeline.limiter import Limiter, Pause
from norce_order_async.runtime.clock import Clock, boottime

BEAT: Final = 0.5
"""Seconds between two beats, so that a pause reaches all within a second."""
OLD: Final = 4.0
"""Seconds since its last beat after which a member does not count any more."""
HOLDS: Final = 0.8 * OLD
"""Seconds that a part of the rate may be used without another beat."""

_LOOK: Final = 0.25
"""A caller that waits for a permit looks again at least so often: beats come in another thread and wake nobody."""
_MUCH: Final = 0.05
"""A pause that is longer by less is not told at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """One rate for all workers of a job that several machines share.

    Each sends at its part of it; within that it follows the service, like ``Adaptive``. For example, 200 attempts a
    second, however many workers there are, for ``spread(..., load=load)``::

        load = Shared(max_rate=200)

    A worker without a ``load`` takes the rate that the job was given. Where workers were given different rates, the
    lowest counts.

    Args:
        max_rate: attempts a second of all workers together, at most.
        max_in_flight: attempts in flight at once in each run of a shard, at most.

    Raises:
        ConfigurationError: an argument can't be used.
    """

    max_rate: float
    max_in_flight: int = MAX_IN_FLIGHT

    def __post_init__(self) -> None:
        check_number("max_rate", self.max_rate, "a finite number above 0", ConfigurationError, above=True)
        check_limits("max_in_flight", self.max_in_flight, "max_rate", self.max_rate)

    def limiter(self, clock: Clock, pause: Pause) -> NoReturn:
        """A job of a single run has nobody to share with.

        Raises:
            ConfigurationError: always.
        """
        del clock, pause
        raise ConfigurationError(NOT_ALONE)


def check_load(load: object, *, alone: bool = False) -> None:
    """Refuse what is no load.

    Args:
        load: what was given; None for the default.
        alone: whether it is for a job of a single run.

    Raises:
        ConfigurationError: it is none, or needs a job that several machines share.
    """
    if load is None:
        return
    if not callable(getattr(load, "limiter", None)) or isinstance(load, type):
        words = "Adaptive or Fixed" if alone else "Shared, Adaptive or Fixed"
        raise ConfigurationError(f"load must be {words}, not {type(load).__name__}")
    if alone and isinstance(load, Shared):
        raise ConfigurationError(NOT_ALONE)


NOT_ALONE: Final = (
    "load must be Adaptive or Fixed here: Shared is for spread(...), run_shard(...) and journal.work(...), whose "
    "workers share a rate"
)


@dataclass(frozen=True, slots=True)
class Beat:
    """What the database says to a member's beat."""

    rate: float | None
    """Of all members together; None if none of them was given one."""
    others: int
    """Other members that are counted."""
    counts: bool
    """Whether all of them have counted this one."""
    paused: float
    """Seconds for which the service wants nothing, as far as any member was told."""


@final
class Share:
    """A member's part of the rate. Beats set it in a thread; its limiter uses it in the event loop.

    Args:
        max_rate: what this member was given for all; None if nothing was.
        now: the time, also while the machine sleeps.
    """

    def __init__(self, max_rate: float | None, *, now: Callable[[], float] = boottime) -> None:
        self.name = uuid4().hex
        self.max_rate = max_rate
        self.ring: Callable[[], None] = _nobody
        """Has the next beat made at once."""
        self.asked: Callable[[], float] = _no_pause
        """Seconds for which the service told this member to send nothing; may be called in any thread."""
        self._now = now
        # Several that begin at the same moment don't send at the same moment.
        self._bucket = TokenBucket(None, now(), tokens=random.random())
        self._part: tuple[float, float] = (0.0, -inf)
        """Attempts a second, and until when."""
        self._paused_until = -inf
        self._told_until = -inf
        self._extra = -inf

    def heard(self, beat: Beat, began: float) -> None:
        """Take what a beat brought.

        Args:
            beat: what the database said.
            began: the moment before it was asked.
        """
        self._paused_until = self._now() + beat.paused
        part = (inf if beat.rate is None else beat.rate / (beat.others + 1)) if beat.counts else 0.0
        self._part = (part, began + HOLDS)

    @property
    def now(self) -> float:
        """This moment, by the clock of beats."""
        return self._now()

    @property
    def rate(self) -> float:
        """Attempts a second that this member may make now; infinite where none was given a rate."""
        part, until = self._part
        return part if self._now() < until else 0.0

    @property
    def paused(self) -> float:
        """Seconds of a pause that the limiter does not know of: another member's, or a long one."""
        return max(0.0, self._paused_until - self._now(), self._extra - self._now())

    @property
    def told(self) -> float:
        """Seconds of the pause to tell the others."""
        return max(0.0, self._extra - self._now(), self.asked())

    def tell(self, seconds: float) -> None:
        """Have the others told of a pause at once, unless they were."""
        until = self._now() + seconds
        if until > self._told_until + _MUCH:
            self._told_until = until
            self.ring()

    def pause(self, seconds: float) -> None:
        """A pause for all that no limiter knows of."""
        self._extra = max(self._extra, self._now() + seconds)
        self.ring()

    def wait(self) -> float:
        """Seconds until this member may send, or until it is time to look again."""
        rate = self.rate
        if not rate:
            return _LOOK
        now = self._now()
        self._bucket.change(None if rate == inf else rate, now)
        return min(_LOOK, max(self.paused, self._bucket.wait(now)))

    def take(self) -> None:
        """One attempt is made."""
        self._bucket.take(self._now())


@final
class SharedLimiter(AdaptiveLimiter):
    """A limiter that follows the service within a member's part of the rate."""

    __slots__ = ("_share",)

    def __init__(self, max_in_flight: int, share: Share, clock: Clock, pause: Pause) -> None:
        super().__init__(max_in_flight, None, clock, pause)
        self._share = share
        share.asked = lambda: max(0.0, pause.until - clock.monotonic())

    @property
    def rate(self) -> float | None:
        """Attempts a second, at most."""
        learned = super().rate
        rate = min(inf if learned is None else learned, self._share.rate)
        return None if rate == inf else rate

    def wanted_nothing(self, seconds: float) -> None:
        """Have all members wait."""
        self._share.pause(seconds)

    def _held(self) -> float:
        own = self._pause.left()
        if own:
            self._share.tell(own)
        return max(super()._held(), self._share.wait())

    def _throttled(self) -> bool:
        return super()._throttled() or self._share.paused > 0

    def _grant(self) -> None:
        super()._grant()
        self._share.take()


@dataclass(frozen=True, slots=True)
class Part:
    """The load of one member: its part of a shared rate."""

    max_in_flight: int
    share: Share

    def limiter(self, clock: Clock, pause: Pause) -> Limiter:
        """A limiter that keeps to this part."""
        return SharedLimiter(self.max_in_flight, self.share, clock, pause)


def _nobody() -> None:
    """There are no beats."""


def _no_pause() -> float:
    return 0.0
