"""Breaking an answer on its way: what a fault does to the connection below ASGI.

`protocol` makes uvicorn's own protocol, whichever parser is installed, and puts it into the state of its requests'
scopes; there an ending finds the transport to reset, close or write to. A request that came without a server has none;
its caller gets the httpx exception that the same fault gives over a socket.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any, Never, Protocol, cast

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from norce_order_async.sandbox.faults.kinds import Breaking, CutBody, Drip, LoseAnswer, Reset

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
        _reset(cast("asyncio.Transport", transport))


def transport_of(scope: Scope) -> asyncio.Transport | None:
    """The connection that a request came over."""
    connection: _HasTransport | None = scope.get("state", {}).get(_KEY)
    return None if connection is None else connection.transport


def refused_in_process() -> Never:
    """What a client in this process gets in place of a connection."""
    raise _httpx_error("ConnectError", "the connection was refused")


async def end(
    fault: Breaking | None,
    start: Message,
    body: bytes,
    wait: Callable[[float], Awaitable[None]],
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Send an answer as a fault has it."""
    match fault:
        case Reset():
            await _broken(scope, receive, _reset, ("ReadError", "the connection was reset"))
        case LoseAnswer():
            await _broken(scope, receive, _close, ("RemoteProtocolError", "it was closed without an answer"))
        case CutBody(keep):
            await _cut(keep, start, body, scope, receive, send)
        case Drip(every, chunk):
            await send(start)
            for offset in range(0, len(body), chunk):
                await send(_part(body[offset : offset + chunk]))
                await wait(every)
            await send({"type": "http.response.body"})
        case _:
            await send(start)
            await send({"type": "http.response.body", "body": body})


def arrives(fault: Breaking | None) -> bool:
    """Whether an answer gets to its end."""
    return not isinstance(fault, Reset | LoseAnswer | CutBody)


async def _cut(keep: float, start: Message, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
    def half_a_head(transport: asyncio.Transport) -> None:
        transport.write(f"HTTP/1.1 {start['status']} \r\nserv".encode())
        transport.close()

    error = ("RemoteProtocolError", "the answer was cut")
    if not body:
        await _broken(scope, receive, half_a_head, error)
        return
    await send(start)
    await send(_part(body[: int(len(body) * keep)]))
    await _broken(scope, receive, _close, error)


def _part(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}


async def _broken(
    scope: Scope, receive: Receive, how: Callable[[asyncio.Transport], None], in_process: tuple[str, str]
) -> None:
    """Break the connection and wait until it is gone: only then may the application return without an answer."""
    transport = transport_of(scope)
    if transport is None:
        raise _httpx_error(*in_process)
    how(transport)
    while (await receive())["type"] != "http.disconnect":
        pass


def _httpx_error(name: str, text: str) -> Exception:
    # Imported here: over a socket, as it mostly is, nobody needs it.
    import httpx

    error: Exception = getattr(httpx, name)(f"{text}, as the fault plan has it")
    return error


def _reset(transport: asyncio.Transport) -> None:
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def _close(transport: asyncio.Transport) -> None:
    transport.close()
