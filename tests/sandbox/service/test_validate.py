"""The checks that validate makes itself."""

from typing import Any

import pytest

from tests.sandbox.support import CART, Api, rule

pytestmark = pytest.mark.anyio


CASES: list[tuple[dict[str, Any], list[float], list[str]]] = [
    ({}, [], ["cart-empty"]),
    ({"items": CART["items"]}, [], ["payment-missing"]),
    ({"items": CART["items"]}, [12], ["payment-sum"]),
    ({"items": CART["items"]}, [12.5, 1], ["payment-sum"]),
    ({"total": {"includingVat": 5}}, [], ["cart-empty", "payment-missing"]),
    ({"total": {"includingVat": 5}}, [4], ["cart-empty", "payment-sum"]),
    ({"items": [{}]}, [1], ["payment-sum"]),
    ({"items": [{}]}, [], []),
    ({"items": CART["items"]}, [12.5], []),
    ({"items": CART["items"]}, [10, 2.5], []),
]


@rule("validate", "validate-failed", "validate-codes")
@pytest.mark.parametrize(("cart", "amounts", "codes"), CASES)
async def test_validate_reports_the_problems(
    api: Api, cart: dict[str, Any], amounts: list[float], codes: list[str]
) -> None:
    path = await api.order(cart=cart)
    for amount in amounts:
        await api.ok("POST", f"{path}/payments", {"amount": amount})
    response = await api.send("POST", f"{path}/validate")
    assert response.status_code == (400 if codes else 200)
    assert [entry["code"] for entry in response.json()] == codes
    assert all(entry["adapterId"] == "order" and entry["message"] for entry in response.json())


@rule("validate")
async def test_validate_changes_nothing(api: Api) -> None:
    path = await api.payable()
    before = (await api.send("GET", path)).content
    await api.ok("POST", f"{path}/validate")
    assert (await api.send("GET", path)).content == before


@rule("errors")
async def test_validate_of_an_unknown_order_is_an_error_not_a_list(api: Api) -> None:
    assert await api.refused("POST", "/orders/oaAaAaAA/validate") == (404, "order-not-found")
