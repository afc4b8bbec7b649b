"""Shippings: added, listed, fetched, replaced; removed by their state."""

from __future__ import annotations

from collections.abc import Mapping

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.policy import Area, defaults_of_shipping
from norce_order_async.sandbox.service.calls import DONE, Changes, Handler, OrderCall, Reads, ServiceAnswer, answer
from norce_order_async.sandbox.service.handlers.parts import owned, replace, shipping


def create(on: OrderCall) -> ServiceAnswer:
    made = _made(on, on.ids.shipping())
    on.order["shippings"].append(made)
    on.took_effect(made["id"])
    return answer({"id": made["id"]}, 201)


def list_all(on: OrderCall) -> ServiceAnswer:
    return answer(on.order["shippings"])


def fetch(on: OrderCall) -> ServiceAnswer:
    return answer(shipping(on))


def put(on: OrderCall) -> ServiceAnswer:
    current = shipping(on)
    replace(current, _made(on, current["id"]))
    on.took_effect(current["id"])
    return DONE


def _made(on: OrderCall, identifier: str) -> Json:
    made: Json = {**on.body, **owned(on, identifier)}
    defaults_of_shipping(made)
    return made


HANDLERS: Mapping[str, Handler] = {
    "CreateOrderShipping": Changes(Area.DELIVERY, create),
    "GetOrderShippings": Reads(list_all),
    "GetOrderShipping": Reads(fetch),
    "UpdateOrderShipping": Changes(Area.DELIVERY, put, shows=fetch),
}
"""By operationId."""
