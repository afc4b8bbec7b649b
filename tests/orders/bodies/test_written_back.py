"""An order that is read, changed and written: unchanged values go back as they came, and a creation sends no nulls."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Awaitable, Callable
from typing import Any, cast

import attrs
import pytest

from norce_order_async import NorceOrderClient, Order
from norce_order_async.engines.base import WireRequest
from norce_order_async.models import Address, Cart, Payment, PaymentTransaction, Shipping
from tests.support.engine import Step, answer
from tests.support.pipeline import Stand, stand

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

NO_OFFSET = "2026-01-02T03:04:05"
SEVEN_DIGITS = "2026-01-02T03:04:05.1234567Z"
CART: Json = {
    "reference": None,
    "items": [
        {"sku": "T1", "quantity": 1, "unit": None, "upsell": None, "logistics": {"shippingDate": NO_OFFSET}},
        {"sku": "T2", "quantity": 1, "price": None, "logistics": {"shippingDate": SEVEN_DIGITS, "tags": None}},
    ],
    "discounts": None,
    "attributes": {"gift": None},
}
ADDRESS: Json = {"givenName": "Åsa", "careOf": None, "type": "Person", "attributes": None, "country": None}
PAYMENT: Json = {
    "id": "p1",
    "amount": 20,
    "reference": None,
    "currency": None,
    "upsell": {"eligible": None, "expiration": SEVEN_DIGITS},
}
SHIPPING: Json = {"id": "s1", "reference": None, "total": {"includingVat": 10, "excludingVat": None}, "vatRate": None}
ORDER: Json = {
    "id": "o1",
    "created": SEVEN_DIGITS,
    "lastModified": NO_OFFSET,
    "reference": None,
    "state": {"currentStatus": "checkout", "transitions": [{"status": None, "timeStamp": NO_OFFSET}]},
    "customer": {"type": None, "billing": ADDRESS, "shipping": ADDRESS},
    "cart": CART,
    "payments": [PAYMENT],
    "shippings": [SHIPPING],
    "total": None,
}


def service() -> Stand:
    """Return a service that answers reads with the order and its parts, and accepts every write."""

    def serve(request: WireRequest) -> Step:
        if request.method == "POST":
            return answer(201, {"id": "new"})
        if request.method != "GET":
            return answer(204)
        part = {"p1": PAYMENT, "s1": SHIPPING}.get(request.url.rpartition("/")[2], ORDER)
        return answer(200, part)

    return stand(serve)


def last_sent(at: Stand) -> Any:
    """Parse the body of the last request."""
    return json.loads(at.engine.requests[-1].body or b"null")


def same(model: Any) -> None:
    """Change nothing."""


def cart_of(order: Order) -> Cart:
    """Return the cart as it was read."""
    assert order.cart.data is not None
    return order.cart.data


def address_of(order: Order) -> Address:
    """Return the billing address as it was read."""
    assert order.customer.billing is not None
    return order.customer.billing


UPDATES: dict[str, tuple[Json, Callable[[Order], Awaitable[object]]]] = {
    "cart.update": (CART, lambda order: order.cart.update(same)),
    "cart.put": (CART, lambda order: order.cart.put(cart_of(order), check_total=False)),
    "cart.put of a dict": (
        CART,
        lambda order: order.cart.put(cast("Any", cart_of(order).to_dict()), check_total=False),
    ),
    "customer.update_billing": (ADDRESS, lambda order: order.customer.update_billing(same)),
    "customer.update_shipping": (ADDRESS, lambda order: order.customer.update_shipping(same)),
    "customer.set_billing": (ADDRESS, lambda order: order.customer.set_billing(address_of(order))),
    "customer.set_shipping": (ADDRESS, lambda order: order.customer.set_shipping(same_as_billing=True)),
    "payments.update": (PAYMENT, lambda order: order.payments.update("p1", same)),
    "payments.put": (PAYMENT, lambda order: order.payments.put("p1", next(iter(order.payments)))),
    "shippings.update": (SHIPPING, lambda order: order.shippings.update("s1", same)),
    "shippings.put": (SHIPPING, lambda order: order.shippings.put("s1", next(iter(order.shippings)))),
}


@pytest.mark.parametrize("way", UPDATES)
async def test_unchanged_values_go_back_as_they_came(way: str) -> None:
    """Times keep their notation and nulls stay, at any depth."""
    at = service()
    came, update = UPDATES[way]
    await update(await at.client.orders.get("o1"))
    assert last_sent(at) == came


async def test_a_changed_value_is_written_again() -> None:
    """A changed time is written in full, and the rest of its line goes back as it came."""
    at = service()

    def change(cart: Cart) -> None:
        first, second = cart.items or []
        assert first.logistics is not None
        assert second.logistics is not None
        assert second.logistics.shipping_date is not None
        first.logistics.shipping_date = second.logistics.shipping_date.replace(microsecond=5)
        first.unit = "by hand"

    await (await at.client.orders.get("o1")).cart.update(change)
    first = {**CART["items"][0], "unit": "by hand", "logistics": {"shippingDate": f"{NO_OFFSET}.000005Z"}}
    assert last_sent(at) == {**CART, "items": [first, CART["items"][1]]}


def pickled(model: Any) -> Any:
    """Copy a model through pickle."""
    return pickle.loads(pickle.dumps(model))


COPIES: list[Any] = [copy.copy, copy.deepcopy, pickled, attrs.evolve]


@pytest.mark.parametrize("again", COPIES)
async def test_copies_go_back_as_they_came(again: Callable[[Any], Any]) -> None:
    """A copy of the whole order or of a part goes back as it came."""
    at = service()
    order = await at.client.orders.get("o1")
    assert again(order.data).to_dict() == ORDER
    await order.payments.put("p1", again(next(iter(order.payments))))
    assert last_sent(at) == PAYMENT


ACTION = {"type": "capture", "url": "https://a.example/", "adapterId": "a"}
CREATIONS: dict[str, tuple[Json | list[Json], Callable[[NorceOrderClient, Order], Awaitable[object]]]] = {
    "orders.create": (
        {"customer": {"billing": {"givenName": "Åsa", "type": "Person"}}},
        lambda norce, _: norce.orders.create(
            cast("Any", {"reference": None, "cart": None, "customer": {"billing": ADDRESS}})
        ),
    ),
    "payments.create": (
        {"id": "p1", "amount": 20, "upsell": {"expiration": SEVEN_DIGITS}},
        lambda _, order: order.payments.create(Payment.from_dict(PAYMENT)),
    ),
    "shippings.create": (
        {"id": "s1", "total": {"includingVat": 10}},
        lambda _, order: order.shippings.create(Shipping.from_dict(SHIPPING)),
    ),
    "hooks.create": (
        {"adapterId": "a", "invoke": "https://a.example/"},
        lambda _, order: order.hooks.create(
            cast("Any", {"adapterId": "a", "invoke": "https://a.example/", "target": None})
        ),
    ),
    "payments.add_actions": (
        [ACTION],
        lambda _, order: order.payments.add_actions("p1", [cast("Any", {**ACTION, "id": None})]),
    ),
    "payments.add_transaction": (
        {"event": "capture", "created": NO_OFFSET},
        lambda _, order: order.payments.add_transaction(
            "p1", PaymentTransaction.from_dict({"event": "capture", "created": NO_OFFSET, "amount": None})
        ),
    ),
}


@pytest.mark.parametrize("way", CREATIONS)
async def test_a_creation_is_sent_without_nulls(way: str) -> None:
    """A creation has no earlier values that nulls could keep."""
    at = service()
    expected, create = CREATIONS[way]
    await create(at.client, await at.client.orders.get("o1"))
    assert at.engine.requests[-1].method == "POST"
    assert last_sent(at) == expected
