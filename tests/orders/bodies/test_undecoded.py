"""Listed orders are decoded when somebody looks past their head, and are the same orders either way."""

from __future__ import annotations

from typing import Any

import pytest

from norce_order_async import NotLoadedError, UnavailableError, capture_answers
from norce_order_async.models import OrderData, PaymentDict
from norce_order_async.pipeline.response import DriftRecord
from tests.support.engine import answer, lost
from tests.support.orders import order_body
from tests.support.pipeline import Stand, stand

pytestmark = pytest.mark.anyio

ODD_BELOW = order_body("accepted", reference="r1", created="2026-01-02T03:04:05.678Z", cart={"items": [{"sku": 5}]})
"""Odd in its cart alone: whoever decodes it whole meets drift."""


def service_of(*orders: Any, **around: Any) -> Stand:
    """A service that answers every listing with this one page."""
    return stand(lambda _: answer(200, {"data": list(orders), **around}))


def drifts(record: DriftRecord) -> dict[tuple[str, str], int]:
    return {(drift.where, drift.kind): count for drift, count in record}


@pytest.mark.parametrize("walking", [False, True])
async def test_the_head_decodes_nothing(walking: bool) -> None:
    """What lies below is not looked at until it is asked for, and then once; no further call is made for it."""
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
async def test_an_odd_head_reads_as_its_model_does(members: Any, told: dict[tuple[str, str], int]) -> None:
    """The same value from either, and what is odd is told once."""
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


async def test_models_that_were_changed_are_what_the_handle_shows() -> None:
    """As with an order that was read by its id; the plain data stays as it was received."""
    (order,) = (await service_of(ODD_BELOW).client.orders.list()).orders
    order.data.reference = "r2"
    assert (order.reference, order.plain["reference"]) == ("r2", "r1")


async def test_an_order_read_by_its_id_has_its_plain_data_too() -> None:
    """And is decoded at once; a handle that was never read has neither."""
    service = stand([answer(200, ODD_BELOW)])
    order = service.client.orders("oAbCdEfG")
    with pytest.raises(NotLoadedError, match="has not been read yet"):
        _ = order.plain
    await order.refresh()
    assert ("Item.sku", "wrong-type") in drifts(service.client.drift)
    assert order.plain == ODD_BELOW


@pytest.mark.parametrize(
    ("page", "ids", "told"),
    [
        ({"data": [None, {"id": "o1"}, "o2"]}, ["o1"], {("OrderPaginationSet.data", "wrong-type"): 1}),
        ({"data": [{"id": 5}, {"id": ""}, {}]}, [], {}),
        ({"data": None}, [], {("OrderPaginationSet.data", "null"): 1}),
        ({"data": [{"id": "o1"}], "more": True}, ["o1"], {("OrderPaginationSet.more", "extra"): 1}),
    ],
)
async def test_an_odd_page_is_reported_and_gives_what_it_has(page: Any, ids: list[str], told: Any) -> None:
    """Around the orders all is read as ever, the pagination included."""
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
async def test_what_is_no_page_is_reported_and_raised(page: Any, told: Any) -> None:
    """It does not say that there are no orders."""
    service = stand([answer(200, page)])
    with pytest.raises(UnavailableError, match="the answer holds no list of orders"):
        await service.client.orders.list()
    assert drifts(service.client.drift) == told


async def test_the_answer_of_a_listing_still_has_its_models() -> None:
    """For whoever captures it: made when asked for, and once."""
    service = service_of(ODD_BELOW)
    with capture_answers() as answers:
        await service.client.orders.list()
    assert drifts(service.client.drift) == {}
    page = answers[0].parsed
    assert page is answers[0].parsed
    assert page.data[0].reference == "r1"
    assert drifts(service.client.drift)["Item.sku", "wrong-type"] == 1


async def test_a_lost_addition_to_a_listed_order_is_settled() -> None:
    """What was there before the send is known from the undecoded body."""
    payment: PaymentDict = {"amount": 5, "reference": "psp-1"}
    before, after = (order_body(payments=[{**payment, "id": each} for each in ids]) for ids in (["p1"], ["p1", "p2"]))
    service = stand([answer(200, {"data": [before]}), lost("read"), answer(200, after)])
    (order,) = (await service.client.orders.list()).orders
    assert await order.payments.create(payment) == "p2"
    assert order.stale
