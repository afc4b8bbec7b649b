"""The orders of one merchant and channel: create, get, list, iterate, delete."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Unpack

from norce_order_async import models
from norce_order_async._json import Unshown
from norce_order_async.checking import check_whole
from norce_order_async.errors import (
    ConflictError,
    DuplicateOrderError,
    InvalidRequestError,
    NotFoundError,
    UnavailableError,
)
from norce_order_async.orders.checking import model_of, with_reference
from norce_order_async.orders.creation import NewOrder, new_body
from norce_order_async.orders.ensuring import shared
from norce_order_async.orders.filter import OrderFilter
from norce_order_async.orders.iteration import SMALLEST_PAGE, OrderIteration, Walk
from norce_order_async.orders.lazy import OrderBody
from norce_order_async.orders.order import Order
from norce_order_async.orders.pages import OrderPage, Pages, read_orders
from norce_order_async.orders.record import OrderRecord
from norce_order_async.pipeline.creations import Creation, Flight
from norce_order_async.pipeline.operations import CREATE_ORDER, LIST_ORDERS
from norce_order_async.pipeline.readback import READS, Baseline, moments
from norce_order_async.pipeline.session import Session
from norce_order_async.pipeline.settings import CallOptions
from norce_order_async.runtime.clock import Deadline

if TYPE_CHECKING:
    from norce_order_async.models import (
        OrderData,
        OrderDataDict,
    )

PAGE_SIZE = 100
"""The default page size of ``iterate``, which asks for fewer orders if the service refuses this many."""

LIST_LIMIT = 50
"""The default size of one page. The largest size that the service accepts is not published; 50 is below every
assumption."""


class OrderCollection:
    """The orders of one merchant and channel. Calling it with an id gives an ``Order`` without any request.

    Example::

        item = {"sku": "T001", "quantity": 1, "total": {"includingVat": 125, "excludingVat": 100}}
        order = await norce.orders.create(culture="sv-SE", currency="SEK", country="SE", cart={"items": [item]})
        again = await norce.orders.get(order.id)
    """

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, order_id: str) -> Order:
        """An order of which only the id is known. Makes no call.

        A wrong id is refused by the first call of the order, before anything is sent.
        """
        return Order(self._session, order_id)

    async def create(
        self,
        order: OrderData | OrderDataDict | None = None,
        *,
        check_total: bool = True,
        allow_fractions: bool = False,
        callbacks_in_body: bool = False,
        options: CallOptions | None = None,
        **members: Unpack[NewOrder],
    ) -> Order:
        """Create an order, which starts in the status ``checkout``.

        With a ``cart.reference`` an order is created once even if an answer is lost: the client looks for it by that
        reference, adopts it if it is there, and otherwise creates it again, once. It then checks whether the service
        has two: see ``DuplicateOrderError``, and :attr:`Order.uniqueness_checked`.

        The service does not compute ``cart.total``. A cart with lines and without a total gets their sum; a total that
        is not their sum is refused.

        Args:
            order: the whole body, as a model or a dict in the API's spelling; ``members`` win over it. Members
                that the service ignores are refused when their loss would change the order (payments, shippings, a
                status), and left out otherwise.
            check_total: False sends the cart as it is.
            allow_fractions: True sends amounts with more than two decimals.
            callbacks_in_body: True sends hooks, validations and notifications of ``order`` with it. It is not certain
                that the service keeps them.
            options: settings of this call.
            **members: ``culture``, ``currency``, ``country``, ``cart``, ``customer``, ``consents``, ``reference`` and
                ``attributes``; ``NewOrder`` describes them.

        Returns:
            The order, not loaded yet, because the service answers only an id.

        Raises:
            InvalidRequestError: it can't be sent; nothing was sent.
            ConflictError: an order with this cart reference exists already.
            DuplicateOrderError: it was created again after a lost answer, and the service accepted both.
            OutcomeUnknownError: the answer was lost, and reading back did not settle it.
            CallError: it did not succeed.
        """
        sent = new_body(
            self._session.context,
            order,
            members,
            check_total=check_total,
            allow_fractions=allow_fractions,
            callbacks_in_body=callbacks_in_body,
        )
        return await self._create(sent, options)

    async def _create(self, sent: Unshown, options: CallOptions | None, deadline: Deadline | None = None) -> Order:
        creation = self._session.creation(CREATE_ORDER, None, sent.to_dict(), options)
        before = Baseline()
        deadline = deadline or self._session.deadline(options)
        try:
            with self._session.core.creations.creating(creation, before, deadline):
                answer = await self._session.call(
                    CREATE_ORDER, {}, body=sent, options=options, before=before, deadline=deadline
                )
        except DuplicateOrderError as error:
            error.orders = tuple(Order(self._session, order_id) for order_id in error.order_ids)
            raise
        created = Order(self._session, answer.id or "")
        if creation is not None and answer.id:
            self._session.core.creations.created(creation, answer.id)
        created.uniqueness_checked = answer.uniqueness_checked
        return created

    async def get(self, order_id: str, *, options: CallOptions | None = None) -> Order:
        """Read one order.

        Raises:
            InvalidRequestError: ``order_id`` can't be an id; nothing was sent.
            NotFoundError: there is no such order under this merchant and channel.
            CallError: it did not succeed.
        """
        return await self(order_id).refresh(options=options)

    async def list(
        self,
        where: OrderFilter | None = None,
        *,
        offset: int = 0,
        limit: int = LIST_LIMIT,
        options: CallOptions | None = None,
    ) -> OrderPage:
        """Read one page of orders.

        Args:
            where: the filter; by default all orders.
            offset: how many orders to skip.
            limit: the most orders to read. The service may give fewer, and may refuse a limit that is too high.
            options: settings of this call.

        Raises:
            InvalidRequestError: the filter can't be sent; nothing was sent.
            CallError: it did not succeed.
        """
        check_whole("offset", offset, 0, InvalidRequestError)
        check_whole("limit", limit, 1, InvalidRequestError)
        query = _filter(where).query() | {"offset": offset, "limit": limit}
        page, _ = await read_orders(self._session, query, options)
        return page

    def iterate(
        self,
        where: OrderFilter | None = None,
        *,
        page_size: int = PAGE_SIZE,
        limit: int | None = None,
        prefetch: bool = True,
        options: CallOptions | None = None,
    ) -> AsyncIterator[Order]:
        """Iterate over every order that matches, oldest first, each once, also while orders come, change and leave the
        filter.

        Several tasks may take orders from one iteration: each order goes to one of them.

        Args:
            where: the filter; by default all orders. It must not set ``order_by``.
            page_size: how many orders to ask for at a time, at least ten, because pages overlap. If the service refuses
                the first page, the size is halved, down to ten.
            limit: the most orders to give.
            prefetch: whether to read the next page while you use this one.
            options: settings of the call for each page.

        Raises:
            InvalidRequestError: the filter can't be sent, or sets an order; nothing was sent.
            UnavailableError: while iterating: the service does not honour the offset or gives one order a page, or the
                list changes faster than it can be read, so there may be more orders. The text gives the number of
                orders so far.
            CallError: while iterating: a page could not be read. To go on iterating reads it again.
        """
        where = _filter(where)
        if where.order_by is not None or where.order_by_direction is not None:
            raise InvalidRequestError("iterate goes by the time of creation; use list for another order")
        if limit is not None:
            check_whole("limit", limit, 0, InvalidRequestError)
        check_whole("page_size", page_size, 1, InvalidRequestError)
        return self._walk(where, max(page_size, SMALLEST_PAGE), limit=limit, prefetch=prefetch, options=options)

    def _walk(
        self,
        where: OrderFilter,
        page_size: int | None,
        *,
        limit: int | None = None,
        prefetch: bool = False,
        options: CallOptions | None,
        deadline: Deadline | None = None,
    ) -> OrderIteration[Order]:
        """Iterate over every order that matches. Without a page size the service chooses it, so that a look-up does not
        fail because of its size."""
        where.query()
        pages = Pages(self._session, where, page_size, options, deadline)
        begin = where.date_from if isinstance(where.date_from, datetime) else None
        walk = Walk(pages.fetch, begin, pages.fault)
        return OrderIteration(walk, self._session.core.loop_guard, limit=limit, prefetch=prefetch)

    async def count(self, where: OrderFilter | None = None, *, options: CallOptions | None = None) -> int:
        """Count the orders that match, with one call or two.

        ``size`` and ``totalSize`` are published in two ways: the number returned and all matches, or all matches and
        all orders of the channel. A page of one order shows which of them applies.

        Raises:
            InvalidRequestError: the filter can't be sent; nothing was sent.
            UnavailableError: the answer has no numbers.
            CallError: it did not succeed.
        """
        where = _filter(where).held()
        page = await self.list(where, limit=1, options=options)
        if not page.orders:
            return 0
        size = page.pagination.size if page.pagination else None
        total = page.pagination.total_size if page.pagination else None
        if size is None or total is None:
            raise UnavailableError("the answer does not say how many there are", operation=LIST_ORDERS.id)
        if size > 1:
            return size
        following = await self.list(where, offset=1, limit=1, options=options)
        return total if following.orders else 1

    async def find_by_cart_reference(self, cart_reference: str, *, options: CallOptions | None = None) -> Order | None:
        """Find the order of a cart, for example after the answer to its creation was lost.

        Returns:
            The order with exactly this cart reference that is not ``removed``; None if there is none.

        Raises:
            InvalidRequestError: the reference is empty; nothing was sent.
            CallError: it did not succeed.
        """
        return await self._by_cart_reference(_given("cart_reference", cart_reference), options)

    async def _by_cart_reference(
        self, cart_reference: str, options: CallOptions | None, deadline: Deadline | None = None
    ) -> Order | None:
        def matches(order: Order) -> bool:
            return order.cart.reference == cart_reference and order.status != "removed"

        found = await self._first(OrderFilter(cart_reference=cart_reference), matches, options, deadline)
        if found is not None:
            return found
        # Lists may be some seconds behind. An order that this client created can be read by its id at once.
        creation = self._session.creation(CREATE_ORDER, None, {"cart": {"reference": cart_reference}}, options)
        order_id = creation and self._session.core.creations.order_created_lately(creation.key)
        if not order_id:
            return None
        created = await self._read_if_there(order_id, options, deadline)
        return created if created is not None and matches(created) else None

    async def _read_if_there(
        self, order_id: str, options: CallOptions | None, deadline: Deadline | None
    ) -> Order | None:
        """The order with this id; None if it was deleted."""
        record = OrderRecord(self._session, order_id)
        try:
            await record.read(options, deadline)
        except NotFoundError:
            return None
        return Order(self._session, order_id, record.known())

    async def find_by_reference(self, reference: str, *, options: CallOptions | None = None) -> Sequence[Order]:
        """Find the orders with exactly this external reference. There may be several.

        Raises:
            InvalidRequestError: the reference is empty; nothing was sent.
            CallError: it did not succeed.
        """
        where = OrderFilter(reference=_given("reference", reference))
        walk = self._walk(where, None, options=options)
        return [order async for order in walk if order.reference == reference]

    async def find_by_payment(self, payment_id: str, *, options: CallOptions | None = None) -> Order | None:
        """Find the order with this payment; None if there is none.

        Raises:
            InvalidRequestError: the id is empty; nothing was sent.
            CallError: it did not succeed.
        """
        return await self._first(
            OrderFilter(payment_id=_given("payment_id", payment_id)),
            lambda order: any(payment.id == payment_id for payment in order.payments),
            options,
        )

    async def get_or_create(
        self,
        order: OrderData | OrderDataDict | None = None,
        *,
        cart_reference: str,
        check_total: bool = True,
        allow_fractions: bool = False,
        callbacks_in_body: bool = False,
        options: CallOptions | None = None,
        **members: Unpack[NewOrder],
    ) -> tuple[Order, bool]:
        """Find the order with this cart reference, or create it. An order that exists is not changed.

        Args:
            cart_reference: the reference to look for. It is also put into the new cart.
            order, check_total, allow_fractions, callbacks_in_body: as for :meth:`create`.
            options: settings of the calls.
            **members: as for :meth:`create`.

        Returns:
            The order, and whether this call created it. A created order is not loaded yet.

        Raises:
            InvalidRequestError: it can't be sent, or the cart has another reference; nothing was sent.
            ConflictError: the service refused a second order with this cart reference, and lists did not show the
                first one even after several reads.
            OutcomeUnknownError: the answer was lost, and reading back did not settle it.
            CallError: a step did not succeed.
        """
        body = models.OrderData() if order is None else model_of(models.OrderData, order, "order")
        cart = members.get("cart")
        given_cart = (body.cart or models.Cart()) if cart is None else model_of(models.Cart, cart, "cart")
        new_cart = with_reference(models.Cart, given_cart, cart_reference, "cart")
        sent = new_body(
            self._session.context,
            order,
            {**members, "cart": new_cart},
            check_total=check_total,
            allow_fractions=allow_fractions,
            callbacks_in_body=callbacks_in_body,
        )
        session = self._session
        creation = session.creation(CREATE_ORDER, None, sent.to_dict(), options)
        if creation is None:
            raise InvalidRequestError("cart needs a reference, which identifies it")

        async def once(flight: Flight[Order]) -> tuple[Order, bool]:
            return await self._once(cart_reference, sent, creation, flight, shared(options))

        found, created = await session.share(creation, once, options)
        # Each caller gets an Order with models of its own.
        known = OrderBody(found.plain, session.core.drift) if found.loaded else None
        handle = Order(session, found.id, known)
        handle.uniqueness_checked = found.uniqueness_checked
        return handle, created

    async def _once(
        self,
        cart_reference: str,
        sent: Unshown,
        creation: Creation,
        flight: Flight[Order],
        options: CallOptions | None,
    ) -> tuple[Order, bool]:
        """Get or create, once for all callers who ask for the same at the same time."""
        creations = self._session.core.creations

        async def look() -> Order | None:
            found = await self._by_cart_reference(cart_reference, options, flight.begun)
            if found is not None:
                creations.confirmed(creation.key)
            return found

        found = await look()
        while found is None and await creations.others_ended(creation.key):
            found = await look()
        if found is not None:
            return found, False
        creations.check(creation, flight)
        try:
            return await self._create(sent, options, flight.begun), True
        except ConflictError:
            # Another program was faster. Lists may not show its order at once.
            clock, began = self._session.core.clock, self._session.core.clock.monotonic()
            for moment in islice(moments(self._session.settings.changed(shared(options)).settling_pause), READS):
                await clock.sleep(max(0.0, began + moment - clock.monotonic()))
                found = await look()
                if found is not None:
                    return found, False
            raise

    async def _first(
        self,
        where: OrderFilter,
        matches: Callable[[Order], bool],
        options: CallOptions | None,
        deadline: Deadline | None = None,
    ) -> Order | None:
        async for order in self._walk(where, None, options=options, deadline=deadline):
            if matches(order):
                return order
        return None

    async def delete(self, order_id: str, *, options: CallOptions | None = None) -> None:
        """Delete an order from the service's storage.

        Raises:
            InvalidRequestError: ``order_id`` can't be an id; nothing was sent.
            NotFoundError: there is no such order under this merchant and channel.
            CallError: it did not succeed.
        """
        await Order(self._session, order_id).delete(options=options)


def _given(name: str, value: str) -> str:
    if not isinstance(value, str) or not value:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidRequestError(f"{name} must not be empty: an empty filter matches everything")
    return value


def _filter(where: object) -> OrderFilter:
    if where is None:
        return OrderFilter()
    if not isinstance(where, OrderFilter):
        raise InvalidRequestError(f"where must be an OrderFilter, not {type(where).__name__}")
    return where
