"""A caller's wrong arguments raise this package's own errors, whatever their type."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norce_order_async import CallOptions, ConfigurationError, InvalidRequestError, NorceError, OrderFilter
from norce_order_async.bulk import actions
from norce_order_async.models import Item, Price
from norce_order_async.money import decimal, from_excluding, from_including, line, rounded
from tests.support.engine import answer
from tests.support.pipeline import stand
from tests.support.turns import examples

pytestmark = pytest.mark.anyio

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.just(object()),
)
SETTINGS = [
    "slug",
    "environment",
    "location",
    "base_url",
    "merchant",
    "channel",
    "adapter_id",
    "token",
    "headers",
    "options",
    "max_in_flight",
    "retry_budget",
    "observers",
    "proxy",
    "secondary_token",
    "call_middleware",
]
RECKONS: list[Callable[[Any], object]] = [
    decimal,
    rounded,
    lambda one: from_including(one, 0.25),
    lambda one: line(one, 2, 0),
]
HUGE = [1e308, -1e308, Decimal("1e999999"), Decimal("NaN"), float("inf"), 10**400]


@pytest.mark.parametrize("amount", HUGE, ids=str)
@pytest.mark.parametrize("function", RECKONS)
def test_huge_amounts_are_computed_or_refused(function: Callable[[Any], object], amount: Any) -> None:
    try:
        function(amount)
    except InvalidRequestError:
        assert amount not in (1e308, -1e308)


@settings(max_examples=examples(70, soak=200), deadline=None, derandomize=True)
@given(one=ODD, other=ODD)
def test_unusual_amounts(one: Any, other: Any) -> None:
    for function in (decimal, rounded):
        with contextlib.suppress(NorceError):
            function(one)
    for of_both in (from_including, from_excluding):
        with contextlib.suppress(NorceError):
            of_both(one, other)


async def test_an_order_with_huge_amounts() -> None:
    """An order with huge amounts can be read."""
    total = {"includingVat": 1e308, "excludingVat": 1e308}
    service = stand([answer(200, {"id": "o1", "total": total, "payments": [{"id": "p1", "amount": 1e308}]})])
    order = await service.client.orders.get("o1")
    assert order.amount == Decimal("1e308")
    assert order.outstanding == 0


async def test_a_date_is_its_midnight_in_utc() -> None:
    """Both ends of a date range are midnights in UTC, in listings and iterations."""
    where = OrderFilter(date_from=date(2026, 1, 2), date_to=date(2026, 1, 3))
    assert where == OrderFilter(date_from=datetime(2026, 1, 2, tzinfo=UTC), date_to=datetime(2026, 1, 3, tzinfo=UTC))
    service = stand([answer(200, {"data": []})] * 2)
    await service.client.orders.list(where)
    assert [order async for order in service.client.orders.iterate(where)] == []
    for sent in service.sent:
        assert "date_from=2026-01-02T00%3A00%3A00Z" in sent or "date_from=2026-01-02T00:00:00Z" in sent


@settings(max_examples=examples(100, soak=300), deadline=None, derandomize=True)
@given(name=st.sampled_from([*OrderFilter.__dataclass_fields__]), value=ODD)
def test_unusual_filters(name: str, value: Any) -> None:
    with contextlib.suppress(NorceError):
        OrderFilter(**{name: value}).query()


@settings(max_examples=examples(100, soak=300), deadline=None, derandomize=True)
@given(
    name=st.sampled_from(SETTINGS),
    value=st.one_of(st.just(5), st.just(b"x"), st.just(object()), st.just([5]), st.just(1.5)),
)
def test_unusual_settings(name: str, value: Any) -> None:
    """A setting is accepted, or refused with ``ConfigurationError`` when the client is made."""
    from norce_order_async import NorceOrderClient

    arguments: dict[str, Any] = {"merchant": "m", "channel": "c", "token": "t", "base_url": "https://x.example"}
    if name in ("slug", "environment", "location"):
        del arguments["base_url"]
        arguments |= {"slug": "acme", "environment": "stage"}
    with contextlib.suppress(ConfigurationError):
        NorceOrderClient(**{**arguments, name: value})


async def test_options_of_another_kind() -> None:
    service = stand([])
    with pytest.raises(InvalidRequestError, match="options must be CallOptions"):
        await service.client.orders.list(options=cast("CallOptions", 5))
    assert service.sent == []


async def test_models_in_a_dict_are_accepted() -> None:
    """Models are accepted at any depth of a dict."""
    service = stand([answer(201, {"id": "o1"})])
    item = Item(sku="T1", quantity=1, total=Price(including_vat=1.25, excluding_vat=1.0))
    await service.client.orders.create({"cart": {"items": [item]}})
    assert b'"sku":"T1"' in (service.engine.requests[0].body or b"").replace(b" ", b"")


@pytest.mark.parametrize("order_id", ["a\ud800", "\udfff", "\u00e9\udc80"])
async def test_half_a_surrogate_pair_in_an_id(order_id: str) -> None:
    """An id with half a surrogate pair is refused in a call and in the source of a job, because no address and no
    journal can hold it."""
    service = stand([])
    with pytest.raises(InvalidRequestError, match="half a surrogate pair"):
        await service.client.orders.get(order_id)
    async with service.client.bulk() as job:
        with pytest.raises(InvalidRequestError, match=r"entry 1 of the source: .* half a surrogate pair"):
            await anext(aiter(job.run([order_id], actions.remove())))
    assert service.sent == []
