"""The contents of bodies, and the form of answers, under each reading."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.callbacks.receiver import Receiver

from .support import Wire, under

pytestmark = pytest.mark.anyio


@under("price-decimals", {"any": 201, "two-at-most": 400})
async def test_amounts_with_more_than_two_decimals(wire: Wire, expected: int) -> None:
    for amount in (12.345, 1e-7):
        price = {"includingVat": amount, "excludingVat": 1}
        for cart in ({"total": price}, {"items": [{"price": price}]}):
            response = await wire.send("POST", "/orders", {"cart": cart})
            assert response.status_code == expected
            assert expected == 201 or "includingVat" in response.json()["message"]
    path = await wire.order(attributes={"amount": 12.345})
    assert await wire.status("POST", f"{path}/payments", {"amount": 0.125}) == expected
    assert await wire.status("POST", f"{path}/payments", {"amount": 12.5, "upperLimitAmount": 100}) == 201


@under("price-decimals", {"any": 200, "two-at-most": 400})
async def test_a_hook_that_brings_such_an_amount(wire: Wire, receiver: Receiver, expected: int) -> None:
    receiver.answer = lambda _: (200, [{"op": "add", "path": "/payments/-", "value": {"amount": 0.125}}])
    path = await wire.order()
    await wire.ok("POST", f"{path}/hooks", {"subscribeTo": "/reference", "invoke": receiver.url})
    assert await wire.status("PUT", f"{path}/reference", "r") == expected


@under("unknown-members", {"ignored": 201, "refused": 400})
async def test_members_that_are_not_described(wire: Wire, expected: int) -> None:
    for body in ({"colour": "red"}, {"cart": {"items": [{"sku": "T1", "colour": "red"}]}}):
        response = await wire.send("POST", "/orders", body)
        assert response.status_code == expected
        assert expected == 201 or response.json()["message"].endswith("colour: is not known")
    await wire.order(merchant="mine", id="read-only", attributes={"anything": {"goes": 1}}, cart={"items": []})


@under("nulls", {"left-out": 400, "written": 200})
async def test_an_order_that_was_read_may_be_sent_back(wire: Wire, expected: int) -> None:
    """It may have its nulls at any depth. A null is no value, so the service keeps none of them."""
    item = {"sku": "T1", "name": None, "price": None, "quantity": 1}
    path = await wire.order(cart={"items": [{"sku": "T1", "quantity": 1}]})
    sent = await wire.status("PUT", f"{path}/cart", {"reference": None, "discounts": None, "items": [item]})
    assert (sent, "nulls" in wire.last()) == (expected, True)
    cart = (await wire.read(path))["cart"]
    assert cart.get("reference") is cart["items"][0].get("name") is None
    assert await wire.status("POST", f"{path}/shippings", {"total": None, "vatRate": 0.25}) == 400, "it is required"
    assert await wire.status("PUT", f"{path}/cart", {"items": [{"sku": "T1"}]}) == 200


@under("nulls", {"left-out": 400, "written": 200})
async def test_a_hook_may_patch_with_the_nulls_it_was_sent(wire: Wire, receiver: Receiver, expected: int) -> None:
    value = {"items": [{"sku": "T2", "quantity": 1, "name": None}], "reference": None}
    for patch in (
        [{"op": "add", "path": "/cart", "value": value}],
        [{"op": "add", "path": "/cart", "value": None}, {"op": "add", "path": "/consents", "value": None}],
    ):
        receiver.answer = lambda _, patch=patch: (200, patch)  # type: ignore[misc]
        path = await wire.order(cart={"items": [{"sku": "T1", "quantity": 1}]})
        await wire.ok("POST", f"{path}/hooks", {"subscribeTo": "/reference", "invoke": receiver.url})
        assert await wire.status("PUT", f"{path}/reference", "r") == expected


@under("times", {"microseconds": 400, "seven-digits": 400, "no-offset": 200})
async def test_times_may_be_sent_as_they_are_read(wire: Wire, expected: int) -> None:
    path = await wire.order()
    for day, status in (("2026-01-02T03:04:05", expected), ("2026-01-02T03:04:05Z", 200), ("2026-01-02", 400)):
        item = {"sku": "T1", "quantity": 1, "logistics": {"shippingDate": day}}
        assert await wire.status("PUT", f"{path}/cart", {"items": [item]}) == status
    kept = (await wire.read(path))["cart"]["items"][0]["logistics"]["shippingDate"]
    assert kept.startswith("2026-01-02T03:04:05")
    for name in ("date_from", "date_to"):
        assert await wire.status("GET", f"/orders?{name}=2026-01-02T03:04:05") == expected


@under("nulls", {"left-out": False, "written": True})
async def test_members_without_a_value(wire: Wire, receiver: Receiver, expected: bool) -> None:
    """That holds in an order down to its items, in a list of orders, in payments, and in what callbacks get."""
    path = await wire.order(cart={"items": [{"sku": "T1"}]})
    await wire.ok("POST", f"{path}/payments", {"amount": 0})
    order = await wire.read(path)
    (listed,) = (await wire.listed())["data"]
    (payment,) = await wire.ok("GET", f"{path}/payments")
    for holder, name in (
        (order, "reference"),
        (order, "customer"),
        (order["cart"], "reference"),
        (order["cart"]["items"][0], "name"),
        (order["payments"][0], "reference"),
        (listed, "reference"),
        (payment, "reference"),
    ):
        assert (name in holder) is expected
        assert holder.get(name) is None
    assert order["cart"]["items"][0]["sku"] == "T1"
    notification = {"scope": "/attributes", "invoke": receiver.url}
    await wire.ok("POST", f"{path}/notifications", notification)
    await wire.ok("PATCH", f"{path}/attributes", {"a": 1})
    await wire.sandbox.deliver_due()
    assert ("customer" in receiver.got[0].order) is expected


@under(
    "times",
    {
        "microseconds": "2026-01-01T00:00:00.000000Z",
        "seven-digits": "2026-01-01T00:00:00.0000000Z",
        "no-offset": "2026-01-01T00:00:00.000000",
    },
)
async def test_how_times_are_written(wire: Wire, expected: str) -> None:
    path = await wire.order(attributes={"when": "2026-01-01T00:00:00.000000Z"})
    for sent in ("2026-01-01T00:00:00Z", "2026-01-01t01:00:00+01:00", "2026-01-01T00:00:00.00000000z"):
        line = {"sku": "T1", "quantity": 1, "logistics": {"shippingDate": sent}}
        await wire.ok("PUT", f"{path}/cart", {"items": [line]})
        order = await wire.read(path)
        assert order["cart"]["items"][0]["logistics"]["shippingDate"] == expected, "what a caller sent, too"
    await wire.ok("PUT", f"{path}/state", {"currentStatus": "removed"})
    order = await wire.read(path)
    assert order["created"] == order["lastModified"] == order["state"]["transitions"][0]["timeStamp"] == expected
    assert order["attributes"] == {"when": "2026-01-01T00:00:00.000000Z"}, "what the service does not know as a time"
    assert (await wire.listed())["data"][0]["created"] == expected
    assert "times" in wire.last()


@under(
    "enum-written",
    {
        "as-described": ("checkout", "person", "intent"),
        "as-sent": ("checkout", "PERSON", "Intent"),
        "capitalised": ("Checkout", "Person", "Intent"),
    },
)
async def test_how_enums_are_written(wire: Wire, expected: Any) -> None:
    """The status comes from the service itself, so no caller has sent that word."""
    path = await wire.order(customer={"type": "PERSON"})
    await wire.ok("POST", f"{path}/payments", {"amount": 0, "state": "Intent"})
    for order in (await wire.read(path), (await wire.listed())["data"][0]):
        found = (order["state"]["currentStatus"], order["customer"]["type"], order["payments"][0]["state"])
        assert found == expected
    (payment,) = await wire.ok("GET", f"{path}/payments")
    assert payment["state"] == expected[2]


@under(
    "errors",
    {
        "code-message": ({"code", "message"}, {"code", "message"}),
        "problem-details": (
            {"type", "title", "status", "detail", "traceId"},
            {"type", "title", "status", "detail", "traceId"},
        ),
        "problem-details-with-errors": (
            {"type", "title", "status", "detail", "traceId"},
            {"type", "title", "status", "errors", "traceId"},
        ),
    },
)
async def test_the_contents_of_errors(wire: Wire, expected: tuple[set[str], set[str]]) -> None:
    unknown = await wire.send("GET", "/orders/oNOTHERE")
    assert (unknown.status_code, unknown.json().keys()) == (404, expected[0])
    wrong = await wire.send("POST", "/orders", {"cart": {"items": 1}})
    assert (wrong.status_code, wrong.json().keys()) == (400, expected[1])
    if "errors" in expected[1]:
        assert wrong.json()["errors"] == {"$.cart.items": ["must be a list"]}
    for response in (unknown, wrong):
        kind = "application/json" if wire.reading == "code-message" else "application/problem+json"
        assert response.headers["content-type"] == kind
    assert await wire.status("PATCH", "/orders", {}) == 405
    assert await wire.status("GET", "/nothing") == 404
