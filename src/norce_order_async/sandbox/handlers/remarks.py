"""What others note on an order: its reference in another system and its attributes."""

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.operation import DONE, Answer, OrderCall


def put_reference(on: OrderCall) -> Answer:
    on.order["reference"] = on.body
    on.took_effect()
    return DONE


def patch_attributes(on: OrderCall) -> Answer:
    attributes: Json = on.order.setdefault("attributes", {})
    for key, value in on.body.items():
        if value is None:
            attributes.pop(key, None)
        else:
            attributes[key] = value
    on.took_effect()
    return DONE
