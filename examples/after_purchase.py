"""After the purchase: capture payments by their action, log the capture, and give the order a reference.

Takes the service from the NORCE_* variables, and the order's id and the reference as arguments. If you run it again, it
captures nothing twice: it skips payments whose capture is in the log.
"""

import asyncio
import sys

from norce_order_async import NorceOrderClient, Order
from norce_order_async.models import Payment


def captured(payment: Payment) -> None:
    payment.state = "captured"


async def capture(order: Order, payment: Payment) -> None:
    action = next((action for action in payment.actions or [] if action.type_ == "capture"), None)
    if payment.id is None or action is None or action.id is None:
        return
    if any(entry.event == "capture" and entry.is_success for entry in await order.payments.transactions(payment.id)):
        return
    # This moves money. If its answer is lost, it raises and is not repeated: look at the provider before the next run.
    await order.payments.execute_action(payment.id, action.id)
    await order.payments.log(payment.id, "capture", amount=payment.amount, success=True, action=action)
    await order.payments.update(payment.id, captured)


async def main(order_id: str, reference: str) -> None:
    async with NorceOrderClient.from_env() as norce:
        order = await norce.orders(order_id).wait_for("completed", timeout=60)
        for payment in order.payments.active:
            await capture(order, payment)
        await order.set_reference(reference)
        print(await order.refresh(), order.reference, [payment.state for payment in order.payments])


asyncio.run(main(*sys.argv[1:]))
