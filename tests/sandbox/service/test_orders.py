"""Orders as a whole: made, read, deleted; ids, times, the one cart they may hold."""

import re

import pytest

from norce_order_async.sandbox import ManualClock, Sandbox
from tests.sandbox.support import CART, SHIPPING, Api, rule

pytestmark = pytest.mark.anyio


@rule("create-order", "no-first-transition", "create-answer", "nulls")
async def test_a_new_order_is_in_checkout(api: Api) -> None:
    response = await api.send("POST", "/orders", {"culture": "sv-SE", "currency": "SEK", "country": "SE"})
    assert response.status_code == 201
    assert response.json().keys() == {"id"}
    assert response.headers["location"] == f"/api/v0/checkout/orders/{response.json()['id']}"
    order = await api.ok("GET", f"/orders/{response.json()['id']}")
    assert order["state"] == {"currentStatus": "checkout", "transitions": []}
    assert (order["culture"], order["currency"], order["country"]) == ("sv-SE", "SEK", "SE")


@rule("create-order")
async def test_an_order_needs_no_body(api: Api) -> None:
    assert (await api.ok("POST", "/orders"))["id"]


@rule("ids", "callback-ids", "hooks-in-body")
async def test_ids_have_their_shapes(api: Api) -> None:
    path = await api.order(cart=CART, consents=[{"text": "News?"}])
    await api.ok("POST", f"{path}/payments", {})
    await api.ok("POST", f"{path}/shippings", SHIPPING)
    for kind in ("hooks", "notifications", "validations"):
        await api.ok("POST", f"{path}/{kind}", {"id": "mine"})
    order = await api.ok("GET", path)
    assert re.fullmatch("o[A-Za-z]{7}", order["id"])
    assert re.fullmatch("p[A-Za-z]{26}", order["payments"][0]["id"])
    assert re.fullmatch("s[A-Za-z]{26}", order["shippings"][0]["id"])
    assert re.fullmatch("ci[A-Za-z]{26}", order["cart"]["items"][0]["id"])
    for kind in ("hooks", "notifications", "validations"):
        assert re.fullmatch("oc[A-Za-z]{26}", order[kind][0]["id"])


@rule("ids")
async def test_the_same_seed_makes_the_same_ids() -> None:
    async def first_two(seed: int | None) -> list[str]:
        api = Api(Sandbox(seed=seed))
        made = [await api.order(), await api.order()]
        await api.close()
        return made

    assert await first_two(1) == await first_two(1)
    assert await first_two(1) != await first_two(2)
    assert await first_two(None) != await first_two(None)


@rule("utc", "times")
async def test_times_come_from_the_clock_in_utc(api: Api, clock: ManualClock) -> None:
    path = await api.payable()
    clock.advance(60.5)
    await api.status(path, "processing")
    order = await api.ok("GET", path)
    assert order["created"] == "2026-01-01T00:00:00.000000Z"
    assert order["lastModified"] == "2026-01-01T00:01:00.500000Z"
    assert order["state"]["transitions"] == [{"status": "processing", "timeStamp": "2026-01-01T00:01:00.500000Z"}]


@rule("delete-order", "answers")
@pytest.mark.parametrize("status", ["checkout", "completed", "removed"])
async def test_a_deleted_order_is_gone(api: Api, status: str) -> None:
    path = await api.order_in(status)
    payment = (await api.ok("GET", f"{path}/payments"))[0]["id"]
    response = await api.send("DELETE", path)
    assert (response.status_code, response.content) == (204, b"")
    assert await api.refused("GET", path) == (404, "order-not-found")
    assert await api.refused("DELETE", path) == (404, "order-not-found")
    assert (await api.ok("GET", "/orders"))["data"] == []
    assert (await api.ok("GET", "/orders", params={"payment_id": payment}))["data"] == []


@rule("removed-readable")
async def test_a_removed_order_can_be_read_and_listed(api: Api) -> None:
    path = await api.order_in("removed")
    assert (await api.ok("GET", path))["state"]["currentStatus"] == "removed"
    assert len((await api.ok("GET", "/orders"))["data"]) == 1


@rule("cart-reference-unique")
async def test_a_cart_reference_belongs_to_one_order(api: Api, sandbox: Sandbox) -> None:
    path = await api.order(cart=CART)
    assert await api.refused("POST", "/orders", {"cart": CART}) == (409, "order-conflict")
    assert len((await api.ok("GET", "/orders"))["data"]) == 1
    assert len(sandbox.effects) == 1

    await api.ok("PUT", f"{path}/cart", CART)  # an order may keep its own reference
    await api.status(path, "removed")
    other = await api.order(cart=CART)
    await api.ok("DELETE", other)
    await api.order(cart=CART)


@rule("cart-reference-unique")
async def test_a_replaced_cart_may_not_take_anothers_reference(api: Api) -> None:
    await api.order(cart=CART)
    other = await api.order(cart={"reference": "second"})
    response = await api.send("PUT", f"{other}/cart", CART)
    assert (response.status_code, response.json()["code"]) == (409, "order-conflict")
    assert (await api.ok("GET", other))["cart"]["reference"] == "second"


@rule("cart-reference-unique")
async def test_an_empty_or_missing_reference_collides_with_nothing(api: Api) -> None:
    for reference in ({}, {"reference": ""}):
        await api.order(cart=reference)
        await api.order(cart=reference)


async def test_effects_hold_each_change_once_and_no_refusal(api: Api, sandbox: Sandbox) -> None:
    path = await api.payable()
    order_id = path.removeprefix("/orders/")
    await api.status(path, "completed")
    await api.status(path, "completed")
    await api.refused("PUT", f"{path}/cart", CART)
    await api.ok("GET", path)
    assert [(effect.operation, effect.detail) for effect in sandbox.effects.of(order_id)] == [
        ("CreateCheckoutOrder", ""),
        ("CreateOrderPayment", ""),
        ("UpdateCheckoutOrderState", "checkout -> completed"),
    ]
    assert [effect.order_id for effect in sandbox.effects.of(operation="CreateOrderPayment")] == [order_id]
    assert sandbox.effects[-1].subject == "completed"
