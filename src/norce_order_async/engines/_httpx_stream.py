"""The sockets that httpx's connection pool reads and writes, and the time limits of each step.

httpcore gives each step a timeout. :class:`SendBounds` cuts it to the time left of the whole send at that moment. If
the end of that time is noticed late, the step gets the grace of :mod:`~norce_order_async.runtime.timers`. Both are done
here because cancelling the send would leave the pool dead.

httpx has no public way to choose the network backend of a transport, so :func:`watch` sets a private attribute of
httpcore's pool. If a version of httpcore no longer uses the attribute, the tests fail; at run time it uses its own
sockets, without these limits.

httpx2 is built on httpcore2 as httpx is on httpcore. A connection raises the exceptions of the library that uses it.
The library is imported when a pool is made. That is slow where trio is installed, because httpcore loads it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterable
from contextvars import Context, ContextVar
from importlib import import_module
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Final, final

import anyio

from norce_order_async.engines._answer import Heads
from norce_order_async.runtime.clock import Clock
from norce_order_async.runtime.timers import GRACE, LATE, ROUNDS, Alarms, Bound, Grace

if TYPE_CHECKING:
    import httpcore


_PIECE: Final = 64 * 1024
"""Bytes of a body that are written with one timeout."""

_PIECE_ON_TRIO: Final = 16 * 1024
"""The same on trio: as much as a writable socket takes at once, because a write that timed out there can't be
resumed."""

CURRENT: ContextVar[SendBounds | None] = ContextVar("norce_order_async.httpx_bounds", default=None)
"""The time limits of the send that runs in this task."""


@final
class SendBounds:
    """The time limits of one send; each send has its own.

    Args:
        clock: Where time comes from.
        total: Seconds for the whole send, or None.
        otherwise: Seconds for a step without a timeout from httpcore.
        alarms: The alarms of an asyncio loop; None on trio.
    """

    __slots__ = ("_alarms", "_clock", "_deadline", "_gone", "_grace", "_heads", "_moved", "_otherwise", "_step")

    def __init__(self, clock: Clock, total: float | None, otherwise: float, alarms: Alarms | None) -> None:
        self._clock = clock
        self._deadline = math.inf if total is None else clock.monotonic() + total
        self._otherwise = otherwise
        self._alarms = alarms
        self._grace: Grace | None = None
        self._moved = 0
        self._gone = False
        self._step: Bound | _BoundOnTrio | None = None
        self._heads: Heads | None = None
        """Checks the head of the expected answer; None once the head has come."""

    def ask(self) -> None:
        """Expect an answer: the request itself is about to be sent, not one to a proxy."""
        self._heads = Heads()

    @property
    def over(self) -> bool:
        """Whether the total time is over, and so is the grace that may follow it."""
        now = self._clock.monotonic()
        return now >= self._deadline if self._grace is None else self._grace.is_over(now, self._moved)

    @property
    def expired(self) -> bool:
        """Whether the total time is over, with or without grace, or the caller has left."""
        return self._gone or self._clock.monotonic() >= self._deadline

    def leave(self) -> None:
        """End the send, because its caller has left.

        The current step, and each that follows, fails as if its time were over. httpcore then closes this connection
        and no other.
        """
        self._gone = True
        if self._step is not None:
            self._step.end()

    def left(self, seconds: float | None) -> float:
        """``seconds``, or the time left of the whole send if that is less."""
        if self._gone:
            return 0.0
        return max(min(self._otherwise if seconds is None else seconds, self._deadline - self._clock.monotonic()), 0.0)

    async def connect(
        self, begin: Callable[[], Coroutine[Any, Any, httpcore.AsyncNetworkStream]]
    ) -> httpcore.AsyncNetworkStream:
        """The connection that ``begin`` makes.

        It is made in an empty context: asyncio keeps the context as long as the connection lives, and must not keep the
        first caller's.
        """
        if self._alarms is None:
            return await begin()
        task = self._alarms.loop.create_task(begin(), context=Context())
        try:
            return await task
        except asyncio.CancelledError:
            if task.done() and not task.cancelled() and task.exception() is None:
                await task.result().aclose()
            raise

    def step(self, seconds: float | None) -> Bound | _BoundOnTrio:
        """A scope for one step. It ends when the time is over or the caller leaves.

        Args:
            seconds: At most the time left; None for a few rounds of the loop.
        """
        step = self._step = _BoundOnTrio(seconds) if self._alarms is None else Bound(self._alarms, seconds)
        return step

    async def read(self, stream: httpcore.AsyncNetworkStream, max_bytes: int, seconds: float | None) -> bytes | None:
        """The next bytes of the answer; None if none came in time.

        Raises:
            MaybeSentError: The head of the answer is not valid.
        """
        self._look()
        data = await self._read(stream, max_bytes, seconds)
        if data is None:
            return None
        self._moved += len(data)
        self._look()
        if self._heads is not None and data:
            self._heads.take(data)
            if self._heads.whole:
                self._heads = None
        return data

    async def write(self, stream: httpcore.AsyncNetworkStream, buffer: bytes, seconds: float | None) -> bool:
        """Write everything, in pieces. The timeout applies to each piece. False if one could not be written in time."""
        size = _PIECE_ON_TRIO if self._alarms is None else _PIECE
        if len(buffer) <= size:
            return await self._write(stream, buffer, seconds)
        whole = memoryview(buffer)
        for start in range(0, len(whole), size):
            self._look()
            if self._alarms is None and not await self._writable(stream, seconds):
                return False
            piece: Any = whole[start : start + size]
            if not await self._write(stream, piece, seconds):
                return False
            self._moved += len(piece)
        return True

    def _look(self) -> None:
        if self._grace is None and not self._gone:
            now = self._clock.monotonic()
            if now > self._deadline + LATE:
                self._grace = Grace(now, self._moved)

    def _seconds(self, seconds: float | None) -> float | None:
        """The time of one step; None for a few rounds of the loop."""
        return self.left(seconds) if self._grace is None or self._gone else None

    def _is_late(self, due: float) -> bool:
        """Whether a step that timed out gets a few more rounds. On asyncio its scope has already given them."""
        return self._alarms is None and not self._gone and self._clock.monotonic() > due + LATE

    async def _read(self, stream: httpcore.AsyncNetworkStream, max_bytes: int, seconds: float | None) -> bytes | None:
        bound = self._seconds(seconds)
        due = self._clock.monotonic() + (bound or 0.0)
        with self.step(bound):
            return await stream.read(max_bytes, None)
        if bound is not None and self._is_late(due):
            # Only the wait was given up: bytes that have come are still there.
            with self.step(None):
                return await stream.read(max_bytes, None)
        return None

    async def _write(self, stream: httpcore.AsyncNetworkStream, buffer: bytes, seconds: float | None) -> bool:
        bound = self._seconds(seconds)
        if bound is None and self._alarms is None:
            bound = GRACE
        with self.step(bound):
            await stream.write(buffer, None)
            return True
        return False

    async def _writable(self, stream: httpcore.AsyncNetworkStream, seconds: float | None) -> bool:
        """Wait until the socket can be written. For trio. False if it takes too long."""
        import trio

        sock = stream.get_extra_info("socket")
        bound = self._seconds(seconds)
        due = self._clock.monotonic() + (bound or 0.0)
        with self.step(bound):
            await trio.lowlevel.wait_writable(sock)
            return True
        if bound is not None and self._is_late(due):
            with self.step(None):
                await trio.lowlevel.wait_writable(sock)
                return True
        return False


@final
class _BoundOnTrio:
    """The same for trio as :class:`~norce_order_async.runtime.timers.Bound` for asyncio, without grace when the end is
    noticed late."""

    __slots__ = ("_rounds", "_scope", "_seconds", "_token")

    def __init__(self, seconds: float | None) -> None:
        import trio

        self._seconds = seconds
        self._rounds = ROUNDS
        self._scope = trio.CancelScope()

    def end(self) -> None:
        """End the scope."""
        self._scope.cancel()

    def __enter__(self) -> None:
        import trio

        if self._seconds is None:
            self._token = trio.lowlevel.current_trio_token()
            self._token.run_sync_soon(self._round)
        else:
            self._scope.deadline = trio.current_time() + self._seconds
        self._scope.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._rounds = 0
        return self._scope.__exit__(kind, error, trace)

    def _round(self) -> None:
        if self._rounds > 1:
            self._rounds -= 1
            self._token.run_sync_soon(self._round)
        elif self._rounds:
            self._scope.cancel()


@final
class Stream:
    """One connection. Before httpcore reuses an idle one it asks whether it is readable, and closes it if it is."""

    def __init__(self, inner: httpcore.AsyncNetworkStream, core: ModuleType, clock: Clock, keep_idle: float) -> None:
        self._inner = inner
        self._core: Any = core
        self._clock = clock
        self._keep_idle = keep_idle
        self._heard = clock.monotonic()
        self._dropped = False
        tls: ssl.SSLObject | None = inner.get_extra_info("ssl_object")
        self._tls = tls

    def drop(self) -> None:
        """Close it at once, even in the middle of an answer."""
        self._dropped = True
        shut_down(self._inner)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Called by httpcore to read; within the time limits of the current send."""
        bounds = CURRENT.get()
        data: bytes | None
        if bounds is None:
            data = await self._inner.read(max_bytes, timeout)
        else:
            data = await bounds.read(self._inner, max_bytes, timeout)
        if data is None:
            raise self._core.ReadTimeout
        self._heard = self._clock.monotonic()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Called by httpcore to write; within the time limits of the current send."""
        bounds = CURRENT.get()
        if bounds is None:
            await self._inner.write(buffer, timeout)
        elif not await bounds.write(self._inner, buffer, timeout):
            raise self._core.WriteTimeout

    async def aclose(self) -> None:
        """Close the connection."""
        self._dropped = True
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Stream:
        """The same connection with TLS on it."""
        try:
            inner = await _connecting(lambda: self._inner.start_tls(ssl_context, server_hostname, None), timeout)
        except BaseException:
            # httpcore closes it after an error, and not when it is cancelled in the middle of a handshake.
            with anyio.CancelScope(shield=True):
                await self._inner.aclose()
            raise
        if inner is None:
            await self._inner.aclose()
            raise self._core.ConnectTimeout
        return Stream(inner, self._core, self._clock, self._keep_idle)

    def get_extra_info(self, info: str) -> Any:
        """Called by httpcore for facts about the connection."""
        if info == "is_readable":
            return self._is_stale() or self._inner.get_extra_info(info) or self._has_decrypted()
        return self._inner.get_extra_info(info)

    def _is_stale(self) -> bool:
        return self._dropped or self._clock.monotonic() - self._heard > self._keep_idle

    def _has_decrypted(self) -> bool:
        """Whether TLS holds decrypted bytes that came after the last answer. The socket does not show them."""
        if self._tls is None:
            return False
        try:
            return bool(self._tls.read(1))
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError:
            return True


@final
class Backend:
    """Opens :class:`Stream` connections."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend, core: ModuleType, clock: Clock, keep_idle: float) -> None:
        self._inner = inner
        self._core: Any = core
        self._clock = clock
        self._keep_idle = keep_idle

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Stream:
        """Open a TCP connection."""
        inner = await _connecting(
            lambda: self._inner.connect_tcp(host, port, None, local_address, socket_options), timeout
        )
        if inner is None:
            raise self._core.ConnectTimeout
        return Stream(inner, self._core, self._clock, self._keep_idle)


def watch(transport: Any, clock: Clock, keep_idle: float) -> bool:
    """Make an ``AsyncHTTPTransport`` use the connections of this module.

    Connections that were idle for longer than ``keep_idle`` seconds are closed. Returns False if this version of httpx
    does not support it.
    """
    pool: Any = getattr(transport, "_pool", None)
    if not hasattr(pool, "_network_backend"):
        return False
    core = import_module(type(pool).__module__.partition(".")[0])
    pool._network_backend = Backend(pool._network_backend, core, clock, keep_idle)  # noqa: SLF001
    return True


async def _connecting(
    begin: Callable[[], Coroutine[Any, Any, httpcore.AsyncNetworkStream]], seconds: float | None
) -> httpcore.AsyncNetworkStream | None:
    """The connection that a step of connecting makes; None if it takes too long."""
    bounds = CURRENT.get()
    if bounds is None:
        return await begin()
    with bounds.step(bounds.left(seconds)):
        return await bounds.connect(begin)
    return None


def left_over(response: Any) -> bool:
    """Whether bytes came after a complete answer. httpcore would take them for the next one's."""
    stream = getattr(response, "stream", None)
    while stream is not None:
        connection = getattr(stream, "_connection", None)
        if connection is not None:
            return bool(connection._h11_state.trailing_data[0])  # noqa: SLF001
        stream = getattr(stream, "_httpcore_stream", None) or getattr(stream, "_stream", None)
    return False


def shut_down(stream: Any) -> None:
    """Shut a connection down in both directions without waiting, so that its owner sees the end."""
    sock = stream.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
