"""Registers, replaces and removes the hooks, notifications and validations of an order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from norce_order_async.sandbox.callbacks.schemas import refuse_no_schema
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.policy import Area
from norce_order_async.sandbox.service.calls import DONE, Changes, Handler, OrderCall, ServiceAnswer
from norce_order_async.sandbox.service.handlers.parts import find, replace

CallbackList: TypeAlias = Literal["hooks", "notifications", "validations"]

LISTS: tuple[CallbackList, ...] = ("hooks", "notifications", "validations")


def create_hook(on: OrderCall) -> ServiceAnswer:
    return _create(on, "hooks")


def create_notification(on: OrderCall) -> ServiceAnswer:
    refuse_no_schema(on.body, "$")
    return _create(on, "notifications")


def create_validation(on: OrderCall) -> ServiceAnswer:
    return _create(on, "validations")


def put_validation(on: OrderCall) -> ServiceAnswer:
    current = _named(on, "validations")
    replace(current, {**on.body, "id": current["id"]})
    on.took_effect(current["id"])
    return DONE


def remove_hook(on: OrderCall) -> ServiceAnswer:
    return _remove(on, "hooks")


def remove_notification(on: OrderCall) -> ServiceAnswer:
    return _remove(on, "notifications")


def remove_validation(on: OrderCall) -> ServiceAnswer:
    return _remove(on, "validations")


def _create(on: OrderCall, kind: CallbackList) -> ServiceAnswer:
    made: Json = {**on.body, "id": on.ids.callback()}
    on.order[kind].append(made)
    on.took_effect(made["id"])
    return DONE


def _remove(on: OrderCall, kind: CallbackList) -> ServiceAnswer:
    current = _named(on, kind)
    on.order[kind].remove(current)
    on.took_effect(current["id"])
    return DONE


def _named(on: OrderCall, kind: CallbackList) -> Json:
    """The entry that the path names: `hook_id` for hooks, and so on."""
    thing = kind.removesuffix("s")
    return find(on.order[kind], thing, on.call.ids[f"{thing}_id"])


HANDLERS: Mapping[str, Handler] = {
    "CreateCheckoutOrderValidation": Changes(Area.DELIVERY, create_validation),
    "UpdateCheckoutOrderValidation": Changes(Area.DELIVERY, put_validation),
    "RemoveCheckoutOrderValidation": Changes(Area.DELIVERY, remove_validation),
    "CreateCheckoutOrderHook": Changes(Area.DELIVERY, create_hook),
    "DeleteCheckoutOrderHook": Changes(Area.DELIVERY, remove_hook),
    "CreateCheckoutOrderNotification": Changes(Area.DELIVERY, create_notification),
    "DeleteCheckoutOrderNotification": Changes(Area.DELIVERY, remove_notification),
}
"""By operationId."""
