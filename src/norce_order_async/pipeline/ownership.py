"""Sends that a cancelled caller can't tear in half.

A send cancelled in the middle leaves httpx's pool dead and the service in doubt. So each runs in a task of its own,
owned by the client: the caller who is cancelled leaves at once, the send goes on to its own end, and only then is its
permit given back (``on_end``).

The tasks are free-standing. A task group entered by the client would bind it to one task, and clients are closed from
other tasks than those that opened them. On asyncio a task is ``create_task`` with a strong reference here; on trio it
is a system task, which must never raise. Nothing of anyio is on this path, as its abstractions would cost more than
the task itself.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Final, Generic, Protocol, TypeVar, final

import anyio

from norce_order_async.clock import Clock, SystemClock
from norce_order_async.engines.alarms import GRACE, LATE, Alarms
from norce_order_async.engines.base import MaybeSentError, NotSentError
from norce_order_async.pipeline.wake import OnAsyncio, Wake, runs_on_trio, wake

T = TypeVar("T")

_END_AFTER_CANCEL: Final = 2.0
"""Seconds a cancelled send gets to close its connection."""


class StillInTheAirError(Exception):
    """The caller has waited for as long as it wanted to."""


class _Cancellable(Protocol):
    def cancel(self) -> object: ...


@final
class OwnedSends:
    """The sends in the air of one client, on one event loop."""

    __slots__ = ("_air", "_alarms", "_clock", "_closed", "_empty", "_on_trio")

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = SystemClock() if clock is None else clock
        self._air: set[_Cancellable] = set()
        self._alarms: Alarms | None = None
        self._closed = False
        self._empty: anyio.Event | None = None
        self._on_trio: bool | None = None

    @property
    def in_flight(self) -> int:
        """How many sends have not ended, whether or not somebody still waits for them."""
        return len(self._air)

    async def run(self, send: Callable[[], Awaitable[T]], on_end: Callable[[], None], within: float | None = None) -> T:
        """What ``send`` returns or raises.

        ``on_end`` is called exactly once, when the send has ended and no sooner, and must not raise. When the caller
        is cancelled meanwhile, or has waited for ``within`` seconds, the result is dropped without a word. Seconds
        whose end is noticed late, because the loop was blocked, are followed by the time of grace that engines take
        what they have received in.

        Raises:
            NotSentError: these sends are closed, or the seconds were over before the send could begin; ``send`` was
                not called.
            MaybeSentError: the send was cancelled by ``drain``, not by the caller.
            StillInTheAirError: the seconds are over; the send goes on.
        """
        if self._closed:
            on_end()
            raise NotSentError("closed", "the client is closed")
        until = None if within is None else self._clock.monotonic() + within
        if self._runs_on_trio():
            landing = self._begin_on_trio(send, on_end, until)
            if within is None:
                await landing.woken.wait()
            else:
                await self._wait(landing.woken, within)
            return landing.result()
        task, woken = self._begin_on_asyncio(send, on_end, until)
        if within is None:
            await woken.future
        elif type(self._clock) is not SystemClock:
            await self._wait(woken, within)
        else:
            patience = _Patience(self._alarms_here(), within, woken)
            try:
                in_time = await woken.future
            finally:
                patience.end()
            if not in_time:
                raise StillInTheAirError
        if task.cancelled():
            raise _closed_in_the_air()
        return task.result()

    def start(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run something that nobody waits for, such as a refresh in the background; what it raises is dropped.

        Raises:
            NotSentError: these sends are closed; ``work`` was not called.
        """
        if self._closed:
            raise NotSentError("closed", "the client is closed")
        if self._runs_on_trio():
            self._begin_on_trio(work, _nothing)
        else:
            self._begin_on_asyncio(work, _nothing)

    def close(self) -> None:
        """Take no more sends."""
        self._closed = True

    async def drain(self, grace: float) -> bool:
        """Close, wait at most ``grace`` seconds for the sends in the air, cancel what is left; True if nothing was."""
        self.close()
        try:
            with self._clock.move_on_after(grace):
                await self._all_ended()
            if not self._air:
                return True
        except BaseException:
            # Whoever closes is cancelled: no time for grace, but nothing may be left in the air.
            self._cancel_all()
            raise
        self._cancel_all()
        with self._clock.move_on_after(_END_AFTER_CANCEL):
            await self._all_ended()
        return False

    async def _wait(self, woken: Wake, within: float) -> None:
        """Wait by the clock."""
        due = self._clock.monotonic() + within
        with self._clock.move_on_after(within):
            await woken.wait()
            return
        if self._clock.monotonic() > due + LATE:
            with self._clock.move_on_after(GRACE):
                await woken.wait()
                return
        raise StillInTheAirError

    def _alarms_here(self) -> Alarms:
        if self._alarms is None:
            self._alarms = Alarms(asyncio.get_running_loop())
        return self._alarms

    def _runs_on_trio(self) -> bool:
        if self._on_trio is None:
            self._on_trio = runs_on_trio()
        return self._on_trio

    def _begin_on_asyncio(
        self, send: Callable[[], Awaitable[T]], on_end: Callable[[], None], until: float | None = None
    ) -> tuple[asyncio.Task[T], OnAsyncio]:
        loop = asyncio.get_running_loop()
        woken = OnAsyncio(loop)
        task = loop.create_task(self._call(send, until))
        self._air.add(task)

        # A callback and not the end of the coroutine: a task cancelled before its first step never enters that.
        def ended(task: asyncio.Task[T]) -> None:
            self._landed(task)
            on_end()
            if not task.cancelled():
                task.exception()  # Looked at, so that nobody warns of it when the caller is gone.
            woken.set()

        task.add_done_callback(ended)
        return task, woken

    def _begin_on_trio(
        self, send: Callable[[], Awaitable[T]], on_end: Callable[[], None], until: float | None = None
    ) -> _TrioLanding[T]:
        import trio

        scope = trio.CancelScope()
        landing: _TrioLanding[T] = _TrioLanding(wake())
        self._air.add(scope)

        async def own() -> None:
            try:
                with scope:
                    landing.results.append(await self._call(send, until))
            except trio.Cancelled:
                # By trio itself, at the end of its run: the task ends here either way.
                pass
            except BaseException as exc:  # noqa: BLE001 - a system task that raises ends the whole run
                landing.error = exc
            finally:
                self._landed(scope)
                on_end()
                landing.woken.set()

        trio.lowlevel.spawn_system_task(own, context=contextvars.copy_context())
        return landing

    async def _call(self, send: Callable[[], Awaitable[T]], until: float | None) -> T:
        """Send, unless the loop was blocked for so long that the time is over before the first step."""
        if until is not None and self._clock.monotonic() >= until:
            raise NotSentError("pool", "the time was over before the send could begin")
        return await send()

    def _landed(self, send: _Cancellable) -> None:
        self._air.discard(send)
        if not self._air and self._empty is not None:
            self._empty.set()
            self._empty = None

    def _cancel_all(self) -> None:
        for send in tuple(self._air):
            send.cancel()

    async def _all_ended(self) -> None:
        while self._air:
            empty = self._empty = self._empty or anyio.Event()
            await empty.wait()


@final
class _Patience:
    """How long a caller on asyncio waits for its send."""

    __slots__ = ("_alarm", "_alarms", "_late", "_woken")

    def __init__(self, alarms: Alarms, seconds: float, woken: OnAsyncio) -> None:
        self._alarms = alarms
        self._woken = woken
        self._late = False
        self._alarm = alarms.after(seconds, self._over)

    def end(self) -> None:
        """Wait no longer."""
        self._alarm.cancel()

    def _over(self) -> None:
        if self._late or not self._alarms.is_late(self._alarm):
            self._woken.give_up()
            return
        self._late = True
        self._alarm = self._alarms.after(GRACE, self._over)


class _TrioLanding(Generic[T]):
    """How a send on trio ended; asyncio's task tells this by itself."""

    __slots__ = ("error", "results", "woken")

    def __init__(self, woken: Wake) -> None:
        self.woken = woken
        self.results: list[T] = []
        self.error: BaseException | None = None

    def result(self) -> T:
        if self.results:
            return self.results[0]
        raise self.error or _closed_in_the_air()


def _closed_in_the_air() -> MaybeSentError:
    return MaybeSentError("read", "the client was closed while the send was in the air")


def _nothing() -> None:
    pass
