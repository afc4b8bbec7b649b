"""First part: one order from checkout to completed, step by step, as in the vendor's basic tutorial."""

from __future__ import annotations

from norce_order_async import NorceOrderClient
from norce_order_async.cli.demo import goods
from norce_order_async.cli.demo.timeline import Timeline

ADDRESS = ("type", "givenName", "familyName", "city", "country")


async def walk(norce: NorceOrderClient, timeline: Timeline, run: str) -> None:
    """Take one order all the way."""
    step = timeline.step
    timeline.chapter("One order, from checkout to completed", "→ is what was sent, ← what the service answered.")
    order = await step(
        "Create an order with a cart",
        'order = await norce.orders.create(culture="sv-SE", ..., cart=Cart(...))',
        goods.create_order(norce, f"{run}-walk", goods.consents()),
        sent=("culture", "currency", "country", "cart.items.sku", "cart.total.includingVat", "consents.id"),
        received=("id",),
    )
    await step(
        "Set the billing address",
        "await order.customer.set_billing(Address(...))",
        order.customer.set_billing(goods.address()),
        sent=ADDRESS,
    )
    await step(
        "Set the shipping address",
        "await order.customer.set_shipping(Address(...))",
        order.customer.set_shipping(goods.address()),
        sent=ADDRESS,
    )
    await step(
        "Add a shipping",
        "await order.shippings.create(Shipping(...))",
        order.shippings.create(goods.shipping()),
        sent=("name", "total.includingVat", "vatRate"),
        received=("id",),
    )
    await step(
        "Read the order: the service has added up cart and shipping",
        "await order.refresh()",
        order.refresh(),
        received=("state.currentStatus", "total.includingVat", "total.excludingVat"),
    )
    total = (order.total and order.total.including_vat) or goods.TOTAL
    timeline.note(f"order.total.including_vat is {total}")
    await step(
        "Add a payment over exactly that total",
        f"await order.payments.create(Payment(amount={total}, ...))",
        order.payments.create(goods.payment(total)),
        sent=("name", "type", "state", "amount", "currency"),
        received=("id",),
    )
    await step(
        "Tick the required consent",
        f'await order.consents.check("{goods.CONSENT_ID}")',
        order.consents.check(goods.CONSENT_ID),
        sent=("id", "checked"),
    )
    report = await step(
        "Validate: cart, payments and their sum",
        "report = await order.validate()",
        order.validate(),
        received=("adapterId", "code", "message"),
    )
    timeline.note(f"report.ok is {report.ok}")
    await step(
        "The customer starts to pay",
        'await order.transition_to("processing")',
        order.transition_to("processing"),
        sent=("currentStatus",),
    )
    await step(
        "The payment is in place",
        'await order.transition_to("accepted")',
        order.transition_to("accepted"),
        sent=("currentStatus",),
    )
    await step(
        "The order is final",
        'await order.transition_to("completed")',
        order.transition_to("completed"),
        sent=("currentStatus",),
    )
    await step(
        "Read it once more",
        "await order.refresh()",
        order.refresh(),
        received=("state.currentStatus", "state.transitions.status"),
    )
