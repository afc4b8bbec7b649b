"""The shippings of an order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from norce_order_async.orders.parts.entries import RemovableEntries
from norce_order_async.pipeline.operations import CREATE_SHIPPING, GET_SHIPPING, LIST_SHIPPINGS, UPDATE_SHIPPING

if TYPE_CHECKING:
    from norce_order_api.dicts import ShippingDict
    from norce_order_api.models import Shipping


class ShippingsPart(RemovableEntries["Shipping", "ShippingDict"]):
    """How the order is sent. Iterating gives removed shippings too; :attr:`active` leaves these out."""

    __slots__ = ()

    _id = "shipping_id"
    _creating = CREATE_SHIPPING
    _updating = UPDATE_SHIPPING
    _listing = LIST_SHIPPINGS
    _getting = GET_SHIPPING

    def _model(self) -> type[Shipping]:
        from norce_order_api.models import Shipping

        return Shipping
