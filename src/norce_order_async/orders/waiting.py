"""Pauses between readings of an order that does not yet show what is waited for: growing, jittered, in a deadline."""

from __future__ import annotations

from norce_order_async.clock import Clock
from norce_order_async.pipeline.deadline import Deadline

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 5.0
LAST_LOOK = 0.25
"""Seconds left for the reading after the last pause, which is cut short for it."""


class Polling:
    """One wait. Pause *n* is drawn evenly from the upper half of ``min(5 s, 0.25 s * 2 ** (n - 1))``: short draws in a
    row must not hammer the service. The last pause ends ``LAST_LOOK`` before the deadline, so that what shows late is
    still seen."""

    __slots__ = ("_clock", "_deadline", "_pauses")

    def __init__(self, clock: Clock, deadline: Deadline) -> None:
        self._clock = clock
        self._deadline = deadline
        self._pauses = 0

    async def pause(self) -> bool:
        """Sleep before the next reading; False, at once, when no time is left for one."""
        step = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._pauses, 10))
        seconds = self._clock.uniform(step / 2, step)
        remaining = self._deadline.remaining()
        if remaining is not None:
            seconds = min(seconds, remaining - LAST_LOOK)
        if seconds <= 0:
            return False
        self._pauses += 1
        await self._clock.sleep(seconds)
        return True
