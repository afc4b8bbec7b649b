"""The handler of every operation of the description, with the parts of the order that must not be locked."""

from __future__ import annotations

from collections.abc import Mapping

from norce_order_async.sandbox.service.calls import Handler
from norce_order_async.sandbox.service.handlers import (
    cart,
    consents,
    listing,
    orders,
    payments,
    registrations,
    shippings,
    state,
)

HANDLERS: Mapping[str, Handler] = {
    **orders.HANDLERS,
    **listing.HANDLERS,
    **state.HANDLERS,
    **cart.HANDLERS,
    **consents.HANDLERS,
    **registrations.HANDLERS,
    **payments.HANDLERS,
    **shippings.HANDLERS,
}
"""By operationId."""
