"""``orders.list`` and ``orders.iterate``: filters, pages, and how a listing ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs

import pytest

from norce_order_async import InvalidRequestError, NorceOrderClient, OrderFilter
from norce_order_async.models import OrderData, OrderStatus
from norce_order_async.sandbox import Sandbox
from tests.support.engine import answer
from tests.support.orders import CONTEXT, client_of, unique
from tests.support.pipeline import stand

pytestmark = pytest.mark.anyio


async def test_every_filter_reaches_the_service(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """Filters are sent under the description's names, lists as repeated keys and dates with their offset."""
    people = {
        f"{who}_{what}": [f"{who} {what}", "b&c"]
        for who in ("billing", "shipping")
        for what in ("names", "emails", "phones", "countries")
    }
    where = OrderFilter(
        status="accepted",
        search="x y",
        reference="r",
        cart_reference="c",
        payment_id="p",
        date_from=datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        date_to=datetime(2026, 2, 1, 12, 0, 0, 500_000, tzinfo=UTC),
        countries=("SE", "NO"),
        order_by="cartTotal",
        order_by_direction="asc",
        **people,
    )
    await norce.orders.list(where, limit=3)
    assert parse_qs(sandbox.requests[-1].query) == {
        "offset": ["0"],
        "limit": ["3"],
        "status": ["accepted"],
        "search": ["x y"],
        "reference": ["r"],
        "cart_reference": ["c"],
        "payment_id": ["p"],
        "date_from": ["2026-01-01T00:00:00+01:00"],
        "date_to": ["2026-02-01T12:00:00.500000Z"],
        "countries": ["SE", "NO"],
        "order_by": ["cartTotal"],
        "order_by_direction": ["asc"],
        **people,
    }


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"status": "done"}, "unknown status 'done'; known are checkout"),
        ({"status": ["accepted", "done"]}, "unknown status 'done'"),
        ({"status": []}, "status must not be empty"),
        ({"status": iter([])}, "status must not be empty"),
        ({"countries": ()}, "countries must not be empty"),
        ({"search": ""}, "search must not be empty"),
        ({"countries": "SE"}, "countries must be a list of strings, not one string"),
        ({"billing_emails": "a@example.com"}, "billing_emails must be a list"),
        ({"date_from": datetime(2026, 1, 1)}, "date_from needs a time zone"),
        ({"date_to": datetime(2026, 1, 1)}, "date_to needs a time zone"),
    ],
)
async def test_a_wrong_filter_is_refused(given: Any, complaint: str) -> None:
    """An empty value would match everything, and a bare string would be split into letters, so neither is sent."""
    service = stand([])
    with pytest.raises(InvalidRequestError, match=complaint):
        await service.client.orders.list(OrderFilter(**given))
    with pytest.raises(InvalidRequestError, match=complaint):
        await anext(service.client.orders.iterate(OrderFilter(**given)))
    assert service.sent == []


@pytest.mark.parametrize(("offset", "limit"), [(-1, 5), (0, 0), (0, -1)])
async def test_an_impossible_page_is_refused(offset: int, limit: int) -> None:
    service = stand([])
    with pytest.raises(
        InvalidRequestError, match=r"(offset must be a whole number, 0|limit must be a whole number, 1) or more; got"
    ):
        await service.client.orders.list(offset=offset, limit=limit)


@pytest.mark.parametrize("page_limit", ["100-at-most", "over-50-refused", "50-at-most"])
async def test_a_page_of_the_default_size_is_accepted_whatever_the_limit_is(page_limit: str) -> None:
    """``list`` requests no more than every reading gives; ``iterate`` takes any page, and yields all orders."""
    with Sandbox(readings={"page-limit": page_limit}) as sandbox:
        sandbox.seed_orders(400)
        async with client_of(sandbox, merchant="demo") as norce:
            there = await norce.orders.count()
            assert there > 50
            assert len((await norce.orders.list()).orders) == 50
            assert len({order.id async for order in norce.orders.iterate()}) == there


@pytest.mark.parametrize("pagination", ["returned", "matches", "requested"])
async def test_iterating_does_not_depend_on_the_meaning_of_sizes(pagination: str) -> None:
    """Under both published readings of the pagination every order comes once."""
    with Sandbox(readings={"pagination-size": pagination}) as sandbox:
        async with client_of(sandbox) as norce:
            made = [(await norce.orders.create(CONTEXT)).id for _ in range(7)]
            found = [order.id async for order in norce.orders.iterate(page_size=3)]
            assert sorted(found) == sorted(made)
            assert len([order async for order in norce.orders.iterate(page_size=3, limit=4)]) == 4
            assert [order async for order in norce.orders.iterate(limit=0)] == []
            page = await norce.orders.list(limit=2, offset=6)
            assert [order.loaded for order in page.orders] == [True]
            assert page.pagination is not None
            assert page.pagination.offset == 6


async def test_each_order_comes_once_while_others_come_and_go(norce: NorceOrderClient) -> None:
    """Orders that are created meanwhile cause no duplicates, and orders that leave the filter hide none."""
    scope = norce.scoped(channel=unique("channel"))
    made = [(await scope.orders.create(CONTEXT)).id for _ in range(7)]
    met: list[str] = []
    async for order in scope.orders.iterate(OrderFilter(status="checkout"), page_size=2, limit=7):
        met.append(order.id)
        await order.transition_to("removed")
        await scope.orders.create(CONTEXT)
    assert met == made


async def test_a_filter_made_of_an_iterator_holds_for_every_page(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """A filter given as an iterator is not used up by the first page."""
    for _ in range(3):
        await norce.orders.create(CONTEXT | {"country": "IS"})
    statuses: list[OrderStatus] = ["checkout"]
    where = OrderFilter(countries=(country for country in ["IS"]), status=iter(statuses))
    sandbox.requests.clear()
    assert len([order async for order in norce.orders.iterate(where, page_size=2)]) >= 3
    assert len(sandbox.requests) >= 2
    for request in sandbox.requests:
        assert parse_qs(request.query)["countries"] == ["IS"]
        assert parse_qs(request.query)["status"] == ["checkout"]


async def test_listed_orders_are_handles(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """A listed order has its data, and can be written to."""
    reference = unique("ours")
    await norce.orders.create(CONTEXT | {"reference": reference})
    (order,) = (await norce.orders.list(OrderFilter(reference=reference))).orders
    assert isinstance(order.data, OrderData)
    await order.attributes.update({"seen": True})
    assert sandbox.requests[-1].path.endswith(f"/orders/{order.id}/attributes")


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": [{"reference": "no id"}]}])
async def test_a_page_without_orders_ends_it(body: Any) -> None:
    """A page whose list of orders is missing or null is empty and ends the iteration."""
    service = stand([answer(200, body)])
    assert [order async for order in service.client.orders.iterate()] == []


def test_a_filter_shows_nothing_of_a_customer() -> None:
    """Neither the filter's repr nor that of what holds it shows personal values."""
    members: dict[str, Any] = dict.fromkeys(
        ("search", "reference", "cart_reference", "payment_id"), "anna 19121212-1212 a@b.se"
    )
    lists: dict[str, Any] = {
        f"{who}_{what}": ["anna 19121212-1212 a@b.se"]
        for who in ("billing", "shipping")
        for what in ("names", "emails", "phones")
    }
    where = OrderFilter(status="checkout", countries=["SE"], **members, **lists)
    for text in (repr(where), str(where), f"{[where]}", repr(where.held())):
        assert "anna" not in text
        assert "1212" not in text
        assert "@" not in text
    assert repr(where).startswith("OrderFilter(status='checkout', search=..., ")
    assert "countries=('SE')" in repr(where)
    assert repr(OrderFilter()) == "OrderFilter()"
