"""Bounds in time that are hardly ever reached, kept cheaply on asyncio.

A timer of the loop's for every bound of every send would cost more than the bound is worth: a cancelled one stays in
the loop's heap until half of that is cancelled, is compared there, and looked through by the garbage collector. So
bounds that are far off share one timer a tenth of a second, and those hardly off have one of their own.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any, Final, Protocol, cast, final

_FAR: Final = 2.0
"""Seconds from which on a tenth more makes no difference."""

_PER_SECOND: Final = 10
_SHORTEST: Final = 0.001


class Alarm(Protocol):
    """Something that will be called."""

    def cancel(self) -> None:
        """Don't call it."""
        ...


@final
class Alarms:
    """Calls back at a time or, when that is far off, up to a tenth of a second later."""

    __slots__ = ("_slots", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._slots: dict[int, set[_Shared]] = {}

    def after(self, seconds: float, call: Callable[[], object]) -> Alarm:
        """Call in so many seconds."""
        if seconds < _FAR:
            return self.loop.call_later(seconds, call)
        slot = int((self.loop.time() + seconds) * _PER_SECOND) + 1
        sharing = self._slots.get(slot)
        if sharing is None:
            sharing = self._slots[slot] = set()
            self.loop.call_at(slot / _PER_SECOND, self._ring, slot)
        alarm = _Shared(call, sharing)
        sharing.add(alarm)
        return alarm

    def _ring(self, slot: int) -> None:
        for alarm in tuple(self._slots.pop(slot)):
            alarm.call()


@final
class _Shared:
    """One of those that share a timer."""

    __slots__ = ("_sharing", "call")

    def __init__(self, call: Callable[[], object], sharing: set[_Shared]) -> None:
        self.call = call
        self._sharing = sharing

    def cancel(self) -> None:
        self._sharing.discard(self)


@final
class Watch:
    """A scope around one send that is left, by a cancellation that does not get out of it, once the whole has taken too
    long, or once nothing has been heard for too long.

    What ``asyncio.timeout`` does, as a plain context manager that raises nothing, for two bounds and one alarm.
    """

    __slots__ = ("_alarm", "_alarms", "_asked_before", "_end", "_heard", "_loop", "_silence", "_task", "over", "silent")

    def __init__(self, alarms: Alarms, total: float | None, silence: float) -> None:
        self._alarms = alarms
        self._loop = alarms.loop
        self._end = math.inf if total is None else self._loop.time() + total
        self._silence = max(silence, _SHORTEST)
        self._heard: float | None = None
        self.over = False
        """Whether it was ended."""
        self.silent = False
        """Whether it was ended because nothing was heard."""

    def heard(self) -> None:
        """A sign of life; from now on there have to be others. Before the first one silence is not counted."""
        self._heard = self._loop.time()

    def __enter__(self) -> None:
        # A scope is entered by code that runs in a task.
        self._task = cast("asyncio.Task[Any]", asyncio.current_task(self._loop))
        self._asked_before = self._task.cancelling()
        self._alarm = self._alarms.after(min(self._end - self._loop.time(), self._silence), self._look)

    def __exit__(self, kind: type[BaseException] | None, exc: object, trace: object) -> bool:
        self._alarm.cancel()
        if not self.over:
            return False
        # Nobody else wants the task to end: the cancellation is the one made here.
        alone = self._task.uncancel() <= self._asked_before
        return alone and kind is asyncio.CancelledError

    def _look(self) -> None:
        now = self._loop.time()
        life = self._end - now
        patience = self._silence if self._heard is None else self._heard + self._silence - now
        if life > 0 and patience > 0:
            self._alarm = self._alarms.after(min(life, patience), self._look)
            return
        self.over = True
        self.silent = life > 0
        self._task.cancel()
