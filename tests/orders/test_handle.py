"""The handle: reading never calls, writing makes it stale, and it shows no personal data."""

from __future__ import annotations

import copy
from typing import Any, cast

import pytest

from norce_order_async import (
    BadRequestError,
    CallError,
    CallOptions,
    InvalidRequestError,
    NorceOrderClient,
    NotFoundError,
    NotLoadedError,
)
from norce_order_async.models import Payment
from norce_order_async.sandbox import Sandbox
from tests.support.engine import Step, answer, lost
from tests.support.orders import CART, CONTEXT, order_body
from tests.support.pipeline import stand

pytestmark = pytest.mark.anyio

READS = (
    "data",
    "status",
    "reference",
    "total",
    "created",
    "last_modified",
    "cart.data",
    "cart.items",
    "cart.discounts",
    "cart.total",
    "cart.reference",
    "cart.attributes",
    "customer.data",
    "customer.type",
    "customer.billing",
    "customer.shipping",
    "payments.active",
    "shippings.active",
)
LISTS = ("payments", "shippings", "consents", "hooks", "notifications", "validations", "attributes")


def look(order: object, path: str) -> Any:
    for name in path.split("."):
        order = getattr(order, name)
    return order


async def test_a_handle_is_made_without_a_call(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """An id is enough; nothing is sent until a method is awaited."""
    order = norce.orders("oAbCdEfG")
    assert order.id == "oAbCdEfG"
    assert not order.loaded
    assert not order.stale
    assert repr(order) == "<Order oAbCdEfG not loaded>"
    assert repr(order.payments) == "<Payments of order oAbCdEfG>"
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("path", READS)
async def test_reading_an_unread_order_names_the_call_to_make(norce: NorceOrderClient, path: str) -> None:
    """``NotLoadedError`` names the order and the method to call."""
    with pytest.raises(NotLoadedError, match=r"order oAbCdEfG has not been read yet: await order.refresh\(\) first"):
        look(norce.orders("oAbCdEfG"), path)


@pytest.mark.parametrize("room", LISTS)
async def test_iterating_over_an_unread_order_raises_too(norce: NorceOrderClient, room: str) -> None:
    """The lists of an order that was not read raise, because they are not empty but unknown."""
    order = norce.orders("oAbCdEfG")
    with pytest.raises(NotLoadedError):
        list(getattr(order, room))
    with pytest.raises(NotLoadedError):
        len(getattr(order, room))


async def test_reading_a_snapshot_makes_no_call(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """Every property and every list comes from the last read; an order without parts has empty lists."""
    order = await (await norce.orders.create(CONTEXT)).refresh()
    sandbox.requests.clear()
    for path in (*READS, *LISTS, "payments.active"):
        look(order, path)
    for room in LISTS:
        assert list(getattr(order, room)) == []
    assert order.cart.items == []
    assert order.cart.total is None
    assert order.customer.billing is None
    assert order.status == "checkout"
    assert order.data.country == "SE"
    assert order.created is not None
    assert order.created.tzinfo is not None
    assert len(sandbox.requests) == 0


async def test_a_write_keeps_the_values_and_marks_them_stale(norce: NorceOrderClient) -> None:
    """After a write whose answer has no body the last values stay, and ``refresh`` brings the new ones."""
    order = await (await norce.orders.create(CONTEXT | {"reference": "old"})).refresh()
    assert not order.stale
    await order.set_reference("new")
    assert order.stale
    assert order.reference == "old"
    assert "stale" in repr(order)
    assert await order.refresh() is order
    assert not order.stale
    assert order.reference == "new"


@pytest.mark.parametrize(
    ("step", "stale"),
    [
        (answer(400, {"code": "x"}), False),
        (answer(429), False),
        (answer(503, retry_after="0"), True),
        (lost("connect"), False),
        (lost("read"), True),
    ],
    ids=["refused", "turned away", "perhaps turned away", "not sent", "lost"],
)
async def test_only_a_possible_change_makes_a_handle_stale(step: Step, stale: bool) -> None:
    """A refusal or a request that was never sent does not make the handle stale; a lost answer does."""
    service = stand([answer(200, order_body()), step, step, step], options=CallOptions(max_attempts=1))
    order = await service.client.orders.get("oAbCdEfG")
    with pytest.raises(CallError):
        await order.set_reference("r")
    assert order.stale is stale


async def test_a_body_that_json_can_not_express_is_not_sent() -> None:
    """The error about NaN names the member. Nothing is sent, and the handle is not stale."""
    service = stand([answer(200, order_body())])
    order = await service.client.orders.get("oAbCdEfG")
    with pytest.raises(InvalidRequestError, match=r"Payment\.amount is NaN or infinite"):
        await order.payments.create(Payment(amount=float("nan")))
    assert not order.stale
    assert len(service.sent) == 1


async def test_refresh_of_a_missing_order(norce: NorceOrderClient) -> None:
    """The error of a 404 names the order and what to check, and the handle stays as it was."""
    order = norce.orders("oNoSuchx")
    with pytest.raises(NotFoundError, match=r"order oNoSuchx.*404 \(order-not-found\).*merchant and channel") as caught:
        await order.refresh()
    assert caught.value.order_id == "oNoSuchx"
    assert not order.loaded


@pytest.mark.parametrize("bad", ["", " ", ".", "..", "a/b", "a\\b", "a\nb", "a\x00", "a\x7f", None, 7])
async def test_an_id_that_is_not_one_segment_is_refused(norce: NorceOrderClient, sandbox: Sandbox, bad: Any) -> None:
    """Order ids and part ids are checked before anything is sent."""
    order = norce.orders("oAbCdEfG")
    calls = (
        norce.orders.get,
        norce.orders.delete,
        norce.orders(bad).payments.get,
        order.hooks.delete,
        order.notifications.delete,
        order.validations.delete,
        order.consents.delete,
        order.payments.get,
        order.payments.transactions,
        order.shippings.get,
    )
    for call in calls:
        with pytest.raises(InvalidRequestError, match="_id must"):
            await call(bad)
    with pytest.raises(InvalidRequestError, match="action_id must"):
        await order.payments.execute_action("p1", bad)
    assert len(sandbox.requests) == 0


async def test_an_id_with_special_characters_stays_one_segment(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """Spaces, question marks and letters beyond ASCII are encoded, not refused."""
    with pytest.raises(NotFoundError):
        await norce.orders.get("o ?#%å")
    assert sandbox.requests[-1].path.endswith("/orders/o ?#%å")
    assert sandbox.requests[-1].query == ""


async def test_nothing_of_the_customer_shows(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """Neither a repr of the handle, its parts or its models, nor an error's text, names a person."""
    person = {"givenName": "Rosalina", "email": "rosalina@example.com", "nationalIdentificationNumber": "19121212"}
    order = await norce.orders.create(CONTEXT | {"customer": {"billing": person}, "attributes": {"who": "Rosalina"}})
    await order.refresh()
    with pytest.raises(BadRequestError) as caught:
        await order.customer.set_billing(cast("Any", {**person, "type": "Rosalina"}))
    with pytest.raises(InvalidRequestError) as invalid:
        await order.customer.set_billing(cast("Any", {**person, "email": 5, "Rosalina": 1, "country": "Sweden"}))
    shown = [
        *(repr(getattr(order, room)) for room in (*LISTS, "cart", "customer")),
        *map(repr, (order, order.data, order.customer.billing, norce, norce.orders, caught.value, invalid.value)),
        str(caught.value),
    ]
    for text in shown:
        assert "osalina@" not in text
        assert "19121212" not in text
    assert "Rosalina" not in "".join(shown[:-3])


async def test_a_handle_protects_its_lists_from_changes(norce: NorceOrderClient) -> None:
    """A deep copy of the order's data equals the original, and the cart has what was read."""
    order = await (await norce.orders.create(CONTEXT | {"cart": CART})).refresh()
    assert copy.deepcopy(order.data) == order.data
    assert order.cart.total is not None
    assert order.cart.total.including_vat == 125.0
    assert order.cart.items[0].sku == "T001"
