"""Notifications: which of an order's are due for a change that was committed."""

from datetime import timedelta

from norce_order_async.sandbox.clock import Clock, written
from norce_order_async.sandbox.ids import Ids
from norce_order_async.sandbox.json_text import Json

from .deliveries import Attempt, Deliveries, Delivery
from .pointers import MISSING, value_at
from .schemas import SchemaFailedError, matches


async def announce(deliveries: Deliveries, clock: Clock, ids: Ids, before: Json, order: Json) -> None:
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
            delivery.attempts.append(Attempt(written(now), None, f"its schema {failed}"))
            deliveries.add(delivery)
            continue
        if due:
            delivery.next_at = now + timedelta(milliseconds=max(0, notification.get("delay", 0)))
            deliveries.add(delivery)
