"""What the rules decide: the state machine, what may be edited when, what a status demands, how lists are filtered.

`rules` is the list of all rules in words. A function here that more than one reading concerns takes the readings in use
and looks up its own: nothing else decides by a reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.readings import ReadingsInUse
from norce_order_async.sandbox.service.refusals import Refusal, bad_request, conflict, not_valid
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

PUBLISHED_TRANSITIONS: Mapping[str, frozenset[str]] = {
    "checkout": frozenset({"processing", "completed"}),
    "processing": frozenset({"checkout"}),
}
"""Those that the vendor's pages and samples show."""

DEMANDING = frozenset({"processing", "accepted", "completed"})
"""Statuses that an order may enter only when it is in order."""

STATE_DELAY = 2.0
"""Seconds until a status changes that was answered 202."""


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


def refuse_transition(readings: ReadingsInUse, order: Json, target: str) -> None:
    """Refuse a transition that is not possible or that the order is not ready for."""
    refuse_step(readings, order["state"]["currentStatus"], target)
    refuse_unready(readings, order, target)


def refuse_step(readings: ReadingsInUse, current: str, target: str) -> None:
    """Refuse a transition that is not possible, whatever the order holds."""
    match readings.of("transitions"):
        case "unchecked":
            return
        case "published":
            possible = PUBLISHED_TRANSITIONS.get(current, frozenset[str]())
        case _:
            possible = TRANSITIONS[current]
    if target not in possible:
        raise bad_request(f"An order can't go from {current} to {target}.")


def refuse_unready(readings: ReadingsInUse, order: Json, target: str) -> None:
    """Refuse a status that demands what the order does not have."""
    if target not in DEMANDING:
        return
    match readings.of("entry-demands"):
        case "processing-only":
            demanded = target == "processing"
        case "not-demanded":
            demanded = False
        case _:
            demanded = True
    findings = basic_findings(order) if demanded else []
    if demanded or target == "processing":
        findings.extend(_unchecked_consents(order))
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
HOOK_TIMEOUT: Mapping[str, float] = {"10-s": 10.0, "2-s": 2.0}
"""Seconds, by reading of `hook-timeout`."""
HOOK_ROUNDS = 10
HOOK_OPERATIONS = 100
HOOK_GROWTH = 4 * 1024 * 1024
"""Bytes of JSON that one patch may add."""
SCHEMA_SECONDS = 1.0
"""Of work, for a notification's schema and the value it is held against."""
COMMIT_DELAY = 0.1
"""Seconds between the arrival of a request and its commit, where a cart's reference is checked on arrival."""
MOST_PROPOSALS = 5
"""How often a change is proposed when others change the same part while its hooks are asked."""
VALIDATION_TIMEOUT: Mapping[str, float] = {"5-s": 5.0, "1-s": 1.0}
"""Seconds, by reading of `validation-timeout`."""
UNKNOWN_VALIDATION = "order-unknown-validation-error"
DELIVERY_TIMEOUT = 10.0
"""Seconds."""
DELIVERY_BACKOFF: Mapping[str, Sequence[float]] = {
    "3-times": (1.0, 2.0, 4.0),
    "none": (),
    "10-in-an-hour": (360.0,) * 10,
}
"""Seconds before each retry of a notification, by reading of `notification-retries`."""


def sending_delays(readings: ReadingsInUse, earlier: int) -> Sequence[float]:
    """Seconds until each time that a notification is sent; `earlier` is how often any was about the same order."""
    if readings.of("notification-order") == "any-order-twice":
        # The first comes after the second, and the second comes again after that. Each earlier one was sent twice.
        return (1.0, 2.0) if earlier // 2 % 2 == 0 else (0.0, 3.0)
    return (0.0,)


def hook_denial(readings: ReadingsInUse, message: str, body: bytes | None) -> Refusal:
    """The answer to a change that a hook denies; `body` is what the hook answered."""
    match readings.of("hook-denial"):
        case "hook-body" if body:
            return Refusal(400, "order-validation", message, body)
        case "conflict":
            return conflict(message)
        case _:
            return not_valid(message)


# ----------------------------------------------------------------------------------------------------------- lists

DEFAULT_LIMIT = 10
MAX_LIMIT = 100
LOWER_LIMIT = 50
FARTHEST_OFFSET = 10_000
LIST_LAG: Mapping[str, float] = {"none": 0.0, "3-s": 3.0}
"""Seconds until a change shows in lists, by reading of `list-lag`."""


def limit_of(readings: ReadingsInUse, asked: int) -> int:
    """How many orders a page has at most."""
    if asked <= LOWER_LIMIT:
        return asked
    match readings.of("page-limit"):
        case "over-50-refused":
            raise bad_request(f"limit: must be at most {LOWER_LIMIT}.")
        case "50-at-most":
            return LOWER_LIMIT
        case _:
            return min(asked, MAX_LIMIT)


def offset_of(readings: ReadingsInUse, asked: int) -> int:
    """How many orders come before the page."""
    if asked > FARTHEST_OFFSET and readings.of("offset") == "ignored-beyond-10000":
        return 0
    return asked


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

_AMOUNTS = frozenset({"includingVat", "excludingVat", "amount", "upperLimitAmount"})
_FREE_FORM = frozenset({"attributes", "schema"})


def refuse_fractions(readings: ReadingsInUse, value: Any, path: str) -> None:
    """Refuse amounts with more decimals than money has, where they are refused."""
    for place, number in _amounts_in(value, path):
        decimals = exact(number).as_tuple().exponent
        if isinstance(decimals, int) and decimals < -2:
            if readings.of("price-decimals") == "two-at-most":
                raise bad_request(f"{place}: must have at most two decimals")
            return


def _amounts_in(value: Any, path: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, list):
        for index, entry in enumerate(cast("Any", value)):
            yield from _amounts_in(entry, f"{path}[{index}]")
    elif isinstance(value, dict):
        for name, member in cast("Json", value).items():
            if name in _AMOUNTS and isinstance(member, int | float):
                yield f"{path}.{name}", member
            elif name not in _FREE_FORM:
                yield from _amounts_in(member, f"{path}.{name}")


def refuse_unknown_members(readings: ReadingsInUse, places: Sequence[str]) -> None:
    """Refuse members that the description does not have, where they are refused; `places` are their paths."""
    if places and readings.of("unknown-members") == "refused":
        raise bad_request(f"{places[0]}: is not known")


def callbacks_in_body(readings: ReadingsInUse, body: Json, names: Iterable[str]) -> dict[str, list[Json]]:
    """The hooks, notifications and validations of a new order that are registered with it."""
    given: dict[str, list[Json]] = {name: body.get(name, []) for name in names}
    if any(given.values()) and readings.of("hooks-in-body") == "ignored":
        return {name: [] for name in given}
    return given


def done_despite(readings: ReadingsInUse, status: int, *, says_when: bool) -> bool:
    """Whether a request was carried out although its answer says that the service is not available."""
    return status == 503 and says_when and readings.of("unprocessed-503") == "may-have-been-done"


def defaults_of_payment(payment: dict[str, Any]) -> None:
    """Fill in the members of a payment that the service sets by default."""
    payment.setdefault("state", "intent")
    payment.setdefault("type", "default")


def defaults_of_shipping(shipping: dict[str, Any]) -> None:
    """Fill in the members of a shipping that the service sets by default."""
    shipping.setdefault("state", "intent")
