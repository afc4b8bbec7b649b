"""Runs sends so that a cancelled caller does not interrupt them.

A send that is cancelled in the middle makes httpx's pool unusable and leaves the outcome unknown. So each send runs in
a task of the client: a cancelled caller leaves at once, a write goes on to its end, and only then its permit is given
back (``on_end``). If the caller of a read leaves, the engine ends the send, which it can do without harm to others.

The tasks are in no task group. A task group would bind the client to one task, and clients are often closed from
another task than the one that opened them. On asyncio a task is made with ``create_task`` and referenced here; on trio
it is a system task, which must never raise. anyio is not used for them, because its abstractions would cost more than
the task itself.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Generic, Protocol, TypeVar, final

import anyio

from norce_order_async.engines.base import Caller, MaybeSentError, UnsentError, WireRequest, WireResponse
from norce_order_async.runtime.clock import Clock, SystemClock
from norce_order_async.runtime.loop import OnAsyncio, Wake, runs_on_trio, wake
from norce_order_async.runtime.timers import GRACE, LATE, Alarms, Cancellable

T = TypeVar("T")

_END_AFTER_CANCEL: Final = 2.0
"""Seconds a cancelled send gets to close its connection."""


class SendTimedOutError(Exception):
    """The time that the caller waits is over."""


class Exchange(Protocol):
    """A send that an engine has begun at once, without a task. It ends by its own timeout."""

    @property
    def out_of_time(self) -> bool:
        """Whether it ended because its total time was over."""
        ...

    @property
    def cancelled(self) -> bool:
        """Whether it was cancelled before it ended."""
        ...

    def cancel(self) -> object:
        """End it at once."""
        ...

    def result(self) -> WireResponse:
        """The answer, once it has ended; raises as the engine's ``send`` does."""
        ...


Begin = Callable[[WireRequest, Callable[[], None]], Exchange | None]
"""An engine's method that sends without a task. It gets the request and a function to call at the end, and returns None
if this request can't be sent so."""


@final
class SendTasks:
    """The sends in flight of one client, on one event loop."""

    __slots__ = ("_abandoned", "_alarms", "_clock", "_closed", "_empty", "_in_flight", "_on_trio", "_released")

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = SystemClock() if clock is None else clock
        self._in_flight: dict[Cancellable, bool] = {}
        """The sends, and for each whether it writes."""
        self._released: set[Cancellable] = set()
        """Reads whose caller has left and whose permit is back already."""
        self._abandoned: dict[Cancellable, Callable[[], None]] = {}
        """Reads whose caller has left and that still hold their permit."""
        self._alarms: Alarms | None = None
        self._closed = False
        self._empty: anyio.Event | None = None
        self._on_trio: bool | None = None

    @property
    def in_flight(self) -> int:
        """The number of sends that have not ended, whether or not a caller still waits for them."""
        return len(self._in_flight)

    async def run(
        self,
        send: Callable[[], Awaitable[T]],
        on_end: Callable[[], None],
        within: float | None = None,
        *,
        caller: Caller | None = None,
        ahead: int = 0,
    ) -> T:
        """Run ``send`` in a task of its own, and return its result or raise its error.

        If the caller is cancelled, or has waited for ``within`` seconds, the result is dropped. If the end of that time
        is noticed late because the loop was blocked, the grace of :mod:`~norce_order_async.runtime.timers` follows.

        Args:
            send: the function to run.
            on_end: called exactly once, when the send has ended and not earlier. It must not raise.
            within: seconds that the caller waits.
            caller: the caller of a read. If it leaves, the engine ends the send. If the engine can't do that, the send
                goes on and ``on_end`` is called earlier: at once while there are fewer than ``ahead`` such sends,
                otherwise when one of them ends.
            ahead: see ``caller``.

        Raises:
            UnsentError: this object is closed, or the time was over before the send could begin; ``send`` was not
                called.
            MaybeSentError: the send was cancelled by ``drain``, not by the caller.
            SendTimedOutError: the time is over; the send goes on.
        """
        if self._closed:
            on_end()
            raise UnsentError("closed", "the client is closed")
        until = None if within is None else self._clock.monotonic() + within
        if self._runs_on_trio():
            landing = self._begin_on_trio(send, on_end, until, writes=caller is None)
            try:
                await self._wait(landing.woken, within)
            except BaseException:
                self._leave(landing.scope, on_end, caller, ahead)
                raise
            return landing.result()
        task, woken = self._begin_on_asyncio(send, on_end, until, writes=caller is None)
        try:
            if within is None or type(self._clock) is not SystemClock:
                await self._wait(woken, within)
            else:
                timeout = _Timeout(self._alarms_here(), within, woken)
                try:
                    if not await woken.future:
                        raise SendTimedOutError
                finally:
                    timeout.cancel()
        except BaseException:
            self._leave(task, on_end, caller, ahead)
            raise
        if task.cancelled():
            raise _closed_in_flight()
        return task.result()

    async def run_begun(
        self,
        begin: Begin,
        request: WireRequest,
        on_end: Callable[[], None],
        *,
        caller: Caller | None,
        ahead: int,
    ) -> WireResponse | None:
        """The same for a send that needs no task, because it is written at once and goes on in callbacks of the loop,
        even if its caller leaves. Its time is the request's ``total``.

        Returns:
            The response; None if the send needs :meth:`run`. Then ``on_end`` was not called.

        Raises:
            UnsentError, MaybeSentError, SendTimedOutError: as :meth:`run` raises them.
        """
        if self._closed:
            on_end()
            raise UnsentError("closed", "the client is closed")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def ended() -> None:
            self._landed(exchange, on_end)
            if not done.done():
                done.set_result(None)

        try:
            begun = begin(request, ended)
        except BaseException:
            on_end()
            raise
        if begun is None:
            return None
        exchange = begun
        self._in_flight[exchange] = caller is None
        try:
            await done
        except BaseException:
            self._leave(exchange, on_end, caller, ahead)
            raise
        if exchange.out_of_time:
            raise SendTimedOutError
        if exchange.cancelled:
            raise _closed_in_flight()
        return exchange.result()

    def start(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run a function in the background, such as a refresh. Its exception is dropped.

        Raises:
            UnsentError: this object is closed; ``work`` was not called.
        """
        if self._closed:
            raise UnsentError("closed", "the client is closed")
        if self._runs_on_trio():
            self._begin_on_trio(work, _nothing)
        else:
            self._begin_on_asyncio(work, _nothing)

    def close(self) -> None:
        """Take no more sends."""
        self._closed = True

    async def drain(self, grace: float, *, writes_alone: bool = False) -> bool:
        """Close, wait at most ``grace`` seconds for the sends in flight, and cancel the rest. True if none was left.

        Args:
            grace: seconds.
            writes_alone: whether to cancel reads at once.
        """
        self.close()
        if writes_alone:
            self._cancel([send for send, writes in self._in_flight.items() if not writes])
        try:
            with self._clock.move_on_after(grace):
                await self._all_ended()
            if not self._in_flight:
                return True
        except BaseException:
            # The close was cancelled: there is no time for grace, but no send may stay in flight.
            self._cancel(self._in_flight)
            raise
        self._cancel(self._in_flight)
        with self._clock.move_on_after(_END_AFTER_CANCEL):
            await self._all_ended()
        return False

    def _leave(self, send: Cancellable, on_end: Callable[[], None], caller: Caller | None, ahead: int) -> None:
        """Called when the caller of this send has left."""
        if caller is None or send not in self._in_flight or caller.leave():
            return
        if len(self._released) < ahead:
            self._released.add(send)
            on_end()
        else:
            self._abandoned[send] = on_end

    async def _wait(self, woken: Wake, within: float | None) -> None:
        """Wait for the event, at most ``within`` seconds by the clock."""
        if within is None:
            await woken.wait()
            return
        due = self._clock.monotonic() + within
        with self._clock.move_on_after(within):
            await woken.wait()
            return
        if self._clock.monotonic() > due + LATE:
            with self._clock.move_on_after(GRACE):
                await woken.wait()
                return
        raise SendTimedOutError

    def _alarms_here(self) -> Alarms:
        if self._alarms is None:
            self._alarms = Alarms(asyncio.get_running_loop())
        return self._alarms

    def _runs_on_trio(self) -> bool:
        if self._on_trio is None:
            self._on_trio = runs_on_trio()
        return self._on_trio

    def _begin_on_asyncio(
        self,
        send: Callable[[], Awaitable[T]],
        on_end: Callable[[], None],
        until: float | None = None,
        *,
        writes: bool = False,
    ) -> tuple[asyncio.Task[T], OnAsyncio]:
        loop = asyncio.get_running_loop()
        woken = OnAsyncio(loop)
        task = loop.create_task(self._call(send, until))
        self._in_flight[task] = writes

        # A callback and not a finally block: a task that is cancelled before its first step never enters its coroutine.
        def ended(task: asyncio.Task[T]) -> None:
            self._landed(task, on_end)
            if not task.cancelled():
                task.exception()  # Retrieved, so that asyncio does not warn if the caller has left.
            woken.set()

        task.add_done_callback(ended)
        return task, woken

    def _begin_on_trio(
        self,
        send: Callable[[], Awaitable[T]],
        on_end: Callable[[], None],
        until: float | None = None,
        *,
        writes: bool = False,
    ) -> _TrioLanding[T]:
        import trio

        scope = trio.CancelScope()
        landing: _TrioLanding[T] = _TrioLanding(wake(), scope)
        self._in_flight[scope] = writes

        async def own() -> None:
            try:
                with scope:
                    landing.results.append(await self._call(send, until))
            except trio.Cancelled:
                # Cancelled by trio itself at the end of its run: the task ends here either way.
                pass
            except BaseException as exc:  # noqa: BLE001 - a system task that raises ends the whole run
                landing.error = exc
            finally:
                self._landed(scope, on_end)
                landing.woken.set()

        trio.lowlevel.spawn_system_task(own, context=contextvars.copy_context())
        return landing

    async def _call(self, send: Callable[[], Awaitable[T]], until: float | None) -> T:
        """Send, unless the loop was blocked so long that the time is over before the first step."""
        if until is not None and self._clock.monotonic() >= until:
            raise UnsentError("pool", "the time was over before the send could begin")
        return await send()

    def _landed(self, send: Cancellable, on_end: Callable[[], None]) -> None:
        del self._in_flight[send]
        if send in self._released:
            self._released.discard(send)
            self._release_next()
        else:
            self._abandoned.pop(send, None)
            on_end()
        if not self._in_flight and self._empty is not None:
            self._empty.set()
            self._empty = None

    def _release_next(self) -> None:
        """Give back the permit of the send that was abandoned first, in place of one that has ended."""
        for send, on_end in self._abandoned.items():
            del self._abandoned[send]
            self._released.add(send)
            on_end()
            return

    def _cancel(self, sends: Iterable[Cancellable]) -> None:
        for send in tuple(sends):
            send.cancel()

    async def _all_ended(self) -> None:
        while self._in_flight:
            empty = self._empty = self._empty or anyio.Event()
            await empty.wait()


@final
class _Timeout:
    """Ends the wait of a caller on asyncio when its time is over."""

    __slots__ = ("_alarm", "_alarms", "_late", "_woken")

    def __init__(self, alarms: Alarms, seconds: float, woken: OnAsyncio) -> None:
        self._alarms = alarms
        self._woken = woken
        self._late = False
        self._alarm = alarms.after(seconds, self._over)

    def cancel(self) -> None:
        """Cancel the timeout, because the wait has ended."""
        self._alarm.cancel()

    def _over(self) -> None:
        if self._late or not self._alarms.is_late(self._alarm):
            self._woken.give_up()
            return
        self._late = True
        self._alarm = self._alarms.after(GRACE, self._over)


class _TrioLanding(Generic[T]):
    """The result of a send on trio. On asyncio the task has it."""

    __slots__ = ("error", "results", "scope", "woken")

    def __init__(self, woken: Wake, scope: Cancellable) -> None:
        self.woken = woken
        self.scope = scope
        self.results: list[T] = []
        self.error: BaseException | None = None

    def result(self) -> T:
        if self.results:
            return self.results[0]
        raise self.error or _closed_in_flight()


def _closed_in_flight() -> MaybeSentError:
    return MaybeSentError("read", "the client was closed while the send was in flight")


def _nothing() -> None:
    pass
