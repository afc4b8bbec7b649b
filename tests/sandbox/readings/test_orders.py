"""Creating, changing and deleting orders under each reading."""

from __future__ import annotations

from itertools import count
from typing import Any

import anyio
import pytest

from tests.sandbox.callbacks.receiver import Receiver

from .support import Wire, under

pytestmark = pytest.mark.anyio

ITEM = {"sku": "T001", "quantity": 1, "total": {"includingVat": 12.5, "excludingVat": 10}}
OTHER = {"includingVat": 1, "excludingVat": 1}
SHIPPING = {"total": {"includingVat": 7.5, "excludingVat": 6}, "vatRate": 0.25}


@under(
    "cart-total",
    {
        "summed-when-missing": ((12.5, 20), (1, 8.5)),
        "zero-when-missing": ((0, 7.5), (1, 8.5)),
        "recomputed": ((12.5, 20), (12.5, 20)),
    },
)
async def test_the_total_of_a_cart(wire: Wire, expected: Any) -> None:
    """One cart has no total, and the total of the other is not the sum of its items."""
    found: list[tuple[float, float]] = []
    for total in ({}, {"total": OTHER}):
        path = await wire.order(cart={"items": [ITEM], **total})
        await wire.ok("POST", f"{path}/shippings", SHIPPING)
        order = await wire.read(path)
        found.append((order["cart"]["total"]["includingVat"], order["total"]["includingVat"]))
    assert tuple(found) == expected


@under("cart-put", {"replaces": (None, {"includingVat": 25, "excludingVat": 20}), "merges": ("c1", OTHER)})
async def test_members_that_a_new_cart_leaves_out(wire: Wire, expected: Any) -> None:
    path = await wire.order(cart={"reference": "c1", "items": [ITEM], "total": OTHER})
    await wire.ok("PUT", f"{path}/cart", {"items": [ITEM, ITEM]})
    cart = (await wire.read(path))["cart"]
    assert len(cart["items"]) == 2
    assert cart.get("reference") == expected[0]
    assert cart["total"] == expected[1]


@under("cart-reference-unique", {"at-commit": 1, "checked-on-arrival": 1, "not-unique": 2})
async def test_a_second_order_with_the_reference_of_a_cart(wire: Wire, expected: int) -> None:
    """The orders are created one after the other. A cart that is put later is checked as well."""
    cart = {"reference": "c1", "items": [ITEM]}
    statuses = [await wire.status("POST", "/orders", {"cart": cart}) for _ in range(2)]
    assert statuses.count(201) == expected
    assert (await wire.listed(cart_reference="c1"))["pagination"]["totalSize"] == expected
    other = await wire.order()
    assert await wire.status("PUT", f"{other}/cart", cart) == (409 if expected == 1 else 200)


@under("cart-reference-unique", {"at-commit": {1}, "checked-on-arrival": {1, 2}, "not-unique": {2}})
async def test_two_orders_in_a_race_for_the_reference_of_a_cart(wire: Wire, expected: set[int]) -> None:
    """Both are created at once, again and again, until the largest possible number of orders has been seen."""
    made: set[int] = set()
    for number in count():
        statuses: list[int] = []

        async def create(reference: str, statuses: list[int]) -> None:
            statuses.append(await wire.status("POST", "/orders", {"cart": {"reference": reference}}))

        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(create, f"c{number}", statuses)
        made.add(statuses.count(201))
        assert made <= expected
        if max(expected) in made and number >= 3:
            break


@under(
    "create-answer",
    {
        "id-and-location": (201, dict, True),
        "bare-string": (201, str, True),
        "location-alone": (201, None, True),
        "200-without-location": (200, dict, False),
    },
)
async def test_the_answer_to_creating(wire: Wire, expected: tuple[int, type | None, bool]) -> None:
    status, form, located = expected
    response = await wire.send("POST", "/orders", {})
    assert response.status_code == status
    body = response.json() if response.content else None
    assert (type(body) if body is not None else None) is form
    made = (await wire.listed())["data"][0]["id"]
    assert body in (None, made, {"id": made})
    assert response.headers.get("location") == (f"/api/v0/checkout/orders/{made}" if located else None)


@under("hooks-in-body", {"registered": (1, 1, 1, ("/notified",)), "ignored": (0, 0, 0, ())})
async def test_callbacks_in_the_body_of_a_new_order(wire: Wire, receiver: Receiver, expected: Any) -> None:
    path = await wire.order(
        hooks=[{"subscribeTo": "/state", "invoke": receiver.url + "/asked"}],
        notifications=[{"scope": "/reference", "invoke": receiver.url + "/notified"}],
        validations=[{"url": receiver.url + "/validates"}],
    )
    order = await wire.read(path)
    assert tuple(len(order[name]) for name in ("hooks", "notifications", "validations")) == expected[:3]
    await wire.ok("PUT", f"{path}/reference", "r")
    await wire.sandbox.deliver_due()
    assert tuple(receiver.paths) == expected[3]


@under("delete-order", {"any-status": (204, 404, 0), "checkout-only": (409, 200, 1), "moves-to-removed": (204, 200, 1)})
async def test_deleting_an_order_in_processing(wire: Wire, expected: tuple[int, int, int]) -> None:
    path = await wire.order(cart={"items": [ITEM]})
    await wire.ok("POST", f"{path}/payments", {"amount": 12.5})
    assert await wire.go(path, "processing") == 200
    assert await wire.status("DELETE", path) == expected[0]
    assert await wire.status("GET", path) == expected[1]
    page = await wire.listed()
    assert page["pagination"]["totalSize"] == expected[2]
    if wire.reading == "moves-to-removed":
        assert await wire.is_in(path) == "removed"
        assert await wire.status("DELETE", path) == 204
        assert (await wire.read(path))["state"]["transitions"][-1]["status"] == "removed"
    assert await wire.status("DELETE", await wire.order()) == 204


@under("attribute-null", {"deletes": (200, {"b": 2}), "stored": (200, {"a": None, "b": 2}), "refused": (400, {"a": 1})})
async def test_null_in_attributes(wire: Wire, expected: Any) -> None:
    path = await wire.order(attributes={"a": 1})
    assert await wire.status("PATCH", f"{path}/attributes", {"a": None, "b": 2}) == expected[0]
    assert (await wire.read(path))["attributes"] == expected[1]


@under("scope", {"not-found": (404, 404), "forbidden": (403, 403), "visible": (200, 200)})
async def test_an_order_of_another_channel(wire: Wire, expected: tuple[int, int]) -> None:
    """The reading is about channels of one merchant. An order of another merchant is never seen."""
    path = await wire.order()
    other = {"x-channel": "no"}
    assert await wire.status("GET", path, headers=other) == expected[0]
    assert await wire.status("PUT", f"{path}/reference", "r", headers=other) == expected[1]
    assert (await wire.read(path)).get("reference") == ("r" if expected[1] == 200 else None)
    assert await wire.status("GET", path, headers={"x-merchant": "other"}) == 404
    assert await wire.status("DELETE", path, headers=other) == (204 if expected[1] == 200 else expected[1])
