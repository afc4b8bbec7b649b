"""How many attempts may be in flight at once, who is next, and one pause for all.

A permit is for one attempt and is given back when its send has really ended, before any sleep: back-off clogs
nothing, and a read-back inside a call can't deadlock. After a Retry-After, no attempt gets a permit until its
time is over.

Attempts of calls that have begun (repeats, read-backs: their deadline runs) go before calls that have not, which may
wait as long as it takes; among themselves both are served in the order they came. While both wait, every tenth permit
goes to a call that has not begun, so that a service that loses many answers does not bring new work to a stop.

A limiter that learns (:mod:`norce_order_async.bulk.load.limiters`) overrides four things: ``_held`` says how long the
next permit must wait and ``_throttled`` because of whom, ``_grant`` counts one given, and ``learned`` hears how every
attempt went.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import anyio

from norce_order_async.pipeline.retry import Outcome
from norce_order_async.runtime.clock import Clock
from norce_order_async.runtime.loop import Wake, wake

MAX_IN_FLIGHT = 50
FRESH_EVERY: Final = 10
"""While calls that have begun wait, and others that have not: each tenth permit is for one of the latter."""


class _Place:
    """One caller's place in the queue."""

    __slots__ = ("granted", "lane", "sleeping", "woken")

    def __init__(self, lane: _Lane) -> None:
        self.lane = lane
        self.granted = False
        self.woken: Wake | None = None
        """What it waits for, while it waits for others."""
        self.sleeping: anyio.CancelScope | None = None
        """Set while it waits for time to pass, for itself and for everybody else in the queue."""

    def wake(self) -> None:
        if self.sleeping is not None:
            self.sleeping.cancel()
        elif self.woken is not None:
            self.woken.set()


_Lane = OrderedDict[_Place, None]
"""Those who wait, in the order they came; any of them may leave, at the same cost wherever it stands."""


class Pause:
    """A time without permits, because the service sent a Retry-After. Shared by all limiters of a client."""

    __slots__ = ("_clock", "until")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.until = 0.0
        """The moment of its end by the clock; 0 when there is no pause."""

    def extend(self, seconds: float) -> None:
        """Pause for so long from now; a shorter pause never cuts a longer one."""
        self.until = max(self.until, self._clock.monotonic() + seconds)

    def left(self) -> float:
        """Seconds until permits are given again; 0 when there is no pause."""
        if not self.until:
            return 0.0
        left = self.until - self._clock.monotonic()
        if left <= 0:
            self.until = left = 0.0
        return left


class Limiter:
    """Hands out at most ``limit`` permits at a time."""

    __slots__ = (
        "_begun",
        "_clock",
        "_fresh",
        "_overtaken",
        "_pause",
        "_sleeper",
        "in_flight",
        "limit",
        "throttled_seconds",
        "waiting",
    )

    def __init__(self, limit: int, clock: Clock, pause: Pause) -> None:
        self.limit = limit
        self.throttled_seconds = 0.0
        """How long the next permit was held back by the service, and not by others that have to end first."""
        self._clock = clock
        self._pause = pause
        self.in_flight = 0
        self.waiting = 0
        """How many callers stand in the queue."""
        self._begun: _Lane = OrderedDict()
        self._fresh: _Lane = OrderedDict()
        self._overtaken = 0
        """Permits in a row that went past a call that has not begun."""
        self._sleeper: _Place | None = None
        """Who waits until the next permit may be given."""

    @property
    def rate(self) -> float | None:
        """Permits a second; None when there is no bound."""
        return None

    def learned(self, outcome: Outcome, *, seconds: float, throttled: bool, status: int | None) -> None:
        """Hear how one attempt went that had a permit; its permit may or may not be back already.

        Args:
            outcome: what became of it.
            seconds: how long it was in flight.
            throttled: whether the service said "too much", whatever the outcome.
            status: of the answer; None without one.
        """

    def wanted_nothing(self, seconds: float) -> None:
        """Hear that the service wants nothing for so long, which is longer than a call waits and so is no pause."""

    def take(self) -> bool:
        """Take a permit if one is free and no attempt waits for one. It must be given back like any other."""
        if self.in_flight < self.limit and not self.waiting and not self._held():
            self._grant()
            return True
        return False

    async def acquire(self, timeout: float | None, *, begun: bool = False) -> bool:
        """Wait for a permit; False when none was to be had within ``timeout`` seconds.

        Every permit must be given back with :meth:`release`. A caller that is cancelled while waiting loses its place
        and holds nothing.

        Args:
            timeout: seconds; None for as long as it takes.
            begun: whether the attempt belongs to a call that has begun, and so goes before those that have not.
        """
        if self.take():
            return True
        place = self._queue_up(self._begun if begun else self._fresh)
        try:
            if timeout is None:
                await self._wait(place)
            else:
                with self._clock.move_on_after(timeout):
                    await self._wait(place)
        except BaseException:
            self._leave(place)
            raise
        if not place.granted:
            self._leave(place)
        return place.granted

    def release(self) -> None:
        """Give a permit back; the next in the queue gets it."""
        self.in_flight -= 1
        if self.waiting:
            self._hand_out()

    def _held(self) -> float:
        """Seconds until the next permit may be given; 0 when it may be now."""
        return self._pause.left()

    def _throttled(self) -> bool:
        """Whether it is the service that holds permits back, and not a rate of the user's own."""
        return self._pause.left() > 0

    def _grant(self) -> None:
        self.in_flight += 1

    def _look_again(self) -> None:
        """The next permit may be given at another moment than was last named: who sleeps until then looks again."""
        if self._sleeper is not None:
            self._sleeper.wake()

    # The queue

    def _queue_up(self, lane: _Lane) -> _Place:
        place = _Place(lane)
        lane[place] = None
        self.waiting += 1
        return place

    async def _wait(self, place: _Place) -> None:
        while not place.granted:
            if self._sleeper is not None or self.in_flight >= self.limit:
                place.woken = wake()
                await place.woken.wait()
            else:
                await self._sleep(place)
                # Hand out again: the pause may have ended since it was last checked, and nothing else would notice.
                self._hand_out()

    async def _sleep(self, place: _Place) -> None:
        """Wait out a pause, or a rate, for everybody who is in the queue."""
        left = self._held()
        if not left:
            return
        throttled, began = self._throttled(), self._clock.monotonic()
        self._sleeper = place
        try:
            with anyio.CancelScope() as place.sleeping:
                await self._clock.sleep(left)
        finally:
            self._sleeper = place.sleeping = None
            if throttled:
                self.throttled_seconds += self._clock.monotonic() - began

    def _hand_out(self) -> None:
        while self.waiting and self.in_flight < self.limit:
            if self._held():
                if self._sleeper is None:
                    next(iter(self._begun or self._fresh)).wake()
                return
            place = self._next()
            self._grant()
            place.granted = True
            place.wake()

    def _next(self) -> _Place:
        """Take the next one out of the queue."""
        lane = self._begun or self._fresh
        if self._begun and self._fresh:
            self._overtaken += 1
            if self._overtaken == FRESH_EVERY:
                lane = self._fresh
        if lane is self._fresh:
            self._overtaken = 0
        self.waiting -= 1
        return lane.popitem(last=False)[0]

    def _leave(self, place: _Place) -> None:
        # The permit may have been handed over in the very step in which the caller was cancelled.
        if place.granted:
            self.release()
        else:
            del place.lane[place]
            self.waiting -= 1
            self._hand_out()
