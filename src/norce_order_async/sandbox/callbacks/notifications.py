"""Notifications: which of an order's are due for a change that was committed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from norce_order_async.sandbox.callbacks.deliveries import Deliveries, Delivery, DeliveryAttempt
from norce_order_async.sandbox.callbacks.patches import MISSING, value_at
from norce_order_async.sandbox.callbacks.schemas import SchemaFailedError, matches
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.policy import sending_delays
from norce_order_async.sandbox.readings import ReadingsInUse
from norce_order_async.sandbox.service.clock import ServiceClock, written
from norce_order_async.sandbox.service.ids import Ids


async def announce(
    deliveries: Deliveries, clock: ServiceClock, ids: Ids, readings: ReadingsInUse, *, before: Json, order: Json
) -> None:
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
        if not due:
            continue
        at = now + timedelta(milliseconds=max(0, notification.get("delay", 0)))
        first, *again = sending_delays(readings, len(deliveries.of(order["id"])))
        delivery.next_at = at + timedelta(seconds=first)
        deliveries.add(delivery)
        for seconds in again:
            deliveries.add(replace(delivery, id=ids.event(now), attempts=[], next_at=at + timedelta(seconds=seconds)))
