"""One rate for all members of a job that several machines share.

A member is a run of a shard. It sends at its part: the rate divided by the number of members. Twice a second it makes a
*beat*, a statement in the job's database: it records that the member is there, and returns the member's part and a
pause that the service asked of any member.

The parts add up to no more than the rate, also when runs join, die or freeze:

* A part is valid for :data:`HOLDS` seconds from the start of its beat, by a clock that also runs while the machine
  sleeps. After that, the member sends nothing until its next beat.
* A member is counted until its last beat is :data:`OLD` seconds old, which is later.
* A member that joins sends nothing until each of the others has had a beat that counted it
  (``bulk/journal/members.py``).

So a member that dies leaves its part unused for a while, and no part is ever used twice.
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
"""Seconds between two beats, so that a pause reaches all members within a second."""
OLD: Final = 4.0
"""Seconds since its last beat after which a member does not count any more."""
HOLDS: Final = 0.8 * OLD
"""Seconds that a part of the rate may be used without another beat."""

_LOOK: Final = 0.25
"""Seconds after which a caller that waits for a permit looks again, at most: beats run in another thread and can't wake
it."""
_MUCH: Final = 0.05
"""Seconds by which a pause must be longer than the last shared one to be shared at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """One rate for all workers of a job that several machines share.

    Each worker sends at its part of the rate, and within that it follows the service, like ``Adaptive``. For example,
    200 attempts a second, however many workers there are, for ``spread(..., load=load)``::

        load = Shared(max_rate=200)

    A worker without a ``load`` takes the rate that the job was given. If workers were given different rates, the lowest
    applies.

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
        """Raise an error: a job of a single run has no other worker to share a rate with.

        Raises:
            ConfigurationError: always.
        """
        del clock, pause
        raise ConfigurationError(NOT_ALONE)


def check_load(load: object, *, alone: bool = False) -> None:
    """Reject a value that is not a load.

    Args:
        load: the value; None for the default.
        alone: whether it is for a job of a single run.

    Raises:
        ConfigurationError: it is not a load, or it needs a job that several machines share.
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
    """The database's answer to a member's beat."""

    rate: float | None
    """Attempts a second of all members together; None if no member was given a rate."""
    others: int
    """Other members that are counted."""
    counts: bool
    """Whether all of them have counted this one."""
    paused: float
    """Seconds left of the longest pause that the service asked of another member."""


@final
class Share:
    """A member's part of the rate. Beats set it in a thread; its limiter uses it in the event loop.

    Args:
        max_rate: the rate of all members together, as this member was given it; None if it was given none.
        now: a clock that also runs while the machine sleeps.
    """

    def __init__(self, max_rate: float | None, *, now: Callable[[], float] = boottime) -> None:
        self.name = uuid4().hex
        self.max_rate = max_rate
        self.wake: Callable[[], None] = _no_thread
        """Makes the next beat start at once."""
        self.asked: Callable[[], float] = _no_pause
        """Returns the seconds for which the service asked this member to send nothing; for any thread."""
        self._now = now
        # A random fill, so that members that begin together don't send together.
        self._bucket = TokenBucket(None, now(), tokens=random.random())
        self._part: tuple[float, float] = (0.0, -inf)
        """Attempts a second, and when the part ends."""
        self._paused_until = -inf
        self._announced_until = -inf
        self._extra = -inf

    def heard(self, beat: Beat, began: float) -> None:
        """Take over the answer to a beat.

        Args:
            beat: the answer.
            began: the time before the beat was sent.
        """
        self._paused_until = self._now() + beat.paused
        part = (inf if beat.rate is None else beat.rate / (beat.others + 1)) if beat.counts else 0.0
        self._part = (part, began + HOLDS)

    @property
    def now(self) -> float:
        """The time by the clock of beats."""
        return self._now()

    @property
    def rate(self) -> float:
        """Attempts a second that this member may make now; infinite if no member was given a rate."""
        part, until = self._part
        return part if self._now() < until else 0.0

    @property
    def paused(self) -> float:
        """Seconds left of a pause that is not this member's limiter's own: another member's, or a long one."""
        return max(0.0, self._paused_until - self._now(), self._extra - self._now())

    @property
    def own_pause(self) -> float:
        """Seconds left of this member's pause, which its beats share with the others."""
        return max(0.0, self._extra - self._now(), self.asked())

    def announce(self, seconds: float) -> None:
        """Share a pause with the other members at once, unless that was done."""
        until = self._now() + seconds
        if until > self._announced_until + _MUCH:
            self._announced_until = until
            self.wake()

    def pause(self, seconds: float) -> None:
        """Pause all members, where the limiter itself does not pause."""
        self._extra = max(self._extra, self._now() + seconds)
        self.wake()

    def wait(self) -> float:
        """Seconds until this member may send, or until it is time to look again."""
        rate = self.rate
        if not rate:
            return _LOOK
        now = self._now()
        self._bucket.change(None if rate == inf else rate, now)
        return min(_LOOK, max(self.paused, self._bucket.wait(now)))

    def take(self) -> None:
        """Count one attempt."""
        self._bucket.take(self._now())


@final
class SharedLimiter(AdaptiveLimiter):
    """A limiter that follows the service, within a member's part of the shared rate."""

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
        """Pause all members, because the service asked for a wait."""
        self._share.pause(seconds)

    def _held(self) -> float:
        own = self._pause.left()
        if own:
            self._share.announce(own)
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
        """Make the limiter that keeps to this part."""
        return SharedLimiter(self.max_in_flight, self.share, clock, pause)


def _no_thread() -> None:
    """Used while no thread makes beats."""


def _no_pause() -> float:
    return 0.0
