"""Changes the status of an order, and validates an order."""

from __future__ import annotations

from collections.abc import Mapping

from norce_order_async.sandbox.callbacks import validations
from norce_order_async.sandbox.policy import basic_findings, refuse_transition
from norce_order_async.sandbox.service.answers import validated
from norce_order_async.sandbox.service.calls import (
    DONE,
    Call,
    CallsOut,
    Changes,
    Handler,
    OrderCall,
    ServiceAnswer,
    World,
    load,
)
from norce_order_async.sandbox.service.handlers.cart import refuse_to_share_cart
from norce_order_async.sandbox.service.refusals import bad_request


def put(on: OrderCall) -> ServiceAnswer:
    if "currentStatus" not in on.body:
        raise bad_request("$.currentStatus: is required")
    state = on.order["state"]
    current, target = state["currentStatus"], on.body["currentStatus"]
    if target == current:
        match on.world.readings.of("same-status"):
            case "refused":
                raise bad_request(f"The order is in {current} already.")
            case "again":
                on.enters_again = True
            case _:
                return DONE
    else:
        refuse_transition(on.world.readings, on.order, target)
        if current == "removed":
            # Another order may have taken its cart reference.
            refuse_to_share_cart(on.world, on.order)
    state["currentStatus"] = target
    state["transitions"].append({"status": target, "timeStamp": on.now})
    on.took_effect(target, f"{current} -> {target}")
    return DONE


async def validate(world: World, call: Call) -> ServiceAnswer:
    order = load(world, call)
    entries = [{"adapterId": "order", "code": found.code, "message": found.message} for found in basic_findings(order)]
    entries.extend(await validations.found(world.callbacks, order))
    return validated(world.readings, entries)


HANDLERS: Mapping[str, Handler] = {
    "UpdateCheckoutOrderState": Changes(None, put),
    "Validate": CallsOut(validate),
}
"""By operationId."""
