"""Create, fetch and delete an order; its reference in another system and its attributes."""

from __future__ import annotations

from typing import Any

from norce_order_async.sandbox.callbacks.schemas import refuse_no_schema
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.service.calls import DONE, Call, OrderCall, ServiceAnswer, World, answer
from norce_order_async.sandbox.service.clock import written
from norce_order_async.sandbox.service.handlers.cart import refuse_taken_cart
from norce_order_async.sandbox.service.handlers.registrations import LISTS as CALLBACK_LISTS
from norce_order_async.sandbox.service.normalise import add_consent, give_item_ids
from norce_order_async.sandbox.service.refusals import not_found
from norce_order_async.sandbox.service.totals import settle

LOCATION = "/api/v0/checkout/orders/"

# What a caller says about a new order; everything else in it is the service's.
_GIVEN = ("reference", "culture", "currency", "country", "cart", "customer", "attributes")


def create(world: World, call: Call) -> ServiceAnswer:
    body: Json = call.body
    for index, notification in enumerate(body.get("notifications", [])):
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
        **{name: [_with_id(entry, world.ids.callback()) for entry in body.get(name, [])] for name in CALLBACK_LISTS},
    }
    for index, consent in enumerate(body.get("consents", [])):
        add_consent(order, consent, world.ids, f"$.consents[{index}]")
    give_item_ids(order.get("cart", {}), known=frozenset(), ids=world.ids)
    refuse_taken_cart(world.store, call.scope, order)
    settle(order)
    world.store.insert(call.scope, order)
    world.store.add_effect(now, call.scope, order["id"], call.operation, order["id"], "")
    return answer({"id": order["id"]}, 201, {"location": LOCATION + order["id"]})


def fetch(world: World, call: Call) -> ServiceAnswer:
    document = world.store.document(call.scope, call.ids["order_id"])
    if document is None:
        raise not_found("order", call.ids["order_id"])
    return ServiceAnswer(body=document.encode())


def delete(world: World, call: Call) -> ServiceAnswer:
    order_id = call.ids["order_id"]
    if not world.store.delete(call.scope, order_id):
        raise not_found("order", order_id)
    world.store.add_effect(written(world.clock.now()), call.scope, order_id, call.operation, order_id, "")
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
            attributes.pop(key, None)
        else:
            attributes[key] = value
    on.took_effect()
    return DONE


def put_billing(on: OrderCall) -> ServiceAnswer:
    return _put(on, "billing")


def put_shipping(on: OrderCall) -> ServiceAnswer:
    return _put(on, "shipping")


def _put(on: OrderCall, side: str) -> ServiceAnswer:
    on.order.setdefault("customer", {})[side] = on.body
    on.took_effect(side)
    return DONE
