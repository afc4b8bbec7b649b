"""The public API in a user's program, which mypy and pyright check and nothing runs.

Both must accept this file in strict mode. Programs that they must reject are in ``test_wrong_use.py``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Unpack, assert_type, cast

from norce_order_async import (
    OMIT,
    STATUSES,
    CallOptions,
    Ensured,
    Environment,
    NewOrder,
    NorceError,
    NorceOrderClient,
    Order,
    OrderFilter,
    RefusedError,
    Scope,
    TokenProvider,
    Transitioned,
    TransitionRefusedError,
    ValidationProblem,
    ValidationReport,
)
from norce_order_async.models import (
    Address,
    Cart,
    CartDict,
    Consent,
    Hook,
    Item,
    ItemDict,
    OrderData,
    OrderStatus,
    Payment,
    PaymentAction,
    PaymentDict,
    PaymentTransaction,
    Price,
    Shipping,
)


async def token() -> str:
    return "t"


class Vault:
    """A user's own token provider."""

    async def token(self) -> str:
        return "t"

    async def refused(self, token: str) -> bool:
        return token == "t"


def clients(environment: Environment, provider: TokenProvider) -> list[NorceOrderClient]:
    return [
        NorceOrderClient(environment="playground", slug="acme", merchant="acme", channel="se", token="t"),
        NorceOrderClient(environment=environment, slug="acme", merchant="acme", channel="se", token=token),
        NorceOrderClient(base_url="https://a.example", merchant="acme", channel="se", token=Vault()),
        NorceOrderClient(base_url="https://a.example", merchant="acme", channel="se", token=provider),
        NorceOrderClient.from_env(channel="no"),
    ]


async def reading(norce: NorceOrderClient) -> float:
    order = await norce.orders.get("o1")
    assert_type(order, Order)
    assert_type(order.created, datetime | None)
    assert_type(order.data, OrderData)
    assert_type(order.cart.items, list[Item])
    if order.cart.total is None or order.cart.total.including_vat is None:
        return 0.0
    assert_type(order.cart.total.including_vat, float)
    first = next(iter(order.payments), None)
    if first is not None and first.state == "captured":
        assert_type(first, Payment)
        assert_type(first.amount, float | None)
    if order.customer.billing is not None:
        assert_type(order.customer.billing.given_name, str | None)
    if order.status == "completed" or order.status == "a status of tomorrow":
        return order.cart.total.including_vat
    return sum(payment.amount or 0.0 for payment in order.payments.active)


async def ordering(norce: NorceOrderClient, **members: Unpack[NewOrder]) -> Order:
    """Pass the keywords on, as a user's own function may."""
    order, _ = await norce.orders.get_or_create(cart_reference="c-1", **members)
    return order if order.loaded else await norce.orders.create(**members, check_total=False)


async def writing(norce: NorceOrderClient) -> None:
    order = await norce.orders.create(
        culture="sv-SE",
        currency="SEK",
        country="SE",
        cart=Cart(items=[Item(sku="T1", quantity=1, total=Price(including_vat=1.0))]),
        customer={"type": "person", "billing": {"country": "SE"}},
        consents=[Consent(id="terms", required=True), {"id": "news"}],
    )
    lines: list[ItemDict] = [{"sku": "T1", "total": {"includingVat": Decimal("1.00"), "excludingVat": 1}}]
    await order.cart.put({"items": lines})
    await order.cart.put({"items": [{"sku": "T1", "quantity": 2}, Item(sku="T2")], "attributes": {"gift": None}})
    await order.customer.set_billing({"type": "Person", "country": "SE"})
    await norce.orders.create({"culture": "sv-SE", "cart": Cart(), "customer": {"billing": Address(country="SE")}})
    untyped: dict[str, Any] = json.loads("{}")
    await order.cart.put(Cart.from_dict(untyped))
    await order.cart.put(cast("CartDict", untyped))
    await order.attributes.update(untyped)
    paid: PaymentDict = {"amount": Decimal("1.00"), "type": "Voucher", "state": "intent", "attributes": untyped}
    assert_type(await order.payments.create(paid), str)
    await order.payments.create(
        {
            "amount": 1,
            "actions": [
                {"type": "capture"},
                PaymentAction(adapter_id="psp", type_="refund", url="https://psp.example"),
            ],
        }
    )
    await order.payments.create_for_outstanding({"name": "Invoice"})
    await order.payments.create_for_outstanding(paid)
    assert_type(await order.payments.ensure(paid, reference="p"), Ensured[Payment])
    assert_type(await order.payments.ensure({**paid, "amount": 2.5}, reference="p"), Ensured[Payment])
    await order.payments.add_actions("p1", [{"adapterId": "psp", "url": "https://psp.example"}])
    await order.payments.add_transaction("p1", {"event": "capture", "amount": Decimal(1), "isSuccess": True})
    await order.shippings.create({"total": Price(1.0, 0.8), "vatRate": 0.25, "addons": [{"price": Decimal(1)}]})
    await order.shippings.put("s1", {"deliveryDetails": {"class": "home", "product": {"reference": "x"}}})
    assert_type(await order.hooks.ensure({"adapterId": "a", "invoke": "https://a", "version": "v1"}), Ensured[Hook])
    await order.notifications.create({"adapterId": "a", "scope": "/state", "schema": untyped, "delay": 5})
    await order.validations.put("v1", {"adapterId": "a", "url": "https://a"})
    await order.consents.create({"id": "terms", "required": True})
    await order.consents.patch([{"id": "terms", "checked": True}, Consent(id="news", checked=False)])
    await order.customer.set_billing(Address(type_="person", country="SE"))
    assert_type(await order.payments.create(Payment(amount=1.0, type_="voucher", state="intent")), str)
    assert_type(await order.payments.put("p1", {"amount": 1.0}), Payment | None)
    assert_type(await order.payments.list(), list[Payment])
    assert_type(await order.payments.transactions("p1"), Sequence[PaymentTransaction])
    assert_type(await order.shippings.create(Shipping(total=Price(1.0, 0.8), vat_rate=0.25)), str)
    await order.consents.check("terms")
    await order.attributes.update({"gift": True})
    report = await order.validate()
    assert_type(report, ValidationReport)
    assert_type(report.problems, tuple[ValidationProblem, ...])
    assert_type(await order.transition_to("completed"), Transitioned)


async def statuses(order: Order, wanted: OrderStatus) -> None:
    await order.transition_to(wanted, force=True)
    for status in STATUSES:
        await order.transition_to(status, options=CallOptions(max_attempts=1, deadline=None))


async def listing(norce: NorceOrderClient) -> list[str]:
    where = OrderFilter(status=["checkout", "processing"], order_by="created", order_by_direction="desc")
    page = await norce.orders.list(where, limit=5)
    assert_type(page.orders, list[Order])
    return [order.id async for order in norce.orders.iterate(OrderFilter(status="completed"))]


async def scopes(norce: NorceOrderClient) -> str | None:
    scope = norce.scoped(channel="no", adapter_id=OMIT, headers={"x-shop": "1", "x-old": OMIT})
    assert_type(scope, Scope)
    assert_type(await scope.scoped(options=CallOptions(adapter_id="psp")).orders("o1").refresh(), Order)
    return scope.adapter_id


async def errors(order: Order) -> str | None:
    try:
        await order.transition_to("completed")
    except TransitionRefusedError as error:
        assert_type(error.current, str | None)
        return error.target
    except RefusedError as error:
        assert_type(error.status, int)
        return error.code
    except NorceError as error:
        return str(error)
    return None


async def raw(norce: NorceOrderClient) -> OrderData | None:
    from norce_order_api.api.checkout import get_checkout_order

    async with norce.raw as client:
        answer = await get_checkout_order.asyncio("o1", client=client, x_merchant="acme", x_channel="se")
    return answer if isinstance(answer, OrderData) else None
