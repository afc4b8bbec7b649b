"""The shop, against a local order service for each test."""

from __future__ import annotations

import pytest
from norce_order_async import NorceOrderClient, Order, TransitionRefusedError
from norce_order_async.sandbox import Faults, Sandbox
from norce_order_async.testing import CallbackCall, CallbackReceiver, Reply

from ..selling import Shop, SoldOutError


async def test_a_basket_is_sold(norce_client: NorceOrderClient, norce_sandbox: Sandbox) -> None:
    """Created, paid and completed, each by one change."""
    shop = Shop(norce_client)
    order = await shop.begin("basket-7", {"MUG-01": 2, "TEA-02": 1})
    assert order.amount == 312.5
    await shop.sell(order, "receipt-7")
    assert (await order.refresh()).status == "completed"
    assert [effect.operation for effect in norce_sandbox.effects.of(order.id)] == [
        "CreateCheckoutOrder",
        "CreateOrderPayment",
        "UpdateCheckoutOrderState",
    ]


async def test_what_is_left_is_paid(norce_client: NorceOrderClient, norce_order: Order) -> None:
    """A gift card has covered a part of it already."""
    await norce_order.payments.create({"reference": "gift-card", "amount": 100.0, "state": "captured"})
    await Shop(norce_client).sell(norce_order, "receipt-1")
    order = await norce_client.orders.get(norce_order.id)
    assert [payment.amount for payment in order.payments] == [100.0, 75.0]


@pytest.mark.norce_faults({"rules": [{"operations": "writes", "first": 1, "fault": "lose-answer"}]}, seed=7)
async def test_nothing_is_sold_twice(
    norce_client: NorceOrderClient, norce_sandbox: Sandbox, norce_faults: Faults
) -> None:
    """The first answer to each change is lost, and everything is there exactly once all the same."""
    shop = Shop(norce_client)
    order = await shop.begin("basket-8", {"MUG-01": 1})
    await shop.sell(order, "receipt-8")
    assert [played.operation for played in norce_faults] == [
        "CreateCheckoutOrder",
        "CreateOrderPayment",
        "UpdateCheckoutOrderState",
    ]
    assert len(norce_sandbox.effects.of(operation="CreateCheckoutOrder")) == 1
    assert len(norce_sandbox.effects.of(order.id, "CreateOrderPayment")) == 1


async def test_the_warehouse_is_asked(norce_client: NorceOrderClient, norce_callbacks: CallbackReceiver) -> None:
    """It has three mugs: two are fine, four are not, and the cart stays as it was."""

    def stock(call: CallbackCall) -> Reply:
        return Reply(200 if call.json["cart"]["items"][0]["quantity"] <= 3 else 409)

    shop = Shop(norce_client, warehouse=norce_callbacks.answer("/stock", stock))
    order = await shop.begin("basket-9", {"MUG-01": 1})
    await shop.change(order, {"MUG-01": 2})
    with pytest.raises(SoldOutError):
        await shop.change(order, {"MUG-01": 4})
    assert len(norce_callbacks.at("/stock")) == 2
    assert (await order.refresh()).amount == 250


@pytest.mark.norce_socket
async def test_as_it_is_deployed(norce_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a client from the environment, over a socket."""
    monkeypatch.setenv("NORCE_BASE_URL", norce_sandbox.base_url)
    monkeypatch.setenv("NORCE_TOKEN", norce_sandbox.token)
    monkeypatch.setenv("NORCE_MERCHANT", "acme")
    monkeypatch.setenv("NORCE_CHANNEL", "se")
    async with NorceOrderClient.from_env() as norce:
        shop = Shop(norce)
        await shop.sell(await shop.begin("basket-10", {"TEA-02": 4}), "receipt-10")
        assert await norce.orders.count() == 1


async def test_an_unpaid_order_is_not_completed(norce_order: Order) -> None:
    """The shop leaves it to the service to check that an order is paid.

    This relies on an unpublished rule, on purpose: ``pytest --norce-readings=each`` says so.
    """
    with pytest.raises(TransitionRefusedError):
        await norce_order.transition_to("completed")
