"""Orders are decoded when a caller reads more than their head, part by part, and give the same orders either way."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, get_args

import pytest

from norce_order_async import Answer, CallInfo, CallNext, NotLoadedError, Order, UnavailableError, capture_answers
from norce_order_async.models import OrderData, PaymentDict
from norce_order_async.orders.lazy import Part
from norce_order_async.pipeline.response import DriftRecord
from tests.support.engine import answer, lost
from tests.support.orders import order_body
from tests.support.pipeline import Stand, stand

pytestmark = pytest.mark.anyio

ODD_BELOW = order_body("accepted", reference="r1", created="2026-01-02T03:04:05.678Z", cart={"items": [{"sku": 5}]})
"""Only its cart is unusual: decoding all of it counts drift."""


def service_of(*orders: Any, **around: Any) -> Stand:
    """Return a service that answers every listing with this one page."""
    return stand(lambda _: answer(200, {"data": list(orders), **around}))


def drifts(record: DriftRecord) -> dict[tuple[str, str], int]:
    return {(drift.where, drift.kind): count for drift, count in record}


@pytest.mark.parametrize("walking", [False, True])
async def test_the_head_decodes_nothing(walking: bool) -> None:
    """Reading the head of an order decodes nothing. The rest is decoded once when it is needed, without a further
    call."""
    service = service_of(ODD_BELOW)
    orders = service.client.orders
    (order,) = [each async for each in orders.iterate()] if walking else (await orders.list()).orders
    sent = len(service.sent)
    assert (order.id, order.status, order.reference, order.last_modified) == ("oAbCdEfG", "accepted", "r1", None)
    assert str(order.created) == "2026-01-02 03:04:05.678000+00:00"
    assert repr(order) == "<Order oAbCdEfG accepted, read 0 s ago>"
    assert order.plain == ODD_BELOW
    assert drifts(service.client.drift) == {}
    assert order.cart.items[0].sku is None
    assert order.data is order.data
    assert drifts(service.client.drift) == {("Item.sku", "wrong-type"): 1}
    assert len(service.sent) == sent


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"state": {"currentStatus": "Accepted"}}, {}),
        ({"state": {"currentStatus": "onHold"}}, {("State.currentStatus", "unknown-word"): 1}),
        ({"state": {"currentStatus": 5}}, {("State.currentStatus", "wrong-type"): 1}),
        ({"state": {"currentStatus": ["accepted"]}}, {("State.currentStatus", "wrong-type"): 1}),
        ({"state": {}}, {}),
        ({"state": "accepted"}, {("OrderData.state", "wrong-type"): 1}),
        ({"state": None}, {("OrderData.state", "null"): 1}),
        ({"reference": 5}, {("OrderData.reference", "wrong-type"): 1}),
        ({"created": "2026-01-02T03:04:05"}, {("OrderData.created", "no-offset"): 1}),
        ({"created": "yesterday"}, {("OrderData.created", "wrong-type"): 1}),
        ({"lastModified": 1767322800}, {("OrderData.lastModified", "wrong-type"): 1}),
        ({"lastModified": "2026-01-02T03:04:05,5+01:00"}, {}),
    ],
)
async def test_an_unusual_head_reads_as_its_model_does(members: Any, told: dict[tuple[str, str], int]) -> None:
    """A head member has the same value whether it is read from the plain data or from the model, and its drift is
    counted once."""
    body = order_body(**{"reference": "r1", **members})
    service = service_of(body)
    (order,) = (await service.client.orders.list()).orders
    head = (order.status, order.reference, order.created, order.last_modified)
    assert drifts(service.client.drift) == told
    model = OrderData.from_dict(body)
    status = model.state.current_status if model.state else None
    assert head == (status, model.reference, model.created, model.last_modified)
    assert order.data == model
    assert drifts(service.client.drift) == told


async def test_the_handle_shows_changed_models() -> None:
    """The handle of a listed order shows changes of its models, and the plain data stays as it was received."""
    (order,) = (await service_of(ODD_BELOW).client.orders.list()).orders
    order.data.reference = "r2"
    assert (order.reference, order.plain["reference"]) == ("r2", "r1")


async def test_an_order_read_by_its_id_has_its_plain_data_too() -> None:
    """An order that was read by its id has plain data too; a handle that was never read has none."""
    service = stand([answer(200, ODD_BELOW)])
    order = service.client.orders("oAbCdEfG")
    with pytest.raises(NotLoadedError, match="has not been read yet"):
        _ = order.plain
    await order.refresh()
    assert order.plain == ODD_BELOW
    assert drifts(service.client.drift) == {}
    assert order.cart.items[0].sku is None
    assert drifts(service.client.drift) == {("Item.sku", "wrong-type"): 1}
    assert order.plain == ODD_BELOW


PARTS = {
    "attributes": {"gift": True},
    "cart": {"items": [{"sku": 5}], "total": {"includingVat": 1}},
    "consents": [{"id": "terms", "checked": True}],
    "customer": {"type": "person", "billing": {"givenName": "A"}},
    "hooks": [{"adapterId": "a", "invoke": "https://a.example", "subscribeTo": "/cart"}],
    "notifications": [{"adapterId": "a", "invoke": "https://a.example"}],
    "payments": [{"id": "p1", "amount": 1.5}, {"id": "p2", "amount": "x"}],
    "shippings": [{"id": "s1"}],
    "state": {
        "currentStatus": "checkout",
        "transitions": [{"status": "checkout", "timeStamp": "2026-01-02T03:04:05Z"}],
    },
    "total": {"includingVat": 1.5},
    "validations": [{"adapterId": "a", "url": "https://a.example"}],
}
LOOKS: dict[str, Callable[[Order], Any]] = {
    "attributes": lambda order: dict(order.attributes),
    "cart": lambda order: order.cart.data,
    "consents": lambda order: list(order.consents),
    "customer": lambda order: order.customer.data,
    "hooks": lambda order: list(order.hooks),
    "notifications": lambda order: list(order.notifications),
    "payments": lambda order: list(order.payments),
    "shippings": lambda order: list(order.shippings),
    "state": lambda order: order.transitions,
    "total": lambda order: order.total,
    "validations": lambda order: list(order.validations),
}
"""The property of each part, by its member."""
NO_PARTS = {"id", "merchant", "channel", "reference", "created", "lastModified", "culture", "currency", "country"}


def whole(body: Any) -> tuple[OrderData, dict[tuple[str, str], int]]:
    """Decode a whole order at once, and return it with its drift."""
    record = DriftRecord()
    return record.reading("x", OrderData.from_dict, body), drifts(record)


async def an_order(body: Any) -> tuple[Order, DriftRecord]:
    """Read an order by its id, and return it with the client's drift."""
    service = stand([answer(200, body)])
    return await service.client.orders.get("oAbCdEfG"), service.client.drift


def test_every_part_has_a_line() -> None:
    """A member of an order that is new in the description needs a line in ``lazy.py``."""
    assert {*PARTS} == {*LOOKS} == {*get_args(Part)} == OrderData.MEMBERS - NO_PARTS


@pytest.mark.parametrize("member", PARTS)
async def test_a_part_is_decoded_by_itself(member: str) -> None:
    """A part gives the same models as the whole order, which reuses them. Drift is counted once."""
    body = order_body("checkout", **PARTS)
    model, told = whole(body)
    order, drift = await an_order(body)
    seen = LOOKS[member](order)
    alone, told_alone = whole({member: body[member]})
    assert drifts(drift) == told_alone
    assert getattr(alone, member) == getattr(model, member)
    assert order.data == model
    assert order.data.to_dict() == model.to_dict()
    assert drifts(drift) == told
    assert LOOKS[member](order) == seen
    if isinstance(seen, list) and seen:
        assert seen[0] is getattr(order.data, member)[0]


async def test_all_parts_are_the_whole_order() -> None:
    """After every part was read, the whole order, its drift and its plain data are the same as without."""
    body = order_body("checkout", **PARTS)
    model, told = whole(body)
    order, drift = await an_order(body)
    for look in LOOKS.values():
        look(order)
    assert drifts(drift) == told
    assert (order.data, drifts(drift), order.plain) == (model, told, body)


ODD_PARTS: list[Any] = [None, 5, "x", [], {}, [None], [{}, 5], [[]], {"a": None}, {"includingVat": "x"}, True]


@pytest.mark.parametrize("odd", ODD_PARTS, ids=repr)
@pytest.mark.parametrize("member", PARTS)
async def test_an_unusual_part_reads_as_in_the_whole_order(member: str, odd: Any) -> None:
    """An unusual part is read, written back and counted as in the whole order."""
    body = order_body("checkout", **{**PARTS, member: odd})
    model, told = whole(body)
    order, drift = await an_order(body)
    for look in LOOKS.values():
        look(order)
    assert order.data == model
    assert order.data.to_dict() == model.to_dict()
    assert (drifts(drift), order.plain) == (told, body)


@pytest.mark.parametrize("member", PARTS)
async def test_a_missing_part_is_none(member: str) -> None:
    """A missing part reads as empty and counts no drift."""
    body = order_body("checkout", **PARTS)
    del body[member]
    order, drift = await an_order(body)
    assert not LOOKS[member](order)
    assert drifts(drift) == {}
    assert order.data == whole(body)[0]


async def test_the_whole_order_has_a_changed_part() -> None:
    """The whole order has the changes of its parts. The plain data stays as it was received, also if models hold parts
    of it."""
    order, _ = await an_order(order_body("checkout", **PARTS))
    order.payments[0].amount = 7.0
    assert order.total is not None
    order.total.including_vat = 2.0
    order.data.attributes = {"other": 1}
    assert order.data.payments is not None
    assert (order.data.payments[0].amount, order.data.total, order.amount) == (7.0, order.total, Decimal(2))
    assert dict(order.attributes) == {"other": 1}
    assert order.plain["payments"] == PARTS["payments"]
    order, _ = await an_order(order_body("checkout", cart={"attributes": {"a": 1}}))
    assert order.cart.data is not None
    order.cart.attributes["a"] = 2
    assert order.plain["cart"] == {"attributes": {"a": 1}}
    assert order.data.cart is order.cart.data
    assert order.cart.attributes == {"a": 2}


async def test_a_captured_answer_has_the_models_of_the_handle() -> None:
    """A captured answer and the handle share their models, which are decoded once, whichever of the two is read
    first."""
    for first in (0, 1):
        service = stand([answer(200, ODD_BELOW)])
        with capture_answers() as answers:
            order = await service.client.orders.get("oAbCdEfG")
        asked = [partial(getattr, answers[0], "parsed"), partial(getattr, order, "data")]
        assert asked[first]() is asked[1 - first]()
        assert order.cart.data is answers[0].parsed.cart
        assert drifts(service.client.drift) == {("Item.sku", "wrong-type"): 1}


async def test_models_that_middleware_reads_are_the_handles() -> None:
    """The handle reuses the models that middleware decoded."""
    seen: list[Any] = []

    async def look(_: CallInfo, proceed: CallNext) -> Answer:
        done = await proceed()
        seen.append(done.parsed)
        return done

    service = stand([answer(200, ODD_BELOW)], call_middleware=[look])
    order = await service.client.orders.get("oAbCdEfG")
    assert order.data is seen[0]
    assert order.plain == ODD_BELOW
    assert drifts(service.client.drift) == {("Item.sku", "wrong-type"): 1}


@pytest.mark.parametrize("body", [[], "o1", 5, [{"id": "oAbCdEfG"}]], ids=repr)
async def test_an_answer_that_is_not_an_order_is_reported_and_raised(body: Any) -> None:
    """An answer without an order raises when it arrives and not at its first use."""
    service = stand([answer(200, body)])
    with pytest.raises(UnavailableError, match="the answer holds no order"):
        await service.client.orders.get("oAbCdEfG")
    assert drifts(service.client.drift) == {("GetCheckoutOrder.200", "wrong-type"): 1}


@pytest.mark.parametrize(
    ("page", "ids", "told"),
    [
        ({"data": [None, {"id": "o1"}, "o2"]}, ["o1"], {("OrderPaginationSet.data", "wrong-type"): 1}),
        ({"data": [{"id": 5}, {"id": ""}, {}]}, [], {}),
        ({"data": None}, [], {("OrderPaginationSet.data", "null"): 1}),
        ({"data": [{"id": "o1"}], "more": True}, ["o1"], {("OrderPaginationSet.more", "extra"): 1}),
    ],
)
async def test_an_unusual_page_is_reported_and_gives_its_orders(page: Any, ids: list[str], told: Any) -> None:
    """The valid orders of an unusual page and its pagination are read as usual, and the rest is counted as drift."""
    page["pagination"] = {"offset": 7}
    service = stand([answer(200, page)])
    found = await service.client.orders.list()
    assert [order.id for order in found.orders] == ids
    assert drifts(service.client.drift) == told
    assert found.pagination is not None
    assert found.pagination.offset == 7


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ({"data": {"id": "o1"}}, {("OrderPaginationSet.data", "wrong-type"): 1}),
        ([{"id": "o1"}], {("GetCheckoutOrders.200", "wrong-type"): 1}),
    ],
)
async def test_an_answer_that_is_not_a_page_is_reported_and_raised(page: Any, told: Any) -> None:
    """An answer that is not a page raises, because it does not mean that there are no orders."""
    service = stand([answer(200, page)])
    with pytest.raises(UnavailableError, match="the answer holds no list of orders"):
        await service.client.orders.list()
    assert drifts(service.client.drift) == told


async def test_the_answer_of_a_listing_still_has_its_models() -> None:
    """A captured answer of a listing decodes its models at the first use, and once."""
    service = service_of(ODD_BELOW)
    with capture_answers() as answers:
        await service.client.orders.list()
    assert drifts(service.client.drift) == {}
    page = answers[0].parsed
    assert page is answers[0].parsed
    assert page.data[0].reference == "r1"
    assert drifts(service.client.drift)["Item.sku", "wrong-type"] == 1


async def test_a_lost_addition_to_a_listed_order_is_settled() -> None:
    """The entries before the send are known from the undecoded body, so the one new payment is found."""
    payment: PaymentDict = {"amount": 5, "reference": "psp-1"}
    before, after = (order_body(payments=[{**payment, "id": each} for each in ids]) for ids in (["p1"], ["p1", "p2"]))
    service = stand([answer(200, {"data": [before]}), lost("read"), answer(200, after)])
    (order,) = (await service.client.orders.list()).orders
    assert await order.payments.create(payment) == "p2"
    assert order.stale
