"""How bodies are read and written: answers to creations, members, amounts, words, times and nulls."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from norce_order_async._json import UNREADABLE, is_list, is_mapping, list_or_empty, mapping_or_empty
from norce_order_async.calibration.bench import ATTRIBUTES, CART, Bench, TestOrder, price
from norce_order_async.calibration.probes.base import CouldNotTell, Follows, Neither, Probe, Verdict, alike
from norce_order_async.calibration.wire import NOTHING, ORDER, Exchange

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?\Z", re.ASCII)


_NO_AMOUNT = 1_000_000
MANY: Final = 8
"""Repeats of a read on which a verdict depends."""
_TURNS: Final = 4
"""Repeats of a question that alternates with a control."""
NO_ORDER = "calibrate-no-such-order"
"""An id that no order has."""


def _has(exchange: Exchange, name: str) -> bool:
    return exchange.mapping.get(name) is not None


def _cart(read: Exchange) -> Mapping[str, Any]:
    return mapping_or_empty(read.mapping.get("cart"))


def _amount(total: object) -> float | None:
    amount = mapping_or_empty(total).get("includingVat")
    # The probes send no amount that is too large for a float.
    return float(amount) if isinstance(amount, int | float) and abs(amount) < _NO_AMOUNT else None


# ------------------------------------------------------------------------------------------------- create-answer


async def create_answer(bench: Bench) -> Verdict:
    """The answers to two creations."""
    first, second = (await bench.sample()).creation, (await _lower_case(bench)).creation
    kinds = {_kind_of_creation(first), _kind_of_creation(second)}
    shown_by = [first, second]
    if len(kinds) > 1:
        return CouldNotTell("two creations were answered in two ways")
    kind = kinds.pop()
    if kind is None:
        return Neither(f"creating an order is answered {first.status} in a form that no reading has", shown_by)
    return Follows(kind, shown_by)


def _kind_of_creation(answer: Exchange) -> str | None:
    located = bool(answer.headers.get("location"))
    is_object = isinstance(answer.mapping.get("id"), str)
    if answer.status == 201 and is_object and located:
        return "id-and-location"
    if answer.status == 201 and located and (isinstance(answer.data, str) or (answer.body and not answer.mapping)):
        return "bare-string"
    if answer.status == 201 and located and not answer.body:
        return "location-alone"
    if answer.status == 200 and is_object and not located:
        return "200-without-location"
    return None


# --------------------------------------------------------------------------------------------------------- nulls


async def nulls(bench: Bench) -> Verdict:
    """An order that was created with few members, read back."""
    read = await bench.read(await bench.sample(), MANY)
    if any(_nulls(read.mapping)):
        return Follows("written", [read])
    # These were not sent, so they should have no value. A service that fills in all of them shows nothing about nulls.
    line = mapping_or_empty(next(iter(list_or_empty(_cart(read).get("items"))), None))
    unsaid = [name for name in ("originalTotal", "logistics", "imageUrl", "url", "unit") if name not in line]
    if len(unsaid) < 3:
        return CouldNotTell("every member has a value")
    return Follows("left-out", [read])


_FREE_FORM = frozenset({"attributes", "data", "schema"})


def _nulls(data: Any) -> Iterator[bool]:
    if is_mapping(data):
        for name, value in data.items():
            if value is None:
                yield True
            elif name not in _FREE_FORM:
                yield from _nulls(value)
    elif is_list(data):
        for value in data:
            yield from _nulls(value)


# --------------------------------------------------------------------------------------------------------- times


async def times(bench: Bench) -> Verdict:
    """The times of several orders: a single one might have lost a zero at its end."""
    orders = [await bench.sample(), await _lower_case(bench)]
    reads = [await bench.read(order) for order in orders]
    texts = [read.mapping.get(name) for read in reads for name in ("created", "lastModified")]
    found = [_TIME.match(text) for text in texts if isinstance(text, str)]
    if len(found) < 3:
        return CouldNotTell("orders have no times")
    if any(one is None for one in found):
        return Neither("times are not written as in RFC 3339", reads)
    digits = {len(one[1] or "") for one in found if one}
    zones = {one[2] for one in found if one}
    if zones == {None} and digits == {6}:
        return Follows("no-offset", reads)
    if zones == {"Z"} and digits == {6}:
        return Follows("microseconds", reads)
    if zones == {"Z"} and digits == {7}:
        return Follows("seven-digits", reads)
    many = " or ".join(map(str, sorted(digits)))
    zone = "several forms of offsets" if len(zones) > 1 else {"Z": "Z", None: "no offset"}.get(zones.pop(), "an offset")
    return Neither(f"times have {many} decimals and {zone}", reads)


# -------------------------------------------------------------------------------------------------- enum-written


async def enum_written(bench: Bench) -> Verdict:
    """One word sent in two spellings, both of which published samples have."""
    capital, small = await bench.sample(), await _lower_case(bench)
    reads = [await bench.read(capital), await bench.read(small)]
    written = tuple(mapping_or_empty(read.mapping.get("customer")).get("type") for read in reads)
    reading = {
        ("person", "person"): "as-described",
        ("Person", "person"): "as-sent",
        ("Person", "Person"): "capitalised",
    }.get((str(written[0]), str(written[1])))
    if None in written:
        return CouldNotTell("an order does not show the type of its customer")
    return Follows(reading, reads) if reading else Neither("a type that was sent comes back as another word", reads)


async def _lower_case(bench: Bench) -> TestOrder:
    return await bench.shared("lower-case", lambda: bench.create(customer={"type": "person"}))


# ---------------------------------------------------------------------------------------------------- cart-total


async def cart_total(bench: Bench) -> Verdict:
    """A cart of 10 and 2.5 without a total, then one whose total is not their sum, twice."""
    read = await bench.read(await bench.sample())
    if "items" not in _cart(read):
        return CouldNotTell("a cart is not shown")
    total = _amount(_cart(read).get("total"))
    if total is None and mapping_or_empty(_cart(read).get("total")).get("includingVat") is not None:
        return CouldNotTell("a cart's total is no amount")
    order = await scratch(bench)
    wrong = {"reference": order.made.marker, "total": price(7.0)}
    puts = [await bench.put_cart(order, wrong, amounts=(10.0, 2.5), odd=True) for _ in range(2)]
    shown_by = [read, *puts[0]]
    if not all(put.succeeded for put, _ in puts):
        return CouldNotTell(f"a cart whose total is not the sum of its lines is refused with {puts[0][0].status}")
    kept = {_amount(_cart(then).get("total")) for _, then in puts}
    if len(kept) > 1:
        return CouldNotTell("one cart came to two totals")
    match (total or 0.0, kept.pop()):
        case (12.5, 7.0):
            return Follows("summed-when-missing", shown_by)
        case (12.5, 12.5):
            return Follows("recomputed", shown_by)
        case (0.0, 7.0):
            return Follows("zero-when-missing", shown_by)
        case _:
            return Neither("a cart without a total, and one with a wrong total, come to other amounts", shown_by)


async def scratch(bench: Bench) -> TestOrder:
    """An order in checkout whose cart and attributes probes may change. Each probe sets them first."""
    return await bench.shared("scratch", bench.create)


# ------------------------------------------------------------------------------------------------------ cart-put


async def cart_put(bench: Bench) -> Verdict:
    """A cart with reference and attributes is replaced by one that has neither, twice."""
    order = await bench.create()
    full = {"reference": order.made.marker, "attributes": {"colour": "blue"}, "total": price(0)}
    kept: list[list[bool]] = []
    shown_by: list[Exchange] = []
    for _ in range(2):
        control, before = await bench.put_cart(order, full)
        if not control.succeeded:
            return CouldNotTell(f"replacing a cart is refused with {control.status}")
        if not _cart(before).get("reference") or not _cart(before).get("attributes"):
            return CouldNotTell("a cart does not keep its reference and attributes")
        put, after = await bench.put_cart(order, {"total": price(0)}, odd=True)
        if not put.succeeded:
            return CouldNotTell(f"replacing a cart by one without reference and attributes is refused: {put.status}")
        kept.append([bool(_cart(after).get(name)) for name in ("reference", "attributes")])
        shown_by = [before, put, after]
    if kept[0] != kept[1]:
        return CouldNotTell("members that are left out of a cart are sometimes kept")
    if kept[0] == [False, False]:
        return Follows("replaces", shown_by)
    if kept[0] == [True, True]:
        return Follows("merges", shown_by)
    return Neither("of reference and attributes that are left out, one is kept and the other is not", shown_by)


# ------------------------------------------------------------------------- refusals of a cart: members, decimals


async def _refuses(
    bench: Bench, odd: Mapping[str, Any], amounts: tuple[float, float]
) -> tuple[bool | None, list[Exchange]]:
    """Whether an odd cart is refused while a plain one is accepted, asked in turns; None if the answers don't show it.

    Args:
        bench: makes the requests.
        odd: members of the odd cart.
        amounts: of the plain and of the odd cart.
    """
    order = await scratch(bench)
    refused: set[bool] = set()
    shown_by: list[Exchange] = []
    for _ in range(_TURNS):
        plain = {"reference": order.made.marker, "total": price(amounts[0])}
        control, _read = await bench.put_cart(order, plain, amounts=amounts[:1])
        if not control.succeeded:
            return None, [control]
        put, read = await bench.put_cart(
            order, {**plain, "total": price(amounts[1]), **odd}, amounts=amounts[1:], odd=True
        )
        if not (put.succeeded or put.refused):
            return None, [control, put]
        refused.add(put.refused)
        shown_by = [control, put, read]
    return (refused.pop() if len(refused) == 1 else None), shown_by


async def unknown_members(bench: Bench) -> Verdict:
    """A cart with a member that is not in the description."""
    refused, shown_by = await _refuses(bench, {"norceCalibrate": True}, (0.0, 0.0))
    if refused is None:
        return CouldNotTell("a cart is refused with and without an unknown member, or only sometimes")
    if refused:
        return Follows("refused", shown_by)
    if _cart(shown_by[-1]).get("norceCalibrate") is not None:
        return Neither("an unknown member is kept and shown", shown_by)
    return Follows("ignored", shown_by)


async def price_decimals(bench: Bench) -> Verdict:
    """A cart with an amount of three decimals."""
    refused, shown_by = await _refuses(bench, {}, (10.12, 10.123))
    if refused is None:
        return CouldNotTell("a cart is refused with two decimals too, or only sometimes")
    return Follows("two-at-most" if refused else "any", shown_by)


# ------------------------------------------------------------------------------------------------ attribute-null


async def attribute_null(bench: Bench) -> Verdict:
    """Two attributes are set, and one of them is then set to null, several times."""
    order = await scratch(bench)
    became: set[str] = set()
    shown_by: list[Exchange] = []
    for turn in range(_TURNS):
        control, _before = await bench.patch(order, {"first": str(turn), "second": str(turn)})
        if not control.succeeded:
            return CouldNotTell(f"setting attributes is refused with {control.status}")
        put = await bench.wire.write("PATCH", ATTRIBUTES, order.id, {"first": None})
        read = await bench.read(order)
        shown_by = [control, put, read]
        attributes = mapping_or_empty(read.mapping.get("attributes"))
        if attributes.get("second") != str(turn):
            return CouldNotTell("an attribute that was set does not show")
        if not (put.refused or put.succeeded):
            return CouldNotTell(f"setting an attribute to null is answered {put.status}")
        now = attributes.get("first", NOTHING)
        if put.refused != (now == str(turn)):
            bench.doubt(f"PATCH {ATTRIBUTES}")
            return CouldNotTell("setting an attribute to null was accepted but not done, or refused but done")
        became.add("refused" if put.refused else "deletes" if now is NOTHING else "stored" if now is None else "other")
    if len(became) > 1:
        return CouldNotTell("null has several effects")
    if (reading := became.pop()) == "other":
        return Neither("an attribute that is set to null gets another value", shown_by)
    return Follows(reading, shown_by)


# ------------------------------------------------------------------------------------------------- hooks-in-body

NOWHERE = "https://callback.invalid/norce-calibrate"
"""An address that leads nowhere (RFC 2606), for callbacks that are not to be called."""


async def hooks_in_body(bench: Bench) -> Verdict:
    """An order with a hook, a validation and a notification in its body is read back. Nothing triggers them."""
    answer, order = await bench.attempt(
        hooks=[{"adapterId": "norce_calibrate", "subscribeTo": "/customer", "invoke": NOWHERE, "version": "v0"}],
        validations=[{"adapterId": "norce_calibrate", "url": NOWHERE}],
        notifications=[
            {"adapterId": "norce_calibrate", "reference": "calibrate", "scope": "/customer", "invoke": NOWHERE}
        ],
    )
    if order is None:
        return CouldNotTell(f"an order with callbacks in its body is refused with {answer.status}")
    read = await bench.read(order, MANY)
    there = [bool(read.mapping.get(name)) for name in ("hooks", "validations", "notifications")]
    if all(there):
        return Follows("registered", [answer, read])
    if not any(there):
        return Follows("ignored", [answer, read])
    return Neither("of hook, validation and notification in the body, some are registered", [answer, read])


# -------------------------------------------------------------------------------------------------------- errors


async def errors(bench: Bench) -> Verdict:
    """An unknown order is read, and a cart whose lines are not a list is put, each several times."""
    order = await bench.sample()
    missing: list[Exchange] = []
    wrong: list[Exchange] = []
    for _ in range(_TURNS):
        missing.append(await bench.wire.read(ORDER, NO_ORDER))
        wrong.append(await bench.wire.write("PUT", CART, order.id, {"items": "none"}))
    if not all(each.status == 404 for each in missing):
        return CouldNotTell(f"an unknown order is answered {'/'.join(str(each.status) for each in missing)}")
    if not all(each.status == 400 for each in wrong):
        return CouldNotTell(f"an invalid cart is answered {'/'.join(str(each.status) for each in wrong)}")
    if any(len({_form_of_error(each) for each in pair}) > 1 for pair in (missing, wrong)):
        return CouldNotTell("one error was written in two ways")
    forms = {_form_of_error(each) for each in missing} | {_form_of_error(each) for each in wrong}
    shown_by = [missing[0], wrong[0]]
    if forms == {"code-message"}:
        return Follows("code-message", shown_by)
    if "other" in forms and len(forms) > 1:
        return CouldNotTell("errors have several forms; one may be that of a gateway")
    if "code-message" in forms or "other" in forms:
        return Neither("errors have another form, or several", shown_by)
    with_errors = [bool(mapping_or_empty(each.mapping.get("errors"))) for each in wrong]
    if len(set(with_errors)) > 1:
        return CouldNotTell("one error was written in two ways")
    return Follows("problem-details-with-errors" if with_errors[0] else "problem-details", shown_by)


def _form_of_error(answer: Exchange) -> str:
    if _has(answer, "code") and "message" in answer.mapping:
        return "code-message"
    if _has(answer, "title") and isinstance(answer.mapping.get("status"), int):
        return "problem-details"
    return "other"


# ----------------------------------------------------------------------------------------------- validate-failed


async def validate_failed(bench: Bench) -> Verdict:
    """An order with an empty cart is validated, several times."""
    order = await unready(bench)
    first, *others = [await bench.wire.validate(order.id) for _ in range(MANY)]
    if not all((each.status, each.data) == (first.status, first.data) for each in others):
        return CouldNotTell("validating an order again was answered in another way")
    if first.status not in (200, 400, 409, 422):
        return CouldNotTell(f"validating an order is answered {first.status}")
    entries = list_or_empty(None if first.data is UNREADABLE else first.data)
    inside = list_or_empty(first.mapping.get("errors"))
    shown_by = [first, others[0]]
    if first.status == 400 and entries:
        return Follows("list", shown_by)
    if first.status == 400 and inside:
        return Follows("errors-object", shown_by)
    if first.status == 200 and entries:
        return Follows("200-with-entries", shown_by)
    return Neither(f"validating an order with an empty cart is answered {first.status} in another form", shown_by)


async def unready(bench: Bench) -> TestOrder:
    """An order in checkout with an empty cart, which meets no demand that a status may have."""

    async def make() -> TestOrder:
        order = await bench.create(cart={"items": []})
        order.ready = False
        return order

    return await bench.shared("unready", make)


# --------------------------------------------------------------------------------------------------------- scope


async def scope(bench: Bench) -> Verdict:
    """An order is read under another channel, several times, between reads under its own."""
    order = await bench.sample()
    other: list[Exchange] = []
    own = await bench.read(order)
    for _ in range(_TURNS):
        other.append(await bench.wire.read(ORDER, order.id, channel=bench.other_channel))
        own = await bench.read(order)
    if not alike(*other):
        return CouldNotTell("reading an order under another channel again was answered in another way")
    reading = {404: "not-found", 403: "forbidden", 200: "visible"}.get(other[0].status)
    if reading == "visible" and other[0].mapping.get("id") != order.id:
        reading = None
    shown_by = [other[0], own]
    if reading is None:
        return Neither(f"an order of another channel is answered {other[0].status}", shown_by)
    return Follows(reading, shown_by)


PROBES = (
    Probe(
        "create-answer",
        "Creates two orders and looks at the answers.",
        {
            "id-and-location": "201, an object with the id, a Location",
            "bare-string": "201, the id as a bare text, a Location",
            "location-alone": "201, no body, a Location",
            "200-without-location": "200, an object with the id, no Location",
        },
        create_answer,
    ),
    Probe(
        "nulls",
        "Creates an order with few members and reads it.",
        {"left-out": "no member is null, and members are missing", "written": "members are null"},
        nulls,
    ),
    Probe(
        "times",
        "Reads the times of two orders.",
        {
            "microseconds": "six decimals and Z in each",
            "seven-digits": "seven decimals and Z in each",
            "no-offset": "six decimals and no offset in each",
        },
        times,
    ),
    Probe(
        "enum-written",
        "Creates an order for a `Person` and one for a `person`, and reads both.",
        {
            "as-described": "`person` in both",
            "as-sent": "each as it was sent",
            "capitalised": "`Person` in both",
        },
        enum_written,
    ),
    Probe(
        "cart-total",
        "Reads a cart that was sent without a total, and a cart that was sent with a wrong total.",
        {
            "summed-when-missing": "the sum, and the wrong total as it was sent",
            "zero-when-missing": "nothing, and the wrong total as it was sent",
            "recomputed": "the sum in both",
        },
        cart_total,
    ),
    Probe(
        "cart-put",
        "Replaces a cart with reference and attributes by a cart without them, twice.",
        {"replaces": "both are gone", "merges": "both are still there"},
        cart_put,
    ),
    Probe(
        "unknown-members",
        "Puts a cart with an unknown member and a cart without it in turn.",
        {"ignored": "it is accepted, and the member is not shown", "refused": "it is refused each time"},
        unknown_members,
    ),
    Probe(
        "price-decimals",
        "Puts a cart with an amount of three decimals and a cart with two decimals in turn.",
        {"any": "it is accepted each time", "two-at-most": "it is refused each time"},
        price_decimals,
    ),
    Probe(
        "attribute-null",
        "Sets an attribute to null and reads it back, several times.",
        {"deletes": "its key is gone", "stored": "it is null", "refused": "400 each time, and it keeps its value"},
        attribute_null,
    ),
    Probe(
        "hooks-in-body",
        "Creates an order with callbacks in its body, and reads it; they are never called.",
        {"registered": "all of them are there", "ignored": "none of them is there"},
        hooks_in_body,
    ),
    Probe(
        "errors",
        "Reads an unknown order and puts an invalid cart, each several times.",
        {
            "code-message": "`{code, message}` each time",
            "problem-details": "title and status, without `errors`",
            "problem-details-with-errors": "title and status, and `errors` for the cart",
        },
        errors,
    ),
    Probe(
        "validate-failed",
        "Validates an order with an empty cart, several times.",
        {
            "list": "400 with a list",
            "errors-object": "400 with `errors`",
            "200-with-entries": "200 with a list that is not empty",
        },
        validate_failed,
    ),
    Probe(
        "scope",
        "Reads an order under the channel named with --other-channel, several times.",
        {"not-found": "404", "forbidden": "403", "visible": "200 with the order"},
        scope,
        needs="other-channel",
    ),
)
