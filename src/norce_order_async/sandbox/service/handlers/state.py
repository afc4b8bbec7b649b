"""The status of an order, and the validations that stand before it."""

from __future__ import annotations

from norce_order_async.sandbox.callbacks import validations
from norce_order_async.sandbox.policy import basic_findings, refuse_transition
from norce_order_async.sandbox.service.calls import DONE, Call, OrderCall, ServiceAnswer, World, answer, load
from norce_order_async.sandbox.service.refusals import bad_request


def put(on: OrderCall) -> ServiceAnswer:
    if "currentStatus" not in on.body:
        raise bad_request("$.currentStatus: is required")
    state = on.order["state"]
    current, target = state["currentStatus"], on.body["currentStatus"]
    if target == current:
        return DONE
    refuse_transition(on.order, target)
    state["currentStatus"] = target
    state["transitions"].append({"status": target, "timeStamp": on.now})
    on.took_effect(target, f"{current} -> {target}")
    return DONE


async def validate(world: World, call: Call) -> ServiceAnswer:
    order = load(world.store, call)
    entries = [{"adapterId": "order", "code": found.code, "message": found.message} for found in basic_findings(order)]
    entries.extend(await validations.found(world.outside, order))
    return answer(entries, 400 if entries else 200)
