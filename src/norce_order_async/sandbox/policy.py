"""The decisions of the rules: the state machine, which parts are locked, what a status demands, how lists are filtered.

`rules` lists all rules in words. A function here whose result depends on a reading gets the readings in use, and looks
up the reading of its rule.
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
"""The transitions that the vendor's pages and samples show."""

DEMANDING = frozenset({"processing", "accepted", "completed"})
"""Statuses that an order may enter only if it is complete: items, payments and required consents."""

STATE_DELAY = 2.0
"""Seconds between the answer 202 and the change of status."""


class Area(Enum):
    """A group of parts that are locked together. Its value is the set of statuses in which they can be changed."""

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
"""The parts that hooks can subscribe to and patch, in the order in which hooks are called."""


def refuse_transition(readings: ReadingsInUse, order: Json, target: str) -> None:
    """Refuse a transition that is not possible, or that the order is not ready for."""
    refuse_step(readings, order["state"]["currentStatus"], target)
    refuse_unready(readings, order, target)


def refuse_step(readings: ReadingsInUse, current: str, target: str) -> None:
    """Refuse a transition that is not possible for any order."""
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
    """Refuse a status whose demands the order does not meet."""
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
    """The findings of `validate` itself, without those of registered validations."""
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
"""Seconds of processor time to check a value against a notification's schema."""
COMMIT_DELAY = 0.1
"""Seconds between the arrival of a request and its commit, if cart references are checked on arrival."""
MOST_PROPOSALS = 5
"""How often a change is proposed if other requests change the same part while its hooks are asked."""
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
    """The seconds after which a notification is sent, one number for each time that it is sent.

    `earlier` is the number of deliveries about the same order so far.
    """
    if readings.of("notification-order") == "any-order-twice":
        # The first comes after the second, and the second comes again after that. Each notification is sent twice.
        return (1.0, 2.0) if earlier // 2 % 2 == 0 else (0.0, 3.0)
    return (0.0,)


def hook_denial(readings: ReadingsInUse, message: str, body: bytes | None) -> Refusal:
    """The answer to a change that a hook denies; `body` is the body of the hook's answer."""
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
    """The largest number of orders on the page."""
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
    """The number of orders before the page."""
    if asked > FARTHEST_OFFSET and readings.of("offset") == "ignored-beyond-10000":
        return 0
    return asked


class Match(Enum):
    """How a filter compares: EXACT the whole text with case, WHOLE the whole text without case, PART a part of it
    without case."""

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
"""Query parameter -> the column that it is compared with, and how. Several values of a parameter are alternatives."""

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
    """Query parameter -> the column and the operator of its comparison."""
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
    """Refuse amounts with more than two decimals, if the reading says so."""
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
    """Refuse members that the description does not have, if the reading says so; `places` are their paths."""
    if places and readings.of("unknown-members") == "refused":
        raise bad_request(f"{places[0]}: is not known")


def callbacks_in_body(readings: ReadingsInUse, body: Json, names: Iterable[str]) -> dict[str, list[Json]]:
    """The hooks, notifications and validations in a new order's body that are registered with it."""
    given: dict[str, list[Json]] = {name: body.get(name, []) for name in names}
    if any(given.values()) and readings.of("hooks-in-body") == "ignored":
        return {name: [] for name in given}
    return given


def done_despite(readings: ReadingsInUse, status: int, *, says_when: bool) -> bool:
    """Whether a request was carried out although it was answered 503; ``says_when`` is whether with Retry-After."""
    return status == 503 and says_when and readings.of("unprocessed-503") == "may-have-been-done"


def defaults_of_payment(payment: dict[str, Any]) -> None:
    """Fill in the members of a payment that the service sets by default."""
    payment.setdefault("state", "intent")
    payment.setdefault("type", "default")


def defaults_of_shipping(shipping: dict[str, Any]) -> None:
    """Fill in the members of a shipping that the service sets by default."""
    shipping.setdefault("state", "intent")
