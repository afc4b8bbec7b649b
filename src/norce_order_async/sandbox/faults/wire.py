"""What a fault does to a connection, below ASGI.

`protocol` makes uvicorn's own protocol, whichever parser is installed, and puts it into the state of the ASGI scope.
There an `OutgoingAnswer` finds the transport to reset, close or write to. A request that came without a server has no
transport: its caller gets the httpx exception that the same fault causes over a socket.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Never, Protocol, cast

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.server import ServerState

_KEY = "norce-order-sandbox"
_LONGEST_LINE = 64 * 1024
"""Bytes of a request line that are waited for; no path is looked for in a longer one."""

_NO_LINGER = struct.pack("ii", 1, 0)
"""SO_LINGER on, with 0 seconds: closing then resets the connection."""


class _HasTransport(Protocol):
    transport: asyncio.Transport


def protocol(
    refuses: Callable[[], bool], exempt: Sequence[str] = (), parser: type[asyncio.Protocol] = AutoHTTPProtocol
) -> type[asyncio.Protocol]:
    """The protocol that uvicorn makes for each connection.

    Args:
        refuses: Called once for each connection; returns whether to reset it.
        exempt: The starts of paths whose connections are never reset, and not counted.
        parser: uvicorn's own protocol.
    """
    make = cast("Callable[..., asyncio.Protocol]", parser)
    exempt_paths = tuple(path.encode() for path in exempt)

    def made(*, app_state: dict[str, Any], server_state: ServerState, **arguments: Any) -> asyncio.Protocol:
        def accepted() -> asyncio.Protocol:
            state = dict(app_state)
            connection = make(app_state=state, server_state=server_state, **arguments)
            state[_KEY] = connection
            return connection

        def is_refused(path: bytes) -> bool:
            return not path.startswith(exempt_paths) and refuses()

        return _NewConnection(accepted, is_refused, cast("set[object]", server_state.connections))

    # uvicorn only calls it, so a function will do.
    return cast("type[asyncio.Protocol]", made)


class _NewConnection(asyncio.Protocol):
    """A connection up to its first request line: then it is reset, or uvicorn's own protocol takes over."""

    def __init__(
        self,
        accepted: Callable[[], asyncio.Protocol],
        is_refused: Callable[[bytes], bool],
        connections: set[object],
    ) -> None:
        self._accepted = accepted
        self._is_refused = is_refused
        self._connections = connections
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        # uvicorn calls `shutdown` of these when it stops.
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        line, end, _ = self._received.lstrip(b"\r\n").partition(b"\n")
        if self._transport is None or not (end or len(line) > _LONGEST_LINE):
            return
        self._connections.discard(self)
        _, _, target = line.partition(b" ")
        if self._is_refused(target):
            reset(self._transport)
            return
        connection = self._accepted()
        self._transport.set_protocol(connection)
        connection.connection_made(self._transport)
        connection.data_received(self._received)

    def shutdown(self) -> None:
        """Close the connection, because the server stops."""
        if self._transport is not None:
            self._transport.close()


def transport_of(scope: Scope) -> asyncio.Transport | None:
    """The transport of the connection that a request came over; None without a server."""
    connection: _HasTransport | None = scope.get("state", {}).get(_KEY)
    return None if connection is None else connection.transport


def refused_in_process() -> Never:
    """Raise the error that a client in this process gets in place of a connection."""
    raise _httpx_error("ConnectError", "the connection was refused")


class OutgoingAnswer:
    """One answer on its way to the caller, and what a fault can do to it."""

    def __init__(
        self,
        start: Message,
        body: bytes,
        wait: Callable[[float], Awaitable[None]],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self.body = body
        self.wait = wait
        """Sleeps for some seconds, but not beyond the stop of the server."""
        self._start = start
        self._transport = transport_of(scope)
        self._receive = receive
        self._send = send

    @property
    def status(self) -> int:
        """The status of the answer."""
        status: int = self._start["status"]
        return status

    async def send(self) -> None:
        """Send the whole answer, as without a fault."""
        await self.send_head()
        await self._send({"type": "http.response.body", "body": self.body})

    async def send_head(self) -> None:
        """Send status and headers; `send_part` and `finish` or `break_off` follow."""
        await self._send(self._start)

    async def send_part(self, part: bytes) -> None:
        """Send a part of the body."""
        await self._send({"type": "http.response.body", "body": part, "more_body": True})

    async def finish(self) -> None:
        """End an answer that was sent in parts."""
        await self._send({"type": "http.response.body"})

    def write(self, raw: bytes) -> None:
        """Write bytes below HTTP; does nothing without a connection."""
        if self._transport is not None:
            self._transport.write(raw)

    async def break_off(self, how: Callable[[asyncio.Transport], None], httpx_name: str, text: str) -> None:
        """Break the connection and wait until it is closed; only then may the application return without an answer.

        Without a connection, raise the httpx exception with the name ``httpx_name``, which the caller gets.
        """
        if self._transport is None:
            raise _httpx_error(httpx_name, text)
        how(self._transport)
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _httpx_error(name: str, text: str) -> Exception:
    # Imported here, because only calls without a socket need httpx.
    import httpx

    error: Exception = getattr(httpx, name)(f"{text}, as the fault plan has it")
    return error


def reset(transport: asyncio.Transport) -> None:
    """Reset the connection."""
    connection: socket.socket = transport.get_extra_info("socket")
    # The caller may have closed it in the meantime.
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def close(transport: asyncio.Transport) -> None:
    """Close the connection once everything is sent."""
    transport.close()
