"""Consents: added, ticked, removed."""

from __future__ import annotations

from typing import Any

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.service.calls import DONE, OrderCall, ServiceAnswer
from norce_order_async.sandbox.service.handlers.parts import find
from norce_order_async.sandbox.service.ids import Ids
from norce_order_async.sandbox.service.refusals import bad_request


def create(on: OrderCall) -> ServiceAnswer:
    on.took_effect(adopt(on.order, on.body, on.ids, "$"))
    return DONE


def patch_many(on: OrderCall) -> ServiceAnswer:
    changes: list[Json] = on.body
    for index, change in enumerate(changes):
        if "id" not in change:
            raise bad_request(f"$[{index}].id: is required")
        _tick(on, change["id"], change)
    return DONE


def patch_one(on: OrderCall) -> ServiceAnswer:
    _tick(on, on.call.ids["consent_id"], on.body)
    return DONE


def remove(on: OrderCall) -> ServiceAnswer:
    consent = find(on.order["consents"], "consent", on.call.ids["consent_id"])
    on.order["consents"].remove(consent)
    on.took_effect(consent["id"])
    return DONE


def adopt(order: Json, given: Json, ids: Ids, path: str) -> str:
    """Take a consent into the order; an id that the caller chose must be new."""
    consent: dict[str, Any] = {**given, "id": given.get("id") or ids.consent(), "checked": given.get("checked", False)}
    if any(other["id"] == consent["id"] for other in order["consents"]):
        raise bad_request(f"{path}.id: the order has a consent with this id already")
    order["consents"].append(consent)
    return str(consent["id"])


def _tick(on: OrderCall, consent_id: str, change: Json) -> None:
    consent = find(on.order["consents"], "consent", consent_id)
    if "checked" in change:
        consent["checked"] = change["checked"]
    on.took_effect(consent_id)
