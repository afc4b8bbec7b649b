"""Money: the exact sums of the service."""

import pytest

from tests.sandbox.support import CART, SHIPPING, Api, rule

pytestmark = pytest.mark.anyio


@rule("order-total")
async def test_the_total_is_the_cart_and_the_shippings(api: Api) -> None:
    path = await api.order(cart=CART)
    assert await api.total(path) == (12.5, 10)
    await api.ok("POST", f"{path}/shippings", SHIPPING)
    assert await api.total(path) == (20, 16)
    await api.ok("PUT", f"{path}/cart", {"total": {"includingVat": 1, "excludingVat": 0.8}})
    assert await api.total(path) == (8.5, 6.8)


@rule("order-total")
async def test_an_order_without_anything_costs_nothing(api: Api) -> None:
    assert await api.total(await api.order()) == (0, 0)


@rule("removed-left-out", "soft-delete")
async def test_a_removed_shipping_costs_nothing(api: Api) -> None:
    path = await api.order(cart=CART)
    shipping = await api.ok("POST", f"{path}/shippings", SHIPPING)
    await api.ok("PUT", f"{path}/shippings/{shipping['id']}", {**SHIPPING, "state": "Removed"})
    assert await api.total(path) == (12.5, 10)
    assert len((await api.ok("GET", path))["shippings"]) == 1
    await api.ok("POST", f"{path}/shippings", {**SHIPPING, "state": "removed"})
    assert await api.total(path) == (12.5, 10)


@rule("removed-left-out", "soft-delete")
async def test_a_removed_payment_pays_nothing(api: Api) -> None:
    path = await api.payable()
    payment = (await api.ok("GET", f"{path}/payments"))[0]
    await api.ok("PUT", f"{path}/payments/{payment['id']}", {"amount": 12.5, "state": "removed"})
    assert [entry["code"] for entry in (await api.send("POST", f"{path}/validate")).json()] == ["payment-missing"]


@rule("rounding", "price-decimals")
@pytest.mark.parametrize(
    ("prices", "total"),
    [
        ([0.1, 0.2], 0.3),
        ([1.005, 0], 1.01),  # half up by the number as written, which as a float is below the half
        ([1.004, 1.004], 2.0),  # rounded before they are added
        ([2.675, 2.675], 5.36),
    ],
)
async def test_totals_are_rounded_half_up_and_added_exactly(api: Api, prices: list[float], total: float) -> None:
    path = await api.order(cart={"total": {"includingVat": prices[0], "excludingVat": 0}, "items": [{}]})
    await api.ok("POST", f"{path}/shippings", {"total": {"includingVat": prices[1]}, "vatRate": 0})
    assert await api.total(path) == (total, 0)
    await api.ok("POST", f"{path}/payments", {"amount": total})
    assert (await api.send("POST", f"{path}/validate")).json() == []


@rule("rounding", "validate")
async def test_payments_must_add_up_exactly(api: Api) -> None:
    path = await api.order(cart={"total": {"includingVat": 0.3}, "items": [{}]})
    await api.ok("POST", f"{path}/payments", {"amount": 0.1})
    second = await api.ok("POST", f"{path}/payments", {"amount": 0.2})
    assert (await api.send("POST", f"{path}/validate")).json() == []
    await api.ok("PUT", f"{path}/payments/{second['id']}", {"amount": 0.2000000000000001})
    assert [entry["code"] for entry in (await api.send("POST", f"{path}/validate")).json()] == ["payment-sum"]


@rule("cart-total")
async def test_a_cart_without_a_total_gets_the_sum_of_its_items(api: Api) -> None:
    items = [
        {"total": {"includingVat": 0.1, "excludingVat": 0.08}},
        {"total": {"includingVat": 0.2, "excludingVat": 0.16}},
        {},
    ]
    path = await api.order(cart={"items": items})
    assert (await api.ok("GET", path))["cart"]["total"] == {"includingVat": 0.3, "excludingVat": 0.24}
    assert await api.total(path) == (0.3, 0.24)
    given = {"items": items, "total": {"includingVat": 5, "excludingVat": 4}}
    await api.ok("PUT", f"{path}/cart", given)
    assert await api.total(path) == (5, 4)
