"""The adapter: an ASGI app that answers the service's calls by the handlers that it was given.

A call passes the gate (:mod:`~norce_order_async.adapter.routing`), its body is read
(:mod:`~norce_order_async.adapter.bodies`), its handler runs with a call object
(:mod:`~norce_order_async.adapter.calls`), and what that returns becomes the answer
(:mod:`~norce_order_async.adapter.answers`).
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Collection, MutableMapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar

from norce_order_async._json import write_json
from norce_order_async.adapter import registration as registering
from norce_order_async.adapter.answers import (
    DONE,
    Deny,
    HttpAnswer,
    denial_answer,
    error_answer,
    hook_answer,
    patch_answer,
    problems,
    problems_answer,
    validation_answer,
)
from norce_order_async.adapter.bodies import MAX_BODY, id_in, read_order_aside
from norce_order_async.adapter.calls import HookCall, NotificationCall, ValidationCall, now_utc
from norce_order_async.adapter.patches import DraftError, needs
from norce_order_async.adapter.records import Cause, Counts, Denial, Denials
from norce_order_async.adapter.routing import (
    Ack,
    Admitted,
    Gate,
    Handler,
    Kind,
    OnError,
    Refused,
    Route,
    bearer_secrets,
    check_pointer,
    check_public_url,
    name_of,
    path_secrets,
)
from norce_order_async.adapter.simulate import Simulate
from norce_order_async.checking import check_kind, check_number, check_whole
from norce_order_async.context import check_header_value
from norce_order_async.display import shown
from norce_order_async.errors import ConfigurationError
from norce_order_async.runtime.loop import runs_on_trio
from norce_order_async.scope import Scope, session_of

if TYPE_CHECKING:
    from norce_order_async.orders.order import Order

logger = logging.getLogger("norce_order_async.adapter")

BUDGET: Final = 3.0
"""Seconds that a hook or a validation has, from the arrival of the call. The service's own limit is not published."""
NOTIFICATION_BUDGET: Final = 30.0
"""Seconds that the handler of a notification has."""
MAX_CONCURRENT: Final = 100
"""Handlers of one kind that run at the same time."""
READ_WITHIN: Final = 30.0
"""Seconds in which the body of a notification must have come."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
H = TypeVar("H", bound=Handler)

_ERROR: Final = Deny("adapter-error", "The adapter could not answer.")
_LATE: Final = Deny("adapter-late", "The adapter did not answer in time.")
_BUSY: Final = Deny("adapter-busy", "The adapter has too many calls at once.")
_EDIT: Final = Deny("adapter-error", "The adapter made an edit that can't be sent.")
_SLOW: Final = error_answer(408, "timeout", "The body did not come in time.")
_JSON: Final = (b"content-type", b"application/json")


class Adapter:
    """An ASGI app that the order service calls: hooks, validations and notifications of one adapter id.

    ``norce.adapter(...)`` makes one, decorators give it handlers::

        adapter = norce.adapter("erp", public_url="https://erp.example.com/norce", secret=env["ERP_PATH_SECRET"])

        @adapter.hook("/state", target="/payments")
        async def guard(call):
            if call.proposed.status == "completed" and call.proposed.outstanding:
                return deny("unpaid", "the payments do not cover the order")

        app = Starlette(routes=[Mount("/norce", adapter)])   # or: uvicorn module:adapter
        await adapter.ensure(order)

    Mounted in another app, it is entered there: ``async with adapter:``. That is needed for handlers with
    ``ack="first"`` only.

    Attributes:
        adapter_id: sent as ``x-adapterid`` with the adapter's own calls.
        public_url: where the service reaches it, without the secret.
        counts: how many calls there were and what came of them.
        denials: the latest changes that it denied.
        simulate: makes calls to it without a service.
    """

    def __init__(
        self,
        scope: Scope,
        adapter_id: str,
        *,
        public_url: str | None = None,
        secret: str | Sequence[str],
        bearer: str | Sequence[str] | None = None,
        merchants: Collection[str] | None = None,
        channels: Collection[str] | None = None,
        version: Literal["v0", "v1"] = "v0",
        budget: float = BUDGET,
        max_concurrent: int = MAX_CONCURRENT,
    ) -> None:
        self._scope = scope.scoped(adapter_id=adapter_id)
        self.adapter_id = adapter_id
        self.public_url = check_public_url(public_url)
        self._secret = path_secrets(secret)
        self._bearer_words = bearer_secrets(bearer)
        if version not in ("v0", "v1"):
            raise ConfigurationError("version must be 'v0' or 'v1': the form in which the service sends orders")
        self.version: Literal["v0", "v1"] = version
        check_number("budget", budget, "more than 0 s", ConfigurationError, above=True)
        check_whole("max_concurrent", max_concurrent, 1, ConfigurationError)
        self._budget = budget
        self._max_concurrent = max_concurrent
        self._merchants = _served("merchants", merchants, scope.merchant)
        self._channels = _served("channels", channels, scope.channel)
        self._gate = Gate(self._secret, self._bearer_words, self._merchants, self._channels)
        core = session_of(scope).core
        self._clock = core.clock
        self._drift = core.drift
        self._scopes: dict[tuple[str, str], Scope] = {}
        self._running: dict[Kind, int] = {"hook": 0, "validation": 0, "notification": 0}
        self.counts = Counts()
        self.denials = Denials()
        self.simulate = Simulate(self, self._address, self._merchants[0], self._channels[0], self._bearer_words)

    # Handlers

    def hook(
        self,
        subscribe_to: str,
        *,
        target: str | None = None,
        name: str | None = None,
        budget: float | None = None,
        on_error: OnError = "deny",
    ) -> Callable[[H], H]:
        """Decorates an async function that is asked before a change is made.

        It gets a :class:`HookCall`. It returns ``deny(...)``, or ``approve()`` or nothing to let the change pass with
        the edits made to ``call.draft``. A handler that raises, or takes longer than its budget, denies.

        Args:
            subscribe_to: the part of the order whose changes it is asked about, such as ``"/state"``.
            target: the part that its edits may change; left out, any part.
            name: its segment in addresses, for a second hook on the same part and target.
            budget: seconds from the arrival of the call; that of the adapter when left out.
            on_error: ``"approve"`` lets the change pass without edits when the handler can't answer.

        Raises:
            ConfigurationError: an argument is wrong, or the extra ``adapter`` is missing.
        """
        needs("jsonpatch")
        pointer = check_pointer("subscribe_to", subscribe_to, deep=False)
        if target is not None:
            check_pointer("target", target, deep=False)
        if on_error not in ("deny", "approve"):
            raise ConfigurationError("on_error must be 'deny' or 'approve'")
        segment, label = name_of("hook", name, pointer, target)
        seconds = self._seconds(budget, self._budget)

        def add(handler: H) -> H:
            self._gate.add(
                Route(
                    kind="hook",
                    name=segment,
                    label=label,
                    handler=_checked(handler),
                    pointer=pointer,
                    target=target,
                    budget=seconds,
                    on_error=on_error,
                )
            )
            return handler

        return add

    def validation(self, *, name: str | None = None, budget: float | None = None) -> Callable[[H], H]:
        """Decorates an async function that is asked whether an order is valid.

        It gets a :class:`ValidationCall` and returns ``problems(...)``, or nothing if the order is valid. A handler
        that raises, or takes longer than its budget, reports a problem ``adapter-error`` or ``adapter-late``.

        Args:
            name: its segment in addresses, for a second validation.
            budget: seconds from the arrival of the call; that of the adapter when left out.

        Raises:
            ConfigurationError: an argument is wrong.
        """
        segment, label = name_of("validation", name, "", None)
        seconds = self._seconds(budget, self._budget)

        def add(handler: H) -> H:
            self._gate.add(
                Route(kind="validation", name=segment, label=label, handler=_checked(handler), budget=seconds)
            )
            return handler

        return add

    def notification(
        self,
        scope: str,
        *,
        schema: Any = None,
        name: str | None = None,
        ack: Ack = "after",
        budget: float | None = None,
        delay: int | None = None,
        reference: str | None = None,
        description: str | None = None,
    ) -> Callable[[H], H]:
        """Decorates an async function that is called after a change was made.

        It gets a :class:`NotificationCall`. The service is answered 200 when it has returned, and 500 if it raises, so
        that the service calls again. News come at least once and in any order.

        Args:
            scope: the part of the order whose changes it is called for, such as ``"/state/currentStatus"``.
            schema: JSON Schema that the new value must match, such as ``{"const": "completed"}``.
            name: its segment in addresses, for a second notification of the same part.
            ack: ``"after"`` the handler has returned, or ``"first"``, which needs an inbox.
            budget: seconds that the handler has, 30 when left out.
            delay: milliseconds that the service waits before it calls.
            reference: identifies the notification in the service's logs.
            description: words for people.

        Raises:
            ConfigurationError: an argument is wrong, or the extra ``adapter`` is missing.
        """
        pointer = check_pointer("scope", scope, deep=True)
        if schema is not None:
            _check_schema(schema)
        if ack not in ("after", "first"):
            raise ConfigurationError("ack must be 'after' or 'first'")
        if ack == "first":
            raise ConfigurationError('ack="first" needs an inbox')
        if delay is not None:
            check_whole("delay", delay, 0, ConfigurationError)
        segment, label = name_of("notification", name, pointer, None)
        seconds = self._seconds(budget, NOTIFICATION_BUDGET)

        def add(handler: H) -> H:
            self._gate.add(
                Route(
                    kind="notification",
                    name=segment,
                    label=label,
                    handler=_checked(handler),
                    pointer=pointer,
                    budget=seconds,
                    ack=ack,
                    schema=schema,
                    delay=delay,
                    reference=reference,
                    description=description,
                )
            )
            return handler

        return add

    # Registration

    async def ensure(self, order: Order) -> registering.Plan:
        """Register on an order what the decorators say, once: what is there stays, what only an earlier secret or an
        earlier version of the program registered is replaced or deleted.

        Returns:
            What was added and removed.

        Raises:
            ConfigurationError: the adapter has no ``public_url``.
            CallError: a step did not succeed; calling again does the rest.
        """
        return await registering.ensure(self._registrar(), order)

    async def plan(self, order: Order) -> registering.Plan:
        """What :meth:`ensure` would add to an order and remove from it. Reads the order, and changes nothing.

        Raises:
            ConfigurationError: the adapter has no ``public_url``.
            CallError: the order can't be read.
        """
        return await registering.plan(self._registrar(), order)

    async def withdraw(self, order: Order) -> registering.Plan:
        """Delete everything from an order that is registered for this adapter id at this ``public_url``.

        Returns:
            What was removed.

        Raises:
            ConfigurationError: the adapter has no ``public_url``.
            CallError: a step did not succeed; calling again does the rest.
        """
        return await registering.withdraw(self._registrar(), order)

    def registration(self) -> registering.Registration:
        """:meth:`ensure` as an action for a job over many orders: ``job.run(source, adapter.registration())``.

        Raises:
            ConfigurationError: the adapter has no ``public_url``.
        """
        return registering.Registration(self._registrar())

    def _registrar(self) -> registering.Registrar:
        if self.public_url is None:
            raise ConfigurationError("registering needs the address of the adapter: norce.adapter(public_url=...)")
        return registering.Registrar(
            self.adapter_id, self.public_url, self._secret, self.version, tuple(self._gate.routes)
        )

    # Calls

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Called by an ASGI server for each request, and for its lifespan."""
        match scope["type"]:
            case "http":
                started = self._clock.monotonic()
                answer = await self._answer(scope, receive, started)
                if answer is not None:
                    await _send(send, answer)
            case "lifespan":
                await self._lifespan(receive, send)
            case _:
                await receive()
                await send({"type": "websocket.close", "code": 1000})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.__aenter__()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.__aexit__(None, None, None)
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: MutableMapping[str, Any], receive: Receive, started: float) -> HttpAnswer | None:
        """What a request is answered; None if its caller has left."""
        admitted = self._gate.admit(scope)
        if isinstance(admitted, Refused):
            return self._refused(admitted)
        route = admitted.route
        self.counts.add(route.kind)
        if self._running[route.kind] >= self._max_concurrent:
            return self._busy(admitted)
        self._running[route.kind] += 1
        try:
            match route.kind:
                case "hook":
                    return await self._hook(admitted, receive, started)
                case "validation":
                    return await self._validation(admitted, started)
                case "notification":
                    return await self._notification(admitted, receive)
        finally:
            self._running[route.kind] -= 1

    async def _hook(self, admitted: Admitted, receive: Receive, started: float) -> HttpAnswer | None:
        route = admitted.route
        deadline = started + (route.budget or 0)
        answer: HttpAnswer | None = None
        try:
            with self._clock.move_on_after(max(0.0, deadline - self._clock.monotonic())):
                read = await self._read(admitted, receive)
                if not isinstance(read, _Read):
                    return read
                call = HookCall(
                    self.adapter_id,
                    route.label,
                    read.order_id,
                    self._scope_of(admitted),
                    read.body,
                    read.data,
                    route.target,
                )
                given = hook_answer(await route.handler(call))
                if isinstance(given, Deny):
                    return self._denied(admitted, "handler", given)
                operations = call.operations()
                answer = patch_answer(operations)
                if self._clock.monotonic() <= deadline:
                    self.counts.add("hook.patched" if operations else "hook.approved")
                    return answer
        except DraftError as error:
            self._log(admitted, error)
            return self._unable(admitted, "edit", _EDIT)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, the service gets an answer
            self._log(admitted, error)
            return self._unable(admitted, "error", _ERROR)
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            self._log(admitted, error)
            return self._unable(admitted, "error", _ERROR)
        logger.warning("hook %s of order %s took more than %g s", route.label, shown(admitted.order_id), route.budget)
        return self._unable(admitted, "late", _LATE)

    async def _validation(self, admitted: Admitted, started: float) -> HttpAnswer:
        route = admitted.route
        if admitted.order_id.startswith("{"):
            # The service did not fill in the placeholder of the address, and there is no body to say the id.
            self._drift.add(route.source, "address", "placeholder")
            return self._refused(Refused("id", error_answer(400, "wrong-order", "The address names no order.")))
        deadline = started + (route.budget or 0)
        try:
            with self._clock.move_on_after(max(0.0, deadline - self._clock.monotonic())):
                call = ValidationCall(self.adapter_id, route.label, admitted.order_id, self._scope_of(admitted))
                given = validation_answer(await route.handler(call))
                self.counts.add("validation.invalid" if given.found else "validation.valid")
                return problems_answer(self.adapter_id, given)
        except Exception as error:  # noqa: BLE001 - as above
            self._log(admitted, error)
            return self._no_verdict("error", _ERROR)
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            self._log(admitted, error)
            return self._no_verdict("error", _ERROR)
        logger.warning("validation of order %s took more than %g s", shown(admitted.order_id), route.budget)
        return self._no_verdict("late", _LATE)

    async def _notification(self, admitted: Admitted, receive: Receive) -> HttpAnswer | None:
        route = admitted.route
        read: _Read | HttpAnswer | None = _SLOW
        with self._clock.move_on_after(READ_WITHIN):
            read = await self._read(admitted, receive)
        if not isinstance(read, _Read):
            return self._refused(Refused("slow", _SLOW)) if read is _SLOW else read
        call = NotificationCall(
            self.adapter_id,
            route.label,
            read.order_id,
            self._scope_of(admitted),
            read.body,
            read.data,
            key="",
            received_at=now_utc(self._clock.wall()),
        )
        try:
            with self._clock.move_on_after(route.budget):
                await route.handler(call)
                self.counts.add("notification.handled")
                return DONE
        except Exception as error:  # noqa: BLE001 - as above
            self._log(admitted, error)
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            self._log(admitted, error)
        self.counts.add("notification.error")
        return error_answer(500, _ERROR.code, "The adapter could not handle the notification.")

    async def _read(self, admitted: Admitted, receive: Receive) -> _Read | HttpAnswer | None:
        """The body of a call; the answer if it is refused, None if its caller has left."""
        body = await _body(receive)
        if body is None:
            self.counts.add("refused.disconnected")
            return None
        if len(body) > MAX_BODY:
            return self._refused(Refused("size", error_answer(413, "too-large", f"A body may have {MAX_BODY} bytes.")))
        data = await read_order_aside(body)
        if data is None:
            return self._refused(
                Refused("json", error_answer(400, "not-json", "The body is no JSON object, or is nested too deeply."))
            )
        order_id, said = admitted.order_id, id_in(data)
        if said is None:
            self._drift.add(admitted.route.source, "OrderData.id", "missing")
        elif order_id.startswith("{"):
            # The service did not fill in the placeholder of the address.
            self._drift.add(admitted.route.source, "address", "placeholder")
            order_id = said
        if (said is not None and order_id != said) or order_id.startswith("{"):
            return self._refused(
                Refused("id", error_answer(400, "wrong-order", "The address names another order than the body."))
            )
        return _Read(body, data, order_id)

    # What comes of them

    def _refused(self, refused: Refused) -> HttpAnswer:
        if self.counts.add(f"refused.{refused.reason}") == 1:
            logger.warning("the adapter %s refused a call (%s); more are counted", self.adapter_id, refused.reason)
        return refused.answer

    def _busy(self, admitted: Admitted) -> HttpAnswer:
        kind = admitted.route.kind
        if kind == "hook":
            return self._unable(admitted, "busy", _BUSY)
        if kind == "validation":
            return self._no_verdict("busy", _BUSY)
        self.counts.add("notification.busy")
        return error_answer(503, _BUSY.code, _BUSY.message, (b"retry-after", b"1"))

    def _unable(self, admitted: Admitted, cause: Cause, denied: Deny) -> HttpAnswer:
        """The answer of a hook whose handler has none."""
        if admitted.route.on_error == "approve":
            self.counts.add(f"hook.{cause}")
            return patch_answer([])
        return self._denied(admitted, cause, denied)

    def _denied(self, admitted: Admitted, cause: Cause, denied: Deny) -> HttpAnswer:
        route = admitted.route
        self.counts.add("hook.denied" if cause == "handler" else f"hook.{cause}")
        self.denials.add(
            Denial(now_utc(self._clock.wall()), route.label, admitted.order_id, cause, denied.code, denied.message)
        )
        logger.info("hook %s denied order %s: %s", route.label, shown(admitted.order_id), denied.code)
        return denial_answer(self.adapter_id, denied)

    def _no_verdict(self, cause: Cause, problem: Deny) -> HttpAnswer:
        """The answer of a validation whose handler has none."""
        self.counts.add(f"validation.{cause}")
        return problems_answer(self.adapter_id, problems((problem.code, problem.message)))

    def _log(self, admitted: Admitted, error: BaseException) -> None:
        logger.error(
            "%s %s of order %s failed",
            admitted.route.kind,
            admitted.route.label,
            shown(admitted.order_id),
            exc_info=error,
        )

    def _scope_of(self, admitted: Admitted) -> Scope:
        key = admitted.merchant, admitted.channel
        scope = self._scopes.get(key)
        if scope is None:
            scope = self._scopes[key] = self._scope.scoped(merchant=admitted.merchant, channel=admitted.channel)
        return scope

    def _address(self, kind: Kind, label: str, order_id: str) -> str:
        """The path of a handler, for simulated calls."""
        for route in self._gate.routes:
            if route.kind == kind and label in (route.label, route.name, route.pointer):
                return f"/{self._secret.newest}/{kind}/{route.name}/{order_id}"
        known = ", ".join(route.label for route in self._gate.routes if route.kind == kind) or "none"
        raise ConfigurationError(f"there is no {kind} {label[:80]!r}; there is {known}")

    def _seconds(self, given: float | None, otherwise: float) -> float:
        if given is None:
            return otherwise
        check_number("budget", given, "more than 0 s", ConfigurationError, above=True)
        return float(given)

    def __repr__(self) -> str:
        return f"<Adapter {self.adapter_id} with {len(self._gate.routes)} handlers>"


class _Read:
    """The body of a call that was let in."""

    __slots__ = ("body", "data", "order_id")

    def __init__(self, body: bytes, data: dict[str, Any], order_id: str) -> None:
        self.body = body
        self.data = data
        self.order_id = order_id


async def _body(receive: Receive) -> bytes | None:
    """The body, or a little more than is allowed of it; None if the caller has left."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        chunks.append(chunk)
        if size > MAX_BODY or not message.get("more_body", False):
            return chunk if len(chunks) == 1 else b"".join(chunks)


async def _send(send: Send, answer: HttpAnswer) -> None:
    headers = [(b"content-length", b"%d" % len(answer.body)), *answer.headers]
    if answer.body:
        headers.append(_JSON)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _is_cancelled() -> bool:
    """Whether it is this task that is cancelled, and not another one that the handler waited for."""
    task = None if runs_on_trio() else asyncio.current_task()
    return task is None or task.cancelling() > 0


def _checked(handler: H) -> H:
    if not (inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))):  # noqa: B004
        raise ConfigurationError("a handler must be an async function that takes the call")
    return handler


def _check_schema(schema: Any) -> None:
    try:
        write_json(schema)
        needs("jsonschema").Draft202012Validator.check_schema(schema)
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(f"schema must be JSON Schema 2020-12: {type(error).__name__}") from error


def _served(name: str, given: Collection[str] | None, otherwise: str) -> tuple[str, ...]:
    if given is None:
        return (otherwise,)
    check_kind(name, given, (list, tuple, set, frozenset), "a list of names", ConfigurationError)
    if not given:
        raise ConfigurationError(f"{name} must name at least one")
    return tuple(check_header_value(name, one) for one in given)
