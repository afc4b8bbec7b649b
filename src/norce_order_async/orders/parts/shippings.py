"""The shippings of an order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from norce_order_async import models
from norce_order_async.orders.parts.entries import RemovableEntries
from norce_order_async.pipeline.operations import CREATE_SHIPPING, GET_SHIPPING, LIST_SHIPPINGS, UPDATE_SHIPPING

if TYPE_CHECKING:
    from norce_order_async.models import Shipping, ShippingDict


class ShippingsPart(RemovableEntries["Shipping", "ShippingDict"]):
    """The shippings of the order. Iterating gives removed shippings too; :attr:`active` leaves them out."""

    __slots__ = ()

    _id = "shipping_id"
    _creating = CREATE_SHIPPING
    _updating = UPDATE_SHIPPING
    _listing = LIST_SHIPPINGS
    _getting = GET_SHIPPING

    def _model(self) -> type[Shipping]:
        return models.Shipping
