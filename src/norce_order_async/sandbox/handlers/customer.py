"""Who is invoiced and where goods are sent."""

from norce_order_async.sandbox.operation import DONE, Answer, OrderCall


def put_billing(on: OrderCall) -> Answer:
    return _put(on, "billing")


def put_shipping(on: OrderCall) -> Answer:
    return _put(on, "shipping")


def _put(on: OrderCall, side: str) -> Answer:
    on.order.setdefault("customer", {})[side] = on.body
    on.took_effect(side)
    return DONE
