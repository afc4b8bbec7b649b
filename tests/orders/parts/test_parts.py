"""Consents, attributes, addresses, payments and edits of an order, over a socket."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from norce_order_async import (
    BadRequestError,
    ChangeRefusedError,
    InvalidRequestError,
    NorceOrderClient,
    NotFoundError,
    Order,
    PendingError,
)
from norce_order_async.models import Address, AddressDict, Cart, Item, Payment, Price, Shipping
from norce_order_async.sandbox import Sandbox
from tests.support.engine import answer
from tests.support.orders import PRICE, an_order, asked
from tests.support.pipeline import stand

pytestmark = pytest.mark.anyio


async def test_several_consents_in_one_call(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """Ticking three consents takes one PATCH, and so does unticking one."""
    order = await an_order(norce, consents=[{"id": name, "required": True} for name in ("terms", "news", "age")])
    sandbox.requests.clear()
    await order.consents.check("terms", "news", "age")
    await order.consents.uncheck("news")
    assert asked(sandbox) == ["PatchCheckoutOrderConsents", "PatchCheckoutOrderConsent"]
    await order.refresh()
    assert {consent.id: consent.checked for consent in order.consents} == {"terms": True, "news": False, "age": True}


async def test_unknown_consents_are_refused(norce: NorceOrderClient) -> None:
    """The client refuses an empty list and wrong ids. The service refuses an unknown id, and then no consent is
    changed."""
    order = await an_order(norce, consents=[{"id": "terms"}])
    for ids in ((), ("",), ("terms", ""), ("terms", "a/b")):
        with pytest.raises(InvalidRequestError):
            await order.consents.check(*ids)
    with pytest.raises(NotFoundError):
        await order.consents.check("terms", "of another order")
    await order.refresh()
    assert [bool(consent.checked) for consent in order.consents] == [False]


async def test_attributes_are_merged_and_removed(norce: NorceOrderClient) -> None:
    """An update merges attributes, and ``remove`` removes some. That a null removes one is an assumption about the
    service."""
    order = await an_order(norce, attributes={"kept": 1, "gone": 2, "too": 3})
    await order.attributes.update({"new": {"deep": [1, None]}, "kept": "changed"})
    await order.attributes.remove("gone", "too")
    await order.refresh()
    assert dict(order.attributes) == {"kept": "changed", "new": {"deep": [1, None]}}
    with pytest.raises(InvalidRequestError, match="at least one"):
        await order.attributes.remove()
    with pytest.raises(InvalidRequestError):
        await order.attributes.update({"": 1})
    with pytest.raises(InvalidRequestError):
        await order.attributes.update({"no json": object()})


BILLING: AddressDict = {"type": "person", "givenName": "Åsa", "city": "Solna", "country": "SE"}


async def test_the_same_address_twice(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """The billing address, as the service has it, becomes the shipping address."""
    order = await an_order(norce)
    with pytest.raises(InvalidRequestError, match="no billing address"):
        await order.customer.set_shipping(same_as_billing=True)
    await order.customer.set_billing(BILLING)
    sandbox.requests.clear()
    await norce.orders(order.id).customer.set_shipping(same_as_billing=True)
    assert asked(sandbox) == ["GetCheckoutOrder", "UpdateCheckoutOrderCustomerShipping"]
    await order.refresh()
    assert order.customer.shipping == order.customer.billing == Address.from_dict(BILLING)
    with pytest.raises(InvalidRequestError, match="either an address or"):
        await order.customer.set_shipping()
    with pytest.raises(InvalidRequestError, match="either an address or"):
        await order.customer.set_shipping(BILLING, same_as_billing=True)


async def test_editing_an_address(norce: NorceOrderClient) -> None:
    """An edit may change the address in place or return another one. The other address stays."""
    order = await an_order(norce, customer={"type": "person", "billing": BILLING, "shipping": BILLING})

    def move(address: Address) -> None:
        address.city = "Uppsala"

    await order.customer.update_billing(move)
    await order.customer.update_shipping(lambda _: Address(given_name="Bo", country="NO"))
    await order.refresh()
    assert order.customer.billing == Address.from_dict({**BILLING, "city": "Uppsala"})
    assert order.customer.shipping == Address(given_name="Bo", country="NO")
    with pytest.raises(InvalidRequestError, match=r"country must be two letters"):
        await order.customer.update_shipping(lambda _: Address(country="Norway"))


async def test_editing_the_cart(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """``cart.update`` reads the newest cart, edits it and writes it. The cart that the handle held is not changed."""
    order = await an_order(norce)
    await norce.orders(order.id).cart.put({"items": [{"sku": "T9", "quantity": 1, "total": PRICE}]})
    held = order.cart.data

    def add(cart: Cart) -> None:
        cart.items = [*(cart.items or []), Item(sku="T2", quantity=1, total=Price(10.0, 8.0))]
        cart.total = None

    sandbox.requests.clear()
    await order.cart.update(add)
    assert asked(sandbox) == ["GetCheckoutOrder", "UpdateCheckoutOrderCart"]
    assert [item.sku for item in held.items or []] == ["T001"] if held else False
    assert [item.sku for item in (await order.refresh()).cart.items] == ["T9", "T2"]
    assert order.total is not None
    assert order.total.including_vat == 135.0


REFUSED: dict[str, Callable[[Order], Awaitable[object]]] = {
    "cart": lambda order: order.cart.update(lambda _: Cart(items=[Item(sku="secret sku")])),
    "billing": lambda order: order.customer.update_billing(lambda _: Address(given_name="secret name")),
    "shipping address": lambda order: order.customer.update_shipping(lambda _: Address(city="secret city")),
}


@pytest.mark.parametrize("edit", REFUSED)
async def test_a_refused_edit_shows_what_was_proposed(norce: NorceOrderClient, edit: str) -> None:
    """``ChangeRefusedError`` has the proposed edit as an attribute and not in its text."""
    order = await an_order(norce, paid=True)
    await order.transition_to("processing")
    with pytest.raises(ChangeRefusedError) as caught:
        await REFUSED[edit](order)
    error = caught.value
    assert isinstance(error, BadRequestError)
    assert isinstance(error.proposed, Cart | Address)
    assert "secret" in json.dumps(error.proposed.to_dict())
    assert "secret" not in f"{error} {error!r}"
    assert (error.status, error.code, error.order_id) == (400, "order-bad-request", order.id)
    assert len(error.attempts) == 1


async def test_removing_marks_the_entry_and_reads_it(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """A removed payment or shipping stays readable, but is not active and does not count in the sums."""
    order = await an_order(norce, paid=True)
    shipping_id = await order.shippings.create(Shipping(total=Price(49.0, 39.2), vat_rate=0.25, reference="s1"))
    await order.refresh()
    assert str(order.outstanding) == "49.00"
    (payment,) = order.payments
    assert payment.id is not None
    sandbox.requests.clear()
    removed = await order.payments.remove(payment.id)
    assert (removed.state, removed.amount, removed.reference) == ("removed", 125.0, "paid")
    assert asked(sandbox) == ["GetOrderPayment", "UpdateOrderPayment", "GetOrderPayment"]
    assert (await order.shippings.remove(shipping_id)).state == "removed"
    await order.refresh()
    assert (len(order.payments), order.payments.active) == (1, [])
    assert (len(order.shippings), order.shippings.active) == (1, [])
    assert str(order.outstanding) == "125.00"


async def test_a_removal_that_does_not_show_is_reported() -> None:
    """A removal that the next read does not show is pending, because another client may have written meanwhile."""
    there = answer(200, {"state": "intent"})
    service = stand([there, answer(200), there])
    with pytest.raises(PendingError, match="the payment was marked as removed, but does not show so"):
        await service.client.orders("o1").payments.remove("p1")
    service = stand([there, answer(200), there])
    with pytest.raises(PendingError, match="the shipping was marked"):
        await service.client.orders("o1").shippings.remove("s1")


async def test_updating_a_payment_and_a_shipping(norce: NorceOrderClient) -> None:
    """Members that the function does not change keep their values."""
    order = await an_order(norce, paid=True)
    shipping_id = await order.shippings.create({"reference": "s1", "name": "Home", "total": PRICE, "vatRate": 0.25})
    (payment,) = (await order.refresh()).payments
    assert payment.id is not None

    def reserve(payment: Payment) -> None:
        payment.state = "reserved"

    def rename(shipping: Shipping) -> None:
        shipping.name = "Box"

    await order.payments.update(payment.id, reserve)
    await order.shippings.update(shipping_id, rename)
    await order.refresh()
    (payment,), (shipping,) = order.payments, order.shippings
    assert (payment.state, payment.amount, payment.reference) == ("reserved", 125.0, "paid")
    assert (shipping.name, shipping.reference) == ("Box", "s1")


async def test_a_transaction_is_logged_with_json_as_text(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """Data for a log entry is sent as the JSON text that the API wants, and is read back as that text."""
    order = await an_order(norce, paid=True)
    payment_id = order.payments.active[0].id
    assert payment_id is not None
    await order.payments.log(
        payment_id, "capture", amount=0.1, success=True, request={"å": [1, None]}, response="ok", psp_status="CAPTURED"
    )
    sent = json.loads(sandbox.requests[-1].body)
    assert sent["requestJson"] == '{"å": [1, null]}'
    (entry,) = await order.payments.transactions(payment_id)
    assert (entry.event, entry.amount, entry.is_success, entry.psp_status) == ("capture", 0.1, True, "CAPTURED")
    assert (entry.request_json, entry.response_json) == ('{"å": [1, null]}', '"ok"')
    assert entry.created is not None


async def test_text_that_is_not_json_is_not_logged() -> None:
    """A log entry's data must be JSON, and its text valid JSON. The error does not show it."""
    service = stand([])
    payments = service.client.orders("o1").payments
    for wrong in ({"secret": object()}, float("nan"), {1, 2}):
        with pytest.raises(InvalidRequestError, match="request must be JSON data") as caught:
            await payments.log("p1", "capture", request=wrong)
        assert "secret" not in str(caught.value)
    with pytest.raises(InvalidRequestError, match=r"transaction\.responseJson must be valid JSON as text"):
        await payments.add_transaction("p1", {"event": "capture", "responseJson": "{'secret': 1}"})
    assert service.sent == []


async def test_an_upsell_is_read() -> None:
    """A payment's upsell is decoded into a model."""
    upsell = {"state": "open", "expiryDate": "2026-01-01T10:05:00Z"}
    payments = [{"id": "p1", "state": "reserved", "upsell": upsell}]
    service = stand([answer(200, {"id": "o1", "payments": payments})])
    (payment,) = (await service.client.orders.get("o1")).payments
    assert payment.upsell is not None
    assert payment.upsell.to_dict().items() >= {"state": "open"}.items()


async def test_names_of_v1_are_reported_with_those_of_v0(norce: NorceOrderClient) -> None:
    """Norce's newer pages spell callbacks as in v1, so the error gives the name to write instead."""
    order = norce.orders("oAbCdEfG")
    with pytest.raises(InvalidRequestError, match=r"Hook\.scope is v1's name, .* write subscribeTo"):
        await order.hooks.create(cast("Any", {"adapterId": "erp", "scope": "/cart", "invoke": "https://example.com"}))
    with pytest.raises(InvalidRequestError, match=r"Callback\.invoke is v1's name, .* write url"):
        await order.validations.create(cast("Any", {"adapterId": "erp", "invoke": "https://example.com"}))
