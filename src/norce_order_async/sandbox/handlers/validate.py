"""Run the validations of an order: the service's own, then those that were registered."""

from norce_order_async.sandbox.callbacks import validations
from norce_order_async.sandbox.loading import load
from norce_order_async.sandbox.operation import Answer, Call, World, answer
from norce_order_async.sandbox.rules import basic_findings


async def validate(world: World, call: Call) -> Answer:
    order = load(world.store, call)
    entries = [{"adapterId": "order", "code": found.code, "message": found.message} for found in basic_findings(order)]
    entries.extend(await validations.found(world.outside, order))
    return answer(entries, 400 if entries else 200)
