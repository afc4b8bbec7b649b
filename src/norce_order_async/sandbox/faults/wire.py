"""Breaking an answer on its way: what a fault does to the connection below ASGI.

`protocol` makes uvicorn's own protocol, whichever parser is installed, and puts it into the state of its requests'
scopes; there an `OutgoingAnswer` finds the transport to reset, close or write to. A request that came without a server
has none; its caller gets the httpx exception that the same fault gives over a socket.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Never, Protocol, cast

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

_KEY = "norce-order-sandbox"

_NO_LINGER = struct.pack("ii", 1, 0)
"""On, for no time at all: closing then resets."""


class _HasTransport(Protocol):
    transport: asyncio.Transport


def protocol(refuses: Callable[[], bool], parser: type[asyncio.Protocol] = AutoHTTPProtocol) -> type[asyncio.Protocol]:
    """What uvicorn is to make for each connection; `refuses` is asked whether it is to be turned away."""
    make = cast("Callable[..., asyncio.Protocol]", parser)

    def made(*, app_state: dict[str, Any], **arguments: Any) -> asyncio.Protocol:
        if refuses():
            return _Refusal()
        state = dict(app_state)
        connection = make(app_state=state, **arguments)
        state[_KEY] = connection
        return connection

    # uvicorn calls it and asks no more of it.
    return cast("type[asyncio.Protocol]", made)


class _Refusal(asyncio.Protocol):
    """A connection that is reset as soon as it is there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        reset(cast("asyncio.Transport", transport))


def transport_of(scope: Scope) -> asyncio.Transport | None:
    """The connection that a request came over."""
    connection: _HasTransport | None = scope.get("state", {}).get(_KEY)
    return None if connection is None else connection.transport


def refused_in_process() -> Never:
    """What a client in this process gets in place of a connection."""
    raise _httpx_error("ConnectError", "the connection was refused")


class OutgoingAnswer:
    """One answer on its way: what it is, and what a fault can do with it."""

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
        """Sleeps for so many seconds, but not beyond the end of the server."""
        self._start = start
        self._transport = transport_of(scope)
        self._receive = receive
        self._send = send

    @property
    def status(self) -> int:
        """The status."""
        status: int = self._start["status"]
        return status

    async def send(self) -> None:
        """Send all of it, as if there were no fault."""
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
        """Write bytes below HTTP; nothing without a connection."""
        if self._transport is not None:
            self._transport.write(raw)

    async def break_off(self, how: Callable[[asyncio.Transport], None], httpx_name: str, text: str) -> None:
        """Break the connection and wait until it is gone: only then may the application return without an answer.

        Without a connection, the caller gets the httpx exception of that name.
        """
        if self._transport is None:
            raise _httpx_error(httpx_name, text)
        how(self._transport)
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _httpx_error(name: str, text: str) -> Exception:
    # Imported here, because only calls without a socket need it.
    import httpx

    error: Exception = getattr(httpx, name)(f"{text}, as the fault plan has it")
    return error


def reset(transport: asyncio.Transport) -> None:
    """Reset the connection."""
    connection: socket.socket = transport.get_extra_info("socket")
    # The caller may have closed it meanwhile.
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def close(transport: asyncio.Transport) -> None:
    """Close the connection when all is sent."""
    transport.close()
