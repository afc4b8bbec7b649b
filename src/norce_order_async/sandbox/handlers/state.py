"""The status of an order."""

from norce_order_async.sandbox.operation import DONE, Answer, OrderCall
from norce_order_async.sandbox.refusals import bad_request
from norce_order_async.sandbox.rules import refuse_transition


def put(on: OrderCall) -> Answer:
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
