"""The home of a client: the event loop, thread and process of its first call, and everything that is bound to them.

:class:`Home` is the one list of what a client can't take to another event loop: its engine, the sends in flight, the
pause and, through :class:`Permits`, the limiters. It is replaced as a whole or not at all, as :class:`LoopGuard`
decides:

==================================  ==================================================================================
a call comes from                   then
==================================  ==================================================================================
the loop of the first call          it goes on
another one; the first has ended    a new home is made here, with the pause that the service asked for
another one; the first still runs,  the call is not sent: sockets, tasks and futures of a loop work on no other loop
or may run again
a forked child                      a new home is made here; everything inherited is left alone (:class:`_Forks`)
==================================  ==================================================================================

Settings, token, retry budget and drift record belong to no loop, so they stay with the client.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast, final

import anyio

from norce_order_async.engines.base import Engine, WireRequest, WireResponse
from norce_order_async.errors import ConfigurationError, GaveUp, NotSentError
from norce_order_async.pipeline.limiter import Limiter, Pause
from norce_order_async.pipeline.tasks import Begin, SendTasks
from norce_order_async.runtime.clock import Clock
from norce_order_async.runtime.loop import runs_on_trio
from norce_order_async.runtime.once import OnePerProcess

logger = logging.getLogger("norce_order_async")

_NONE_YET: Final = object()
"""In place of a loop: there was no call yet."""
_OVER: Final = object()
"""In place of a loop: the loop has ended."""
_INHERITED: Final = object()
"""In place of a loop: the loop belongs to the parent process."""

_CLOSE_ENGINE: Final = 2.0
"""Seconds that closing the connections may take. It waits for the event loop only, not for the network."""

_CLOSE_ELSEWHERE: Final = 5.0
"""Seconds after the grace that closing waits for a loop in another thread."""


class Watched(Protocol):
    """Something that a forked child must leave alone."""

    def forked(self) -> None:
        """Called in the child, before anything else runs there."""
        ...


@final
class _Forks:
    """The objects that a forked child must leave alone, and keep for as long as it lives.

    Child and parent share sockets and the loop's epoll. If the child closes an inherited connection, or the garbage
    collector finds it there, the parent's connection is ended and its sockets are removed from its epoll. Objects that
    are kept here are not collected even when the interpreter exits, because it holds the functions that it calls after
    a fork until the end.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._watched: weakref.WeakSet[Watched] = weakref.WeakSet()
        self._kept: list[object] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._in_child)

    def watch(self, thing: Watched) -> None:
        """Call ``thing.forked()`` in each forked child."""
        self._watched.add(thing)

    def inherited(self, loop: object) -> bool:
        """Whether this loop belongs to the parent process."""
        return any(isinstance(kept, Home) and kept.parents_loop is loop for kept in self._kept)

    def _in_child(self) -> None:
        # The parent's other threads are gone, and one of them may have had the lock.
        self.lock = threading.Lock()
        found, self._watched = list(self._watched), weakref.WeakSet()
        self._kept.extend(found)
        for thing in found:
            thing.forked()


@OnePerProcess
def forks() -> _Forks:
    """The registry of this process."""
    return _Forks()


@final
class Home:
    """Everything of a client that is bound to an event loop, and which loop that is."""

    __slots__ = ("__weakref__", "_engine", "_made_on", "_make_engine", "loop", "parents_loop", "pause", "sends")

    def __init__(
        self, make_engine: Callable[[], Engine], clock: Clock, pause: Pause | None = None, engine: Engine | None = None
    ) -> None:
        self.loop: object = _NONE_YET
        self.parents_loop: object = None
        """In a forked child: the loop of the parent."""
        self.sends = SendTasks(clock)
        self.pause = Pause(clock) if pause is None else pause
        self._make_engine = make_engine
        self._engine = engine
        self._made_on = None if engine is None else running()
        """The loop on which the engine was made; None if none ran."""

    @property
    def engine(self) -> Engine:
        """The engine of this home, made when it is first needed."""
        if self._engine is None:
            self._engine = self._make_engine()
            self._made_on = running()
        return self._engine

    @property
    def begin(self) -> Begin | None:
        """The engine's method that sends without a task, if it has one. It is looked up on the class, because a wrapper
        that forwards unknown attributes to an engine must see every send."""
        engine = self.engine
        return getattr(engine, "_begin", None) if hasattr(type(engine), "_begin") else None

    @property
    def has_engine(self) -> bool:
        """Whether the engine is made already."""
        return self._engine is not None

    @property
    def is_over(self) -> bool:
        """Whether its loop has ended, so that its sends can never go on."""
        return self.loop is _OVER or _is_over(self.loop)

    @property
    def is_inherited(self) -> bool:
        """Whether it belongs to the parent process."""
        return self.loop is _INHERITED

    def bind(self, loop: object, *, closes_itself: bool) -> None:
        """Bind this home to a loop, which runs here.

        Args:
            loop: the loop.
            closes_itself: whether connections are closed if the loop ends before the client is closed.
        """
        if closes_itself and self._made_on not in (None, loop):
            # The right engine depends on the loop, and nothing has been sent on the other loop.
            self._engine = None
        if closes_itself and sys.get_asyncgen_hooks().firstiter is not None:
            at_the_end = _close_with_loop(weakref.ref(self))
            _run(at_the_end.__anext__())
            # Without this a loop warns about a generator that is collected before its end.
            weakref.finalize(self, _finish, at_the_end).atexit = False
        forks().watch(self)
        self.loop = loop

    def forked(self) -> None:
        """Called in a forked child, where nothing of this home may be used, closed or collected."""
        self.parents_loop, self.loop = self.loop, _INHERITED

    async def close(self, grace: float, *, writes_alone: bool = False) -> None:
        """Wait for the sends in flight, at most ``grace`` seconds, then close every connection, also if cancelled.

        Args:
            grace: seconds.
            writes_alone: whether to wait for writes only.
        """
        try:
            await self.sends.drain(grace, writes_alone=writes_alone)
        finally:
            if self._engine is not None:
                with anyio.move_on_after(_CLOSE_ENGINE, shield=True):
                    await self._engine.aclose()

    async def end(self) -> None:
        """Close every connection. Called when the loop is about to end and its tasks have ended."""
        self.loop = _OVER
        self.sends.close()
        if self._engine is not None:
            await self._engine.aclose()


async def _close_with_loop(at: weakref.ref[Home]) -> AsyncGenerator[None, None]:
    """Closes a home when its loop ends: a loop that ends closes the async generators that are left.

    Otherwise the garbage collector would find connections of a loop that has ended.
    """
    try:
        yield
    finally:
        home = at()
        # None: the client was collected without being closed. Python's warning about that is not suppressed.
        if home is not None and not home.is_inherited:
            await home.end()


def _finish(generator: AsyncGenerator[None, None]) -> None:
    """End the generator, because its home is gone."""
    _run(generator.aclose())


def _run(step: Any) -> None:
    """Run one step of an async generator. The step must not wait; starting and ending these generators does not."""
    with contextlib.suppress(StopIteration):
        step.send(None)


def running() -> object | None:
    """The running event loop, to be compared by identity: asyncio's loop, trio's token, or None."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = None
    # Inside an asyncio task the loop is asyncio's: in guest mode trio runs between these tasks. This check is cheaper.
    if loop is not None and asyncio.current_task(loop) is not None:
        return loop
    if runs_on_trio():
        trio: Any = sys.modules["trio"]
        token: object = trio.lowlevel.current_trio_token()
        return token
    return loop


def _is_over(loop: object) -> bool:
    if isinstance(loop, asyncio.AbstractEventLoop):
        return loop.is_closed()
    trio: Any = sys.modules.get("trio")
    if trio is None or not isinstance(loop, trio.lowlevel.TrioToken):
        return False
    try:
        cast("Any", loop).run_sync_soon(_nothing)
    except trio.RunFinishedError:
        return True
    return False


def _nothing() -> None:
    pass


@final
class LoopGuard:
    """Checks that each call comes from the event loop of the client's home. If the home can be replaced, it is;
    otherwise the call fails.

    Args:
        make_engine: makes the engine for a home.
        clock: where time comes from.
        engine: the engine of the first home, if it is made already.
        rebuilds: whether ``make_engine`` makes a new engine for each home.
    """

    __slots__ = ("_clock", "_make_engine", "_moved", "closed", "home", "rebuilds")

    def __init__(
        self, make_engine: Callable[[], Engine], clock: Clock, *, engine: Engine | None = None, rebuilds: bool = True
    ) -> None:
        self.closed = False
        self.home = Home(make_engine, clock, engine=engine)
        self._make_engine = make_engine
        self._clock = clock
        self.rebuilds = rebuilds
        self._moved: list[Callable[[], None]] = []

    def on_move(self, call: Callable[[], None]) -> None:
        """Register a function that is called each time the home is replaced, before the new home is used."""
        self._moved.append(call)

    def check(self, operation: str, path: Mapping[str, str]) -> Home:
        """The client's home, if it is on the running loop or can be replaced by one there.

        Args:
            operation: the operation's id, for the error.
            path: the ids in its address, for the error.

        Raises:
            NotSentError: the client belongs to another loop or process, or no loop runs here.
        """
        home = self.home
        if home.loop is running():
            return home
        found = self._moved_here()
        if isinstance(found, Home):
            return found
        raise NotSentError(
            f"not sent: {found.cause}",
            operation=operation,
            order_id=path.get("order_id"),
            gave_up=found.gave_up,
            advice=found.cure,
        )

    def check_same(self, home: Home, what: str, operation: str) -> None:
        """Check that something which began at ``home`` continues on the same loop.

        Raises:
            NotSentError: this is another loop.
        """
        if home.loop is not running():
            raise NotSentError(
                f"not sent: {what} belongs to the event loop on which it began, and this is another one",
                operation=operation,
                gave_up="wrong-loop",
                advice="begin another one here",
            )

    async def send(self, request: WireRequest) -> WireResponse:
        """Send with the engine of the current home."""
        return await self.home.engine.send(request)

    def start(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run a function in the background, in a task of the current home."""
        self.home.sends.start(work)

    async def close(self, grace: float, *, writes_alone: bool = False) -> None:
        """Close the home. Also works from another loop, if the client's own loop runs or has ended.

        Args:
            grace: seconds that sends in flight get.
            writes_alone: whether to wait for writes only.
        """
        self.closed = True
        home = self.home
        if home.loop is _NONE_YET or home.loop is running():
            await home.close(grace, writes_alone=writes_alone)
            return
        home.sends.close()
        if not (home.is_inherited or home.is_over):
            await _close_elsewhere(home, grace, writes_alone=writes_alone)

    def _moved_here(self) -> Home | _WrongLoop:
        here = running()
        with forks().lock:
            home = self.home
            if home.loop is here:
                # Another thread has bound it meanwhile.
                return home
            if here is None:
                return _WrongLoop("no event loop runs here", "call it from a coroutine that a loop runs")
            if home.loop is not _NONE_YET:
                found = self._replacement(home, here)
                if not isinstance(found, Home):
                    return found
                home = found
            home.bind(here, closes_itself=self.rebuilds)
            self.home = home
        return home

    def _replacement(self, home: Home, here: object) -> Home | _WrongLoop:
        if home.is_inherited:
            if forks().inherited(here):
                return _WrongLoop(
                    "this process was forked off while this event loop was in use, and the parent goes on using it",
                    "start an event loop of its own in the child",
                )
        elif not home.is_over:
            return _WrongLoop(
                "the client belongs to the event loop of its first call, which still runs elsewhere or may run again",
                "make a client for each event loop, or let the first one end before (asyncio.run closes its loop)",
            )
        if self.closed:
            return _WrongLoop("the client is closed", "make another client", "closed")
        if not self.rebuilds:
            return _WrongLoop(
                "the client belongs to the event loop and process of its first call, and the engine or http_client "
                "that was handed in can't be made anew for another one",
                "give a function without arguments that makes it, such as http_client=lambda: httpx.AsyncClient()",
            )
        for call in self._moved:
            call()
        return Home(self._make_engine, self._clock, None if home.is_inherited else home.pause)


@dataclass(frozen=True, slots=True)
class _WrongLoop:
    """Why a call can't be made here, and what to do about it."""

    cause: str
    cure: str
    gave_up: GaveUp = "wrong-loop"


async def _close_elsewhere(home: Home, grace: float, *, writes_alone: bool) -> None:
    """Close a home on its own loop and wait for that, if the loop runs."""
    closed = threading.Event()

    async def close() -> None:
        try:
            await home.close(grace, writes_alone=writes_alone)
        finally:
            closed.set()

    if not _run_on(home.loop, close):
        return
    # Polled, because an event of the other loop can't be awaited on this one.
    with anyio.move_on_after(grace + _CLOSE_ELSEWHERE):
        while not closed.is_set():  # noqa: ASYNC110
            await anyio.sleep(0.01)


def _run_on(loop: object, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
    """Run a function on a loop of another thread. False if that loop does not run now."""
    if isinstance(loop, asyncio.AbstractEventLoop):
        if not loop.is_running():
            return False
        begun = work()
        try:
            asyncio.run_coroutine_threadsafe(begun, loop)
        except RuntimeError:
            # The loop has closed meanwhile.
            begun.close()
            return False
        return True
    trio: Any = sys.modules["trio"]

    def begin() -> None:
        trio.lowlevel.spawn_system_task(work)

    try:
        cast("Any", loop).run_sync_soon(begin)
    except trio.RunFinishedError:
        return False
    return True


@final
class Permits:
    """The limiter of a client, or of a scope with a limit of its own. Each home has a new one."""

    __slots__ = ("_home", "_limiter", "_make")

    def __init__(self, make: Callable[[Pause], Limiter]) -> None:
        self._make = make
        self._home: Home | None = None
        self._limiter: Limiter | None = None

    def at(self, home: Home) -> Limiter:
        """The limiter at this home."""
        if self._limiter is None or self._home is not home:
            self._home = home
            self._limiter = self._make(home.pause)
        return self._limiter


def call_factory(factory: Callable[[], Any], name: str) -> Any:
    """Call a factory function that the user gave.

    Raises:
        ConfigurationError: the function failed.
    """
    try:
        return factory()
    except Exception as error:
        raise ConfigurationError(f"the function given as {name} failed with {type(error).__name__}") from error
