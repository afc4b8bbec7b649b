"""How many attempts may be in the air at once: first come, first served, with one pause for all.

A permit is for one attempt and is given back when its send has really ended, before any sleep: back-off clogs
nothing, and a read-back inside a call can't deadlock. When the service says when to come back, nobody gets a permit
until then.

A limiter that learns (:mod:`norce_order_async.bulk.load`) overrides four things: ``_held`` says how long the next
permit must wait and ``_throttled`` because of whom, ``_grant`` counts one given, and ``learned`` hears how every
attempt went.
"""

from __future__ import annotations

from collections import deque

from norce_order_async.clock import Clock
from norce_order_async.pipeline.outcome import Outcome
from norce_order_async.pipeline.wake import Wake, wake

MAX_IN_FLIGHT = 50


class _Place:
    """One caller's place in the queue."""

    __slots__ = ("granted", "woken")

    def __init__(self) -> None:
        self.granted = False
        self.woken: Wake | None = None
        """What it waits for, while it does."""


class Pause:
    """A time in which nobody gets a permit, because the service said when to come back. Shared by all limiters of a
    client."""

    __slots__ = ("_clock", "_until")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = 0.0

    def extend(self, seconds: float) -> None:
        """Pause for so long from now; a shorter pause never cuts a longer one."""
        self._until = max(self._until, self._clock.monotonic() + seconds)

    def left(self) -> float:
        """Seconds until permits are given again; 0 when there is no pause."""
        if not self._until:
            return 0.0
        left = self._until - self._clock.monotonic()
        if left <= 0:
            self._until = left = 0.0
        return left


class Limiter:
    """Hands out at most ``limit`` permits at a time, in the order they were asked for."""

    __slots__ = ("_clock", "_pause", "_queue", "in_flight", "limit", "throttled_seconds")

    def __init__(self, limit: int, clock: Clock, pause: Pause) -> None:
        self.limit = limit
        self.in_flight = 0
        self.throttled_seconds = 0.0
        """How long the next permit was held back by the service, and not by others that have to end first."""
        self._clock = clock
        self._pause = pause
        self._queue: deque[_Place] = deque()

    @property
    def waiting(self) -> int:
        """How many callers stand in the queue."""
        return len(self._queue)

    @property
    def rate(self) -> float | None:
        """Permits a second; None when there is no bound."""
        return None

    def learned(self, outcome: Outcome, *, seconds: float, retry_after: float | None, status: int | None) -> None:
        """Hear how one attempt went that had a permit; its permit may or may not be back already.

        Args:
            outcome: what became of it.
            seconds: how long it was in the air.
            retry_after: seconds the service asked to wait, when it did.
            status: of the answer; None without one.
        """

    def take(self) -> bool:
        """Take a permit, if there is one that nobody waits for; like one acquired, it must be given back."""
        if self.in_flight < self.limit and not self._queue and not self._held():
            self._grant()
            return True
        return False

    async def acquire(self, timeout: float | None) -> bool:
        """Wait for a permit; False when none was to be had within ``timeout`` seconds.

        Every permit must be given back with :meth:`release`. A caller that is cancelled while waiting loses its place
        and holds nothing.
        """
        if self.take():
            return True
        place = _Place()
        self._queue.append(place)
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
        """Give a permit back; the first in the queue gets it."""
        self.in_flight -= 1
        self._hand_out()

    def _held(self) -> float:
        """Seconds until the next permit may be given; 0 when it may be now."""
        return self._pause.left()

    def _throttled(self) -> bool:
        """Whether it is the service that holds permits back, and not a rate of the user's own."""
        return self._pause.left() > 0

    def _grant(self) -> None:
        self.in_flight += 1

    async def _wait(self, place: _Place) -> None:
        while not place.granted:
            if self._queue[0] is not place or self.in_flight >= self.limit:
                place.woken = wake()
                await place.woken.wait()
                continue
            # The first in the queue waits out a pause for everybody behind it, and asks again by itself: the pause may
            # have ended since it was last looked at, and then nobody else would.
            if left := self._held():
                throttled, began = self._throttled(), self._clock.monotonic()
                await self._clock.sleep(left)
                if throttled:
                    self.throttled_seconds += self._clock.monotonic() - began
            self._hand_out()

    def _hand_out(self) -> None:
        while self._queue and self.in_flight < self.limit:
            first = self._queue[0]
            if not self._held():
                self._queue.popleft()
                self._grant()
                first.granted = True
            if first.woken is not None:
                first.woken.set()
            if not first.granted:
                return

    def _leave(self, place: _Place) -> None:
        # The permit may have been handed over in the very step in which the caller was cancelled.
        if place.granted:
            self.release()
            return
        self._queue.remove(place)
        self._hand_out()
