"""Notifications: which of an order's are due for a change that was committed."""

from __future__ import annotations

from datetime import timedelta

from norce_order_async.sandbox.callbacks.deliveries import Deliveries, Delivery, DeliveryAttempt
from norce_order_async.sandbox.callbacks.patches import MISSING, value_at
from norce_order_async.sandbox.callbacks.schemas import SchemaFailedError, matches
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.service.clock import ServiceClock, written
from norce_order_async.sandbox.service.ids import Ids


async def announce(deliveries: Deliveries, clock: ServiceClock, ids: Ids, before: Json, order: Json) -> None:
    """Put a delivery on its way for each notification whose value changed and matches its schema."""
    notifications: list[Json] = order["notifications"]
    for notification in notifications:
        if "scope" not in notification or "invoke" not in notification:
            continue
        value = value_at(order, notification["scope"])
        if value == value_at(before, notification["scope"]):
            continue
        now = clock.now()
        delivery = Delivery(ids.event(now), written(now), order["id"], notification, order)
        try:
            due = "schema" not in notification or (
                value is not MISSING and await matches(value, notification["schema"])
            )
        except SchemaFailedError as failed:
            # The change is committed, whatever its notifications are like.
            delivery.attempts.append(DeliveryAttempt(written(now), None, f"its schema {failed}"))
            deliveries.add(delivery)
            continue
        if due:
            delivery.next_at = now + timedelta(milliseconds=max(0, notification.get("delay", 0)))
            deliveries.add(delivery)
