"""A cart's total is the sum of its lines, in ``orders.create``, ``cart.put`` and ``cart.update``."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norce_order_async import InvalidRequestError, NorceOrderClient
from norce_order_async.models import Cart, Discount, Item, OrderData, Price
from norce_order_async.orders.amounts import after_edit, with_total
from norce_order_async.sandbox import Sandbox
from tests.support.engine import answer
from tests.support.orders import CONTEXT, order_body
from tests.support.pipeline import Stand, stand
from tests.support.turns import examples

pytestmark = pytest.mark.anyio


def price(including: float, excluding: float | None = None) -> Any:
    return {"includingVat": including} if excluding is None else {"includingVat": including, "excludingVat": excluding}


def line(including: float | None, excluding: float | None = None, **members: Any) -> Any:
    return {"sku": "T001", **({} if including is None else {"total": price(including, excluding)}), **members}


def service_with(cart: dict[str, Any]) -> Stand:
    """Return a service whose one order has this cart."""
    return stand(lambda request: answer(200, order_body(cart=cart)) if request.method == "GET" else answer(200))


def sent(service: Stand) -> dict[str, Any]:
    """Parse the body of the last request."""
    body: dict[str, Any] = json.loads(service.engine.requests[-1].body or b"null")
    return body


async def edited(cart: dict[str, Any], edit: Callable[[Cart], None], **options: Any) -> dict[str, Any]:
    """Return the cart that ``cart.update`` puts for an order with this cart."""
    service = service_with(cart)
    await service.client.orders("oAbCdEfG").cart.update(edit, **options)
    assert [line.split()[0] for line in service.sent] == ["GET", "PUT"]
    return sent(service)


async def refused(cart: dict[str, Any], edit: Callable[[Cart], None]) -> str:
    """Return the reason why an edit is refused, after checking that nothing was written."""
    service = service_with(cart)
    with pytest.raises(InvalidRequestError) as caught:
        await service.client.orders("oAbCdEfG").cart.update(edit)
    assert [line.split()[0] for line in service.sent] == ["GET"]
    return str(caught.value)


def append(item: Item) -> Callable[[Cart], None]:
    def edit(cart: Cart) -> None:
        assert cart.items is not None
        cart.items.append(item)

    return edit


def change(**members: Any) -> Callable[[Cart], None]:
    """Return an edit that changes members of the first line."""

    def edit(cart: Cart) -> None:
        assert cart.items
        for name, value in members.items():
            setattr(cart.items[0], name, value)

    return edit


ONE = {"items": [line(125.0, 100.0, id="ci1", quantity=1)], "total": price(125.0, 100.0)}


async def test_an_order_is_completed_for_the_cost_of_its_lines(norce: NorceOrderClient) -> None:
    """A line of 250 is added to one of 125, and the client's new sum of 375 is what is paid."""
    order = await norce.orders.create(**CONTEXT, cart={"items": [line(125, 100)]})
    await order.cart.update(append(Item(sku="T002", total=Price(including_vat=250, excluding_vat=200))))
    await order.refresh()
    assert order.amount == Decimal("375.00")
    await order.payments.create_for_outstanding({"name": "Invoice"})
    await order.transition_to("completed", confirm=True)
    assert sum(payment.amount or 0 for payment in order.payments) == 375


@pytest.mark.parametrize(
    ("cart", "total"),
    [
        ({"items": [line(125, 100)]}, price(125.0, 100.0)),
        ({"items": [line(0.1), line(0.2)]}, price(0.3)),
        ({"items": [line(None), line(10, 8)]}, price(10.0, 8.0)),
        ({"items": [line(10, 8, items=[line(4, 3), line(6, 5)])]}, price(10.0, 8.0)),
        ({"items": [line(10, 8)], "discounts": [{"value": price(5, 4)}]}, price(10.0, 8.0)),
        ({"items": []}, price(0.0, 0.0)),
        ({"reference": "r"}, None),
    ],
)
async def test_a_cart_without_a_total_gets_the_sum(cart: dict[str, Any], total: object) -> None:
    """The total is the sum of the top lines, because their totals already include parts of bundles and the cart's
    discounts."""
    service = stand(lambda request: answer(201 if request.method == "POST" else 200, {"id": "o1"}))
    await service.client.orders.create(**CONTEXT, cart=cast("Any", cart))
    assert sent(service)["cart"].get("total") == total
    await service.client.orders("o1").cart.put(Cart.from_dict(cart))
    assert sent(service).get("total") == total
    await service.client.orders.get_or_create(cart_reference="r", cart=cast("Any", cart), check_total=False, **CONTEXT)
    assert sent(service)["cart"].get("total") is None


@pytest.mark.parametrize(
    ("cart", "complaint"),
    [
        (
            {"items": [line(125, 100)], "total": price(120, 96)},
            "cart.total 120.00 / 96.00 is not the sum of its lines, 125.00 / 100.00: mend it, or pass check_total",
        ),
        (
            {"items": [line(125)], "total": price(125.01)},
            "cart.total 125.01 / - is not the sum of its lines, 125.00 / -",
        ),
        ({"items": [line(125, 100)], "total": price(125, 100.02)}, "cart.total 125.00 / 100.02 is not"),
        ({"total": price(1)}, "cart.total 1.00 / - is not the sum of its lines, 0.00"),
        ({"items": [line(1)], "total": {"excludingVat": 1}}, "cart.total - / 1.00 is not"),
        ({"items": [line(1), line(None, price=price(5))]}, r"cart.items\[1\] \(sku 'T001'\) has a price but no total"),
        ({"items": [{"total": {"excludingVat": 4}}]}, r"cart.items\[0\] has no total.includingVat"),
    ],
)
async def test_a_cart_that_does_not_add_up_is_refused(cart: dict[str, Any], complaint: str) -> None:
    """The error has both figures, or the line. ``check_total=False`` sends the cart all the same."""
    service = stand(lambda request: answer(201 if request.method == "POST" else 200, {"id": "o1"}))
    order = service.client.orders("o1")
    for refuse in (
        lambda: service.client.orders.create(**CONTEXT, cart=cast("Any", cart)),
        lambda: service.client.orders.create(OrderData(cart=Cart.from_dict(cart))),
        lambda: order.cart.put(cast("Any", cart)),
        lambda: order.cart.put(Cart.from_dict(cart)),
    ):
        with pytest.raises(InvalidRequestError, match=complaint):
            await refuse()
    assert service.sent == []
    await order.cart.put(cast("Any", cart), check_total=False)
    assert sent(service) == cart
    await service.client.orders.create(cart=cast("Any", cart), check_total=False)
    assert sent(service)["cart"] == cart


@pytest.mark.parametrize("excluding", [99.97, 100.0, 100.03])
async def test_without_vat_each_line_may_be_a_cent_off(excluding: float) -> None:
    """Lines are rounded one by one, so the sum without VAT of three lines may be off by up to three cents."""
    cart = {"items": [line(41.67, 33.34), line(41.67, 33.33), line(41.66, 33.33)], "total": price(125, excluding)}
    service = service_with({})
    await service.client.orders("o1").cart.put(cast("Any", cart))
    assert sent(service) == cart


async def test_the_total_follows_an_edit() -> None:
    """A total that was missing or was the sum of the lines is the sum again after an edit."""
    item = Item(sku="T2", total=Price(including_vat=250.0, excluding_vat=200.0))
    assert (await edited(ONE, append(item)))["total"] == price(375.0, 300.0)
    assert (await edited(ONE, lambda cart: setattr(cart, "items", [])))["total"] == price(0.0, 0.0)
    assert (await edited({"items": ONE["items"]}, append(item)))["total"] == price(375.0, 300.0)


async def test_a_total_that_was_not_the_sum_is_not_guessed() -> None:
    """The error has both figures. An edit passes if it sets the total, or with ``check_total=False``."""
    odd = {**ONE, "total": price(120.0, 96.0)}
    item = Item(total=Price(including_vat=250.0, excluding_vat=200.0))
    assert "cart.total 120.00 / 96.00 was not the sum" in (said := await refused(odd, append(item)))
    assert "the lines add up to 375.00 / 300.00 now" in said

    def with_its_total(cart: Cart) -> None:
        append(item)(cart)
        cart.total = Price(including_vat=375.0, excluding_vat=300.0)

    assert (await edited(odd, with_its_total))["total"] == price(375.0, 300.0)
    assert (await edited(odd, append(item), check_total=False))["total"] == price(120.0, 96.0)


async def test_an_edit_without_costs_is_not_checked() -> None:
    """A change of a name passes whatever the figures are, because it changes none of them."""
    odd = {"items": [line(125.0, 100.0, id="ci1"), line(None, price=price(9.0), id="ci2")], "total": price(1.0)}
    put = await edited(odd, change(name="Another"))
    assert put == {**odd, "items": [{**odd["items"][0], "name": "Another"}, odd["items"][1]]}


async def test_a_total_that_the_edit_sets_must_be_the_sum() -> None:
    def edit(cart: Cart) -> None:
        cart.total = Price(including_vat=1.0)

    assert "cart.total 1.00 / - is not the sum of its lines, 125.00 / 100.00" in await refused(ONE, edit)


COUNTED = {
    "items": [line(250.0, 200.0, id="ci1", quantity=2, price=price(125.0, 100.0))],
    "total": price(250.0, 200.0),
}
"""A line that costs quantity times price."""


async def test_a_line_of_quantity_times_price_is_computed_again() -> None:
    """If a line's total was its quantity times its price, a change of either computes the line and the cart again."""
    put = await edited(COUNTED, change(quantity=3))
    assert put["items"][0]["total"] == price(375.0, 300.0)
    assert put["total"] == price(375.0, 300.0)
    put = await edited(COUNTED, change(price=Price(including_vat=10.0, excluding_vat=8.0)))
    assert (put["items"][0]["total"], put["total"]) == (price(20.0, 16.0), price(20.0, 16.0))


DISCOUNTED = {
    "items": [
        line(225.0, 180.0, id="ci1", quantity=2, price=price(125.0, 100.0), discounts=[{"value": price(25.0, 20.0)}])
    ],
    "total": price(225.0, 180.0),
}


@pytest.mark.parametrize(
    ("cart", "members", "what"),
    [
        (DISCOUNTED, {"quantity": 3}, "quantity"),
        (DISCOUNTED, {"discounts": None}, "discounts"),
        (COUNTED, {"discounts": [Discount(value=Price(including_vat=1.0))]}, "discounts"),
        (COUNTED, {"quantity": None}, "quantity"),
        (ONE, {"quantity": 2}, "quantity"),
        ({"items": [line(240.0, 192.0, id="ci1", quantity=2, price=price(125.0, 100.0))], "total": price(240.0)},
         {"quantity": 3, "price": Price(including_vat=1.0)}, "quantity and price"),
    ],
)  # fmt: skip
async def test_a_line_with_another_cost_is_not_guessed(
    cart: dict[str, Any], members: dict[str, Any], what: str
) -> None:
    """If a line's new total can't be computed, the caller has to set it."""
    said = await refused(cart, change(**members))
    assert f"cart.items[0] (sku 'T001'): {what} changed, and its total stayed " in said
    total = Price(including_vat=1.0, excluding_vat=0.8)
    assert (await edited(cart, change(**members, total=total)))["items"][0]["total"] == price(1.0, 0.8)


async def test_lines_are_recognised_by_their_id() -> None:
    """Lines that only change places keep their costs."""
    two = {
        "items": [line(10.0, 8.0, id="ci1", quantity=1), line(20.0, 16.0, id="ci2", quantity=2)],
        "total": price(30.0, 24.0),
    }
    put = await edited(two, lambda cart: cart.items.reverse() if cart.items else None)
    assert [one["id"] for one in put["items"]] == ["ci2", "ci1"]
    assert put["total"] == price(30.0, 24.0)


async def test_the_service_accepts_the_edited_cart(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """The service accepts an edited cart with the ids that it gave to the lines."""
    order = await norce.orders.create(
        **CONTEXT, cart={"items": [line(250, 200, quantity=2, price=price(125, 100))], "total": price(250, 200)}
    )
    await order.cart.update(change(quantity=4))
    await order.refresh()
    assert order.amount == 500
    assert len(sandbox.effects.of(order.id, "UpdateCheckoutOrderCart")) == 1


cents = st.integers(0, 10**9).map(lambda number: number / 100)


@settings(max_examples=examples(70, soak=200), deadline=None)
@given(st.lists(st.tuples(cents, cents), max_size=8), st.lists(st.tuples(cents, cents), max_size=8))
def test_the_sum_is_exact(before: list[tuple[float, float]], after: list[tuple[float, float]]) -> None:
    """The totals equal a sum in whole cents, for any lines before and after an edit."""
    first = with_total({"items": [line(*one) for one in before]}, "cart")
    second = after_edit(first, {**first, "items": [line(*one) for one in after]})
    for cart, lines in ((first, before), (second, after)):
        total = cart["total"]
        assert round(total["includingVat"] * 100) == sum(round(one * 100) for one, _ in lines)
        assert round(total["excludingVat"] * 100) == sum(round(one * 100) for _, one in lines)
