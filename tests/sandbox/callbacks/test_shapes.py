"""The contents and the addresses of calls: body versions, placeholders, pointers."""

from collections.abc import Iterator
from typing import Any

import pytest

from norce_order_async.sandbox import Sandbox
from norce_order_async.sandbox.callbacks.outgoing import CallFailedError, filled
from norce_order_async.sandbox.callbacks.patches import MISSING, value_at
from tests.sandbox.support import SHIPPING, Api, rule

from .receiver import Receiver, receiving

CONFIGURATION = {"adapter": {"publicUrl": "https://a.example/base", "port": 80, "on": True}, "id": "x"}
ORDER: dict[str, Any] = {"id": "oaaaaaaa", "reference": "a/b?c d", "state": {"currentStatus": "checkout"}, "cart": {}}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@rule("placeholders", "placeholder-unknown")
@pytest.mark.parametrize(
    ("template", "address"),
    [
        ("http://h/{order_id}/x", "http://h/oaaaaaaa/x"),
        ("http://h/{order.id}", "http://h/oaaaaaaa"),
        ("http://h/{order.reference}", "http://h/a%2Fb%3Fc%20d"),
        ("http://h/{order.state.currentStatus}", "http://h/checkout"),
        ("{config.adapter.publicUrl}/y", "https://a.example/base/y"),
        ("{configuration.adapter.publicUrl}:{config.adapter.port}", "https://a.example/base:80"),
        ("http://h/plain", "http://h/plain"),
    ],
)
def test_placeholders_are_filled(template: str, address: str) -> None:
    assert filled(template, ORDER, CONFIGURATION) == address


@rule("placeholder-unknown")
@pytest.mark.parametrize(
    "name",
    ["order", "order.", "order.gone", "order.cart", "config.adapter", "config.adapter.on", "other", "", "config"],
)
def test_a_placeholder_without_a_value_is_a_failed_call(name: str) -> None:
    with pytest.raises(CallFailedError, match="placeholder"):
        filled(f"http://h/{{{name}}}", ORDER, CONFIGURATION)


@pytest.mark.anyio
@rule("placeholders", "placeholder-unknown")
async def test_the_configuration_is_that_of_the_adapter(receiver: Receiver) -> None:
    api = Api(Sandbox(configuration={"erp": {"adapter": {"url": receiver.url}}}))
    order = await api.order()
    hook = {"subscribeTo": "/reference", "invoke": "{config.adapter.url}/{order_id}"}
    await api.ok("POST", f"{order}/hooks", {**hook, "adapterId": "erp"})
    await api.ok("PUT", f"{order}/reference", "r1")
    assert receiver.paths == ["/" + order.removeprefix("/orders/")]
    await api.ok("POST", f"{order}/hooks", {**hook, "adapterId": "psp"})
    response = await api.send("PUT", f"{order}/reference", "r2")
    assert "placeholder {config.adapter.url}" in response.json()["message"]
    await api.close()


DISCOUNT = {"name": "d", "reference": "r", "description": "t"}
FULL: dict[str, Any] = {
    "cart": {
        "items": [
            {
                "sku": "bundle",
                "upsell": True,
                "discounts": [DISCOUNT],
                "items": [{"sku": "inner", "logistics": {}, "upsell": False}],
            }
        ],
        "discounts": [DISCOUNT],
    },
    "validations": [{"adapterId": "a", "url": "http://localhost/v"}],
    "notifications": [{"scope": "/cart", "delay": 5}],
}


@pytest.mark.anyio
@rule("callback-version")
@pytest.mark.parametrize("version", ["v0", None, "v1"])
async def test_the_body_is_in_the_asked_version(api: Api, receiver: Receiver, version: str | None) -> None:
    order = await api.order(**FULL)
    await api.ok("POST", f"{order}/payments", {"amount": 1, "upsell": {"eligible": True}})
    delivery = {"carrier": "c", "carrierProductId": "p"}
    await api.ok("POST", f"{order}/shippings", {**SHIPPING, "deliveryDetails": delivery})
    hook = {"subscribeTo": "/reference", "invoke": receiver.url, **({} if version is None else {"version": version})}
    await api.ok("POST", f"{order}/hooks", hook)
    await api.ok("PUT", f"{order}/reference", "r1")
    body, read = receiver.got[0].order, await api.ok("GET", order)
    if version != "v1":
        assert body == {**read, "lastModified": body["lastModified"]}
        return
    assert body.keys() == read.keys()
    assert body["hooks"][0]["scope"] == "/reference"
    assert "subscribeTo" not in body["hooks"][0]
    assert body["validations"] == [
        {"adapterId": "a", "invoke": "http://localhost/v", "id": read["validations"][0]["id"]}
    ]
    assert body["notifications"][0].keys() == {"id", "scope"}
    assert not body["payments"][0].keys() & {"merchant", "channel", "upsell"}
    assert not body["shippings"][0].keys() & {"merchant", "channel"}
    assert body["shippings"][0]["deliveryDetails"] == {"carrier": "c"}
    (item,) = body["cart"]["items"]
    assert item.keys() == {"id", "sku", "discounts", "items"}
    assert item["items"][0].keys() == {"id", "sku"}
    assert item["discounts"] == body["cart"]["discounts"] == [{"name": "d"}]


@rule("callback-registration")
@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/reference", "a/b?c d"),
        ("/state/currentStatus", "checkout"),
        ("/cart/items", MISSING),
        ("/reference/0", MISSING),
        ("/state/", MISSING),
        ("", MISSING),
        ("reference", MISSING),
        ("/~01", "odd"),
    ],
)
def test_pointers_lead_through_objects_only(pointer: str, value: Any) -> None:
    assert value_at({**ORDER, "~1": "odd"}, pointer) == value
