"""The body of a new order contains nothing that the service would silently drop."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from norce_order_async import InvalidRequestError
from norce_order_async.models import Hook, OrderData, Payment, Shipping, State
from tests.support.engine import answer
from tests.support.pipeline import Stand, stand

pytestmark = pytest.mark.anyio


def service() -> Stand:
    return stand(lambda request: answer(201, {"id": "o1"}) if request.method == "POST" else answer(200, {"data": []}))


DROPPED: list[tuple[dict[str, Any], str]] = [
    ({"payments": [{"amount": 1}]}, r"order.payments would be ignored by the service: .* order.payments.create"),
    ({"shippings": [{"total": {}, "vatRate": 0}]}, "order.shippings would be ignored by the service"),
    ({"hooks": [{"adapterId": "a"}]}, "order.hooks may be ignored by the service: .* callbacks_in_body=True"),
    ({"validations": [{"adapterId": "a"}]}, "order.validations may be ignored"),
    ({"notifications": [{"adapterId": "a"}]}, "order.notifications may be ignored"),
    ({"state": {"currentStatus": "completed"}}, r"order.state: an order begins in checkout: .* order.transition_to"),
    ({"merchant": "other"}, r"order.merchant is not the merchant of this client \(acme\)"),
    ({"channel": "no"}, r"order.channel is not the channel of this client \(se\)"),
]


@pytest.mark.parametrize(("body", "complaint"), DROPPED)
@pytest.mark.parametrize("as_model", [False, True])
async def test_a_part_that_would_be_lost_is_refused(body: dict[str, Any], complaint: str, as_model: bool) -> None:
    """The error names the part and the method for it. Nothing is sent, whether a dict or a model was given."""
    at = service()
    given: Any = OrderData.from_dict(body) if as_model else body
    with pytest.raises(InvalidRequestError, match=complaint):
        await at.client.orders.create(given)
    with pytest.raises(InvalidRequestError, match=complaint):
        await at.client.orders.get_or_create(given, cart_reference="r")
    assert [line for line in at.sent if line.startswith("POST")] == []


async def test_members_without_meaning_for_a_new_order_are_left_out() -> None:
    """Read-only members and empty parts are left out, so an order that was read can be the template for another one."""
    at = service()
    read: dict[str, Any] = {
        "id": "o9",
        "created": "2026-01-01T00:00:00Z",
        "lastModified": "2026-01-01T00:00:00Z",
        "total": {"includingVat": 5},
        "state": {"currentStatus": "Checkout", "transitions": []},
        "merchant": "acme",
        "channel": "se",
        "payments": [],
        "shippings": None,
        "hooks": [],
        "reference": "kept",
        "attributes": {"a": None},
    }
    await at.client.orders.create(cast("Any", read))
    kept = {"merchant": "acme", "channel": "se", "reference": "kept", "attributes": {"a": None}}
    assert json.loads(at.engine.requests[-1].body or b"") == kept


async def test_callbacks_are_sent_if_asked_for() -> None:
    """Callbacks are sent only if asked for, because the published reference does not say whether the service keeps
    them."""
    at = service()
    callbacks = {
        "hooks": [{"adapterId": "a"}],
        "validations": [{"adapterId": "b"}],
        "notifications": [{"scope": "/state"}],
    }
    await at.client.orders.create(cast("Any", callbacks), callbacks_in_body=True)
    assert json.loads(at.engine.requests[-1].body or b"") == callbacks


async def test_other_writes_accept_models_as_they_were_read() -> None:
    """Other writes accept models with read-only members, which the service ignores."""
    at = service()
    order = at.client.orders("o1")
    await order.payments.put("p1", Payment(id="p1", order_id="o1", amount=5.0))
    await order.shippings.put("s1", Shipping.from_dict({"id": "s1", "total": {}, "vatRate": 0.25}))
    await order.hooks.create(Hook(id="h1", adapter_id="a"))
    assert len(at.sent) == 3


async def test_a_status_of_checkout_counts_as_no_status() -> None:
    """A new order with the status checkout is accepted, and the status is not sent."""
    at = service()
    await at.client.orders.create(OrderData(state=State(current_status="checkout")))
    assert json.loads(at.engine.requests[-1].body or b"") == {}
