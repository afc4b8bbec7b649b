"""Shippings: they are added, listed, fetched and replaced; the state removed removes one."""

from __future__ import annotations

from collections.abc import Mapping

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.policy import Area, defaults_of_shipping
from norce_order_async.sandbox.service.calls import Changes, Handler, OrderCall, Reads
from norce_order_async.sandbox.service.handlers.parts import Part
from norce_order_async.sandbox.service.ids import Ids


def _complete(on: OrderCall, shipping: Json, current: Json) -> None:
    del on, current
    defaults_of_shipping(shipping)


_SHIPPINGS = Part("shipping", Ids.shipping, _complete)

HANDLERS: Mapping[str, Handler] = {
    "CreateOrderShipping": Changes(Area.DELIVERY, _SHIPPINGS.create),
    "GetOrderShippings": Reads(_SHIPPINGS.list_all),
    "GetOrderShipping": Reads(_SHIPPINGS.fetch),
    "UpdateOrderShipping": Changes(Area.DELIVERY, _SHIPPINGS.put, shows=_SHIPPINGS.fetch),
}
"""By operationId."""
