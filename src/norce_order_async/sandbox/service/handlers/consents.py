"""Adds, checks and removes consents."""

from __future__ import annotations

from collections.abc import Mapping

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.policy import Area
from norce_order_async.sandbox.service.calls import DONE, Changes, Handler, OrderCall, ServiceAnswer
from norce_order_async.sandbox.service.handlers.parts import find
from norce_order_async.sandbox.service.normalise import add_consent
from norce_order_async.sandbox.service.refusals import bad_request


def create(on: OrderCall) -> ServiceAnswer:
    on.took_effect(add_consent(on.order, on.body, on.ids, "$"))
    return DONE


def patch_many(on: OrderCall) -> ServiceAnswer:
    changes: list[Json] = on.body
    for index, change in enumerate(changes):
        if "id" not in change:
            raise bad_request(f"$[{index}].id: is required")
        _check(on, change["id"], change)
    return DONE


def patch_one(on: OrderCall) -> ServiceAnswer:
    _check(on, on.call.ids["consent_id"], on.body)
    return DONE


def remove(on: OrderCall) -> ServiceAnswer:
    consent = find(on.order["consents"], "consent", on.call.ids["consent_id"])
    on.order["consents"].remove(consent)
    on.took_effect(consent["id"])
    return DONE


def _check(on: OrderCall, consent_id: str, change: Json) -> None:
    consent = find(on.order["consents"], "consent", consent_id)
    if "checked" in change:
        consent["checked"] = change["checked"]
    on.took_effect(consent_id)


HANDLERS: Mapping[str, Handler] = {
    "CreateCheckoutOrderConsent": Changes(Area.CHECKOUT, create),
    "PatchCheckoutOrderConsents": Changes(Area.CHECKOUT, patch_many),
    "PatchCheckoutOrderConsent": Changes(Area.CHECKOUT, patch_one),
    "RemoveCheckoutOrderConsent": Changes(Area.CHECKOUT, remove),
}
"""By operationId."""
