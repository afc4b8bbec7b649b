"""Coarse timeouts for asyncio: those of 2 s or more share one timer per 100 ms. Late timeouts first give some grace.

One timer of the loop for every timeout of every send would be too expensive: a cancelled timer stays in the loop's heap
until half of the heap is cancelled, and costs comparisons and garbage collection meanwhile. So timeouts that are far
off share a timer, and each near one has its own. No timer keeps the context of the call that set it.

After a loop was blocked, or a process was stopped, timeouts are over and answers have arrived at the same moment. A
timeout that is noticed more than :data:`LATE` seconds late therefore gives grace: the loop goes on as long as each
round brings bytes, within :data:`GRACE` seconds and :data:`GRACE_BYTES`. A service that is silent or drips gains
nothing.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Callable
from typing import Any, Final, Protocol, cast, final

LATE: Final = 0.1
"""A timeout is late if it is noticed more than this many seconds after its time."""

GRACE: Final = 1.0
"""Seconds after a late timeout in which received bytes are still read."""

GRACE_BYTES: Final = 1024 * 1024
"""Bytes that are still read after a late timeout."""

ROUNDS: Final = 3
"""Rounds of the loop without a byte that end the grace. Bytes found in the first may reach their reader in the
third."""

_FAR: Final = 2.0
"""Timeouts of at least this many seconds may fire up to 0.1 s late."""

_PER_SECOND: Final = 10
_SHORTEST: Final = 0.001


class Alarm(Protocol):
    """A scheduled call of a function."""

    def cancel(self) -> None:
        """Cancel the call."""
        ...

    def when(self) -> float:
        """The loop's time at which the function is called."""
        ...


class Connection(Protocol):
    """A connection that is watched for bytes."""

    @property
    def received(self) -> int:
        """Bytes received in all."""
        ...


@final
class Alarms:
    """Calls functions after a time; if that is 2 s or more, up to 0.1 s late."""

    __slots__ = ("_context", "_slots", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._slots: dict[int, set[_Shared]] = {}
        self._context = contextvars.Context()

    def after(self, seconds: float, call: Callable[[], object]) -> Alarm:
        """Call a function in ``seconds``."""
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
        """Whether an alarm that fires now is late."""
        return self.loop.time() - alarm.when() > LATE

    def next_round(self, call: Callable[[], object]) -> asyncio.Handle:
        """Call a function in the next round of the loop."""
        return self.loop.call_soon(call, context=self._context)

    def _ring(self, slot: int) -> None:
        for alarm in tuple(self._slots.pop(slot)):
            alarm.call()


@final
class _Shared:
    """An alarm that shares a timer with others."""

    __slots__ = ("_sharing", "_when", "call")

    def __init__(self, call: Callable[[], object], sharing: set[_Shared], when: float) -> None:
        self.call = call
        self._sharing = sharing
        self._when = when

    def cancel(self) -> None:
        self._sharing.discard(self)
        # The function refers to this alarm. Without that circle neither needs the garbage collector.
        self.call = _nothing

    def when(self) -> float:
        return self._when


class Grace:
    """The grace of a late timeout, given once: some time, and a number of bytes."""

    __slots__ = ("_ends", "_most")

    def __init__(self, now: float, received: int) -> None:
        self._ends = now + GRACE
        self._most = received + GRACE_BYTES

    def is_over(self, now: float, received: int) -> bool:
        """Whether it is used up."""
        return now >= self._ends or received > self._most


class Cancellable(Protocol):
    """A send that can be cancelled."""

    def cancel(self) -> object:
        """Cancel it."""
        ...


class _Scope:
    """A scope that is ended by cancelling its task, and absorbs that cancellation.

    It resembles ``asyncio.timeout``, but is a plain context manager and raises nothing.
    """

    __slots__ = ("_alarm", "_alarms", "_asked_before", "_task", "left", "over")

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self.left = False
        """Whether the scope was left, for whatever reason."""
        self.over = False
        """Whether ``end`` was called."""

    def _enter(self, alarm: Alarm | asyncio.Handle) -> None:
        # A scope is entered only inside a task.
        self._task = cast("asyncio.Task[Any]", asyncio.current_task(self._alarms.loop))
        self._asked_before = self._task.cancelling()
        self._alarm = alarm

    def __exit__(self, kind: type[BaseException] | None, exc: object, trace: object) -> bool:
        self.left = True
        self._alarm.cancel()
        if not self.over:
            return False
        # If nothing else has asked to cancel the task, the cancellation is the one from here.
        alone = self._task.uncancel() <= self._asked_before
        return alone and kind is asyncio.CancelledError

    def end(self) -> None:
        """End the scope; does nothing after it was left."""
        if not self.left and not self.over:
            self.over = True
            self._task.cancel()


@final
class Bound(_Scope):
    """A scope around one step, such as a wait for the next bytes. It ends when its time is over.

    Args:
        alarms: The alarms of the running loop.
        seconds: The time; None for a few rounds of the loop, which is all a step gets during the grace.
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
    """A scope around one send. It ends when the total time is over, or when no bytes came or went for too long. One
    alarm serves both limits."""

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
        """The connection, once the request is being sent. Before that there is no grace."""
        self.silent = False
        """Whether the scope ended because no bytes came or went."""
        self.left_alone = False
        """Whether the scope ended because the caller left."""

    def leave(self) -> None:
        """End the send, because its caller has left."""
        self.left_alone = not self.over
        self.silent = self.silent and self.over
        self.end()

    @property
    def expired(self) -> bool:
        """Whether the total time is over, even if that was not noticed yet."""
        return self._loop.time() >= self._end

    def heard(self) -> None:
        """Record that bytes came or went. The first call starts the count of time without bytes; each call restarts
        it."""
        self._heard = self._loop.time()
        self._signs += 1

    def expect(self, silence: float) -> None:
        """Set the longest time without bytes, from now on."""
        self._silence = max(silence, _SHORTEST)
        self.heard()
        if self.left or self._grace is not None:
            return
        if self._loop.time() + self._silence < cast("Alarm", self._alarm).when():
            self._alarm.cancel()
            self._alarm = self._alarms.after(self._silence, self._look)

    def __enter__(self) -> None:
        self._enter(self._alarms.after(min(self._end - self._loop.time(), self._silence), self._look))

    def begin(self, send: Cancellable) -> None:
        """Watch a send that has no task of its own, until :meth:`finish`. If it has to end, it is cancelled."""
        self._task = cast("asyncio.Task[Any]", send)
        self._alarm = self._alarms.after(min(self._end - self._loop.time(), self._silence), self._look)

    def finish(self) -> None:
        """Stop watching the send, and drop the reference to it."""
        self.left = True
        self._alarm.cancel()
        del self._task

    def _set_alarm(self) -> bool:
        """Set the next alarm. False if no time is left."""
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
                # Only the time without bytes was over, and bytes have come: go on as before.
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
        """A count that grows when bytes come or go."""
        return self._signs if self.connection is None else self._signs + self.connection.received


def _nothing() -> None:
    pass
