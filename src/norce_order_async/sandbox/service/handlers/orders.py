"""Creates, fetches and deletes orders, and changes their reference, attributes and customer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from norce_order_async.sandbox import json_text
from norce_order_async.sandbox.callbacks.schemas import refuse_no_schema
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.policy import Area, callbacks_in_body
from norce_order_async.sandbox.readings import ReadingsInUse
from norce_order_async.sandbox.service.answers import created
from norce_order_async.sandbox.service.calls import (
    DONE,
    Call,
    Changes,
    Handler,
    OnWorld,
    OrderCall,
    ServiceAnswer,
    World,
    load_text,
)
from norce_order_async.sandbox.service.clock import written
from norce_order_async.sandbox.service.handlers.cart import refuse_taken_cart
from norce_order_async.sandbox.service.handlers.registrations import LISTS as CALLBACK_LISTS
from norce_order_async.sandbox.service.normalise import add_consent, give_item_ids
from norce_order_async.sandbox.service.refusals import bad_request, conflict
from norce_order_async.sandbox.service.totals import settle
from norce_order_async.sandbox.storage.store import Scope

# The members of a new order that the caller sets; the service sets all others.
_GIVEN = ("reference", "culture", "currency", "country", "cart", "customer", "attributes")


def create(world: World, call: Call) -> ServiceAnswer:
    body: Json = call.body
    callbacks = callbacks_in_body(world.readings, body, CALLBACK_LISTS)
    for index, notification in enumerate(callbacks["notifications"]):
        refuse_no_schema(notification, f"$.notifications[{index}]")
    now = written(world.clock.now())
    order: Json = {
        "id": _fresh_id(world),
        "merchant": call.scope.merchant,
        "channel": call.scope.channel,
        "created": now,
        "lastModified": now,
        "state": {"currentStatus": "checkout", "transitions": []},
        **{member: body[member] for member in _GIVEN if member in body},
        "shippings": [],
        "payments": [],
        "consents": [],
        **{name: [_with_id(entry, world.ids.callback()) for entry in given] for name, given in callbacks.items()},
    }
    for index, consent in enumerate(body.get("consents", [])):
        add_consent(order, consent, world.ids, f"$.consents[{index}]")
    give_item_ids(order.get("cart", {}), known=frozenset(), ids=world.ids)
    refuse_taken_cart(world, order)
    settle(order, world.readings)
    world.lag.note(order["id"], None)
    world.store.insert(call.scope, order)
    world.presentation.remember(order["id"], call.spellings)
    world.store.add_effect(now, call.scope, order["id"], call.operation, order["id"], "")
    return created(world.readings, order["id"])


def fetch(world: World, call: Call) -> ServiceAnswer:
    return ServiceAnswer(body=load_text(world, call).encode())


def delete(world: World, call: Call) -> ServiceAnswer:
    before = load_text(world, call)
    order = json_text.parsed(before)
    order_id, status, now = order["id"], order["state"]["currentStatus"], written(world.clock.now())
    match world.readings.of("delete-order"):
        case "checkout-only" if status != "checkout":
            raise conflict(f"An order in {status} can't be deleted.")
        case "moves-to-removed" if status == "removed":
            return ServiceAnswer(204)
        case "moves-to-removed":
            order["state"]["currentStatus"] = "removed"
            order["state"]["transitions"].append({"status": "removed", "timeStamp": now})
            order["lastModified"] = now
            world.store.save(order)
        case _:
            world.store.delete(Scope(order["merchant"], order["channel"]), order_id)
    world.lag.note(order_id, before)
    world.store.add_effect(now, call.scope, order_id, call.operation, order_id, "")
    return ServiceAnswer(204)


def _fresh_id(world: World) -> str:
    while world.store.has_order(order_id := world.ids.order()):
        pass
    return order_id


def _with_id(entry: Json, identifier: str) -> dict[str, Any]:
    return {**entry, "id": identifier}


def put_reference(on: OrderCall) -> ServiceAnswer:
    on.order["reference"] = on.body
    on.took_effect()
    return DONE


def patch_attributes(on: OrderCall) -> ServiceAnswer:
    attributes: Json = on.order.setdefault("attributes", {})
    for key, value in on.body.items():
        if value is None:
            _set_null(on.world.readings, attributes, key)
        else:
            attributes[key] = value
    on.took_effect()
    return DONE


def _set_null(readings: ReadingsInUse, attributes: Json, key: str) -> None:
    match readings.of("attribute-null"):
        case "stored":
            attributes[key] = None
        case "refused":
            raise bad_request(f"$.{key}: must not be null")
        case _:
            attributes.pop(key, None)


def put_billing(on: OrderCall) -> ServiceAnswer:
    return _put(on, "billing")


def put_shipping(on: OrderCall) -> ServiceAnswer:
    return _put(on, "shipping")


def _put(on: OrderCall, side: str) -> ServiceAnswer:
    on.order.setdefault("customer", {})[side] = on.body
    on.took_effect(side)
    return DONE


HANDLERS: Mapping[str, Handler] = {
    "CreateCheckoutOrder": OnWorld(create),
    "GetCheckoutOrder": OnWorld(fetch),
    "DeleteCheckoutOrder": OnWorld(delete),
    "UpdateCheckoutOrderCustomerBilling": Changes(Area.CHECKOUT, put_billing),
    "UpdateCheckoutOrderCustomerShipping": Changes(Area.CHECKOUT, put_shipping),
    "PatchCheckoutOrderAttributes": Changes(Area.AFTERMATH, patch_attributes),
    "UpdateCheckoutOrderReference": Changes(Area.AFTERMATH, put_reference),
}
"""By operationId."""
