"""The orders of one merchant and channel: create, get, list, iterate, delete."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from norce_order_async.errors import InvalidRequestError
from norce_order_async.orders.inputs import check_address, check_pattern, model_of, models_of
from norce_order_async.orders.lifecycle import check_status
from norce_order_async.orders.order import Order
from norce_order_async.pipeline.operations import CREATE_ORDER, LIST_ORDERS
from norce_order_async.pipeline.session import Session
from norce_order_async.pipeline.settings import CallOptions

if TYPE_CHECKING:
    from norce_order_api.models import (
        Cart,
        Consent,
        Customer,
        OrderData,
        OrderListOrderBy,
        OrderListOrderByDirection,
        OrderPaginationSet,
        OrderStatus,
        Pagination,
    )

PAGE_SIZE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """Which orders a listing is about. None leaves a filter out; dates need a time zone."""

    status: OrderStatus | Iterable[OrderStatus] | None = None
    search: str | None = None
    """Free text."""
    reference: str | None = None
    cart_reference: str | None = None
    payment_id: str | None = None
    date_from: datetime | None = None
    """From this time on; inclusive is assumed, and so is that it means the time of creation."""
    date_to: datetime | None = None
    """Up to this time; exclusive is assumed."""
    countries: Iterable[str] | None = None
    billing_names: Iterable[str] | None = None
    billing_emails: Iterable[str] | None = None
    billing_phones: Iterable[str] | None = None
    billing_countries: Iterable[str] | None = None
    shipping_names: Iterable[str] | None = None
    shipping_emails: Iterable[str] | None = None
    shipping_phones: Iterable[str] | None = None
    shipping_countries: Iterable[str] | None = None
    order_by: OrderListOrderBy | None = None
    order_by_direction: OrderListOrderByDirection | None = None

    def __post_init__(self) -> None:
        # An iterator would be used up by the first page.
        for name in ("status", *sorted(_LISTS)):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                object.__setattr__(self, name, tuple(value))

    def query(self) -> dict[str, Any]:
        """The query parameters.

        Raises:
            InvalidRequestError: an unknown status, a date without a time zone, a string where a list belongs, an
                empty filter: on the wire that would be none at all, and so match every order.
        """
        given = {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}
        for name, value in given.items():
            if value in ("", ()):
                raise InvalidRequestError(f"{name} must not be empty: leave it out to have no such filter")
            if name == "status":
                words = [value] if isinstance(value, str) else list(value)
                given[name] = [check_status(word) for word in words]
            elif isinstance(value, datetime):
                if value.tzinfo is None:
                    raise InvalidRequestError(f"{name} needs a time zone, such as datetime.now(timezone.utc)")
            elif name in _LISTS:
                if isinstance(value, str):
                    raise InvalidRequestError(f"{name} must be a list of strings, not one string")
                given[name] = list(value)
        return given


_LISTS = frozenset(
    {"countries"}
    | {f"{who}_{what}" for who in ("billing", "shipping") for what in ("names", "emails", "phones", "countries")}
)


@dataclass(frozen=True, slots=True)
class OrderPage:
    """One page of a listing. ``size`` and ``totalSize`` of the pagination are published in two ways; do not rely on
    either to know whether there is more."""

    orders: list[Order]
    pagination: Pagination | None


class OrderCollection:
    """The orders of one merchant and channel. Calling it with an id makes a handle without any request."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, order_id: str) -> Order:
        """A handle without a snapshot.

        Raises:
            InvalidRequestError: what is given can't be an id.
        """
        return Order(self._session, order_id)

    async def create(
        self,
        order: OrderData | Mapping[str, Any] | None = None,
        *,
        culture: str | None = None,
        currency: str | None = None,
        country: str | None = None,
        cart: Cart | Mapping[str, Any] | None = None,
        customer: Customer | Mapping[str, Any] | None = None,
        consents: Iterable[Consent | Mapping[str, Any]] | None = None,
        reference: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        options: CallOptions | None = None,
    ) -> Order:
        """Create an order, which starts in the status ``checkout``.

        With a ``cart.reference`` an order is created once even when an answer is lost: it is looked for by that
        reference, adopted when found, and created again, once, when not.

        Args:
            order: the whole body, as a model or a dict in the API's spelling; the arguments below win over it.
            culture: language and region, such as ``sv-SE``; can't be changed later.
            currency: ISO 4217; can't be changed later.
            country: ISO 3166; can't be changed later.
            cart: what is bought.
            customer: who buys.
            consents: shown in the checkout.
            reference: identifier in another system.
            attributes: free-form data.
            options: what this call does differently.

        Returns:
            A handle without a snapshot, because the service answers only an id.

        Raises:
            InvalidRequestError: it can't be sent; nothing was.
            ConflictError: an order with this cart reference is there already.
            OutcomeUnknownError: the answer was lost, and reading back did not settle it.
            CallError: it did not succeed.
        """
        from norce_order_api.models import Cart, Consent, Customer, OrderData

        given: dict[str, Any] = {
            "culture": culture,
            "currency": currency,
            "country": country,
            "cart": None if cart is None else model_of(Cart, cart, "cart"),
            "customer": None if customer is None else model_of(Customer, customer, "customer"),
            "consents": None if consents is None else models_of(Consent, consents, "consents"),
            "reference": reference,
            "attributes": None if attributes is None else dict(attributes),
        }
        body = OrderData() if order is None else model_of(OrderData, order, "order")
        # A copy, so that a model handed in stays as it is.
        body = OrderData.from_dict(body.to_dict())
        for name, value in given.items():
            if value is not None:
                setattr(body, name, value)
        for member in ("culture", "currency", "country"):
            check_pattern("Order", member, getattr(body, member), member)
        if body.customer is not None:
            check_address(body.customer.billing, "customer.billing")
            check_address(body.customer.shipping, "customer.shipping")
        answer = await self._session.call(CREATE_ORDER, {}, body=body, options=options)
        return Order(self._session, answer.id or "")

    async def get(self, order_id: str, *, options: CallOptions | None = None) -> Order:
        """Read one order.

        Raises:
            InvalidRequestError: what is given can't be an id; nothing was sent.
            NotFoundError: not there under this merchant and channel.
            CallError: it did not succeed.
        """
        return await Order(self._session, order_id).refresh(options=options)

    async def find_by_cart_reference(self, reference: str, *, options: CallOptions | None = None) -> Order | None:
        """The order of a cart: the way back to an order whose creation was not answered.

        Returns:
            The order with exactly this cart reference that is not ``removed``, or None.

        Raises:
            InvalidRequestError: the reference is empty; nothing was sent.
            CallError: it did not succeed.
        """
        async for order in self.iterate(OrderFilter(cart_reference=reference), options=options):
            if order.cart.reference == reference and order.status != "removed":
                return order
        return None

    async def list(
        self,
        where: OrderFilter | None = None,
        *,
        offset: int = 0,
        limit: int = PAGE_SIZE,
        options: CallOptions | None = None,
    ) -> OrderPage:
        """Read one page of orders.

        Args:
            where: which ones; all when left out.
            offset: how many to skip.
            limit: how many to read at most; the service may give fewer.
            options: what this call does differently.

        Raises:
            InvalidRequestError: a filter that can't be sent; nothing was.
            CallError: it did not succeed.
        """
        if offset < 0 or limit < 1:
            raise InvalidRequestError(f"offset must be 0 or more and limit 1 or more; got {offset} and {limit}")
        query = (where or OrderFilter()).query() | {"offset": offset, "limit": limit}
        answer = await self._session.call(LIST_ORDERS, {}, query=query, options=options)
        page = cast("OrderPaginationSet | None", answer.parsed)
        found = (page.data or []) if page else []
        return OrderPage(
            orders=[Order(self._session, data.id, data) for data in found if data.id],
            pagination=page.pagination if page else None,
        )

    async def iterate(
        self,
        where: OrderFilter | None = None,
        *,
        page_size: int = PAGE_SIZE,
        limit: int | None = None,
        options: CallOptions | None = None,
    ) -> AsyncIterator[Order]:
        """Every order that matches, page by page, each id once; an empty page ends it.

        Args:
            where: which ones; all when left out.
            page_size: how many to ask for at a time.
            limit: how many to give at most.
            options: what each page's call does differently.
        """
        seen: set[str] = set()
        offset = 0
        while limit is None or len(seen) < limit:
            page = await self.list(where, offset=offset, limit=page_size, options=options)
            if not page.orders:
                return
            offset += len(page.orders)
            for order in page.orders:
                if order.id in seen or (limit is not None and len(seen) >= limit):
                    continue
                seen.add(order.id)
                yield order

    async def delete(self, order_id: str, *, options: CallOptions | None = None) -> None:
        """Delete an order from the service's storage.

        Raises:
            InvalidRequestError: what is given can't be an id; nothing was sent.
            NotFoundError: not there under this merchant and channel.
            CallError: it did not succeed.
        """
        await Order(self._session, order_id).delete(options=options)
