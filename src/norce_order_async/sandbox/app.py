"""The ASGI application: it receives, records and routes a request, plays a fault if one is due, and answers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

import anyio
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from norce_order_async.sandbox.admin import PREFIX as ADMIN_PREFIX
from norce_order_async.sandbox.admin import Admin
from norce_order_async.sandbox.callbacks.notifications import Courier
from norce_order_async.sandbox.faults import Faults, LoseThenLate, Respond, TakeIn
from norce_order_async.sandbox.faults.kinds import Breaking, ending
from norce_order_async.sandbox.faults.wire import OutgoingAnswer, refused_in_process, transport_of
from norce_order_async.sandbox.policy import STATE_DELAY, done_despite
from norce_order_async.sandbox.readings import ReadingsInUse, noted_in
from norce_order_async.sandbox.records import EndedRequests, ReceivedRequest, RequestLog, masked
from norce_order_async.sandbox.schema import Description, Operation
from norce_order_async.sandbox.service.admission import admit
from norce_order_async.sandbox.service.answers import refused
from norce_order_async.sandbox.service.calls import Call, Handler, Reads, ServiceAnswer, World, answer, load
from norce_order_async.sandbox.service.commit import Deferred, commit, rehearse
from norce_order_async.sandbox.service.handlers import HANDLERS
from norce_order_async.sandbox.service.refusals import Refusal


async def lifespan(courier: Courier, deferred: Deferred, receive: Receive, send: Send) -> None:
    """Answer the server's start and stop; in between, deliver notifications and carry out changes that become due."""
    await receive()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(courier.run)
        tasks.start_soon(deferred.run)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        tasks.cancel_scope.cancel()
    await send({"type": "lifespan.shutdown.complete"})


PREFIX = "/checkout/order"
INSPECTOR_PREFIX = "/__inspect"
SERVER_NAME = "local-order-sandbox"

_READS_BY_POST = "Validate"

_log = logging.getLogger("norce_order_async.sandbox")


class App:
    """The sandbox as an ASGI application. It also works without a server and without lifespan."""

    def __init__(
        self,
        description: Description,
        world: World,
        requests: RequestLog,
        ended: EndedRequests,
        faults: Faults,
        deferred: Deferred,
        *,
        tokens: Collection[str],
        max_body: int,
        admin: Admin | None,
        on_request: Callable[[ReceivedRequest], None] | None = None,
        on_answer: Callable[[ReceivedRequest, ServiceAnswer], None] | None = None,
        inspector: ASGIApp | None = None,
    ) -> None:
        self._requests = requests
        self._ended = ended
        self._faults = faults
        self._deferred = deferred
        self._admin = admin
        self._max_body = max_body
        self._on_request = on_request
        self._on_answer = on_answer
        self._inspector = inspector
        self._courier = world.courier
        self._readings = world.readings
        self._other_protocols = Router()
        by_path: dict[str, dict[str, tuple[Operation, Handler]]] = {}
        for operation in description.operations:
            if operation.id in HANDLERS:
                methods = by_path.setdefault(operation.path, {})
                methods[operation.method] = (operation, HANDLERS[operation.id])
        self._router = Router(
            [
                Route(PREFIX + path, _Endpoint(methods, world, faults, deferred, tokens))
                for path, methods in by_path.items()
            ],
            redirect_slashes=False,
            default=_unknown_path,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] == "lifespan":
            await lifespan(self._courier, self._deferred, receive, send)
            return
        if scope["type"] != "http":
            # A websocket is closed, as ASGI routers do.
            await self._other_protocols(scope, receive, send)
            return
        if self._admin is not None and scope["path"].startswith(ADMIN_PREFIX):
            await self._administer(self._admin, scope, receive, send)
            return
        if self._inspector is not None and scope["path"].startswith(f"{INSPECTOR_PREFIX}/"):
            await self._inspector(scope, receive, send)
            return
        if transport_of(scope) is None and self._faults.refuses_connection():
            refused_in_process()
        started = time.perf_counter()
        exchange = await _received(scope, receive, self._max_body, self._readings)
        if exchange is None:
            return
        request = exchange.request
        self._requests.add(request)
        scope["sandbox"] = exchange
        with noted_in(request.rules):
            await self._deferred.carry_out()
            if exchange.too_large:
                refusal = Refusal(413, "order-bad-request", f"The body is over {self._max_body} bytes.")
                exchange.reply = refused(self._readings, refusal)
            else:
                await self._router(scope, receive, send)
        if exchange.fault is None or ending(exchange.fault).arrives:
            request.status = exchange.reply.status
        try:
            await self._write(exchange.reply, exchange.fault, scope, receive, send)
        finally:
            request.seconds = time.perf_counter() - started
            self._ended.add(request)
            if self._on_answer is not None:
                self._on_answer(request, exchange.reply)
            if self._on_request is not None:
                self._on_request(request)

    async def _administer(self, admin: Admin, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request about the sandbox itself, which is not logged and meets no fault."""
        exchange = await _received(scope, receive, admin.max_body, self._readings)
        if exchange is not None:
            try:
                reply = await admin.answer(exchange.request, exchange.authorization)
            except Refusal as refusal:
                reply = _admin_refusal(refusal)
            await self._write(reply, None, scope, receive, send)

    async def _write(
        self, reply: ServiceAnswer, fault: Breaking | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        headers = [(b"server", SERVER_NAME.encode())]
        if reply.status != 204:
            headers.append((b"content-length", str(len(reply.body)).encode()))
        if reply.body and "content-type" not in reply.headers:
            headers.append((b"content-type", b"application/json"))
        headers.extend((name.encode(), value.encode()) for name, value in reply.headers.items())
        start = {"type": "http.response.start", "status": reply.status, "headers": headers}
        outgoing = OutgoingAnswer(start, reply.body, self._faults.wait, scope, receive, send)
        await (outgoing.send() if fault is None else ending(fault).end(fault, outgoing))


class _Exchange:
    """One request and its answer to be. It is handed on in the ASGI scope, so that only `App` sends."""

    def __init__(
        self, request: ReceivedRequest, authorization: str | None, too_large: bool, readings: ReadingsInUse
    ) -> None:
        self.readings = readings
        self.request = request
        self.authorization = authorization
        self.too_large = too_large
        self.reply = ServiceAnswer()
        self.fault: Breaking | None = None
        """The fault that breaks the reply on its way, if any."""


class _Endpoint:
    """All operations of one path."""

    def __init__(
        self,
        methods: Mapping[str, tuple[Operation, Handler]],
        world: World,
        faults: Faults,
        deferred: Deferred,
        tokens: Collection[str],
    ) -> None:
        self._methods = methods
        self._world = world
        self._faults = faults
        self._deferred = deferred
        self._tokens = tokens

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        exchange = cast("_Exchange", scope["sandbox"])
        request = exchange.request
        found = self._methods.get(request.method)
        if found is None:
            refusal = Refusal(405, "method-not-allowed", f"{request.method} is not possible here.")
            exchange.reply = refused(self._world.readings, refusal, {"allow": ", ".join(self._methods)})
            return
        operation, handler = found
        request.operation = operation.id
        reads = request.method == "GET" or operation.id == _READS_BY_POST
        with self._faults.meets(operation.id, reads, exchange.authorization) as met:
            request.faults = tuple(met.names)
            exchange.fault = met.breaking
            if met.seconds:
                await self._faults.wait(met.seconds)
            exchange.reply = await self._reply(exchange, operation, handler, scope["path_params"])

    async def _reply(
        self, exchange: _Exchange, operation: Operation, handler: Handler, ids: Mapping[str, str]
    ) -> ServiceAnswer:
        """The answer, after the fault has had its effect on the request."""
        service = partial(self._answer, exchange, operation, handler, ids)
        fault = self._in_force(exchange.fault)
        return await (service() if fault is None else ending(fault).answer(fault, service))

    def _in_force(self, fault: Breaking | None) -> Breaking | None:
        """The fault, adapted to the readings in force."""
        if isinstance(fault, Respond) and not fault.after_effect:
            done = done_despite(self._world.readings, fault.status, says_when=fault.retry_after is not None)
            return replace(fault, after_effect=done)
        return fault

    async def _answer(
        self, exchange: _Exchange, operation: Operation, handler: Handler, ids: Mapping[str, str]
    ) -> ServiceAnswer:
        request = exchange.request
        try:
            call = admit(operation, request, exchange.authorization, ids, self._tokens, self._world.readings)
            match exchange.fault:
                case TakeIn(seconds, dropped):
                    load(self._world, call)
                    if not dropped:
                        self._deferred.add(seconds, handler, call)
                    return ServiceAnswer(202)
                case LoseThenLate(seconds):
                    if not isinstance(handler, Reads):
                        self._deferred.add(seconds, handler, call)
                    return ServiceAnswer()
                case _:
                    reply = await self._carried_out(handler, call)
            if reply.body and reply.status < 300:
                body = self._world.presentation.body(operation.id, ids.get("order_id", ""), reply.body)
                reply = replace(reply, body=body)
            return reply
        except Refusal as refusal:
            return refused(self._world.readings, refusal)
        except Exception:  # noqa: BLE001 - the caller gets an answer in any case, and the log the reason
            _log.exception("%s %s failed", request.method, request.path)
            failure = Refusal(500, "internal-server-error", "The sandbox failed; its log says why.")
            return refused(self._world.readings, failure)

    async def _carried_out(self, handler: Handler, call: Call) -> ServiceAnswer:
        """Carry out a call now, or perhaps later if it changes the status; returns the answer."""
        if call.operation != "UpdateCheckoutOrderState":
            return await commit(self._world, handler, call)
        reading = self._world.readings.of("state-answer")
        if reading == "200-when-done" or not rehearse(self._world, handler, call):
            return await commit(self._world, handler, call)
        if reading == "202-or-superseded":
            self._deferred.drop(call.operation, call.ids["order_id"])
        self._deferred.add(STATE_DELAY, handler, call)
        return ServiceAnswer(202)


async def _unknown_path(scope: Scope, _receive: Receive, _send: Send) -> None:
    exchange = cast("_Exchange", scope["sandbox"])
    said = "There is nothing at this path."
    if "/api/v1/" in exchange.request.path:
        said = "This local service imitates v0 of the API and not v1: /api/v0/checkout/orders."
    exchange.reply = refused(exchange.readings, Refusal(404, "not-found", said))


async def _received(scope: Scope, receive: Receive, max_body: int, readings: ReadingsInUse) -> _Exchange | None:
    """The whole request; None if its sender disconnected before the end."""
    headers: dict[str, str] = {}
    raw: list[tuple[bytes, bytes]] = scope["headers"]
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        # Repeated headers are joined by a comma, as in HTTP: a repeated x-merchant then matches no orders.
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
    return _Exchange(request, headers.get("authorization"), size > max_body, readings)


def _admin_refusal(refusal: Refusal) -> ServiceAnswer:
    return answer({"code": refusal.code, "message": refusal.message}, refusal.status)
