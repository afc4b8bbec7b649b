"""Bounds in time that are hardly ever reached, kept cheaply on asyncio, and what happens when one is noticed late.

A timer of the loop's for every bound of every send would cost more than the bound is worth: a cancelled one stays in
the loop's heap until half of that is cancelled, is compared there, and looked through by the garbage collector. So
bounds that are far off share one timer a tenth of a second, and those hardly off have one of their own. No timer keeps
the context of the call that set it.

A loop that was blocked, or a process that was stopped, finds its bounds reached and the answers received at the same
moment. A bound that is noticed more than :data:`LATE` after its time therefore gives grace first: the loop goes round
as long as each round brings bytes, within :data:`GRACE` and :data:`GRACE_BYTES`. A service that stays silent, or that
drips, gains nothing by it.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Callable
from typing import Any, Final, Protocol, cast, final

LATE: Final = 0.1
"""Seconds past its time from which on a bound is late."""

GRACE: Final = 1.0
"""Seconds after a late bound in which what has been received is still taken."""

GRACE_BYTES: Final = 1024 * 1024
"""Bytes that are still taken after a late bound."""

ROUNDS: Final = 3
"""Rounds of the loop without a byte that end the grace. What the first one finds may reach its reader in the third."""

_FAR: Final = 2.0
"""Seconds from which on a tenth more makes no difference."""

_PER_SECOND: Final = 10
_SHORTEST: Final = 0.001


class Alarm(Protocol):
    """Something that will be called."""

    def cancel(self) -> None:
        """Don't call it."""
        ...

    def when(self) -> float:
        """The time of the loop at which it is to be called."""
        ...


class Connection(Protocol):
    """What is watched for bytes."""

    @property
    def received(self) -> int:
        """How many have come in all."""
        ...


@final
class Alarms:
    """Calls back at a time or, when that is far off, up to a tenth of a second later."""

    __slots__ = ("_context", "_slots", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._slots: dict[int, set[_Shared]] = {}
        self._context = contextvars.Context()

    def after(self, seconds: float, call: Callable[[], object]) -> Alarm:
        """Call in so many seconds."""
        if seconds < _FAR:
            return self.loop.call_later(seconds, call, context=self._context)
        slot = int((self.loop.time() + seconds) * _PER_SECOND) + 1
        sharing = self._slots.get(slot)
        if sharing is None:
            sharing = self._slots[slot] = set()
            self.loop.call_at(slot / _PER_SECOND, self._ring, slot, context=self._context)
        alarm = _Shared(call, sharing, slot / _PER_SECOND)
        sharing.add(alarm)
        return alarm

    def is_late(self, alarm: Alarm) -> bool:
        """Whether one that rings just now was to ring well before."""
        return self.loop.time() - alarm.when() > LATE

    def next_round(self, call: Callable[[], object]) -> asyncio.Handle:
        """Call in the next round of the loop."""
        return self.loop.call_soon(call, context=self._context)

    def _ring(self, slot: int) -> None:
        for alarm in tuple(self._slots.pop(slot)):
            alarm.call()


@final
class _Shared:
    """One of those that share a timer."""

    __slots__ = ("_sharing", "_when", "call")

    def __init__(self, call: Callable[[], object], sharing: set[_Shared], when: float) -> None:
        self.call = call
        self._sharing = sharing
        self._when = when

    def cancel(self) -> None:
        self._sharing.discard(self)

    def when(self) -> float:
        return self._when


class Grace:
    """What a late bound gives once: a time, and a number of bytes within it."""

    __slots__ = ("_ends", "_most")

    def __init__(self, now: float, received: int) -> None:
        self._ends = now + GRACE
        self._most = received + GRACE_BYTES

    def is_over(self, now: float, received: int) -> bool:
        """Whether it is used up."""
        return now >= self._ends or received > self._most


class _Scope:
    """Left by a cancellation that does not get out of it. What ``asyncio.timeout`` does, as a plain context manager
    that raises nothing."""

    __slots__ = ("_alarm", "_alarms", "_asked_before", "_task", "left", "over")

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self.left = False
        """Whether it has been left, in whichever way."""
        self.over = False
        """Whether it was ended."""

    def _enter(self, alarm: Alarm | asyncio.Handle) -> None:
        # A scope is entered by code that runs in a task.
        self._task = cast("asyncio.Task[Any]", asyncio.current_task(self._alarms.loop))
        self._asked_before = self._task.cancelling()
        self._alarm = alarm

    def __exit__(self, kind: type[BaseException] | None, exc: object, trace: object) -> bool:
        self.left = True
        self._alarm.cancel()
        if not self.over:
            return False
        # Nobody else wants the task to end: the cancellation is the one made here.
        alone = self._task.uncancel() <= self._asked_before
        return alone and kind is asyncio.CancelledError

    def end(self) -> None:
        """Leave it; fine when it has been left."""
        if not self.left and not self.over:
            self.over = True
            self._task.cancel()


@final
class Bound(_Scope):
    """A scope around one step, such as waiting for the next bytes, that is left when its time is over.

    Args:
        alarms: of the loop that runs.
        seconds: its time; None for no more than a few rounds of the loop, which is all that is left in grace.
    """

    __slots__ = ("_rounds", "_seconds")

    def __init__(self, alarms: Alarms, seconds: float | None) -> None:
        super().__init__(alarms)
        self._seconds = seconds
        self._rounds = ROUNDS

    def __enter__(self) -> None:
        if self._seconds is None:
            self._enter(self._alarms.next_round(self._round))
        else:
            self._enter(self._alarms.after(self._seconds, self._look))

    def _look(self) -> None:
        if self._alarms.is_late(cast("Alarm", self._alarm)):
            self._alarm = self._alarms.next_round(self._round)
        else:
            self.end()

    def _round(self) -> None:
        self._rounds -= 1
        if self._rounds:
            self._alarm = self._alarms.next_round(self._round)
        else:
            self.end()


@final
class Watch(_Scope):
    """A scope around one send that is left once the whole has taken too long, or once nothing has been heard for too
    long; for two bounds and one alarm."""

    __slots__ = (
        "_end",
        "_grace",
        "_heard",
        "_loop",
        "_quiet",
        "_seen",
        "_signs",
        "_silence",
        "connection",
        "left_alone",
        "silent",
    )

    def __init__(self, alarms: Alarms, total: float | None, silence: float) -> None:
        super().__init__(alarms)
        self._loop = alarms.loop
        self._end = math.inf if total is None else self._loop.time() + total
        self._silence = max(silence, _SHORTEST)
        self._heard: float | None = None
        self._signs = 0
        self._seen = 0
        self._quiet = 0
        self._grace: Grace | None = None
        self.connection: Connection | None = None
        """Where the bytes come from, once the request is on its way. Before that nothing is gained by grace."""
        self.silent = False
        """Whether it was ended because nothing was heard."""
        self.left_alone = False
        """Whether it was ended because nobody waits any more."""

    def leave(self) -> None:
        """Nobody waits any more."""
        self.left_alone = not self.over
        self.silent = self.silent and self.over
        self.end()

    @property
    def expired(self) -> bool:
        """Whether the time for the whole is over, noticed or not."""
        return self._loop.time() >= self._end

    def heard(self) -> None:
        """A sign of life; from now on there have to be others. Before the first one silence is not counted."""
        self._heard = self._loop.time()
        self._signs += 1

    def expect(self, silence: float) -> None:
        """From now on nothing may be silent for longer than this."""
        self._silence = max(silence, _SHORTEST)
        self.heard()
        if self.left or self._grace is not None:
            return
        if self._loop.time() + self._silence < cast("Alarm", self._alarm).when():
            self._alarm.cancel()
            self._alarm = self._alarms.after(self._silence, self._look)

    def __enter__(self) -> None:
        self._enter(self._alarms.after(min(self._end - self._loop.time(), self._silence), self._look))

    def _set_alarm(self) -> bool:
        """Set the alarm anew, if there is time left."""
        now = self._loop.time()
        life = self._end - now
        patience = self._silence if self._heard is None else self._heard + self._silence - now
        if life <= 0 or patience <= 0:
            self.silent = life > 0
            return False
        self._seen = self._moved()
        self._alarm = self._alarms.after(min(life, patience), self._look)
        return True

    def _look(self) -> None:
        if self._set_alarm():
            return
        if self.connection is None or not self._alarms.is_late(cast("Alarm", self._alarm)):
            self.end()
            return
        self._grace = Grace(self._loop.time(), self.connection.received)
        self._quiet = 0
        self._round()

    def _round(self) -> None:
        moved = self._moved()
        if moved > self._seen:
            self._quiet = 0
            if self.silent:
                # Silence was all that was the matter, and it has ended.
                self._heard = self._loop.time()
                if self._set_alarm():
                    self._grace = None
                    return
            self._seen = moved
        else:
            self._quiet += 1
        if self._quiet == ROUNDS or self._grace_is_over():
            self.end()
        else:
            self._alarm = self._alarms.next_round(self._round)

    def _grace_is_over(self) -> bool:
        return (
            self._grace is None
            or self.connection is None
            or self._grace.is_over(self._loop.time(), self.connection.received)
        )

    def _moved(self) -> int:
        """Grows with all that comes or goes."""
        return self._signs if self.connection is None else self._signs + self.connection.received
