"""Lists of orders: filters, figures, pages."""

from typing import Any

import pytest

from norce_order_async.sandbox import ManualClock
from tests.sandbox.support import Api, rule

pytestmark = pytest.mark.anyio


async def listed(api: Api, **params: Any) -> list[str]:
    """The references of the orders on the page."""
    page = await api.ok("GET", "/orders", params=params)
    return [order["reference"] for order in page["data"]]


async def made(api: Api, reference: str, **body: Any) -> str:
    return await api.order(reference=reference, **body)


def priced(amount: float) -> dict[str, Any]:
    return {"items": [{}], "total": {"includingVat": amount, "excludingVat": amount}}


@rule("page", "pagination-size", "list-order", "list-lag")
async def test_a_page_is_ten_orders_newest_first(api: Api, clock: ManualClock) -> None:
    for number in range(12):
        await made(api, str(number))
        clock.advance(1)
    page = await api.ok("GET", "/orders")
    assert [order["reference"] for order in page["data"]] == [str(number) for number in range(11, 1, -1)]
    assert page["pagination"] == {"offset": 0, "limit": 10, "size": 10, "valueSum": 0.0, "totalSize": 12}
    page = await api.ok("GET", "/orders", params={"offset": 10, "limit": 5})
    assert [order["reference"] for order in page["data"]] == ["1", "0"]
    assert page["pagination"] == {"offset": 10, "limit": 5, "size": 2, "valueSum": 0.0, "totalSize": 12}
    page = await api.ok("GET", "/orders", params={"offset": 12})
    assert (page["data"], page["pagination"]["size"]) == ([], 0)


@rule("page", "page-limit", "offset")
async def test_a_page_is_at_most_a_hundred(api: Api) -> None:
    for number in range(101):
        await made(api, str(number))
    page = await api.ok("GET", "/orders", params={"limit": 1000})
    assert (len(page["data"]), page["pagination"]["limit"]) == (100, 100)


@rule("page")
@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": "ten"},
        {"limit": "1.0"},
        {"offset": -1},
        {"offset": 2**31},
        {"limit": [1, 2]},
        {"status": "done"},
        {"order_by": "total"},
        {"order_by_direction": "up"},
        {"date_from": "yesterday"},
        {"date_from": "2026-01-01T00:00:00"},
        {"date_to": "2026-01-01"},
        {"reference": b"\xff".decode("latin-1"), "status": ""},
    ],
)
async def test_an_impossible_filter_is_refused(api: Api, params: dict[str, Any]) -> None:
    assert await api.refused("GET", "/orders", params=params) == (400, "order-bad-request")


@rule("value-sum")
async def test_the_value_sum_is_that_of_all_matches(api: Api) -> None:
    for amount in (0.1, 0.2, 1_000_000):
        await made(api, str(amount), cart=priced(amount))
    page = await api.ok("GET", "/orders", params={"limit": 1})
    assert page["pagination"]["valueSum"] == 1_000_000.3
    assert (await api.ok("GET", "/orders", params={"reference": "0.1"}))["pagination"]["valueSum"] == 0.1


@rule("dates", "date-time")
async def test_date_from_is_inclusive_and_date_to_exclusive(api: Api, clock: ManualClock) -> None:
    created: list[str] = []
    for number in range(3):
        path = await made(api, str(number))
        created.append((await api.ok("GET", path))["created"])
        clock.advance(0.000001)
    assert await listed(api, date_from=created[1]) == ["2", "1"]
    assert await listed(api, date_to=created[1]) == ["0"]
    assert await listed(api, date_from=created[1], date_to=created[2]) == ["1"]
    assert await listed(api, date_from="2026-01-01T01:00:00+01:00", date_to="2026-01-01T01:00:00.000001+01:00") == ["0"]


@rule("repeated-keys", "enum-case")
async def test_several_values_are_alternatives(api: Api) -> None:
    for status in ("checkout", "completed", "removed"):
        path = await api.order_in(status)
        if status != "removed":
            await api.ok("PUT", f"{path}/reference", status)
    assert await listed(api, status=["checkout", "Completed"]) == ["completed", "checkout"]
    assert await listed(api, status="completed") == ["completed"]


BILLING = {"givenName": "Åsa", "familyName": "Öberg", "email": "Asa@Example.com", "phone": "+46 70", "country": "SE"}
SHIPPING = {"organizationName": "Storm", "email": "dock@example.com", "phone": "08", "country": "no"}


@rule("whole-match", "part-match")
@pytest.mark.parametrize(
    ("name", "hits", "misses"),
    [
        ("countries", ["SE", "se"], ["S", "NO"]),
        ("billing_countries", ["SE", "se"], ["NO"]),
        ("billing_emails", ["asa@example.com", "ASA@EXAMPLE.COM"], ["asa", "asa@example.co"]),
        ("billing_phones", ["+46 70"], ["46", "+4670"]),
        ("billing_names", ["åsa öberg", "ÖBERG", "a ö"], ["storm"]),
        ("shipping_countries", ["NO"], ["SE"]),
        ("shipping_emails", ["Dock@example.com"], ["example.com"]),
        ("shipping_phones", ["08"], ["0"]),
        ("shipping_names", ["storm", "tor"], ["åsa"]),
        ("reference", ["Ref-1"], ["ref-1", "Ref"]),
        ("cart_reference", ["Cart-1"], ["cart-1", "Cart"]),
        ("search", ["ref-", "CART-1", "öber", "storm", "example", "dock@"], ["thing", "08", "%", "_"]),
    ],
)
async def test_filters(api: Api, name: str, hits: list[str], misses: list[str]) -> None:
    await made(
        api,
        "Ref-1",
        country="se",
        cart={"reference": "Cart-1", "items": [{"name": "Thing"}]},
        customer={"billing": BILLING, "shipping": SHIPPING},
    )
    await made(api, "other")
    for value in hits:
        assert await listed(api, **{name: value}) == ["Ref-1"], value
    for value in misses:
        assert await listed(api, **{name: value}) == [], value
    if name not in ("reference", "cart_reference", "search"):
        assert await listed(api, **{name: [misses[0], hits[0]]}) == ["Ref-1"]


async def test_an_order_is_found_by_its_payment(api: Api) -> None:
    path = await made(api, "paid")
    await made(api, "other")
    payment = await api.ok("POST", f"{path}/payments", {})
    assert await listed(api, payment_id=payment["id"]) == ["paid"]
    assert await listed(api, payment_id="pnone") == []


async def test_filters_join(api: Api) -> None:
    await made(api, "a", country="SE")
    await made(api, "b", country="NO")
    assert await listed(api, countries=["SE", "NO"], reference="b") == ["b"]
    assert await listed(api, countries="SE", reference="b") == []


async def test_a_list_shows_the_present_state_of_an_order(api: Api) -> None:
    path = await made(api, "before")
    await api.ok("PUT", f"{path}/reference", "after")
    await api.ok("PUT", f"{path}/customer/billing", {"email": "new@example.com"})
    assert await listed(api, billing_emails="new@example.com") == ["after"]
    assert await listed(api, reference="before") == []


@rule("list-order")
async def test_lists_can_be_sorted(api: Api, clock: ManualClock) -> None:
    for name, email, amount in (("b", "2@x.se", 3), ("a", "3@x.se", 1), ("c", "1@x.se", 2)):
        billing = {"givenName": name, "email": email}
        await made(api, name, cart=priced(amount), customer={"billing": billing})
        clock.advance(1)
    ascending = {"order_by_direction": "ASC"}
    assert await listed(api, **ascending) == ["b", "a", "c"]
    assert await listed(api, order_by="created") == ["c", "a", "b"]
    assert await listed(api, order_by="billingName", **ascending) == ["a", "b", "c"]
    assert await listed(api, order_by="billingEmail", **ascending) == ["c", "b", "a"]
    assert await listed(api, order_by="cartTotal", **ascending) == ["a", "c", "b"]
    assert await listed(api, order_by="cartTotal", order_by_direction="desc") == ["b", "c", "a"]
