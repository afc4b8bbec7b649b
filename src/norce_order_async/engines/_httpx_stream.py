"""The sockets under httpx, through which its connection pool reads and writes, and how long that may take.

httpcore hands a timeout to each step. :class:`SendBounds` cuts it to what is left of the whole send at that moment,
and gives a step the grace of :mod:`~norce_order_async.engines.alarms` when its time is noticed late. It does so here
and not by cancelling the send, which would leave the pool dead.

httpx has no public way to choose the network backend of a transport. :func:`watch` sets a private attribute of
httpcore's pool. A version that no longer looks at it fails the tests; its own sockets are then used, without what is
here.

httpcore itself is imported by httpx when a pool is made, and takes its time: it loads trio where that is installed.
"""

from __future__ import annotations

import contextlib
import math
import socket
import ssl
from collections.abc import Generator, Iterable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, final

import httpx

from norce_order_async.clock import Clock
from norce_order_async.engines.alarms import GRACE, LATE, ROUNDS, Alarms, Bound, Grace

if TYPE_CHECKING:
    import httpcore


_PIECE: Final = 64 * 1024
"""Bytes of a body that are written with one timeout."""

_PIECE_ON_TRIO: Final = 16 * 1024
"""What a socket takes at once when it takes anything. On trio a write that was given up can't be taken up again."""

CURRENT: ContextVar[SendBounds | None] = ContextVar("norce_order_async.httpx_bounds", default=None)
"""Of the send that runs in this task."""


@final
class SendBounds:
    """How long one send may take, made anew for each.

    Args:
        clock: where time comes from.
        total: seconds for the whole.
        otherwise: seconds for a step that httpcore sets no timeout for.
        alarms: of the loop, where that is asyncio's.
    """

    __slots__ = ("_alarms", "_clock", "_deadline", "_grace", "_moved", "_otherwise")

    def __init__(self, clock: Clock, total: float | None, otherwise: float, alarms: Alarms | None) -> None:
        self._clock = clock
        self._deadline = math.inf if total is None else clock.monotonic() + total
        self._otherwise = otherwise
        self._alarms = alarms
        self._grace: Grace | None = None
        self._moved = 0

    @property
    def over(self) -> bool:
        """Whether the time for the whole is used up, and the grace that followed."""
        now = self._clock.monotonic()
        return now >= self._deadline if self._grace is None else self._grace.is_over(now, self._moved)

    @property
    def expired(self) -> bool:
        """Whether the time for the whole is used up, whatever follows."""
        return self._clock.monotonic() >= self._deadline

    def left(self, seconds: float | None) -> float:
        """So many seconds, or what is left of the whole."""
        return max(min(self._otherwise if seconds is None else seconds, self._deadline - self._clock.monotonic()), 0.0)

    async def read(self, stream: httpcore.AsyncNetworkStream, max_bytes: int, seconds: float | None) -> bytes:
        """What comes next.

        Raises:
            httpcore.ReadTimeout: nothing did in time.
        """
        self._look()
        data = await self._read(stream, max_bytes, seconds)
        self._moved += len(data)
        self._look()
        return data

    async def write(self, stream: httpcore.AsyncNetworkStream, buffer: bytes, seconds: float | None) -> None:
        """Write it all, in pieces that each have their seconds.

        Raises:
            httpcore.WriteTimeout: a piece could not be written in time.
        """
        size = _PIECE_ON_TRIO if self._alarms is None else _PIECE
        if len(buffer) <= size:
            await self._write(stream, buffer, seconds)
            return
        whole = memoryview(buffer)
        for start in range(0, len(whole), size):
            self._look()
            if self._alarms is None:
                await self._writable(stream, seconds)
            piece: Any = whole[start : start + size]
            await self._write(stream, piece, seconds)
            self._moved += len(piece)

    def _look(self) -> None:
        if self._grace is None:
            now = self._clock.monotonic()
            if now > self._deadline + LATE:
                self._grace = Grace(now, self._moved)

    def _seconds(self, seconds: float | None) -> float | None:
        """For one step; None for a few rounds of the loop."""
        return self.left(seconds) if self._grace is None else None

    async def _read(self, stream: httpcore.AsyncNetworkStream, max_bytes: int, seconds: float | None) -> bytes:
        import httpcore

        bound = self._seconds(seconds)
        if self._alarms is not None:
            with Bound(self._alarms, bound):
                return await stream.read(max_bytes, None)
            raise httpcore.ReadTimeout
        if bound is not None:
            due = self._clock.monotonic() + bound
            try:
                return await stream.read(max_bytes, bound)
            except httpcore.ReadTimeout:
                if self._clock.monotonic() <= due + LATE:
                    raise
        with _few_rounds():
            return await stream.read(max_bytes, None)
        raise httpcore.ReadTimeout

    async def _write(self, stream: httpcore.AsyncNetworkStream, buffer: bytes, seconds: float | None) -> None:
        import httpcore

        bound = self._seconds(seconds)
        if self._alarms is None:
            await stream.write(buffer, GRACE if bound is None else bound)
            return
        with Bound(self._alarms, bound):
            await stream.write(buffer, None)
            return
        raise httpcore.WriteTimeout

    async def _writable(self, stream: httpcore.AsyncNetworkStream, seconds: float | None) -> None:
        """Wait until the socket takes something. On trio."""
        import httpcore
        import trio

        sock = stream.get_extra_info("socket")
        bound = self._seconds(seconds)
        if bound is not None:
            due = self._clock.monotonic() + bound
            with trio.move_on_after(bound):
                await trio.lowlevel.wait_writable(sock)
                return
            if self._clock.monotonic() <= due + LATE:
                raise httpcore.WriteTimeout
        with _few_rounds():
            await trio.lowlevel.wait_writable(sock)
            return
        raise httpcore.WriteTimeout


@contextlib.contextmanager
def _few_rounds() -> Generator[None]:
    """A scope that is left after a few rounds of trio's loop."""
    import trio

    token = trio.lowlevel.current_trio_token()
    rounds = ROUNDS
    with trio.CancelScope() as scope:

        def look() -> None:
            nonlocal rounds
            rounds -= 1
            if rounds > 0:
                token.run_sync_soon(look)
            elif rounds == 0:
                scope.cancel()

        token.run_sync_soon(look)
        try:
            yield
        finally:
            rounds = 0


@final
class Stream:
    """One connection. httpcore asks whether it is readable before it uses an idle one, and drops it if so."""

    def __init__(self, inner: httpcore.AsyncNetworkStream, clock: Clock, keep_idle: float) -> None:
        self._inner = inner
        self._clock = clock
        self._keep_idle = keep_idle
        self._heard = clock.monotonic()
        self._dropped = False
        tls: ssl.SSLObject | None = inner.get_extra_info("ssl_object")
        self._tls = tls

    def drop(self) -> None:
        """Close it at once, whatever is on it."""
        self._dropped = True
        shut_down(self._inner)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """As httpcore asks for it."""
        bounds = CURRENT.get()
        if bounds is None:
            data = await self._inner.read(max_bytes, timeout)
        else:
            data = await bounds.read(self._inner, max_bytes, timeout)
        self._heard = self._clock.monotonic()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """As httpcore asks for it."""
        bounds = CURRENT.get()
        if bounds is None:
            await self._inner.write(buffer, timeout)
        else:
            await bounds.write(self._inner, buffer, timeout)

    async def aclose(self) -> None:
        """Close it."""
        self._dropped = True
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Stream:
        """The same connection, encrypted from here on."""
        inner = await self._inner.start_tls(ssl_context, server_hostname, _left(timeout))
        return Stream(inner, self._clock, self._keep_idle)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore wants to know of it."""
        if info == "is_readable":
            return self._is_stale() or self._inner.get_extra_info(info) or self._has_decrypted()
        return self._inner.get_extra_info(info)

    def _is_stale(self) -> bool:
        return self._dropped or self._clock.monotonic() - self._heard > self._keep_idle

    def _has_decrypted(self) -> bool:
        """Whether bytes that came with the last answer wait inside TLS, where the socket shows nothing of them."""
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
    """Opens :class:`Stream`."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend, clock: Clock, keep_idle: float) -> None:
        self._inner = inner
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
        """Connect."""
        inner = await self._inner.connect_tcp(host, port, _left(timeout), local_address, socket_options)
        return Stream(inner, self._clock, self._keep_idle)


def watch(transport: object, clock: Clock, keep_idle: float) -> bool:
    """Have the connections of an ``AsyncHTTPTransport``, or of all of an ``AsyncClient``, made here, and dropped when
    they were idle for longer than these seconds.

    False when this version of httpx does not let us.
    """
    pools: list[Any] = [getattr(one, "_pool", None) for one in _transports(transport) if one is not None]
    for pool in pools:
        if not hasattr(pool, "_network_backend"):
            return False
        pool._network_backend = Backend(pool._network_backend, clock, keep_idle)  # noqa: SLF001
    return True


def _left(seconds: float | None) -> float | None:
    bounds = CURRENT.get()
    return seconds if bounds is None else bounds.left(seconds)


def left_over(response: Any) -> bool:
    """Whether bytes came behind an answer that was read whole. httpcore would take them for the next one's."""
    stream = getattr(response, "stream", None)
    while stream is not None:
        connection = getattr(stream, "_connection", None)
        if connection is not None:
            return bool(connection._h11_state.trailing_data[0])  # noqa: SLF001
        stream = getattr(stream, "_httpcore_stream", None) or getattr(stream, "_stream", None)
    return False


def shut_down(stream: Any) -> None:
    """Close a connection in both directions without waiting, so that whoever holds it sees its end."""
    sock = stream.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _transports(made: Any) -> Iterator[Any]:
    if isinstance(made, httpx.AsyncClient):
        client: Any = made
        yield client._transport  # noqa: SLF001
        yield from client._mounts.values()  # noqa: SLF001
    else:
        yield made
