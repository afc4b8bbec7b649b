"""Answers with a success status whose content is not what was expected, over sockets."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from norce_order_async import CallOptions, NorceOrderClient, UnavailableError
from norce_order_async.engines.select import EngineName
from tests.engines.faultserver import FaultServer, answer
from tests.support.wires import WIRES, engine_of, loop_of

pytestmark = pytest.mark.anyio


@pytest.fixture(params=WIRES)
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return loop_of(request)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> EngineName:
    return engine_of(request)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def client_of(server: FaultServer, engine: EngineName) -> NorceOrderClient:
    return NorceOrderClient(
        base_url=f"{server.url}/says",
        merchant="acme",
        channel="se",
        token="t",
        engine=engine,
        options=CallOptions(max_attempts=1),
    )


async def _walked(norce: NorceOrderClient) -> list[Any]:
    return [order async for order in norce.orders.iterate()]


LISTS: dict[str, Callable[[NorceOrderClient], Awaitable[Any]]] = {
    "payments.list": lambda norce: norce.orders("o1").payments.list(),
    "shippings.list": lambda norce: norce.orders("o1").shippings.list(),
    "payments.transactions": lambda norce: norce.orders("o1").payments.transactions("p1"),
}
PAGES: dict[str, Callable[[NorceOrderClient], Awaitable[Any]]] = {
    "orders.list": lambda norce: norce.orders.list(),
    "orders.iterate": _walked,
    "orders.count": lambda norce: norce.orders.count(),
    "orders.find_by_cart_reference": lambda norce: norce.orders.find_by_cart_reference("c1"),
    "orders.find_by_reference": lambda norce: norce.orders.find_by_reference("r1"),
    "orders.find_by_payment": lambda norce: norce.orders.find_by_payment("p1"),
    "orders.get_or_create": lambda norce: norce.orders.get_or_create(cart_reference="c1"),
}
REPORTS: dict[str, Callable[[NorceOrderClient], Awaitable[Any]]] = {
    "validate": lambda norce: norce.orders("o1").validate(),
    "transition_to": lambda norce: norce.orders("o1").transition_to("completed", validate=True),
}

NO_LISTS: list[Any] = [{"a": 1}, 5, "x", True, {"data": []}]
NO_PAGES: list[Any] = [5, "x", [], [{"id": "o1"}], {"data": {}}, {"data": "x"}, {"data": 0}]
NO_REPORTS: list[Any] = [5, 0, "x", "", False, {"code": "no"}, {"errors": {"a": ["b"]}}, {"errors": "x"}, {"errors": 0}]


@pytest.mark.parametrize("call", LISTS)
async def test_invalid_entries_of_a_list_are_left_out(call: str, server: FaultServer, engine: EngineName) -> None:
    """Invalid entries are left out and counted in ``client.drift``, as in a listing of orders."""
    server.says = answer(json.dumps([5, None, "x", [], {"id": "p1"}, {"id": 5}]).encode())
    async with client_of(server, engine) as norce:
        found = await LISTS[call](norce)
        assert len(found) == 2
        assert all(hasattr(entry, "to_dict") for entry in found)
        kinds = {(one.where.rpartition(".")[2], one.kind) for one, _ in norce.drift}
        assert kinds >= {("200", "wrong-type"), ("200", "missing")}


@pytest.mark.parametrize("call", LISTS)
async def test_an_answer_that_is_not_a_list_is_not_an_empty_one(
    call: str, server: FaultServer, engine: EngineName
) -> None:
    """An answer that is not a list raises, because it does not mean that the order has no entries."""
    async with client_of(server, engine) as norce:
        for body in NO_LISTS:
            server.says = answer(json.dumps(body).encode())
            with pytest.raises(UnavailableError, match="the answer holds no list") as caught:
                await LISTS[call](norce)
            assert caught.value.correlation_id
            assert caught.value.status == 200
            assert len(caught.value.attempts) == 1


@pytest.mark.parametrize("call", PAGES)
async def test_an_answer_that_is_not_a_page_is_not_an_empty_one(
    call: str, server: FaultServer, engine: EngineName
) -> None:
    """An iteration does not end as if complete, and nothing is created because an order was not found."""
    async with client_of(server, engine) as norce:
        for body in NO_PAGES:
            server.says = answer(json.dumps(body).encode())
            with pytest.raises(UnavailableError, match="the answer holds no list of orders"):
                await PAGES[call](norce)
    assert [request.method for request in server.received] == ["GET"] * len(NO_PAGES)


@pytest.mark.parametrize("call", REPORTS)
async def test_an_answer_that_is_not_a_report_is_not_a_valid_order(
    call: str, server: FaultServer, engine: EngineName
) -> None:
    """An answer that is not a report raises, and the order is not changed."""
    async with client_of(server, engine) as norce:
        for body in NO_REPORTS:
            server.says = answer(json.dumps(body).encode())
            with pytest.raises(UnavailableError, match="the answer holds no report"):
                await REPORTS[call](norce)
    assert [request.method for request in server.received] == ["POST"] * len(NO_REPORTS)
