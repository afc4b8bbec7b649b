"""The adapter: an ASGI app that answers the service's calls with the handlers of a program.

A call passes the gate (:mod:`~norce_order_async.adapter.routing`), its body is read
(:mod:`~norce_order_async.adapter.bodies`), its handler runs with a call object
(:mod:`~norce_order_async.adapter.calls`), and the handler's result becomes the answer
(:mod:`~norce_order_async.adapter.answers`).
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, MutableMapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar

from norce_order_async._json import write_json
from norce_order_async.adapter import registration as registering
from norce_order_async.adapter.answers import HttpAnswer
from norce_order_async.adapter.handling import AdapterCore, AdapterTelemetry, HandlerLimit, Receive
from norce_order_async.adapter.hooks import Hooks, Validations
from norce_order_async.adapter.inbox.protocol import Inbox
from norce_order_async.adapter.notifications import Notifications
from norce_order_async.adapter.patches import needs
from norce_order_async.adapter.records import Counts, Denials
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
from norce_order_async.errors import ConfigurationError, NorceError
from norce_order_async.scope import Scope

if TYPE_CHECKING:
    from norce_order_async.orders.order import Order

BUDGET: Final = 3.0
"""Seconds that a hook or a validation has, from the arrival of the call. The service's own limit is not published."""
NOTIFICATION_BUDGET: Final = 30.0
"""Seconds that the handler of a notification with ``ack="after"`` has."""
MAX_CONCURRENT: Final = 100
"""Handlers of one kind that run at the same time."""
WORKERS: Final = 8
"""Handlers of stored notifications that run at the same time."""

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
H = TypeVar("H", bound=Handler)

_JSON: Final = (b"content-type", b"application/json")


class Adapter:
    """An ASGI app that the order service calls: hooks, validations and notifications of one adapter id.

    ``norce.adapter(...)`` makes one, and decorators add handlers to it::

        secret = os.environ["ERP_PATH_SECRET"]
        adapter = norce.adapter("erp", public_url="https://erp.example.com/norce", secret=secret)

        @adapter.hook("/state", target="/payments")
        async def guard(call):
            if call.proposed.status == "completed" and call.proposed.outstanding:
                return deny("unpaid", "the payments do not cover the order")

        app = Starlette(routes=[Mount("/norce", adapter)])   # or: uvicorn module:adapter
        await adapter.ensure(order)

    If it is mounted in another app, enter it there with ``async with adapter:``. This is needed only for handlers with
    ``ack="first"``.

    Attributes:
        adapter_id: the id that the adapter's own calls send as ``x-adapterid``.
        public_url: the address at which the service reaches the adapter, without the secret.
        version: the form in which the service sends orders.
        simulate: calls the adapter without a service.
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
        inbox: Inbox | None = None,
        workers: int = WORKERS,
        telemetry: AdapterTelemetry | None = None,
    ) -> None:
        self._scope = scope.scoped(adapter_id=adapter_id)
        self.adapter_id = adapter_id
        self.public_url = check_public_url(public_url)
        self._secret = path_secrets(secret)
        self._bearer = bearer_secrets(bearer)
        if version not in ("v0", "v1"):
            raise ConfigurationError("version must be 'v0' or 'v1': the form in which the service sends orders")
        self.version: Literal["v0", "v1"] = version
        check_number("budget", budget, "more than 0 s", ConfigurationError, above=True)
        check_whole("max_concurrent", max_concurrent, 1, ConfigurationError)
        check_whole("workers", workers, 1, ConfigurationError)
        _check_methods(
            "inbox", inbox, ("__aenter__", "__aexit__", "store", "work", "counts"), "an inbox, as a SqliteInbox is"
        )
        _check_methods("telemetry", telemetry, ("received", "inbox"), "an object such as OpenTelemetry()")
        self._budget = budget
        self._telemetry = telemetry
        self._merchants = _served("merchants", merchants, scope.merchant)
        self._channels = _served("channels", channels, scope.channel)
        self._gate = Gate(self._secret, self._bearer, self._merchants, self._channels)
        self._core = AdapterCore(self._scope, adapter_id)
        self._limits: dict[Kind, HandlerLimit] = {
            "hook": HandlerLimit(max_concurrent),
            "validation": HandlerLimit(max_concurrent),
        }
        self._hooks = Hooks(self._core)
        self._validations = Validations(self._core)
        self._notifications = Notifications(
            self._core, inbox, HandlerLimit(max_concurrent), workers, self._notification_route, telemetry
        )
        self.simulate = Simulate(self, self._address, self._merchants[0], self._channels[0], self._bearer)

    @property
    def counts(self) -> Counts:
        """The number of calls, by kind and outcome."""
        return self._core.counts

    @property
    def denials(self) -> Denials:
        """The latest changes that were denied."""
        return self._core.denials

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
        """A decorator for an async function that is called before a change is made, and decides about it.

        The function gets a :class:`HookCall`. It returns ``deny(...)``, or ``approve()`` or None to let the change pass
        with the edits made to ``call.draft``. If it raises, or takes longer than its budget, the change is denied.

        Args:
            subscribe_to: the part of the order whose changes the hook is called for, such as ``"/state"``.
            target: the part that its edits may change; any part by default.
            name: its segment in addresses, for a second hook on the same part and target.
            budget: seconds from the arrival of the call; the adapter's ``budget`` by default.
            on_error: ``"approve"`` to let the change pass without edits if the handler gives no answer.

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
        route = partial(
            Route,
            kind="hook",
            name=segment,
            label=label,
            pointer=pointer,
            target=target,
            budget=self._seconds(budget, self._budget),
            on_error=on_error,
        )
        return self._decorator(route)

    def validation(self, *, name: str | None = None, budget: float | None = None) -> Callable[[H], H]:
        """A decorator for an async function that decides whether an order is valid.

        The function gets a :class:`ValidationCall` and returns ``problems(...)``, or None if the order is valid. If it
        raises, or takes longer than its budget, the order has a problem ``adapter-error`` or ``adapter-late``.

        Args:
            name: its segment in addresses, for a second validation.
            budget: seconds from the arrival of the call; the adapter's ``budget`` by default.

        Raises:
            ConfigurationError: an argument is wrong.
        """
        segment, label = name_of("validation", name, "", None)
        seconds = self._seconds(budget, self._budget)
        return self._decorator(partial(Route, kind="validation", name=segment, label=label, budget=seconds))

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
        """A decorator for an async function that is called after a change was made.

        The function gets a :class:`NotificationCall`. The service gets 200 when it has returned, and 500 if it raises,
        so that the service calls again. Notifications arrive at least once and in any order.

        Args:
            scope: the part of the order whose changes it is called for, such as ``"/state/currentStatus"``.
            schema: JSON Schema that the new value must match, such as ``{"const": "completed"}``.
            name: its segment in addresses, for a second notification of the same part.
            ack: with ``"after"``, the service gets its answer when the handler has returned. With ``"first"``, the
                notification is stored in the inbox, the service gets its answer, and then the handler is called, with
                retries if it raises.
            budget: seconds that the handler has; by default 30 with ``"after"`` and no limit with ``"first"``.
            delay: milliseconds that the service waits before it calls.
            reference: identifies the notification in the service's logs.
            description: a description for people.

        Raises:
            ConfigurationError: an argument is wrong, or the extra ``adapter`` is missing.
        """
        pointer = check_pointer("scope", scope, deep=True)
        if schema is not None:
            check_kind(
                "schema", schema, dict, "JSON Schema as a dict, such as {'const': 'completed'}", ConfigurationError
            )
            _check_schema(schema)
        if ack not in ("after", "first"):
            raise ConfigurationError("ack must be 'after' or 'first'")
        if ack == "first" and self._notifications.inbox is None:
            raise ConfigurationError(
                'ack="first" needs an inbox, which keeps notifications until they are handled: '
                "norce.adapter(..., inbox=SqliteInbox('inbox.db'))"
            )
        if delay is not None:
            check_whole("delay", delay, 0, ConfigurationError)
        segment, label = name_of("notification", name, pointer, None)
        route = partial(
            Route,
            kind="notification",
            name=segment,
            label=label,
            pointer=pointer,
            budget=self._seconds(budget, NOTIFICATION_BUDGET if ack == "after" else None),
            ack=ack,
            schema=schema,
            delay=delay,
            reference=reference,
            description=description,
        )
        return self._decorator(route)

    def _decorator(self, route: Callable[..., Route]) -> Callable[[H], H]:
        """Return the decorator that adds a handler; ``route`` makes its route from the handler."""

        def add(handler: H) -> H:
            self._gate.add(route(handler=_checked(handler)))
            return handler

        return add

    # Registration

    async def ensure(self, order: Order) -> registering.Plan:
        """Register all handlers on an order.

        Entries that are registered already stay. Entries of an earlier secret, or of an earlier version of the program,
        are replaced or deleted.

        Returns:
            The entries that were added, removed and kept.

        Raises:
            ConfigurationError: the adapter has no ``public_url``.
            CallError: a step did not succeed; calling again does the rest.
        """
        return await registering.ensure(self._registrar(), order)

    async def plan(self, order: Order) -> registering.Plan:
        """Return what :meth:`ensure` would add to an order and remove from it. It reads the order and changes nothing.

        Raises:
            ConfigurationError: the adapter has no ``public_url``.
            CallError: the order can't be read.
        """
        return await registering.plan(self._registrar(), order)

    async def withdraw(self, order: Order) -> registering.Plan:
        """Delete all entries of an order that are registered for this adapter id at this ``public_url``.

        Returns:
            The entries that were removed.

        Raises:
            ConfigurationError: the adapter has no ``public_url``.
            CallError: a step did not succeed; calling again does the rest.
        """
        return await registering.withdraw(self._registrar(), order)

    def registration(self) -> registering.Registration:
        """Make an action that does :meth:`ensure` on each order of a job: ``job.run(source, adapter.registration())``.

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
        """Handle a request or the lifespan, as an ASGI server calls it."""
        match scope["type"]:
            case "http":
                answer = await self._answer(scope, receive, self._core.clock.monotonic())
                if answer is not None:
                    await _send(send, answer)
            case "lifespan":
                await self._lifespan(receive, send)
            case _:
                await receive()
                await send({"type": "websocket.close", "code": 1000})

    async def __aenter__(self) -> Self:
        """Open the inbox, and begin to handle its notifications.

        Raises:
            ConfigurationError: the adapter was entered already.
            InboxError: the inbox can't be opened.
        """
        await self._notifications.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._notifications.close(kind, error, trace)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.__aenter__()
        except Exception as error:  # noqa: BLE001 - without this message a server takes it for an app without a lifespan
            said = str(error) if isinstance(error, NorceError) else type(error).__name__
            await send({"type": "lifespan.startup.failed", "message": f"the adapter can't start: {said}"})
            return
        try:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        finally:
            await self.__aexit__(None, None, None)
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: MutableMapping[str, Any], receive: Receive, started: float) -> HttpAnswer | None:
        """Return the answer to a request; None if its caller has left."""
        admitted = self._gate.admit(scope)
        if isinstance(admitted, Refused):
            return self._core.refused(admitted)
        route = admitted.route
        if self._telemetry is None:
            return await self._counted(admitted, receive, started)
        attributes = {
            "norce.adapter.id": self.adapter_id,
            "norce.order.id": admitted.order_id,
            "norce.merchant": admitted.merchant,
            "norce.channel": admitted.channel,
        }
        with self._telemetry.received(route.kind, route.label, attributes, admitted.trace) as note:
            answer = await self._counted(admitted, receive, started)
            note(answer.outcome if answer else "disconnected", answer.status if answer else 0)
        return answer

    async def _counted(self, admitted: Admitted, receive: Receive, started: float) -> HttpAnswer | None:
        kind, counts = admitted.route.kind, self._core.counts
        counts.add(kind)
        answer = await self._answered(admitted, receive, started)
        counts.add(f"{kind}.{answer.outcome if answer else 'disconnected'}")
        return answer

    async def _answered(self, admitted: Admitted, receive: Receive, started: float) -> HttpAnswer | None:
        kind = admitted.route.kind
        if kind == "notification":
            # No notification is turned away: it is not published whether the service would call again.
            return await self._notifications.answer(admitted, receive)
        limit = self._limits[kind]
        if kind == "hook":
            if limit.busy:
                return self._hooks.without_answer(admitted, "busy")
            with limit.taken():
                return await self._hooks.answer(admitted, receive, started)
        if limit.busy:
            return self._validations.without_answer("busy")
        with limit.taken():
            return await self._validations.answer(admitted, started)

    def _address(self, kind: Kind, label: str, order_id: str) -> str:
        """The path of a handler, for simulated calls."""
        for route in self._gate.routes:
            if route.kind == kind and label in (route.label, route.name, route.pointer):
                return f"/{self._secret.newest}/{kind}/{route.name}/{order_id}"
        known = ", ".join(route.label for route in self._gate.routes if route.kind == kind) or "none"
        raise ConfigurationError(f"there is no {kind} {label[:80]!r}; there is {known}")

    def _notification_route(self, label: str) -> Route:
        for route in self._gate.routes:
            if route.kind == "notification" and route.label == label:
                return route
        raise LookupError(f"there is no handler for notifications of {label} any more")

    def _seconds(self, given: float | None, otherwise: float | None) -> float | None:
        if given is None:
            return otherwise
        check_number("budget", given, "more than 0 s", ConfigurationError, above=True)
        return float(given)

    def __repr__(self) -> str:
        return f"<Adapter {self.adapter_id} with {len(self._gate.routes)} handlers>"


async def _send(send: Send, answer: HttpAnswer) -> None:
    headers = [(b"content-length", b"%d" % len(answer.body)), *answer.headers]
    if answer.body:
        headers.append(_JSON)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


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


def _check_methods(name: str, given: object, methods: tuple[str, ...], words: str) -> None:
    if given is None:
        return
    if isinstance(given, type) or not all(callable(getattr(given, method, None)) for method in methods):
        raise ConfigurationError(f"{name} must be {words}, not {type(given).__name__}")


def _served(name: str, given: Collection[str] | None, otherwise: str) -> tuple[str, ...]:
    if given is None:
        return (otherwise,)
    check_kind(name, given, (list, tuple, set, frozenset), "a list of names", ConfigurationError)
    if not given:
        raise ConfigurationError(f"{name} must name at least one")
    return tuple(check_header_value(name, one) for one in given)
