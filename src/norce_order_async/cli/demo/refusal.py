"""Second part: an order that nobody has paid for. Validation tells what is wrong, the service refuses, the error
explains."""

from __future__ import annotations

from norce_order_async import NorceOrderClient, Order, TransitionRefusedError
from norce_order_async.cli.demo import goods
from norce_order_async.cli.demo.timeline import Timeline


async def refusal(norce: NorceOrderClient, timeline: Timeline, run: str) -> bool:
    """Try to complete an order without a payment; whether the service refused it."""
    timeline.chapter("An order that can't be completed", "The same cart, but nobody has paid.")
    order = await timeline.step(
        "Create an order with a cart, and stop there",
        'order = await norce.orders.create(culture="sv-SE", ..., cart=Cart(...))',
        goods.create_order(norce, f"{run}-unpaid"),
        sent=("cart.items.sku", "cart.total.includingVat"),
        received=("id",),
    )
    report = await timeline.step(
        "Validate: a report to look at, not an exception",
        "report = await order.validate()",
        order.validate(),
        received=("adapterId", "code", "message"),
    )
    timeline.note(f"report.ok is {report.ok}, report.problems: {[problem.code for problem in report.problems]}")
    refused = await timeline.step(
        "Ask for completed all the same",
        'await order.transition_to("completed")',
        _refused(order),
        sent=("currentStatus",),
        received=("code", "message"),
    )
    if refused is None:
        timeline.note("This service let it pass.")
        return False
    timeline.note(f"raises TransitionRefusedError: {refused}")
    return True


async def _refused(order: Order) -> TransitionRefusedError | None:
    try:
        await order.transition_to("completed")
    except TransitionRefusedError as error:
        return error
    return None
