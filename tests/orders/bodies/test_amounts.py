"""Amounts in the forms that callers give: decimals and whole numbers are taken exactly, with two decimals at most."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, cast

import pytest

from norce_order_async import InvalidRequestError, Order
from norce_order_async._json import is_list, is_mapping, list_or_empty
from norce_order_async.models import (
    Addon,
    Cart,
    CartDict,
    Item,
    Payment,
    PaymentTransaction,
    Price,
    Shipping,
    ShippingDict,
)
from tests.support.engine import answer
from tests.support.orders import order_body
from tests.support.pipeline import Stand, stand

pytestmark = pytest.mark.anyio

Write = Callable[[Order, Any, dict[str, Any]], Awaitable[object]]
"""Writes an amount somewhere, with further arguments."""

NOISE = 41.67 * 3 / 1.25
"""The result of a float computation, 100.00800000000001."""


def service(order: dict[str, Any] | None = None) -> Stand:
    def answering(request: Any) -> Any:
        if request.method == "GET":
            path = request.url.partition("?")[0]
            parts = (order or {}).get("payments") if "/payments/" in path else (order or {}).get("shippings")
            single = "/payments/" in path or "/shippings/" in path
            return answer(200, parts[0] if single and parts else order_body(**(order or {})))
        return answer(200) if request.method == "PUT" else answer(201, {"id": "x1"})

    return stand(answering)


def sent(at: Stand) -> Any:
    return json.loads(at.engine.requests[-1].body or b"null")


def _cart(amount: Any) -> CartDict:
    return {"items": [{"sku": "T1", "total": {"includingVat": amount}}]}


def _shipping(amount: Any) -> ShippingDict:
    return {"total": {"includingVat": amount, "excludingVat": 0}, "vatRate": 0.25}


WRITES: dict[str, Write] = {
    "cart": lambda order, amount, more: order.cart.put(_cart(amount), **more),
    "cart as a model": lambda order, amount, more: order.cart.put(
        Cart(items=[Item(total=Price(including_vat=amount))]), **more
    ),
    "payment": lambda order, amount, more: order.payments.create({"amount": amount}, **more),
    "payment as a model": lambda order, amount, more: order.payments.create(Payment(amount=amount), **more),
    "limit": lambda order, amount, more: order.payments.create({"upperLimitAmount": amount}, **more),
    "payment put": lambda order, amount, more: order.payments.put("p1", {"amount": amount}, **more),
    "shipping": lambda order, amount, more: order.shippings.create(_shipping(amount), **more),
    "shipping put": lambda order, amount, more: order.shippings.put("s1", _shipping(amount), **more),
    "add-on": lambda order, amount, more: order.shippings.create(
        Shipping(total=Price(0, 0), vat_rate=0.25, addons=[Addon(price=amount)]), **more
    ),
    "log": lambda order, amount, more: order.payments.log("p1", "capture", amount=amount, **more),
    "transaction": lambda order, amount, more: order.payments.add_transaction(
        "p1", PaymentTransaction(amount=amount), **more
    ),
}


def numbers(data: Any) -> list[float]:
    """Return all numbers in JSON data."""
    if is_mapping(data) or is_list(data):
        entries = list(data.values()) if is_mapping(data) else list_or_empty(data)
        return [number for one in entries for number in numbers(one)]
    return [data] if isinstance(data, int | float) else []


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("amount", [Decimal("125.10"), 125, 125.1, Decimal("1E+2"), Decimal("0.07")])
# Amounts are checked without awaiting anything.
@pytest.mark.in_turn("anyio_backend")
async def test_decimals_are_sent_exactly(write: Write, amount: Any) -> None:
    """Amounts in dicts and in models are sent without rounding."""
    at = service()
    await write(at.client.orders("oAbCdEfG"), amount, {})
    assert float(amount) in numbers(sent(at))
    assert Decimal(repr(float(amount))) == Decimal(str(amount))


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize(
    ("amount", "complaint"),
    [
        (NOISE, r"is 100.00800000000001, and an amount has two decimals at most: give 100.01, or pass"),
        (Decimal("1.001"), "is 1.001, and an amount has two decimals at most: give 1.00"),
    ],
)
# Amounts are checked without awaiting anything.
@pytest.mark.in_turn("anyio_backend")
async def test_more_than_two_decimals_are_refused(write: Write, amount: Any, complaint: str) -> None:
    """The error has the rounded amount. ``allow_fractions=True`` sends the amount as it is."""
    at = service()
    order = at.client.orders("oAbCdEfG")
    with pytest.raises(InvalidRequestError, match=complaint):
        await write(order, amount, {})
    assert at.sent == []
    await write(order, amount, {"allow_fractions": True})
    assert float(amount) in numbers(sent(at))


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("amount", [Decimal("NaN"), Decimal("Infinity"), Decimal("12345678901234567.89"), float("nan")])
# Amounts are checked without awaiting anything.
@pytest.mark.in_turn("anyio_backend")
async def test_a_number_that_json_has_not_is_refused(write: Write, amount: Any) -> None:
    """Amounts with more digits than a double holds, NaN and infinities are refused."""
    at = service()
    with pytest.raises(InvalidRequestError, match=r"JSON|finite|digits|is NaN"):
        await write(at.client.orders("oAbCdEfG"), amount, {})
    assert at.sent == []


async def test_members_that_may_have_any_number_of_decimals() -> None:
    """Unit prices, rates and attributes are sent with all their decimals."""
    at = service()
    item = {
        "price": {"includingVat": 0.3333},
        "vatRate": 0.0625,
        "total": {"includingVat": 1},
        "attributes": {"w": 1.2345},
    }
    await at.client.orders("oAbCdEfG").cart.put(cast("CartDict", {"items": [item]}))
    assert sent(at)["items"] == [item]


FRACTION = {"includingVat": 33.333, "excludingVat": 26.666}


async def test_amounts_of_the_service_go_back_as_they_came() -> None:
    """An edit of something else is not refused because of the service's own decimals. A new amount with such decimals
    is refused."""
    at = service(
        {
            "cart": {"items": [{"id": "ci1", "total": FRACTION}], "total": FRACTION},
            "payments": [{"id": "p1", "amount": 33.333}],
            "shippings": [{"id": "s1", "total": FRACTION, "vatRate": 0.25}],
        }
    )
    order = at.client.orders("oAbCdEfG")

    def rename(part: Any) -> None:
        part.name = "Another"

    await order.payments.update("p1", rename)
    assert sent(at)["amount"] == 33.333
    await order.shippings.update("s1", rename)
    assert sent(at)["total"] == FRACTION
    await order.cart.update(lambda cart: rename(cart.items[0]) if cart.items else None)
    assert sent(at)["total"] == FRACTION

    await order.refresh()
    await order.payments.put("p1", next(iter(order.payments)))
    await order.shippings.put("s1", next(iter(order.shippings)))
    assert order.cart.data is not None
    await order.cart.put(order.cart.data)
    with pytest.raises(InvalidRequestError, match=r"give 33\.33"):
        await order.payments.update("p1", lambda payment: setattr(payment, "amount", 33.334))
    with pytest.raises(InvalidRequestError, match=r"give 33\.33"):
        await order.payments.put("p1", {"amount": 33.334})


async def test_outstanding_is_paid_exactly() -> None:
    """The outstanding amount may have as many decimals as the service's total, because the sum must be exact."""
    at = service({"total": {"includingVat": 33.333}})
    await at.client.orders("oAbCdEfG").payments.create_for_outstanding({"name": "Invoice"})
    assert sent(at) == {"name": "Invoice", "amount": 33.333}


@pytest.mark.parametrize("total", [None, {}, {"excludingVat": 5}])
async def test_outstanding_is_none_without_a_total(total: Any) -> None:
    """Without a total the amount due is not known, and 0 would mean that nothing is due."""
    at = service({"total": total, "payments": [{"id": "p1", "amount": 5}]})
    order = await at.client.orders.get("oAbCdEfG")
    assert (order.amount, order.outstanding) == (None, None)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"amount": "125"}, "Payment.amount has the wrong type: a number is wanted, a text was given"),
        ({"amount": True}, "Payment.amount has the wrong type: a number is wanted, a truth value was given"),
        ({"name": 5}, "Payment.name has the wrong type: a text is wanted, a whole number was given"),
        ({"upsell": []}, "Payment.upsell has the wrong type: an object or a text is wanted, a list was given"),
        ({"attributes": "x"}, "Payment.attributes has the wrong type: an object or a text is wanted, a text was given"),
    ],
)
async def test_type_errors_name_member_and_types(body: Any, complaint: str) -> None:
    """The error names the member and its types, and the body is not sent."""
    at = service()
    with pytest.raises(InvalidRequestError, match=complaint):
        await at.client.orders("oAbCdEfG").payments.create(body)
    assert at.sent == []


async def test_a_model_s_amount_must_be_a_number() -> None:
    """A model may hold any value, but an amount is checked when it is sent."""
    at = service()
    wrong: Any = "125"
    with pytest.raises(InvalidRequestError, match=r"Payment\.amount must be a number, not str"):
        await at.client.orders("oAbCdEfG").payments.create(Payment(amount=wrong))
    assert at.sent == []


async def test_dicts_may_hold_models() -> None:
    """A dict may hold models at any depth."""
    at = service()
    total = Price(including_vat=1.0)
    await at.client.orders("oAbCdEfG").cart.put({"items": [Item(sku="T1", total=total), {"total": total}]})
    assert sent(at)["items"] == [{"sku": "T1", "total": {"includingVat": 1.0}}, {"total": {"includingVat": 1.0}}]
