"""An order as in the vendor's own samples passes in both directions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from norce_order_async import NorceOrderClient
from norce_order_async.models import AddressDict, OrderData, PaymentDict, PriceDict
from norce_order_async.sandbox import Sandbox
from tests.support.engine import answer
from tests.support.pipeline import stand

pytestmark = pytest.mark.anyio

PERSON: AddressDict = {
    "type": "Person",
    "givenName": "Rosalinainho",
    "country": "SE",
    "attributes": {"property1": None, "property2": None},
}
ORDER: Any = {
    "merchant": "thingsandstuff",
    "channel": "se",
    "culture": "sv-SE",
    "currency": "SEK",
    "country": "SE",
    "customer": {"type": "Person", "billing": PERSON, "shipping": PERSON, "attributes": {"property1": None}},
    "cart": {
        "items": [{"sku": "T001", "quantity": 1, "total": {"includingVat": 125, "excludingVat": 100}}],
        "attributes": {"property1": None},
    },
    "attributes": {"property1": None, "nested": {"property2": [None]}},
}
TOTAL: PriceDict = {"includingVat": 125.0, "excludingVat": 100.0}
"""The total of the one line. The vendor leaves it to the caller to send it."""
PAYMENT: PaymentDict = {"merchant": "thingsandstuff", "state": "Intent", "type": "Voucher", "amount": 125}


async def test_it_is_sent_as_it_was_given(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """A sample is sent unchanged as a dict and as a model, with its spelling and nulls, and the service accepts it.
    Only the cart's total is added."""
    shop = norce.scoped(merchant=ORDER["merchant"])
    sent = {**ORDER, "cart": {**ORDER["cart"], "total": TOTAL}}
    await shop.orders.create(ORDER)
    assert json.loads(sandbox.requests[-1].body) == sent
    order = await shop.orders.create(OrderData.from_dict(ORDER))
    assert json.loads(sandbox.requests[-1].body) == sent
    await order.payments.create(PAYMENT)
    assert json.loads(sandbox.requests[-1].body) == PAYMENT
    await order.customer.set_billing(PERSON)
    assert json.loads(sandbox.requests[-1].body) == PERSON

    await order.refresh()
    assert order.data.merchant == "thingsandstuff"
    assert order.customer.type == "person"
    (payment,) = order.payments
    assert (payment.state, payment.type_) == ("intent", "voucher")


async def test_it_is_read_in_the_described_words_and_written_as_it_came() -> None:
    """Words are read in the description's spelling, and writing the model back loses nothing."""
    state = {"currentStatus": "Checkout", "transitions": [{"status": "Checkout"}]}
    body = {**ORDER, "id": "o1", "state": state, "payments": [{**PAYMENT, "id": "p1"}]}
    service = stand([answer(200, body)])
    order = await service.client.orders.get("o1")
    assert order.status == "checkout"
    assert order.customer.type == "person"
    assert [payment.state for payment in order.payments] == ["intent"]
    assert dict(order.attributes) == ORDER["attributes"]
    assert (order.data.merchant, order.data.channel) == ("thingsandstuff", "se")
    assert order.data.to_dict() == body
    assert [*service.client.drift] == []


async def test_unknown_values_are_kept() -> None:
    """A new status, a new member, a wrong type and a missing one lose nothing and are recorded."""
    body = {
        "id": "o1",
        "state": {"currentStatus": "onHold"},
        "loyalty": {"level": 3},
        "cart": {"items": [{"sku": 5, "quantity": 1}]},
        "shippings": [{"id": "s1"}],
        "customer": None,
    }
    service = stand([answer(200, body)])
    order = await service.client.orders.get("o1")
    assert order.status == "onHold"
    assert order.cart.items[0].sku is None
    assert [shipping.id for shipping in order.shippings] == ["s1"]
    assert order.customer.data is None
    written = order.data.to_dict()
    assert written["loyalty"] == {"level": 3}
    assert written["cart"] == body["cart"]
    assert {(drift.where, drift.kind) for drift, _ in service.client.drift} >= {
        ("State.currentStatus", "unknown-word"),
        ("OrderData.loyalty", "extra"),
        ("Item.sku", "wrong-type"),
        ("Shipping.total", "missing"),
    }
