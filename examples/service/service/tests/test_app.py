"""The service against the local order service, each test with one of its own: no network, no credentials."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from norce_order_async import NorceOrderClient
from norce_order_async.sandbox import Sandbox
from norce_order_async.testing import CallbackCall, CallbackReceiver, Reply

from ..app import app, in_stock, lifespan, stock_url, the_client


@pytest.fixture
async def service(norce_client: NorceOrderClient) -> AsyncIterator[httpx.AsyncClient]:
    """This service, called within the process, on the client of the local order service."""
    app.dependency_overrides[the_client] = lambda: norce_client
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as caller:
        yield caller
    app.dependency_overrides.clear()


async def begun(service: httpx.AsyncClient, basket: str = "basket-1", **quantities: int) -> str:
    wanted = {sku.replace("_", "-"): quantity for sku, quantity in (quantities or {"MUG_01": 2}).items()}
    answer = await service.put(f"/baskets/{basket}/order", json={"quantities": wanted})
    assert answer.status_code == 200, answer.text
    order: str = answer.json()["order"]
    return order


async def test_a_basket_is_sold(service: httpx.AsyncClient, norce_sandbox: Sandbox) -> None:
    order = await begun(service, MUG_01=2, TEA_02=1)
    assert (await service.get(f"/orders/{order}")).json()["amount"] == "312.50"
    sold = await service.put(f"/orders/{order}/receipt", json={"number": "receipt-1"})
    assert sold.json() == {"order": order, "status": "completed", "amount": "312.50", "outstanding": "0.00"}


async def test_requests_may_be_made_again(service: httpx.AsyncClient, norce_sandbox: Sandbox) -> None:
    """Three of each, at once: one order, one payment."""
    orders = await asyncio.gather(*(begun(service) for _ in range(3)))
    assert len(set(orders)) == 1
    for _ in range(3):
        assert (await service.put(f"/orders/{orders[0]}/receipt", json={"number": "r-1"})).status_code == 200
    assert len(norce_sandbox.effects.of(operation="CreateCheckoutOrder")) == 1
    assert len(norce_sandbox.effects.of(operation="CreateOrderPayment")) == 1


@pytest.mark.norce_faults("lost-answers", seed=3)
async def test_nothing_is_doubled_if_answers_are_lost(service: httpx.AsyncClient, norce_sandbox: Sandbox) -> None:
    for number in range(10):
        order = await begun(service, f"basket-{number}")
        assert (await service.put(f"/orders/{order}/receipt", json={"number": "r"})).json()["status"] == "completed"
    for operation in ("CreateCheckoutOrder", "CreateOrderPayment", "UpdateCheckoutOrderState"):
        assert len(norce_sandbox.effects.of(operation=operation)) == 10


async def test_two_hundred_at_once(service: httpx.AsyncClient, norce_sandbox: Sandbox) -> None:
    async def buy(number: int) -> str:
        order = await begun(service, f"basket-{number}")
        sold = await service.put(f"/orders/{order}/receipt", json={"number": f"r-{number}"})
        return str(sold.json()["status"])

    assert set(await asyncio.gather(*(buy(number) for number in range(200)))) == {"completed"}
    assert len(norce_sandbox.effects.of(operation="CreateOrderPayment")) == 200


async def test_norce_asks_for_the_stock(service: httpx.AsyncClient, norce_callbacks: CallbackReceiver) -> None:
    """There are three of the tea."""

    def hook(call: CallbackCall) -> Reply:
        return Reply(200 if in_stock(call.json) else 409)

    app.dependency_overrides[stock_url] = lambda: norce_callbacks.answer("/norce/stock", hook)
    order = await begun(service, TEA_02=1)
    more, too_many = [
        await service.put(f"/orders/{order}/cart", json={"quantities": {"TEA-02": quantity}}) for quantity in (3, 4)
    ]
    assert (more.status_code, more.json()["amount"]) == (200, "187.50")
    assert (too_many.status_code, too_many.json()["error"]) == (409, "ChangeRefusedError")
    assert (await service.get(f"/orders/{order}")).json()["amount"] == "187.50"


@pytest.mark.parametrize(
    ("plan", "status", "error", "again"),
    [
        ({"answer": {"status": 429, "retry_after": 0.01, "form": "milliseconds"}}, 503, "RejectedError", True),
        ({"answer": 401}, 502, "UnauthorizedError", False),
        ({"answer": 400}, 422, "BadRequestError", False),
        ({"answer": 500}, 504, "OutcomeUnknownError", False),
    ],
    ids=["turned-away", "token", "refused", "unknown"],
)
async def test_the_caller_gets_the_outcome(
    service: httpx.AsyncClient, norce_sandbox: Sandbox, plan: object, status: int, error: str, again: bool
) -> None:
    """A payment meets this fault, and the order can't be read back."""
    order = await begun(service)
    away = {"operations": "GetCheckoutOrder", "after": 3, "fault": {"answer": 500}}
    norce_sandbox.faults.play({"rules": [{"operations": "CreateOrderPayment", "fault": plan}, away]})
    answer = await service.put(f"/orders/{order}/receipt", json={"number": "r-1"})
    told = answer.json()
    assert (answer.status_code, told["error"], told["again"]) == (status, error, again)
    assert ("retry-after" in answer.headers) == (status == 503)
    assert told["correlation_id"]


async def test_an_unknown_order_is_a_404(service: httpx.AsyncClient) -> None:
    answer = await service.get("/orders/oNotThere")
    assert (answer.status_code, answer.json()["code"]) == (404, "order-not-found")


@pytest.mark.norce_socket
async def test_the_lifespan(norce_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client comes from the environment, and is closed at the end."""
    monkeypatch.setenv("NORCE_BASE_URL", norce_sandbox.base_url)
    monkeypatch.setenv("NORCE_TOKEN", norce_sandbox.token)
    monkeypatch.setenv("NORCE_MERCHANT", "acme")
    monkeypatch.setenv("NORCE_CHANNEL", "se")
    async with lifespan(app) as state:
        assert await state["norce"].orders.count() == 0
