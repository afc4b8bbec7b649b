"""Counting, finding by known values, and getting or creating an order by its cart reference."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from norce_order_async import (
    ConflictError,
    InvalidRequestError,
    NorceOrderClient,
    OrderFilter,
    OutcomeUnknownError,
    UnavailableError,
)
from norce_order_async.models import Cart, OrderData
from norce_order_async.sandbox import Sandbox
from tests.support.engine import answer
from tests.support.orders import AT_ONCE, CART, CONTEXT, an_order, asked, client_of, unique
from tests.support.pipeline import stand

from .losing import LosingEngine

pytestmark = pytest.mark.anyio

ICELAND = OrderFilter(countries=["IS"])


@pytest.mark.parametrize("pagination", ["returned", "matches", "requested"])
@pytest.mark.parametrize("others", [0, 1, 3])
async def test_counting_is_right_under_both_readings(pagination: str, others: int) -> None:
    """The count is right for up to three matches, beside other orders of the channel."""
    with Sandbox(readings={"pagination-size": pagination}) as sandbox:
        async with client_of(sandbox) as norce:
            for _ in range(others):
                await norce.orders.create(CONTEXT)
            for matches in range(4):
                sandbox.requests.clear()
                assert await norce.orders.count(ICELAND) == matches
                assert await norce.orders.count() == others + matches
                assert len(sandbox.requests) <= 4
                await norce.orders.create(CONTEXT | {"country": "IS"})


async def test_the_older_reading_of_size_counts_right_too() -> None:
    """The count is right if ``size`` is the requested limit and not the number of orders on the page."""
    older = {"pagination": {"size": 1, "totalSize": 0}}
    service = stand([answer(200, {"data": [], **older})])
    assert await service.client.orders.count() == 0
    page = {"data": [{"id": "o1"}], "pagination": {"size": 1, "totalSize": 7}}
    service = stand([answer(200, page), answer(200, page)])
    assert await service.client.orders.count() == 7


async def test_an_answer_without_figures_is_reported() -> None:
    """If the answer has no figures, ``count`` raises instead of inventing a number."""
    service = stand([answer(200, {"data": [{"id": "o1"}]})])
    with pytest.raises(UnavailableError, match="does not say how many"):
        await service.client.orders.count()


async def test_finding(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """Orders are found by cart reference, by payment and by reference. The first two need one call each."""
    reference, cart_reference = unique("erp"), unique("cart")
    order = await an_order(norce, reference=reference, cart={**CART, "reference": cart_reference})
    twin = await an_order(norce, reference=reference)
    payment_id = await order.payments.create({"amount": 1.0})
    sandbox.requests.clear()
    by_cart = await norce.orders.find_by_cart_reference(cart_reference)
    assert by_cart is not None
    assert (by_cart.id, by_cart.status) == (order.id, "checkout")
    by_payment = await norce.orders.find_by_payment(payment_id)
    assert by_payment is not None
    assert by_payment.id == order.id
    assert asked(sandbox) == ["GetCheckoutOrders"] * 2
    assert [each.id for each in await norce.orders.find_by_reference(reference)] == [order.id, twin.id]


async def test_finding_a_missing_order(norce: NorceOrderClient) -> None:
    """A look-up of one order returns None if there is none; ``find_by_reference`` returns an empty list."""
    assert await norce.orders.find_by_cart_reference(unique("cart")) is None
    assert await norce.orders.find_by_payment(unique("p")) is None
    assert list(await norce.orders.find_by_reference(unique("erp"))) == []


async def test_a_similar_reference_is_not_found() -> None:
    """The client compares exactly, whatever the service counts as a match."""
    alike = {"id": "o1", "reference": "A-12", "cart": {"reference": "A-12"}, "payments": [{"id": "A-12"}]}
    service = stand(lambda _request: answer(200, {"data": [alike]}))
    assert await service.client.orders.find_by_cart_reference("A-1") is None
    assert await service.client.orders.find_by_payment("A-1") is None
    assert list(await service.client.orders.find_by_reference("A-1")) == []


@pytest.mark.parametrize("nothing", ["", None])
async def test_finding_by_nothing_is_refused(nothing: Any) -> None:
    """An empty value is refused, because it would match every order."""
    service = stand([])
    for find in (
        service.client.orders.find_by_cart_reference,
        service.client.orders.find_by_reference,
        service.client.orders.find_by_payment,
    ):
        with pytest.raises(InvalidRequestError, match="an empty filter matches everything"):
            await find(nothing)
    assert service.sent == []


async def test_getting_or_creating_twice_creates_once(norce: NorceOrderClient) -> None:
    """The second call returns the first one's order unchanged."""
    reference = unique("cart")
    first, created = await norce.orders.get_or_create(CONTEXT, cart_reference=reference, cart=CART)
    assert created
    again, created_again = await norce.orders.get_or_create(CONTEXT, cart_reference=reference, reference="other")
    assert (again.id, created_again, again.reference) == (first.id, False, None)
    assert (await first.refresh()).cart.reference == reference
    assert await norce.orders.count(OrderFilter(cart_reference=reference)) == 1


async def test_ten_at_once_create_one(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """Of ten calls at once one creates the order, and all return it."""
    reference = unique("cart")
    got: list[tuple[str, bool]] = []

    async def one() -> None:
        order, created = await norce.orders.get_or_create(CONTEXT, cart_reference=reference, cart=CART)
        got.append((order.id, created))

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(one)
    assert len({order_id for order_id, _ in got}) == 1
    assert [created for _, created in got].count(True) == 1
    assert await norce.orders.count(OrderFilter(cart_reference=reference)) == 1


async def test_a_conflict_with_an_order_that_is_not_found_is_reported() -> None:
    """A conflict is raised if the order is not found in as many look-ups as for a lost order. It may be hidden from
    this channel."""
    empty = answer(200, {"data": []})
    service = stand([empty, answer(409, {"code": "order-conflict"}), *[empty] * 4])
    with pytest.raises(ConflictError):
        await service.client.orders.get_or_create(CONTEXT, cart_reference="c1")


async def test_a_conflict_with_an_order_that_the_list_shows_later() -> None:
    """If the third look-up after a conflict shows the order, it is returned and nothing is raised."""
    empty = answer(200, {"data": []})
    shown = answer(200, {"data": [{"id": "o1", "cart": {"reference": "c1"}, "state": {"currentStatus": "checkout"}}]})
    service = stand([empty, answer(409, {"code": "order-conflict"}), empty, empty, shown])
    order, created = await service.client.orders.get_or_create(CONTEXT, cart_reference="c1")
    assert (order.id, created) == ("o1", False)


async def test_a_removed_order_frees_its_cart_reference(norce: NorceOrderClient) -> None:
    """After the order was removed, a new one is created for its cart reference."""
    reference = unique("cart")
    first, _ = await norce.orders.get_or_create(CONTEXT, cart_reference=reference, cart=CART)
    await first.remove()
    second, created = await norce.orders.get_or_create(CONTEXT, cart_reference=reference, cart=CART)
    assert created
    assert second.id != first.id


async def test_an_argument_is_not_changed(norce: NorceOrderClient) -> None:
    """The reference goes into a copy of the cart. An empty reference and two different ones are refused."""
    cart = Cart.from_dict(CART)
    body = OrderData(culture="sv-SE", currency="SEK", country="SE", cart=cart)
    order, _ = await norce.orders.get_or_create(body, cart_reference=unique("cart"))
    assert cart.reference is None
    assert len((await order.refresh()).cart.items) == 1
    with pytest.raises(InvalidRequestError, match="another reference"):
        await norce.orders.get_or_create(cart_reference="a", cart={"reference": "b"})
    with pytest.raises(InvalidRequestError, match="needs a reference"):
        await norce.orders.get_or_create(cart_reference="")


async def test_a_lost_answer_is_settled(sandbox: Sandbox) -> None:
    """After a lost answer the order is found by its cart reference, and the result says that this call created it."""
    engine = LosingEngine()
    reference = unique("cart")
    async with client_of(sandbox, engine=engine, options=AT_ONCE) as norce:
        engine.lose("POST", "/orders")
        order, created = await norce.orders.get_or_create(CONTEXT, cart_reference=reference, cart=CART)
        assert created
        assert (await order.refresh()).cart.reference == reference
        assert await norce.orders.count(OrderFilter(cart_reference=reference)) == 1


async def test_an_order_that_may_be_there_is_not_created_again() -> None:
    """If the creation fails with a 500 and the read after it too, the outcome is unknown and nothing is sent again."""
    replies = iter([answer(200, {"data": []}), answer(500), answer(404)])
    service = stand(lambda _request: next(replies))
    with pytest.raises(OutcomeUnknownError):
        await service.client.orders.get_or_create(CONTEXT, cart_reference="c1")
