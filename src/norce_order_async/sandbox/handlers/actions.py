"""Payment actions: added, and executed by calling their address."""

from norce_order_async.sandbox.clock import written
from norce_order_async.sandbox.ids import Ids
from norce_order_async.sandbox.json_text import Json, text
from norce_order_async.sandbox.loading import load
from norce_order_async.sandbox.operation import DONE, Answer, Call, OrderCall, World
from norce_order_async.sandbox.outgoing import CallFailedError
from norce_order_async.sandbox.refusals import Refusal
from norce_order_async.sandbox.rules import EXECUTION_TIMEOUT, Area, refuse_edit

from .parts import find, payment


def create(on: OrderCall) -> Answer:
    on_payment = payment(on)
    added = with_ids(on.body, [], on.ids)
    on_payment.setdefault("actions", []).extend(added)
    for action in added:
        on.took_effect(action["id"])
    return DONE


def with_ids(given: list[Json], known: list[Json], ids: Ids) -> list[Json]:
    """The actions with their ids: an action equal to a known one is that one."""
    left = list(known)
    result: list[Json] = []
    for action in given:
        same = next((old for old in left if {**action, "id": old["id"]} == old), None)
        if same is not None:
            left.remove(same)
        result.append(same or {**action, "id": ids.action()})
    return result


async def execute(world: World, call: Call) -> Answer:
    order = load(world.store, call)
    on_payment = find(order["payments"], "payment", call.ids["payment_id"])
    action = find(on_payment.get("actions", []), "action", call.ids["action_id"])
    refuse_edit(Area.AFTERMATH, order["state"]["currentStatus"])
    try:
        reply = await world.outside.caller.post(
            action["url"], text(order).encode(), call.scope, within=EXECUTION_TIMEOUT
        )
    except CallFailedError as failed:
        raise Refusal(400, "payment-error", f"The action {failed}.") from None
    if not reply.success:
        raise Refusal(400, "payment-error", f"The action's address answered {reply.status}.")
    with world.store.transaction():
        world.store.add_effect(
            written(world.clock.now()), call.scope, order["id"], call.operation, action["id"], action["type"]
        )
    return DONE
