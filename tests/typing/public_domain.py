"""The order's domain in a user's program, which mypy and pyright check and nothing runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, assert_type

from norce_order_async import (
    Answer,
    ChangeRefusedError,
    Ensured,
    NorceOrderClient,
    Order,
    OrderFilter,
    StatusPeriod,
    Transitioned,
    TransitionRefusedError,
    capture_answers,
    money,
)
from norce_order_async.models import (
    Address,
    Callback,
    Cart,
    Hook,
    Item,
    Notification,
    OrderStatus,
    Payment,
    PaymentTransaction,
    Price,
    Shipping,
    Upsell,
)
from norce_order_async.money import Money
from norce_order_async.orders.lifecycle import Doubt, Follow, Stay, plan


async def moving(order: Order) -> tuple[tuple[str | None, str | None], ...]:
    try:
        done = await order.transition_to("accepted", confirm=True)
    except TransitionRefusedError as refused:
        return refused.problems
    assert_type(done, Transitioned)
    assert_type(done.to, OrderStatus)
    assert_type(done.origin, str | None)
    assert_type(done.at, datetime | None)
    assert_type(await order.complete(), Transitioned)
    assert_type(await order.wait_for("completed", timeout=5), Order)
    await order.wait_for(lambda order: order.reference == "erp-1", timeout=5.0)
    assert_type(order.plain, Mapping[str, Any])
    assert_type(order.transitions, tuple[StatusPeriod, ...])
    assert_type(order.transitions[0].duration, timedelta | None)
    return ()


def planning(current: str | None) -> str:
    planned = plan(current, "completed")
    match planned:
        case Stay():
            return "there"
        case Follow(certainty="published"):
            return "sure"
        case Follow() | Doubt():
            return "perhaps"


async def paying(order: Order) -> Decimal:
    assert_type(order.outstanding, Decimal | None)
    assert_type(order.amount, Decimal | None)
    assert_type(await order.payments.create_for_outstanding(Payment(name="Invoice")), str | None)
    assert_type(await order.payments.create_for_outstanding({"name": "Invoice"}), str | None)
    line = money.line(49.9, 3, Decimal("0.25"), discount=10)
    assert_type(line, Money)
    assert_type(line.vat, Decimal)
    assert_type(line.price(), Price)
    items = [Item(total=line.price())]
    return money.total_of(items).including_vat - (order.outstanding or 0)


async def ensuring(order: Order) -> bool:
    payment = await order.payments.ensure(Payment(amount=1.0), reference="p-1")
    assert_type(payment, Ensured[Payment])
    assert_type(payment.value.upsell, Upsell | None)
    assert_type(await order.shippings.ensure(Shipping(total=Price(), vat_rate=0.0), reference="s"), Ensured[Shipping])
    assert_type(await order.hooks.ensure(Hook(adapter_id="a", invoke="https://a.example")), Ensured[Hook])
    assert_type(await order.notifications.ensure({"adapterId": "a", "invoke": "https://a"}), Ensured[Notification])
    assert_type(await order.validations.ensure({"adapterId": "a", "url": "https://a"}), Ensured[Callback])
    return payment.created


async def editing(order: Order) -> object:
    def rename(cart: Cart) -> None:
        cart.reference = "c-2"

    def reserve(payment: Payment) -> Payment:
        payment.state = "reserved"
        return payment

    try:
        await order.cart.update(rename)
        await order.cart.update(lambda cart: Cart(items=cart.items))
        await order.customer.update_billing(lambda address: Address(city=address.city))
        await order.customer.set_shipping(same_as_billing=True)
        assert_type(await order.payments.update("p1", reserve), Payment | None)
        assert_type(await order.payments.remove("p1"), Payment)
        assert_type(await order.shippings.remove("s1"), Shipping)
        await order.consents.check("terms", "news")
        await order.attributes.update({"gift": True})
        await order.attributes.remove("gift", "till")
        await order.payments.log("p1", "capture", amount=Decimal("1.5"), request={"id": [1, None]}, success=True)
        assert_type(await order.payments.transactions("p1"), Sequence[PaymentTransaction])
    except ChangeRefusedError as refused:
        return refused.proposed
    return None


async def finding(norce: NorceOrderClient) -> int:
    assert_type(await norce.orders.find_by_cart_reference("c"), Order | None)
    assert_type(await norce.orders.find_by_payment("p"), Order | None)
    assert_type(await norce.orders.find_by_reference("r"), Sequence[Order])
    assert_type(await norce.orders.get_or_create(cart_reference="c", currency="SEK"), tuple[Order, bool])
    walk = norce.orders.iterate(OrderFilter(status=["checkout"]), page_size=50, limit=10, prefetch=False)
    assert_type(walk, AsyncIterator[Order])
    async for order in walk:
        assert_type(order, Order)
    return await norce.orders.count(OrderFilter(countries={"SE"}))


async def raw(order: Order) -> int | None:
    with capture_answers() as answers:
        await order.refresh()
    assert_type(answers, list[Answer])
    return answers[-1].status
