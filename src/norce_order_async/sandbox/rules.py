"""Every rule the sandbox follows, in one place, each marked as certain or assumed.

Certain means that the service's public material says so. Assumed means that nothing is published and the sandbox had
to choose; someone who learns better mends it here. `RULES` is the list to read; below it the rules that are data: the
state machine, what may be edited when, what entering a status demands, and how lists are filtered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.service.refusals import bad_request, not_valid
from norce_order_async.sandbox.service.totals import added, exact, including_vat, standing


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing the sandbox does."""

    id: str
    text: str
    assumed: bool


def _certain(id: str, text: str) -> Rule:
    return Rule(id, text, assumed=False)


def _assumed(id: str, text: str) -> Rule:
    return Rule(id, text, assumed=True)


RULES: tuple[Rule, ...] = (
    # Access and errors
    _certain("bearer", "Authorization carries `Bearer` and the token."),
    _assumed("bare-token", "The bare token is taken too; missing, empty or unknown is 401 `unauthorized`."),
    _certain("merchant-and-channel", "x-merchant and x-channel are required and not empty."),
    _assumed("merchant-and-channel-error", "Without them: 400 `order-bad-request`, after the token was checked."),
    _certain("errors", "Errors are `{code, message}`; an unknown order is 404 `order-not-found`."),
    _assumed(
        "error-codes",
        "The other codes: order-bad-request, order-conflict, order-validation, payment-error, "
        "unauthorized and `<thing>-not-found`.",
    ),
    _assumed(
        "unknown-path",
        "A path that the service does not have is 404 `not-found`, a method that a path does not have 405 "
        "`method-not-allowed`.",
    ),
    _certain(
        "answers",
        "A new payment or shipping is 201 with `{id}`, a replaced one 200 with the whole; reading shows what there is, "
        "deleting an order is 204, and other changes are 200 without a body.",
    ),
    _assumed("scope", "An order is seen only under the merchant and channel that made it; 404 otherwise."),
    _assumed("body-size", "A body over the limit (4 MiB unless set) is 413."),
    _assumed("media-type", "A body that says it is something other than JSON is 400."),
    # Bodies
    _assumed(
        "body-check",
        "Wrong type, unknown enum value, broken pattern, missing required member, null where the "
        "description has none, malformed JSON: 400 `order-bad-request` with the path of the fault.",
    ),
    _assumed("date-time", "A date-time without an offset is refused, in bodies and in filters."),
    _assumed("number-range", "Whole numbers are 32 bits; amounts stay below a million million."),
    _certain("enum-case", "Enums are read without regard to case (published samples write `Person` and `Intent`)."),
    _assumed("enum-written", "Enums are written as the description spells them."),
    _assumed("unknown-members", "Unknown members of a body are ignored."),
    _certain("read-only-members", "Read-only members of a body are ignored, merchant and channel among them."),
    # Orders
    _certain("create-order", "A new order is in checkout; 201 with `{id}` and a relative Location."),
    _assumed("no-first-transition", "Creating an order writes no entry into state.transitions."),
    _assumed("ids", "Ids: o + 7 letters; p, s, oc, ci + 26; random, from the seed when one is given."),
    _assumed("delete-order", "DELETE works in any status; the order is gone from get and list."),
    _assumed("removed-readable", "A `removed` order can still be read and listed."),
    _assumed(
        "cart-reference-unique",
        "cart.reference is unique per merchant and channel among orders that are not "
        "removed: 409 `order-conflict`, on creating and on replacing a cart.",
    ),
    _certain("utc", "created, lastModified and transitions[].timeStamp are UTC, from the sandbox's clock."),
    # Totals
    _certain("order-total", "Order total = cart total + shippings, computed by the service."),
    _assumed("removed-left-out", "Removed shippings and payments count in no sum."),
    _assumed(
        "rounding", "Decimal inside; totals are rounded half up to two decimals before they are compared or added."
    ),
    _assumed("cart-total", "A cart without a total gets the sum of its items' totals."),
    # Status
    _assumed("transitions", "The table of transitions; anything else is 400 `order-bad-request` naming both."),
    _assumed("same-status", "The same status again: 200, no new entry, nothing changed, nobody called."),
    _certain("required-consents", "Entering processing demands that every required consent is checked."),
    _assumed(
        "entry-demands",
        "Entering processing, accepted or completed demands items, required consents and "
        "payments that add up exactly: otherwise 400 `order-validation`.",
    ),
    _assumed(
        "locks",
        "Cart, customer and consents change in checkout only; shippings and callbacks until the order "
        "is completed, declined or removed; payments with their transactions and actions, reference and attributes "
        "until it is removed.",
    ),
    # Parts
    _assumed("cart-items", "PUT cart replaces; an item with an id the cart knows keeps it, any other gets a new one."),
    _certain("consents", "PATCH consents changes `checked` only."),
    _assumed("consent-not-found", "PATCH or DELETE of an unknown consent is 404; with several, none is changed."),
    _assumed("consent-id", "A caller may choose a consent's id; one that is there already is 400."),
    _assumed("attributes", "PATCH attributes merges; null deletes the key."),
    _certain("soft-delete", "Payments and shippings are removed by PUT with state removed."),
    _assumed("payment-defaults", "A payment or shipping without a state is `intent`; without a type, `default`."),
    _assumed("payment-actions-kept", "PUT payment without actions keeps those it has; an equal action keeps its id."),
    _certain("transactions", "Transactions are a log: added and listed, never changed; `created` is the service's."),
    _assumed(
        "execute",
        "Executing POSTs the order to the action's URL: 2xx is 200, anything else 400 "
        "`payment-error`; it changes nothing by itself.",
    ),
    _assumed(
        "callers-only-loopback",
        "Only loopback addresses and hosts allowed by name are called; redirects are not followed.",
    ),
    _assumed("callback-ids", "Ids of hooks, notifications and validations are always the service's."),
    # Validate
    _certain(
        "validate",
        "Validate demands an item, a payment when the total is above zero, and payments that add up exactly.",
    ),
    _assumed(
        "validate-answer",
        "It answers 200 with [], or 400 with a list of what is wrong: that form is known from v1 of the API.",
    ),
    _assumed("validate-codes", "Its codes: cart-empty, payment-missing, payment-sum, all with adapterId `order`."),
    # Callbacks out
    _certain("placeholders", "Addresses may hold {order_id}, {order.…}, {config.…} and {configuration.…}."),
    _assumed(
        "placeholder-unknown",
        "A placeholder that names nothing is a failed call; what comes from the order is percent-encoded.",
    ),
    _assumed(
        "callback-headers", "Calls carry x-merchant and x-channel, and a bearer only when the sandbox was given one."
    ),
    _assumed("callback-version", "A v0 body is the order as it is read; a v1 body leaves out what v1 does not have."),
    _assumed(
        "callback-registration",
        "A notification's schema that is none is 400; an entry without an address, or whose "
        "subscribeTo or scope leads nowhere, is kept and never called.",
    ),
    _certain(
        "hook-before-commit",
        "Hooks are asked with the proposed order before a change is committed; one that denies stops it.",
    ),
    _certain("hook-patch", "A hook may answer with JSON Patch operations; what they change fires hooks in turn."),
    _certain(
        "hook-order",
        "Hooks are called in the order state, consents, customer, cart, shippings, payments, by subscribeTo, then by "
        "target.",
    ),
    _assumed(
        "hook-order-last",
        "Hooks on reference, which only a published sample has, and on attributes, which none has, are called after "
        "those, in this order; a hook without a target comes after those with one.",
    ),
    _certain("hook-own-adapter", "Hooks whose adapterId is the request's x-adapterid are left out."),
    _assumed(
        "hook-denial",
        "Any answer but 2xx, no connection, or 10 s without an answer denies: 400 `order-validation` naming the hook.",
    ),
    _assumed("hook-answer", "An answer is empty or a list of operations; anything else denies."),
    _assumed(
        "hook-patch-limits",
        "A patch changes what lies under target, or any of the parts when there is none; it is checked against the "
        "description, locks (by the status before the change) and demands as an edit is, and totals are settled anew.",
    ),
    _assumed(
        "hook-patch-size",
        "A patch has 100 operations at the most and adds 4 MiB at the most: one that copies the order into itself "
        "again and again is refused before it is carried out.",
    ),
    _assumed("hook-rounds", "After 10 rounds of patches that fire hooks the change is denied."),
    _assumed(
        "hook-meanwhile",
        "While hooks are asked nothing is locked. A change to other parts made meanwhile, by the hook itself "
        "too, stays; after one to the same part the change is proposed anew, 5 times at most, then 400 "
        "`order-validation`.",
    ),
    _certain("validations", "Validate asks all validations at once; 400 with a list adds its entries."),
    _assumed("validation-late", "A validation that takes longer than 5 s is skipped."),
    _assumed(
        "validation-other",
        "Any 2xx passes; any other answer, or none, is an entry `order-unknown-validation-error`.",
    ),
    _assumed("validation-body", "Validations are posted nothing; they read the order themselves."),
    _certain(
        "notifications",
        "Notifications are sent after commit, when the value at scope changed and matches schema, after delay; "
        "they hold up nothing.",
    ),
    _assumed(
        "notification-schema",
        "A schema that takes more than 1 s of work matches nothing; the delivery's record says so.",
    ),
    _certain("notification-log", "Every delivery is recorded with its attempts and can be sent again."),
    _assumed("notification-body", "A receiver gets the order as it was committed, in the asked version."),
    _assumed(
        "notification-retry",
        "No 2xx within 10 s is a failure; it is retried 3 times, after 1, 2 and 4 s of the sandbox's clock.",
    ),
    # Lists
    _assumed("page", "offset 0 and limit 10 unless given; more than 100 is 100."),
    _assumed(
        "page-figures",
        "size is the number returned and totalSize all matches; in the other reading size is all "
        "matches and totalSize all orders of the channel.",
    ),
    _assumed("value-sum", "valueSum is the sum of the including-VAT totals of all matches."),
    _assumed(
        "created-range",
        "date_from is inclusive and date_to exclusive, on `created`; in the other reading on `lastModified`.",
    ),
    _assumed("repeated-keys", "Arrays are repeated query keys."),
    _assumed("whole-match", "E-mails, phones and countries match whole and without case; references match exactly."),
    _assumed(
        "part-match",
        "Names and search match by part, without case; search looks at reference, cart reference, names and e-mails.",
    ),
    _assumed("list-order", "Newest first unless told otherwise."),
)

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
