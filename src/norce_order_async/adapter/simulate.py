"""Calls an adapter as the service does, without a service: for tests, and to try a handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from norce_order_async._json import UNREADABLE, is_list, is_mapping, mapping_or_empty, read_json, write_json
from norce_order_async.adapter.patches import Operation, applied
from norce_order_async.adapter.routing import Kind, Secrets
from norce_order_async.errors import ConfigurationError
from norce_order_async.orders.order import Order

if TYPE_CHECKING:
    from norce_order_async.models import OrderData

App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Simulated:
    """An adapter's answer to a simulated call.

    Example::

        @adapter.hook("/state")
        async def allow(call):
            return approve()

        answer = await adapter.simulate.hook("/state", order)
        assert answer.success and answer.operations == []
    """

    status: int
    body: bytes = field(repr=False)
    order: Mapping[str, Any] | None = field(default=None, repr=False)
    """The order that was sent, as JSON data."""

    @property
    def success(self) -> bool:
        """Whether the change may be made, the order is valid, or the notification was handled."""
        return 200 <= self.status < 300

    @property
    def json(self) -> Any:
        """The body as JSON data; None without one."""
        data = read_json(self.body) if self.body else None
        return None if data is UNREADABLE else data

    @property
    def operations(self) -> list[Operation]:
        """The edits of a hook that approved, as JSON Patch; empty if there are none."""
        data = self.json
        return cast("list[Operation]", data) if self.success and is_list(data) else []

    @property
    def patched(self) -> Mapping[str, Any] | None:
        """The order with the edits of the hook; None if the hook denied."""
        return applied(self.operations, dict(self.order)) if self.success and self.order is not None else None

    @property
    def code(self) -> str | None:
        """The code of a denial, or of the reason why the call reached no handler; None after a success."""
        return mapping_or_empty(self.json).get("code") if not self.success else None

    @property
    def problems(self) -> list[tuple[str, str]]:
        """The problems that a validation found, as pairs of a code and a message."""
        data = self.json
        if self.success or not is_list(data):
            return []
        return [(str(one.get("code")), str(one.get("message"))) for one in data if is_mapping(one)]


class Simulate:
    """Makes calls to an adapter: ``adapter.simulate``.

    Example::

        @adapter.validation()
        async def check(call):
            order = await call.order()
            return problems("no-reference") if not order.reference else None

        answer = await adapter.simulate.validation(order)
        assert answer.success or answer.problems
    """

    __slots__ = ("_address", "_app", "_bearer", "_channel", "_merchant")

    def __init__(
        self, app: App, address: Callable[[Kind, str, str], str], merchant: str, channel: str, bearer: Secrets
    ) -> None:
        self._app = app
        self._address = address
        self._merchant = merchant
        self._channel = channel
        self._bearer = bearer

    async def hook(self, route: str, order: Order | OrderData | Mapping[str, Any]) -> Simulated:
        """Call a hook with an order as it would be after a change.

        Args:
            route: the part of the order that it subscribes to, such as ``"/state"``, or its name.
            order: the proposed order: one that was read, a model, or a dict in the API's spelling.

        Raises:
            ConfigurationError: there is no such hook, or the order has no id.
        """
        return await self._with_order("hook", route, order)

    async def notification(self, route: str, order: Order | OrderData | Mapping[str, Any]) -> Simulated:
        """Call a notification with an order as it is after a change.

        If it is called again with the same order, the handler does not run, because that notification was handled.

        Args:
            route: the part of the order that it is about, such as ``"/state/currentStatus"``, or its name.
            order: the order: one that was read, a model, or a dict in the API's spelling.

        Raises:
            ConfigurationError: there is no such notification, or the order has no id.
        """
        return await self._with_order("notification", route, order)

    async def validation(self, order: Order | str, route: str = "order") -> Simulated:
        """Call a validation. It gets only the id of the order.

        Args:
            order: an order, or its id.
            route: the name of the validation.

        Raises:
            ConfigurationError: there is no such validation.
        """
        order_id = order if isinstance(order, str) else order.id
        return await self._made(self._address("validation", route, order_id), b"", None)

    async def _with_order(self, kind: Kind, route: str, order: Order | OrderData | Mapping[str, Any]) -> Simulated:
        if isinstance(order, Order):
            data: Any = order.plain
        else:
            data = order if is_mapping(order) else cast("Any", order).to_dict()
        order_id = data.get("id")
        if not isinstance(order_id, str):
            raise ConfigurationError("the order of a simulated call needs an id")
        return await self._made(self._address(kind, route, order_id), write_json(data), data)

    async def _made(self, path: str, body: bytes, order: Mapping[str, Any] | None) -> Simulated:
        headers = [
            (b"content-type", b"application/json"),
            (b"x-merchant", self._merchant.encode("latin-1")),
            (b"x-channel", self._channel.encode("latin-1")),
        ]
        if self._bearer:
            headers.append((b"authorization", f"Bearer {self._bearer.newest}".encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
        }
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        status: int = sent[0]["status"]
        return Simulated(status, b"".join(message.get("body", b"") for message in sent[1:]), order)
