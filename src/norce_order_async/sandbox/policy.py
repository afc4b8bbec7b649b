"""What the rules decide: the state machine, what may be edited when, what a status demands, how lists are filtered.

`rules` is the list of all rules in words. A function here that more than one reading concerns takes the readings in use
and looks up its own: nothing else decides by a reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.readings import ReadingsInUse
from norce_order_async.sandbox.service.refusals import bad_request, not_valid
from norce_order_async.sandbox.service.totals import added, exact, including_vat, standing

# ---------------------------------------------------------------------------------------------------------- status

TRANSITIONS: Mapping[str, frozenset[str]] = {
    "checkout": frozenset({"processing", "accepted", "completed", "removed"}),
    "processing": frozenset({"checkout", "accepted", "completed", "declined", "removed"}),
    "accepted": frozenset({"completed", "declined", "removed"}),
    "completed": frozenset(),
    "declined": frozenset(),
    "removed": frozenset(),
}

DEMANDING = frozenset({"processing", "accepted", "completed"})
"""Statuses that an order may enter only when it is in order."""


class Area(Enum):
    """A part of the order that is locked as a whole; the value is the set of statuses in which it is open."""

    CHECKOUT = frozenset({"checkout"})
    DELIVERY = frozenset({"checkout", "processing", "accepted"})
    AFTERMATH = frozenset({"checkout", "processing", "accepted", "completed", "declined"})


def refuse_edit(area: Area, status: str) -> None:
    """Refuse a change to a part that is locked in this status."""
    if status not in area.value:
        raise bad_request(f"This part of the order can't be changed while its status is {status}.")


PARTS: Mapping[str, Area | None] = {
    "state": None,
    "consents": Area.CHECKOUT,
    "customer": Area.CHECKOUT,
    "cart": Area.CHECKOUT,
    "shippings": Area.DELIVERY,
    "payments": Area.AFTERMATH,
    "reference": Area.AFTERMATH,
    "attributes": Area.AFTERMATH,
}
"""What hooks may listen to and patch, in the order in which they are called."""


def refuse_transition(order: Json, target: str) -> None:
    """Refuse a transition that the table does not have or that the order is not ready for."""
    refuse_step(order["state"]["currentStatus"], target)
    refuse_unready(order, target)


def refuse_step(current: str, target: str) -> None:
    """Refuse a transition that the table does not have."""
    if target not in TRANSITIONS[current]:
        raise bad_request(f"An order can't go from {current} to {target}.")


def refuse_unready(order: Json, target: str) -> None:
    """Refuse a status that demands what the order does not have."""
    if target in DEMANDING:
        findings = [*basic_findings(order), *_unchecked_consents(order)]
        if findings:
            raise not_valid(f"The order can't enter {target}: " + "; ".join(found.message for found in findings))


# ------------------------------------------------------------------------------------------------------- readiness


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that keeps an order from being paid."""

    code: str
    message: str


def basic_findings(order: Json) -> list[Finding]:
    """What `validate` finds by itself, before any registered validation is asked."""
    findings: list[Finding] = []
    if not order.get("cart", {}).get("items"):
        findings.append(Finding("cart-empty", "the cart has no item"))
    total = including_vat(order["total"])
    payments = standing(order["payments"])
    if total > 0 and not payments:
        findings.append(Finding("payment-missing", "the total is above zero and there is no payment"))
    elif (paid := added(exact(payment.get("amount", 0)) for payment in payments)) != total:
        findings.append(Finding("payment-sum", f"the payments add up to {paid} and the order to {total}"))
    return findings


def _unchecked_consents(order: Json) -> Iterable[Finding]:
    for consent in order["consents"]:
        if consent.get("required") and not consent.get("checked"):
            yield Finding("consent-unchecked", f"the required consent {consent['id']} is not checked")


# ------------------------------------------------------------------------------------------------------- callbacks

EXECUTION_TIMEOUT = 10.0
"""Seconds."""
HOOK_TIMEOUT = 10.0
"""Seconds."""
HOOK_ROUNDS = 10
HOOK_OPERATIONS = 100
HOOK_GROWTH = 4 * 1024 * 1024
"""Bytes of JSON that one patch may add."""
SCHEMA_SECONDS = 1.0
"""Of work, for a notification's schema and the value it is held against."""
MOST_PROPOSALS = 5
"""How often a change is proposed when others change the same part while its hooks are asked."""
VALIDATION_TIMEOUT = 5.0
"""Seconds."""
UNKNOWN_VALIDATION = "order-unknown-validation-error"
DELIVERY_TIMEOUT = 10.0
"""Seconds."""
DELIVERY_BACKOFF = (1.0, 2.0, 4.0)
"""Seconds before each retry of a notification."""


# ----------------------------------------------------------------------------------------------------------- lists

DEFAULT_LIMIT = 10
MAX_LIMIT = 100


class Match(Enum):
    """How a filter compares: EXACT as given, WHOLE without case, PART anywhere and without case."""

    EXACT = "exact"
    WHOLE = "whole"
    PART = "part"


FILTERS: Mapping[str, tuple[str, Match]] = {
    "reference": ("reference", Match.EXACT),
    "cart_reference": ("cart_reference", Match.EXACT),
    "status": ("status", Match.EXACT),
    "countries": ("country", Match.WHOLE),
    "billing_countries": ("billing_country", Match.WHOLE),
    "billing_emails": ("billing_email", Match.WHOLE),
    "billing_phones": ("billing_phone", Match.WHOLE),
    "billing_names": ("billing_name", Match.PART),
    "shipping_countries": ("shipping_country", Match.WHOLE),
    "shipping_emails": ("shipping_email", Match.WHOLE),
    "shipping_phones": ("shipping_phone", Match.WHOLE),
    "shipping_names": ("shipping_name", Match.PART),
    "search": ("search", Match.PART),
}
"""Query parameter -> the column it looks at and how. Several values of one parameter are alternatives."""

SORTED_ON: Mapping[str, str] = {
    "created": "created",
    "billingEmail": "billing_email",
    "billingName": "billing_name",
    "cartTotal": "cart_total",
}


def page_sizes(
    readings: ReadingsInUse, *, returned: int, requested: int, matches: int, of_channel: Callable[[], int]
) -> tuple[int, int]:
    """`size` and `totalSize` of a page."""
    match readings.of("pagination-size"):
        case "matches":
            return matches, of_channel()
        case "requested":
            return requested, matches
        case _:
            return returned, matches


def date_comparisons(readings: ReadingsInUse) -> Mapping[str, str]:
    """Query parameter -> what its moment is compared with, and how."""
    match readings.of("dates"):
        case "last-modified":
            return {"date_from": "last_modified >=", "date_to": "last_modified <"}
        case "to-inclusive":
            return {"date_from": "created >=", "date_to": "created <="}
        case _:
            return {"date_from": "created >=", "date_to": "created <"}


# ---------------------------------------------------------------------------------------------------------- bodies

MAX_BODY = 4 * 1024 * 1024
"""Bytes."""


def defaults_of_payment(payment: dict[str, Any]) -> None:
    """Fill in the members of a payment that the service sets by default."""
    payment.setdefault("state", "intent")
    payment.setdefault("type", "default")


def defaults_of_shipping(shipping: dict[str, Any]) -> None:
    """Fill in the members of a shipping that the service sets by default."""
    shipping.setdefault("state", "intent")
