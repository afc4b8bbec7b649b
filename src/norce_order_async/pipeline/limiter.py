"""Limits the attempts in flight, decides which attempt is next, and pauses all of them after a Retry-After.

A permit is for one attempt and is given back when its send has really ended, before any sleep. So calls that back off
do not block others, and a read-back inside a call can't deadlock. After a Retry-After, no attempt gets a permit until
its time is over.

Attempts of calls that have begun (repeats and read-backs, whose deadline runs) go before calls that have not. Within
each group the order is first come, first served. While both groups wait, every tenth permit goes to a call that has not
begun, so that a service that loses many answers does not stop new calls.

A limiter that learns (:mod:`norce_order_async.bulk.load.limiters`) overrides four methods: ``_held`` gives the wait
before the next permit, ``_throttled`` whether the service causes it, ``_grant`` counts a permit, and ``learned`` gets
the result of each attempt.
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
"""While both groups wait, every tenth permit goes to a call that has not begun."""


class _Place:
    """One caller's place in the queue."""

    __slots__ = ("granted", "lane", "sleeping", "woken")

    def __init__(self, lane: _Lane) -> None:
        self.lane = lane
        self.granted = False
        self.woken: Wake | None = None
        """Set while it waits for other attempts to end."""
        self.sleeping: anyio.CancelScope | None = None
        """Set while it waits for time to pass, on behalf of the whole queue."""

    def wake(self) -> None:
        if self.sleeping is not None:
            self.sleeping.cancel()
        elif self.woken is not None:
            self.woken.set()


_Lane = OrderedDict[_Place, None]
"""Waiting callers in the order they came. A caller may leave from any place at the same cost."""


class Pause:
    """A time without permits after a Retry-After. All limiters of a client share it."""

    __slots__ = ("_clock", "until")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.until = 0.0
        """The end of the pause by the clock; 0 if there is none."""

    def extend(self, seconds: float) -> None:
        """Pause for this many seconds from now. A longer pause that runs already is not shortened."""
        self.until = max(self.until, self._clock.monotonic() + seconds)

    def left(self) -> float:
        """Seconds until permits are given again; 0 if there is no pause."""
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
        """Seconds for which the service held back the next permit. Waits for other attempts do not count."""
        self._clock = clock
        self._pause = pause
        self.in_flight = 0
        self.waiting = 0
        """The number of callers in the queue."""
        self._begun: _Lane = OrderedDict()
        self._fresh: _Lane = OrderedDict()
        self._overtaken = 0
        """Permits in a row that went to calls that had begun, while others waited."""
        self._sleeper: _Place | None = None
        """The caller that waits until the next permit may be given."""

    @property
    def rate(self) -> float | None:
        """Permits per second; None if there is no limit."""
        return None

    def learned(self, outcome: Outcome, *, seconds: float, throttled: bool, status: int | None) -> None:
        """Called with the result of each attempt that had a permit. The permit may or may not be back already.

        Args:
            outcome: the outcome of the attempt.
            seconds: the time that it was in flight.
            throttled: whether the service throttled it, whatever the outcome.
            status: the status of the answer; None without one.
        """

    def wanted_nothing(self, seconds: float) -> None:
        """Called if the service asked for a wait that is longer than a call waits, and so is not a pause."""

    def take(self) -> bool:
        """Take a permit if one is free and no attempt waits for one. Give it back with :meth:`release`."""
        if self.in_flight < self.limit and not self.waiting and not self._held():
            self._grant()
            return True
        return False

    async def acquire(self, timeout: float | None, *, begun: bool = False) -> bool:
        """Wait for a permit. False if there was none within ``timeout`` seconds.

        Every permit must be given back with :meth:`release`. A caller that is cancelled while it waits loses its place
        and has no permit.

        Args:
            timeout: seconds; None for no limit.
            begun: whether the attempt belongs to a call that has begun, and so goes before calls that have not.
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
        """Seconds until the next permit may be given; 0 if it may be given now."""
        return self._pause.left()

    def _throttled(self) -> bool:
        """Whether the service holds permits back, and not a rate that the user set."""
        return self._pause.left() > 0

    def _grant(self) -> None:
        self.in_flight += 1

    def _look_again(self) -> None:
        """Wake the sleeping caller, because the time of the next permit has changed."""
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
        """Wait for the end of a pause or for the rate, on behalf of the whole queue."""
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
        # The permit may have been granted in the same step of the loop in which the caller was cancelled.
        if place.granted:
            self.release()
        else:
            del place.lane[place]
            self.waiting -= 1
            self._hand_out()
