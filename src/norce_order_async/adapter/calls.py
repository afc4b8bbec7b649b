"""The call objects that handlers get."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from norce_order_async.adapter.bodies import read_order
from norce_order_async.adapter.drafts import Draft
from norce_order_async.adapter.patches import Operation
from norce_order_async.display import shown
from norce_order_async.orders.lazy import OrderBody
from norce_order_async.orders.order import Order
from norce_order_async.scope import Scope, session_of

if TYPE_CHECKING:
    from norce_order_async.adapter.drafts import DraftOrder


class Call:
    """The common part of all calls."""

    __slots__ = ("_fetched", "adapter_id", "norce", "order_id", "route")

    def __init__(self, adapter_id: str, route: str, order_id: str, norce: Scope) -> None:
        self.adapter_id = adapter_id
        """The id of this adapter."""
        self.route = route
        """The handler that was called, such as ``"/state"``."""
        self.order_id = order_id
        """The id of the order that the call is about."""
        self.norce = norce
        """A scope for the merchant and channel of the call, with this adapter's id: changes made with it do not call
        this adapter's own hooks."""
        self._fetched: Order | None = None

    @property
    def merchant(self) -> str:
        """The merchant that the order belongs to."""
        return self.norce.merchant

    @property
    def channel(self) -> str:
        """The channel that the order belongs to."""
        return self.norce.channel

    async def order(self) -> Order:
        """Read the order as the service has it now; later calls return the same. A hook gets it before the change.

        Raises:
            CallError: the order can't be read.
        """
        if self._fetched is None:
            self._fetched = await self.norce.orders.get(self.order_id)
        return self._fetched

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {shown(self.route)} of order {shown(self.order_id)}>"


class _CallWithOrder(Call):
    """A call with an order in its body."""

    __slots__ = ("_body", "_data", "_order")

    _kind: ClassVar[str]
    """With the route, the name under which unexpected members of its body are counted."""

    def __init__(
        self, adapter_id: str, route: str, order_id: str, norce: Scope, body: bytes, data: dict[str, Any] | None = None
    ) -> None:
        super().__init__(adapter_id, route, order_id, norce)
        self._body = body
        self._data = data
        self._order: Order | None = None

    @property
    def plain(self) -> Mapping[str, Any]:
        """The order in the body as plain JSON data with the names of v0. No models are made for it."""
        if self._data is None:
            self._data = read_order(self._body) or {}
        return self._data

    @property
    def body(self) -> bytes:
        """The body as it was received."""
        return self._body

    def _as_sent(self) -> Order:
        if self._order is None:
            session = session_of(self.norce)
            body = OrderBody(self.plain, session.core.drift, source=f"{self._kind} {self.route}")
            self._order = Order(session, self.order_id, body)
        return self._order


class HookCall(_CallWithOrder):
    """A change that is about to be made to an order, and that the handler may deny or extend.

    Example::

        @adapter.hook("/state", target="/payments")
        async def guard(call):
            if call.proposed.status == "completed" and call.proposed.outstanding:
                return deny("unpaid", "the payments do not cover the order")
            call.draft.payments[0].reference = "seen"
    """

    __slots__ = ("_draft", "target")

    _kind = "hook"

    def __init__(
        self,
        adapter_id: str,
        route: str,
        order_id: str,
        norce: Scope,
        body: bytes,
        data: dict[str, Any] | None = None,
        target: str | None = None,
    ) -> None:
        super().__init__(adapter_id, route, order_id, norce, body, data)
        self.target = target
        """The part of the order that edits may change; None for any part that hooks may change."""
        self._draft: Draft | None = None

    @property
    def proposed(self) -> Order:
        """The order as it will be when the change is made. This makes no call."""
        return self._as_sent()

    @property
    def draft(self) -> DraftOrder:
        """A copy of the proposed order to edit. The edits are sent with the answer.

        Lists, attributes and nested objects that the order does not have are empty here, so that they can be filled.
        Assign None to remove a member, ``NULL`` to make it null.
        """
        if self._draft is None:
            # Parsed again, because models keep parts of the data that they are made of.
            self._draft = Draft(read_order(self._body) or {})
        return self._draft.order

    def operations(self) -> list[Operation]:
        """Return the edits made to the draft so far as JSON Patch, of ``add``, ``replace`` and ``remove`` alone.

        Raises:
            DraftError: an edit can't be sent, or lies outside of the hook's target.
        """
        return [] if self._draft is None else self._draft.operations(self.target)


class ValidationCall(Call):
    """A call that asks whether an order is valid. It does not hold the order: ``await call.order()`` reads it.

    Example::

        @adapter.validation()
        async def check(call):
            order = await call.order()
            if not order.cart.items:
                return problems(("empty", "the cart is empty"))
    """

    __slots__ = ()


class NotificationCall(_CallWithOrder):
    """A notification of a change that was made to an order.

    Example::

        @adapter.notification("/state/currentStatus", schema={"const": "completed"})
        async def export(call):
            if not call.is_stale:
                await erp.send(call.committed.plain, key=call.key)
    """

    __slots__ = ("attempt", "is_stale", "key", "received_at")

    _kind = "notification"

    def __init__(
        self,
        adapter_id: str,
        route: str,
        order_id: str,
        norce: Scope,
        body: bytes,
        data: dict[str, Any] | None = None,
        *,
        key: str,
        received_at: datetime,
        attempt: int = 1,
        is_stale: bool = False,
    ) -> None:
        super().__init__(adapter_id, route, order_id, norce, body, data)
        self.key = key
        """The same for every delivery of this notification: an idempotency key for the handler's work."""
        self.received_at = received_at
        """When the notification arrived, in UTC."""
        self.attempt = attempt
        """The number of this attempt, from 1. Above 1 only with an inbox."""
        self.is_stale = is_stale
        """Whether a later change of the same order was handled already."""

    @property
    def committed(self) -> Order:
        """The order as it was when the change was made. This makes no call."""
        return self._as_sent()
