"""The ASGI application: receive and record, route, admit, perform, answer.

The outer part reads the whole request, puts it into the log and writes the one answer; so every request is recorded,
those for unknown paths too, and nothing leaves but JSON. Routes come from the description, one a path, with all the
methods of that path behind it.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from .admission import admit
from .description import Description, Operation
from .handlers import HANDLERS
from .operation import Answer, Handler, World, answer
from .perform import perform
from .refusals import Refusal
from .requestlog import ReceivedRequest, RequestLog, masked

PREFIX = "/checkout/order"
SERVER_NAME = "local-order-sandbox"

_log = logging.getLogger("norce_order_async.sandbox")


class App:
    """The sandbox as an ASGI application; works without a server and without lifespan."""

    def __init__(
        self,
        description: Description,
        world: World,
        requests: RequestLog,
        *,
        token: str,
        max_body: int,
        on_request: Callable[[ReceivedRequest], None] | None = None,
    ) -> None:
        self._requests = requests
        self._max_body = max_body
        self._on_request = on_request
        self._other_protocols = Router()
        by_path: dict[str, dict[str, tuple[Operation, Handler]]] = {}
        for operation in description.operations:
            if operation.id in HANDLERS:
                methods = by_path.setdefault(operation.path, {})
                methods[operation.method] = (operation, HANDLERS[operation.id])
        self._router = Router(
            [Route(PREFIX + path, _Endpoint(methods, world, token)) for path, methods in by_path.items()],
            redirect_slashes=False,
            default=_unknown_path,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # Lifespan needs no work, and a websocket is closed: both as any ASGI router does it.
            await self._other_protocols(scope, receive, send)
            return
        started = time.perf_counter()
        exchange = await _received(scope, receive, self._max_body)
        if exchange is None:
            return
        request = exchange.request
        self._requests.add(request)
        scope["sandbox"] = exchange
        if exchange.too_large:
            exchange.reply = _refused(Refusal(413, "order-bad-request", f"The body is over {self._max_body} bytes."))
        else:
            await self._router(scope, receive, send)
        request.status = exchange.reply.status
        await _write(exchange.reply, send)
        request.seconds = time.perf_counter() - started
        if self._on_request is not None:
            self._on_request(request)


class _Exchange:
    """One request and what is to be answered; handed inward in the ASGI scope, so that only `App` sends."""

    def __init__(self, request: ReceivedRequest, authorization: str | None, too_large: bool) -> None:
        self.request = request
        self.authorization = authorization
        self.too_large = too_large
        self.reply = Answer()


class _Endpoint:
    """All operations of one path."""

    def __init__(self, methods: Mapping[str, tuple[Operation, Handler]], world: World, token: str) -> None:
        self._methods = methods
        self._world = world
        self._token = token

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        exchange = cast("_Exchange", scope["sandbox"])
        try:
            exchange.reply = await self._answer(exchange, scope["path_params"])
        except Refusal as refusal:
            exchange.reply = _refused(refusal)
        except Exception:  # noqa: BLE001 - whatever went wrong, the caller gets an answer and the log the reason
            _log.exception("%s %s failed", exchange.request.method, exchange.request.path)
            exchange.reply = _refused(Refusal(500, "internal-server-error", "The sandbox failed; its log says why."))

    async def _answer(self, exchange: _Exchange, ids: Mapping[str, str]) -> Answer:
        request = exchange.request
        found = self._methods.get(request.method)
        if found is None:
            refusal = Refusal(405, "method-not-allowed", f"{request.method} is not possible here.")
            return _refused(refusal, {"allow": ", ".join(self._methods)})
        operation, handler = found
        request.operation = operation.id
        return await perform(self._world, handler, admit(operation, request, exchange.authorization, ids, self._token))


async def _unknown_path(scope: Scope, _receive: Receive, _send: Send) -> None:
    exchange = cast("_Exchange", scope["sandbox"])
    exchange.reply = _refused(Refusal(404, "not-found", "There is nothing at this path."))


async def _received(scope: Scope, receive: Receive, max_body: int) -> _Exchange | None:
    """The whole request; None when its sender went away before the end."""
    headers: dict[str, str] = {}
    raw: list[tuple[bytes, bytes]] = scope["headers"]
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        # Repeated headers are one with a comma, as HTTP has it: a doubled x-merchant then names nobody's orders.
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message: Mapping[str, Any] = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size <= max_body:
            chunks.append(chunk)
        more = message.get("more_body", False)
    request = ReceivedRequest(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers=masked(headers),
        body=b"".join(chunks),
    )
    return _Exchange(request, headers.get("authorization"), too_large=size > max_body)


def _refused(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Answer:
    return answer({"code": refusal.code, "message": refusal.message}, refusal.status, headers)


async def _write(reply: Answer, send: Send) -> None:
    headers = [(b"server", SERVER_NAME.encode())]
    if reply.status != 204:
        headers.append((b"content-length", str(len(reply.body)).encode()))
    if reply.body:
        headers.append((b"content-type", b"application/json"))
    headers.extend((name.encode(), value.encode()) for name, value in reply.headers.items())
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
