"""Writes a request as the Python call of the client that makes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, cast
from urllib.parse import parse_qsl

_WIDTH = 88
_INDENT = "    "

# `order` is the order, a name in braces is an id in the path, and BODY is the body.
_CALLS: Mapping[str, str] = {
    "CreateCheckoutOrder": "norce.orders.create(BODY)",
    "GetCheckoutOrders": "norce.orders.list(QUERY)",
    "GetCheckoutOrder": "order.refresh()",
    "DeleteCheckoutOrder": "order.delete()",
    "UpdateCheckoutOrderState": "order.transition_to(BODY)",
    "UpdateCheckoutOrderCart": "order.cart.put(BODY)",
    "UpdateCheckoutOrderCustomerBilling": "order.customer.set_billing(BODY)",
    "UpdateCheckoutOrderCustomerShipping": "order.customer.set_shipping(BODY)",
    "UpdateCheckoutOrderReference": "order.set_reference(BODY)",
    "PatchCheckoutOrderAttributes": "order.attributes.update(BODY)",
    "Validate": "order.validate()",
    "CreateCheckoutOrderConsent": "order.consents.create(BODY)",
    "PatchCheckoutOrderConsents": "order.consents.patch(BODY)",
    "PatchCheckoutOrderConsent": "order.consents.patch_one({consent_id}, checked=BODY)",
    "RemoveCheckoutOrderConsent": "order.consents.delete({consent_id})",
    "CreateCheckoutOrderHook": "order.hooks.create(BODY)",
    "DeleteCheckoutOrderHook": "order.hooks.delete({hook_id})",
    "CreateCheckoutOrderNotification": "order.notifications.create(BODY)",
    "DeleteCheckoutOrderNotification": "order.notifications.delete({notification_id})",
    "CreateCheckoutOrderValidation": "order.validations.create(BODY)",
    "UpdateCheckoutOrderValidation": "order.validations.put({validation_id}, BODY)",
    "RemoveCheckoutOrderValidation": "order.validations.delete({validation_id})",
    "CreateOrderPayment": "order.payments.create(BODY)",
    "GetOrderPayments": "order.payments.list()",
    "GetOrderPayment": "order.payments.get({payment_id})",
    "UpdateOrderPayment": "order.payments.put({payment_id}, BODY)",
    "AddPaymentAction": "order.payments.add_actions({payment_id}, BODY)",
    "ExecutePaymentAction": "order.payments.execute_action({payment_id}, {action_id})",
    "GetTransactionsForOrderPayment": "order.payments.transactions({payment_id})",
    "AddTransactionForOrderPayment": "order.payments.add_transaction({payment_id}, BODY)",
    "CreateOrderShipping": "order.shippings.create(BODY)",
    "GetOrderShippings": "order.shippings.list()",
    "GetOrderShipping": "order.shippings.get({shipping_id})",
    "UpdateOrderShipping": "order.shippings.put({shipping_id}, BODY)",
}

GIVES_ID: Mapping[str, str] = {
    "CreateCheckoutOrder": "order",
    "CreateOrderPayment": "payment",
    "CreateOrderShipping": "shipping",
}
"""The operations that answer with an id, and the thing that has this id."""

_IDS_BY_PART = {
    "consents": "consent_id",
    "hooks": "hook_id",
    "notifications": "notification_id",
    "validations": "validation_id",
    "payments": "payment_id",
    "actions": "action_id",
    "shippings": "shipping_id",
}

_LISTS = frozenset({"status", *(f"{whose}_{what}" for whose in ("billing", "shipping") for what in
    ("names", "emails", "phones", "countries")), "countries"})  # fmt: skip
_DATES = ("date_from", "date_to")


class NoCallError(Exception):
    """The client has no call that makes this request."""


def call(operation: str | None, path: str, query: str, body: bytes, names: Mapping[str, str]) -> str:
    """The expression that makes a request; `names` has variables for ids.

    Raises:
        NoCallError: The request is not one that the client would make.
    """
    template = _CALLS.get(operation or "")
    if template is None:
        raise NoCallError
    text = template
    for name, given in _ids(path).items():
        text = text.replace(f"{{{name}}}", names.get(given, literal(given)))
    text = text.replace("QUERY", _filters(query)) if "QUERY" in text else text
    return text.replace("BODY", _argument(operation or "", body)) if "BODY" in text else text


def _ids(path: str) -> dict[str, str]:
    _, _, rest = path.partition("/checkout/orders/")
    steps = rest.split("/")[1:]
    return {_IDS_BY_PART[part]: given for part, given in pairwise(steps) if part in _IDS_BY_PART}


def _argument(operation: str, body: bytes) -> str:
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise NoCallError from None
    whole = cast("object", value)
    match operation, value:
        case "UpdateCheckoutOrderState", {"currentStatus": str(status)}:
            return literal(status)
        case "PatchCheckoutOrderConsent", {"checked": bool(checked)}:
            return literal(checked)
        case "UpdateCheckoutOrderReference", str(reference):
            return literal(reference)
        case (("PatchCheckoutOrderConsents" | "AddPaymentAction"), list()):
            return literal(whole)
        case (("UpdateCheckoutOrderState" | "PatchCheckoutOrderConsent" | "UpdateCheckoutOrderReference"), _):
            raise NoCallError
        case "CreateCheckoutOrder", dict():
            return _new_order(cast("dict[str, Any]", value))
        case "UpdateCheckoutOrderCart", dict() if not _adds_up(cast("dict[str, Any]", value)):
            return f"{literal(whole)}, check_total=False"
        case _, dict():
            return literal(whole)
        case _:
            raise NoCallError


def _new_order(body: dict[str, Any]) -> str:
    if body.keys() & {"payments", "shippings", "state"}:
        # The service drops them, so the client refuses them.
        raise NoCallError
    switches = [
        *(["check_total=False"] if "cart" in body and not _adds_up(body["cart"]) else []),
        *(["callbacks_in_body=True"] if body.keys() & {"hooks", "notifications", "validations"} else []),
    ]
    return ", ".join([literal(body), *switches])


def _adds_up(cart: Mapping[str, Any]) -> bool:
    """Whether a cart's total is the sum of its lines, so that the client sends it without a switch."""
    try:
        lines = sum(round(item["total"]["includingVat"] * 100) for item in cart["items"])
        return bool(lines == round(cart["total"]["includingVat"] * 100))
    except (KeyError, TypeError):
        return False


def _filters(query: str) -> str:
    """The arguments of a listing."""
    given: dict[str, Any] = {}
    paging: list[str] = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in ("offset", "limit"):
            if not value.isdigit():
                raise NoCallError
            paging.append(f"{name}={int(value)}")
        elif name in _LISTS:
            given.setdefault(name, []).append(value)
        elif name.isidentifier():
            given[name] = value
        else:
            raise NoCallError
    filters = [
        f"{name}={f'datetime.fromisoformat({literal(value)})' if name in _DATES else literal(value)}"
        for name, value in given.items()
    ]
    return ", ".join([*([f"OrderFilter({', '.join(filters)})"] if filters else []), *paging])


def literal(value: object, depth: int = 0) -> str:
    """A JSON value as Python code, on several lines if one would be too long."""
    if isinstance(value, str):
        # Invisible characters get Python's escapes, because JSON's for characters beyond 16 bits differ.
        return json.dumps(value, ensure_ascii=False) if value.isprintable() else ascii(value)
    if not isinstance(value, dict | list) or not value:
        return repr(value)  # pyright: ignore[reportUnknownArgumentType]
    members = (
        [f"{literal(name)}: {literal(one, depth + 1)}" for name, one in cast("dict[str, object]", value).items()]
        if isinstance(value, dict)
        else [literal(one, depth + 1) for one in cast("list[object]", value)]
    )
    first, last = "{}" if isinstance(value, dict) else "[]"
    short = f"{first}{', '.join(members)}{last}"
    if len(short) + len(_INDENT) * depth <= _WIDTH and "\n" not in short:
        return short
    inner = "\n".join(f"{_INDENT * (depth + 1)}{member}," for member in members)
    return f"{first}\n{inner}\n{_INDENT * depth}{last}"
