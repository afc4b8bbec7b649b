"""Notifications: which of an order's are due for a change that was committed."""

from datetime import timedelta
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry

from norce_order_async.sandbox.clock import Clock, written
from norce_order_async.sandbox.ids import Ids
from norce_order_async.sandbox.json_text import Json

from .deliveries import Attempt, Deliveries, Delivery
from .pointers import MISSING, value_at


def announce(deliveries: Deliveries, clock: Clock, ids: Ids, before: Json, order: Json) -> None:
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
            due = "schema" not in notification or (value is not MISSING and _matches(value, notification["schema"]))
        except Exception:  # noqa: BLE001 - a schema may fail in many ways while it runs, and the change is committed
            delivery.attempts.append(Attempt(written(now), None, "its schema can't be evaluated"))
            deliveries.add(delivery)
            continue
        if due:
            delivery.next_at = now + timedelta(milliseconds=max(0, notification.get("delay", 0)))
            deliveries.add(delivery)


def _matches(value: Any, schema: Json) -> bool:
    # An empty registry: a schema that refers to another document must not make the sandbox fetch it.
    validator: Any = Draft202012Validator(schema, registry=Registry())
    return bool(validator.is_valid(value))
