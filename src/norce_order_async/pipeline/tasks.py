"""Sends that a cancelled caller can't tear in half.

A send cancelled in the middle leaves httpx's pool dead and the service in doubt. So each runs in a task of its own,
owned by the client: the caller who is cancelled leaves at once, a write goes on to its own end, and only then is its
permit given back (``on_end``). If the caller of a read leaves, the engine ends the send, which it can do without harm
to others.

The tasks are free-standing. A task group entered by the client would bind it to one task, and clients are closed from
other tasks than those that opened them. On asyncio a task is ``create_task`` with a strong reference here; on trio it
is a system task, which must never raise. Nothing of anyio is on this path, as its abstractions would cost more than
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
from norce_order_async.runtime.timers import GRACE, LATE, Alarms

T = TypeVar("T")

_END_AFTER_CANCEL: Final = 2.0
"""Seconds a cancelled send gets to close its connection."""


class SendTimedOutError(Exception):
    """The caller has waited for as long as it wanted to."""


class _Cancellable(Protocol):
    def cancel(self) -> object: ...


class Exchange(Protocol):
    """A send that an engine has begun at once, without a task, and that ends by its own time."""

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
"""An engine's way to send without a task, if it has one and it can be done now: what is sent, and what to call when it
has ended."""


@final
class SendTasks:
    """The sends in flight of one client, on one event loop."""

    __slots__ = ("_alarms", "_clock", "_closed", "_empty", "_forsaken", "_in_flight", "_on_trio", "_released")

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = SystemClock() if clock is None else clock
        self._in_flight: dict[_Cancellable, bool] = {}
        """Each with whether it writes."""
        self._released: set[_Cancellable] = set()
        """Reads whose caller has left and whose permit is back already."""
        self._forsaken: dict[_Cancellable, Callable[[], None]] = {}
        """Reads whose caller has left and that hold their permit."""
        self._alarms: Alarms | None = None
        self._closed = False
        self._empty: anyio.Event | None = None
        self._on_trio: bool | None = None

    @property
    def in_flight(self) -> int:
        """How many sends have not ended, whether or not a caller still waits for them."""
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
        """What ``send`` returns or raises.

        When the caller is cancelled meanwhile, or has waited for ``within`` seconds, the result is dropped without a
        word. Seconds whose end is noticed late, because the loop was blocked, are followed by the time of grace in
        which engines take what they have received.

        Args:
            send: what is done, in a task of its own.
            on_end: called exactly once, when the send has ended and no sooner; must not raise.
            within: seconds that the caller waits.
            caller: of a read. If it leaves, the engine ends the send. With an engine that can't, the send goes on, and
                ``on_end`` is then called sooner: at once while there are less than ``ahead`` such sends, otherwise when
                one of them ends.
            ahead: see there.

        Raises:
            UnsentError: these sends are closed, or the seconds were over before the send could begin; ``send`` was
                not called.
            MaybeSentError: the send was cancelled by ``drain``, not by the caller.
            StillInTheAirError: the seconds are over; the send goes on.
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
                patience = _Patience(self._alarms_here(), within, woken)
                try:
                    if not await woken.future:
                        raise SendTimedOutError
                finally:
                    patience.end()
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
        """The same for a send that needs no task, because it is written at once and goes on by callbacks of the loop,
        whatever becomes of its caller. Its time is the request's ``total``.

        Returns:
            None if it has to be :meth:`run`; ``on_end`` was not called then.

        Raises:
            UnsentError, MaybeSentError, SendTimedOutError: as there.
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
        """Run something in the background, such as a refresh; what it raises is dropped.

        Raises:
            UnsentError: these sends are closed; ``work`` was not called.
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
        """Close, wait at most ``grace`` seconds for the sends in flight, cancel what is left; True if nothing was.

        Args:
            grace: seconds.
            writes_alone: cancel at once what does not write.
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
            # The close was cancelled: there is no time for grace, but nothing may be left in flight.
            self._cancel(self._in_flight)
            raise
        self._cancel(self._in_flight)
        with self._clock.move_on_after(_END_AFTER_CANCEL):
            await self._all_ended()
        return False

    def _leave(self, send: _Cancellable, on_end: Callable[[], None], caller: Caller | None, ahead: int) -> None:
        """The caller of this send has left."""
        if caller is None or send not in self._in_flight or caller.leave():
            return
        if len(self._released) < ahead:
            self._released.add(send)
            on_end()
        else:
            self._forsaken[send] = on_end

    async def _wait(self, woken: Wake, within: float | None) -> None:
        """Wait by the clock."""
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

        # A callback and not the end of the coroutine: a task cancelled before its first step never enters that.
        def ended(task: asyncio.Task[T]) -> None:
            self._landed(task, on_end)
            if not task.cancelled():
                task.exception()  # Retrieved, so that asyncio does not warn when the caller is gone.
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
                # By trio itself, at the end of its run: the task ends here either way.
                pass
            except BaseException as exc:  # noqa: BLE001 - a system task that raises ends the whole run
                landing.error = exc
            finally:
                self._landed(scope, on_end)
                landing.woken.set()

        trio.lowlevel.spawn_system_task(own, context=contextvars.copy_context())
        return landing

    async def _call(self, send: Callable[[], Awaitable[T]], until: float | None) -> T:
        """Send, unless the loop was blocked for so long that the time is over before the first step."""
        if until is not None and self._clock.monotonic() >= until:
            raise UnsentError("pool", "the time was over before the send could begin")
        return await send()

    def _landed(self, send: _Cancellable, on_end: Callable[[], None]) -> None:
        del self._in_flight[send]
        if send in self._released:
            self._released.discard(send)
            self._release_next()
        else:
            self._forsaken.pop(send, None)
            on_end()
        if not self._in_flight and self._empty is not None:
            self._empty.set()
            self._empty = None

    def _release_next(self) -> None:
        """The one that was left first gives its permit back in place of one that has ended."""
        for send, on_end in self._forsaken.items():
            del self._forsaken[send]
            self._released.add(send)
            on_end()
            return

    def _cancel(self, sends: Iterable[_Cancellable]) -> None:
        for send in tuple(sends):
            send.cancel()

    async def _all_ended(self) -> None:
        while self._in_flight:
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

    __slots__ = ("error", "results", "scope", "woken")

    def __init__(self, woken: Wake, scope: _Cancellable) -> None:
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
