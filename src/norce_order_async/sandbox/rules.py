"""Every rule that the sandbox follows, as data: what it does, how certain that is, and how else the service may behave.

A certain rule is in the service's public material. For an assumed one nothing is published, and the sandbox has to
choose. A rule may have readings, the ways in which the real service might behave; the first one is the default.
`policy` and the modules that it names carry the rules out: change a rule in both places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Certainty: TypeAlias = Literal["certain", "assumed", "observed"]
"""How well a rule is known: "observed" when a calibration saw the real service follow one of its readings."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way in which the real service may behave, where nothing is published.

    Args:
        rule: The id of its rule.
        id: Its own id, unique within the rule.
        text: What the service does, in one sentence.
        notice: What a program notices that expects the first reading; for the first reading, what it can rely on.
        harsh: Whether it breaks careless programs.

    Example::

        for reading in RULES[1].readings:
            print(reading.id, reading.text)
    """

    rule: str
    id: str
    text: str
    notice: str
    harsh: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the sandbox. Its first reading, if it has any, is the default.

    Example::

        print([rule.id for rule in RULES if rule.certainty == "assumed"])
    """

    id: str
    text: str
    certainty: Certainty
    readings: tuple[Reading, ...] = ()


def _certain(id: str, text: str) -> Rule:
    return Rule(id, text, "certain")


def _assumed(id: str, text: str, *readings: Reading) -> Rule:
    return Rule(id, text, "assumed", tuple(replace(reading, rule=id) for reading in readings))


def _reading(id: str, text: str, notice: str, *, harsh: bool = False) -> Reading:
    return Reading("", id, text, notice, harsh)


RULES: tuple[Rule, ...] = (
    # Access and errors
    _certain("bearer", "Authorization carries `Bearer` and the token."),
    _assumed("bare-token", "The bare token is taken too; missing, empty or unknown is 401 `unauthorized`."),
    _certain("merchant-and-channel", "x-merchant and x-channel are required and not empty."),
    _assumed("merchant-and-channel-error", "Without them: 400 `order-bad-request`, after the token was checked."),
    _certain("order-not-found", "An unknown order is 404 `order-not-found`."),
    _assumed(
        "errors",
        "Every error is `{code, message}`; published for an unknown order alone.",
        _reading("code-message", "Errors are `{code, message}`.", "The code tells errors apart."),
        _reading(
            "problem-details",
            "Errors are ProblemDetails: `{type, title, status, detail, traceId}`, without a code.",
            "Nothing but the status tells errors apart.",
        ),
        _reading(
            "problem-details-with-errors",
            "Errors are ProblemDetails, and those about a member also have `errors`, a map from paths to messages.",
            "Nothing but the status tells errors apart; the reason is in `errors`.",
        ),
    ),
    _assumed(
        "error-codes",
        "The other codes: order-bad-request, order-conflict, order-validation, payment-error, "
        "unauthorized and `<thing>-not-found`.",
    ),
    _assumed(
        "unknown-path",
        "An unknown path is 404 `not-found`; a method that a path does not have is 405 `method-not-allowed`.",
    ),
    _certain(
        "answers",
        "A new payment or shipping is 201 with `{id}`, a replaced one is 200 with the whole entry, reading is 200, "
        "deleting an order is 204, and other changes are 200 without a body.",
    ),
    _assumed(
        "scope",
        "An order is seen only under the merchant and channel that made it; 404 otherwise.",
        _reading("not-found", "An order of another channel is 404.", "A wrong channel looks like an unknown order."),
        _reading("forbidden", "An order of another channel is 403.", "A wrong channel is a refusal of access."),
        _reading(
            "visible",
            "An order can be read and changed by its id under any channel of its merchant.",
            "A wrong channel goes unnoticed, and the order is changed.",
        ),
    ),
    _assumed(
        "unprocessed-503",
        "A request that is answered 503 with Retry-After was not carried out. A fault plan has to play that answer.",
        _reading("not-done", "503 with Retry-After means that nothing was done.", "Sending it again is safe."),
        _reading(
            "may-have-been-done",
            "A request that is answered 503 with Retry-After may have been carried out; here, each of them is.",
            "A request that is sent again is carried out twice.",
            harsh=True,
        ),
    ),
    _assumed("body-size", "A body over the limit (4 MiB unless set) is 413."),
    _assumed("media-type", "A body with a content type other than JSON is 400."),
    # Bodies
    _assumed(
        "body-check",
        "Wrong type, unknown enum value, broken pattern, missing required member, null where the "
        "description has none, malformed JSON: 400 `order-bad-request` with the path of the fault.",
    ),
    _assumed("date-time", "A date-time without an offset is refused, in bodies and in filters."),
    _assumed("number-range", "Whole numbers are 32 bits; amounts stay below a million million."),
    _certain("enum-case", "Enums are read without regard to case (published samples write `Person` and `Intent`)."),
    _assumed(
        "enum-written",
        "Enums are written as the description spells them.",
        _reading("as-described", "Enums are written as described: `person`.", "A word can be compared as it is."),
        _reading(
            "as-sent", "Enums are written as they were sent.", "If a program sends `Person`, others read `Person`."
        ),
        _reading("capitalised", "Enums are written with a capital: `Person`.", "A comparison with `person` fails."),
    ),
    _assumed(
        "unknown-members",
        "Unknown members of a body are ignored.",
        _reading("ignored", "Unknown members of a body are ignored.", "A misspelt member is lost silently."),
        _reading("refused", "Unknown members of a body are 400.", "A member that the service lacks is refused."),
    ),
    _assumed(
        "price-decimals",
        "Amounts may have any number of decimals.",
        _reading("any", "Amounts may have any number of decimals.", "A third of a price is taken."),
        _reading(
            "two-at-most",
            "An amount with more than two decimals is 400, as the vendor's typing of 2023 has it.",
            "Amounts have to be rounded before they are sent.",
            harsh=True,
        ),
    ),
    _assumed(
        "nulls",
        "Members that have no value are left out of answers and callbacks.",
        _reading("left-out", "Members without a value are left out.", "A member that is there has a value."),
        _reading(
            "written",
            "Members without a value are written as null, and may be sent so.",
            "A member that is there may be null, down to the items of a cart.",
            harsh=True,
        ),
    ),
    _assumed(
        "times",
        "Times are written with six decimals of the second and `Z`.",
        _reading("microseconds", "Times have six decimals and `Z`.", "Times sort as texts and are easily read."),
        _reading("seven-digits", "Times have seven decimals and `Z`.", "Some parsers refuse the seventh digit."),
        _reading(
            "no-offset",
            "Times have six decimals and no offset; they may be sent so.",
            "A time says nothing of its zone; it is UTC.",
        ),
    ),
    _certain("read-only-members", "Read-only members of a body are ignored, merchant and channel among them."),
    # Orders
    _certain("create-order", "A new order is in checkout."),
    _assumed(
        "create-answer",
        "Creating an order answers 201 with `{id}` and a relative Location. The vendor's pages say so; the "
        "description has a bare text.",
        _reading("id-and-location", "201 with `{id}` and a relative Location.", "The id is in the body."),
        _reading("bare-string", "201 with the id as a bare text, and a Location.", "The body is no object."),
        _reading("location-alone", "201 with a Location and no body.", "The id is in the Location alone."),
        _reading("200-without-location", "200 with `{id}` and no Location.", "The status is not 201."),
    ),
    _assumed(
        "hooks-in-body",
        "Hooks, validations and notifications in the body of a new order are registered.",
        _reading("registered", "Those in the body of a new order are registered.", "They are called from then on."),
        _reading(
            "ignored",
            "Those in the body of a new order are ignored: each is added by an endpoint of its own.",
            "They are never called, and nothing says so.",
            harsh=True,
        ),
    ),
    _assumed("no-first-transition", "Creating an order writes no entry into state.transitions."),
    _assumed("ids", "Ids: o + 7 letters; p, s, oc, ci + 26; random, from the seed when one is given."),
    _assumed(
        "delete-order",
        "DELETE works in any status; the order is gone from get and list.",
        _reading("any-status", "An order of any status is deleted and gone.", "A completed order can be lost."),
        _reading("checkout-only", "An order outside checkout is not deleted: 409.", "Most orders can't be deleted."),
        _reading(
            "moves-to-removed",
            "A deleted order gets the status removed, and can still be read and listed.",
            "It is still there, and listings show it.",
        ),
    ),
    _assumed("removed-readable", "A `removed` order can still be read and listed."),
    _assumed(
        "cart-reference-unique",
        "cart.reference is unique per merchant and channel among orders that are not "
        "removed: 409 `order-conflict`, on creating and on replacing a cart.",
        _reading("at-commit", "It is unique when a change is committed.", "Of two orders in a race, one is made."),
        _reading(
            "checked-on-arrival",
            "It is checked when a request arrives, and the order is committed a little later.",
            "Of two orders in a race, both are made.",
            harsh=True,
        ),
        _reading(
            "not-unique",
            "It is not unique.",
            "Creating again makes a second order; no conflict ever protects from it.",
            harsh=True,
        ),
    ),
    _certain("utc", "created, lastModified and transitions[].timeStamp are UTC, from the sandbox's clock."),
    # Totals
    _certain("order-total", "Order total = cart total + shippings, computed by the service."),
    _assumed("removed-left-out", "Removed shippings and payments count in no sum."),
    _assumed(
        "rounding", "Decimal inside; totals are rounded half up to two decimals before they are compared or added."
    ),
    _assumed(
        "cart-total",
        "A cart without a total gets the sum of its items' totals.",
        _reading("summed-when-missing", "A cart without a total gets the sum of its items.", "It need not be sent."),
        _reading(
            "zero-when-missing",
            "A cart without a total counts as zero: the caller sums the items.",
            "An order whose cart has no total costs nothing but its shippings.",
            harsh=True,
        ),
        _reading(
            "recomputed",
            "A cart's total is the sum of its items, whatever was sent.",
            "A total that is not the sum of the items is overwritten.",
        ),
    ),
    # Status
    _assumed(
        "transitions",
        "The table of transitions; anything else is 400 `order-bad-request` naming both.",
        _reading("table", "Only the transitions of the table are possible.", "A wrong one is refused."),
        _reading(
            "unchecked",
            "Every transition is possible.",
            "A request that comes late sets an order back: from completed to processing.",
            harsh=True,
        ),
        _reading(
            "published",
            "Only those that are published are possible: checkout to processing and back, and checkout to completed.",
            "processing to accepted is refused, and so are declined and removed.",
        ),
    ),
    _assumed(
        "state-answer",
        "A change of status that is answered 200 is done.",
        _reading("200-when-done", "200 when the status has changed.", "The order has the status at once."),
        _reading(
            "202-done-later",
            "202; the status changes 2 s later.",
            "The order still has its old status after the answer.",
            harsh=True,
        ),
        _reading(
            "202-or-superseded",
            "202; the status changes 2 s later, unless another change of it was asked for by then.",
            "Of two changes in 2 s only the second comes true.",
        ),
    ),
    _assumed(
        "same-status",
        "The same status again: 200, no new entry, no change, no callbacks.",
        _reading("nothing", "The same status again is 200 and nothing happens.", "It can be sent again."),
        _reading("refused", "The same status again is 400.", "A change that was made and is sent again looks refused."),
        _reading(
            "again",
            "The same status again is a change: a new entry in transitions, and callbacks are called.",
            "A change that is sent again is announced again.",
        ),
    ),
    _certain("required-consents", "Entering processing demands that every required consent is checked."),
    _assumed(
        "entry-demands",
        "Entering processing, accepted or completed demands items, required consents and "
        "payments that add up exactly: otherwise 400 `order-validation`.",
        _reading(
            "each-step",
            "Entering processing, accepted and completed all demand it.",
            "An order that is not paid in full can't be completed.",
        ),
        _reading(
            "processing-only",
            "Entering processing demands it; accepted and completed do not.",
            "An order that goes from checkout to completed is not checked.",
        ),
        _reading(
            "not-demanded",
            "No status demands it: only validate checks. Required consents are demanded for processing all the same.",
            "An order without items or payments can be completed.",
            harsh=True,
        ),
    ),
    _assumed(
        "locks",
        "Cart, customer and consents change in checkout only; shippings and callbacks until the order "
        "is completed, declined or removed; payments with their transactions and actions, reference and attributes "
        "until it is removed.",
    ),
    # Parts
    _assumed(
        "cart-put",
        "PUT cart replaces, the reference too; an item with an id the cart knows keeps it, any other gets a new one.",
        _reading("replaces", "PUT cart replaces all of the cart.", "What is left out is gone, the reference too."),
        _reading("merges", "PUT cart keeps the members that are left out.", "An old total stays with new items."),
    ),
    _certain("consents", "PATCH consents changes `checked` only."),
    _assumed("consent-not-found", "PATCH or DELETE of an unknown consent is 404; with several, none is changed."),
    _assumed("consent-id", "A caller may choose a consent's id; one that is there already is 400."),
    _assumed(
        "attribute-null",
        "PATCH attributes merges; null deletes the key.",
        _reading("deletes", "null deletes the key.", "The key is gone."),
        _reading("stored", "null is stored.", "The key stays, with null."),
        _reading("refused", "null is 400.", "A key can't be deleted."),
    ),
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
        "Only loopback addresses, hosts allowed by name and applications of this process are called; redirects are not "
        "followed.",
    ),
    _assumed("callback-ids", "Ids of hooks, notifications and validations are always the service's."),
    # Validate
    _certain(
        "validate",
        "Validate demands an item, a payment when the total is above zero, and payments that add up exactly.",
    ),
    _assumed(
        "validate-failed",
        "It answers 200 with [], or 400 with a list of what is wrong: that form is known from v1 of the API.",
        _reading("list", "What is wrong is 400 with a list.", "The body is a list."),
        _reading("errors-object", "What is wrong is 400 with `{errors: [...]}`.", "The list is within an object."),
        _reading("200-with-entries", "What is wrong is 200 with a list.", "The status says that all is well."),
    ),
    _assumed("validate-codes", "Its codes: cart-empty, payment-missing, payment-sum, all with adapterId `order`."),
    # Callbacks out
    _certain("placeholders", "Addresses may hold {order_id}, {order.…}, {config.…} and {configuration.…}."),
    _assumed(
        "placeholder-unknown",
        "A placeholder that names nothing is a failed call; what comes from the order is percent-encoded.",
    ),
    _assumed("callback-headers", "Calls carry x-merchant and x-channel."),
    _assumed(
        "callback-bearer",
        "Calls carry a bearer only when the sandbox was given one.",
        _reading("none-unless-set", "Calls carry no bearer unless one was set.", "A receiver can't tell who calls."),
        _reading("callers-token", "Calls carry the merchant's own token.", "Every receiver gets the token."),
    ),
    _assumed("callback-version", "A v0 body is the order as it is read; a v1 body leaves out what v1 does not have."),
    _assumed(
        "callback-registration",
        "A notification's schema that is not valid JSON Schema is 400; an entry without an address, or whose "
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
        "Any answer but 2xx, no connection, or no answer in time denies: 400 `order-validation` naming the hook.",
        _reading("order-validation", "A hook that denies is 400 `order-validation` naming it.", "The code says so."),
        _reading("hook-body", "A hook that denies is 400 with the hook's own body.", "The body has any form."),
        _reading("conflict", "A hook that denies is 409 `order-conflict`.", "A veto looks like a conflict."),
    ),
    _assumed(
        "hook-timeout",
        "A hook that does not answer within 10 s denies.",
        _reading("10-s", "A hook has 10 s to answer.", "A hook may take some seconds."),
        _reading("2-s", "A hook has 2 s to answer.", "A slow hook stops changes."),
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
    _assumed(
        "validation-timeout",
        "A validation that takes longer than 5 s is skipped.",
        _reading("5-s", "A validation has 5 s to answer.", "A validation may take some seconds."),
        _reading("1-s", "A validation has 1 s to answer.", "A slow validation is skipped, and its order passes."),
    ),
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
        "notification-retries",
        "No 2xx within 10 s is a failure; it is retried 3 times, after 1, 2 and 4 s of the sandbox's clock.",
        _reading("3-times", "A notification that fails is retried 3 times, within 7 s.", "A short outage loses none."),
        _reading("none", "A notification that fails is not retried.", "Each failure loses one."),
        _reading("10-in-an-hour", "A notification that fails is retried 10 times, every 6 minutes.", "It comes late."),
    ),
    _assumed(
        "notification-order",
        "Notifications are sent in the order of the changes, once each.",
        _reading("in-order", "Notifications come in the order of the changes, once each.", "The last is the newest."),
        _reading(
            "any-order-twice",
            "Notifications come in any order, and each of them twice.",
            "The last one may be old, and what it starts is started twice.",
        ),
    ),
    # Lists
    _assumed(
        "list-lag",
        "A list shows what was committed before it.",
        _reading("none", "A new or changed order shows in lists at once.", "A list finds what was just written."),
        _reading(
            "3-s",
            "A new or changed order shows in lists after 3 s, and at once when it is read by its id.",
            "A list misses orders that were just created, and finds just changed ones by their old values.",
            harsh=True,
        ),
    ),
    _assumed("page", "offset 0 and limit 10 unless given."),
    _assumed(
        "page-limit",
        "A limit of more than 100 is 100.",
        _reading("100-at-most", "A page has 100 orders at most; a higher limit means 100.", "100 at a time are given."),
        _reading(
            "over-50-refused",
            "A limit of more than 50 is 400.",
            "A program that asks for 100 at a time gets none.",
            harsh=True,
        ),
        _reading(
            "50-at-most",
            "A page has 50 orders at most; a higher limit means 50.",
            "A page that is shorter than asked for is not the last.",
        ),
    ),
    _assumed(
        "offset",
        "Every offset is honoured.",
        _reading("honoured", "Every offset is honoured.", "All orders can be listed by offset."),
        _reading(
            "ignored-beyond-10000",
            "An offset of more than 10,000 is ignored: the first page comes again.",
            "A listing by offset never ends.",
        ),
    ),
    _assumed(
        "pagination-size",
        "size is the number returned and totalSize all matches.",
        _reading("returned", "size is the number returned, totalSize all matches.", "totalSize counts the matches."),
        _reading(
            "matches",
            "size is all matches, totalSize all orders of the channel.",
            "totalSize says nothing about the matches.",
        ),
        _reading("requested", "size is the limit that was asked for, totalSize all matches.", "size is never 0."),
    ),
    _assumed("value-sum", "valueSum is the sum of the including-VAT totals of all matches."),
    _assumed(
        "dates",
        "date_from is inclusive and date_to exclusive, on `created`.",
        _reading("created", "date_from and date_to look at `created`; date_to is exclusive.", "Ranges don't overlap."),
        _reading(
            "last-modified",
            "date_from and date_to look at `lastModified`; date_to is exclusive.",
            "An order leaves its range when it is changed.",
        ),
        _reading(
            "to-inclusive",
            "date_from and date_to look at `created`, and date_to is inclusive.",
            "An order between two ranges is in both.",
        ),
    ),
    _assumed("repeated-keys", "Arrays are repeated query keys."),
    _assumed("whole-match", "E-mails, phones and countries match whole and without case; references match exactly."),
    _assumed(
        "part-match",
        "Names and search match by part, without case; search looks at reference, cart reference, names and e-mails.",
    ),
    _assumed("list-order", "Newest first unless configured otherwise."),
)

READINGS: Mapping[str, Mapping[str, Reading]] = {
    rule.id: {reading.id: reading for reading in rule.readings} for rule in RULES if rule.readings
}
"""The readings of each rule that has any, by both ids. The first is the default."""
