"""Random walks under random sets of readings show that any readings together are one coherent service.

Every answer is one that the description or a chosen reading allows, and is written as the readings say. The demands of
the rules on orders hold. A rule that a walk did not touch makes no difference to it, whatever the other readings are.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from random import Random
from typing import Any

import httpx
import pytest

from norce_order_async._json import is_list
from norce_order_async.sandbox import Readings
from norce_order_async.sandbox.policy import TRANSITIONS
from norce_order_async.sandbox.rules import READINGS
from tests.sandbox.callbacks.receiver import Receiver
from tests.sandbox.support import Json, followed, operation_of
from tests.support.turns import for_soak

from .walks import Step, Walker, random_readings, random_walk

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

SEEDS = [*range(30), *for_soak(range(30, 1000))]

TIMES = {
    "microseconds": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"),
    "seven-digits": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z"),
    "no-offset": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}"),
}


async def walked(seed: int, receiver: Receiver) -> tuple[Walker, Random]:
    """Walk under a set of readings. A third of the walks has the first readings."""
    drawn = Random(seed)
    readings = random_readings(drawn) if seed % 3 else Readings()
    walker = Walker(readings, receiver)
    await walker.walk(random_walk(drawn))
    return walker, drawn


@pytest.mark.parametrize("seed", SEEDS)
async def test_an_untouched_rule_makes_no_difference(seed: int, receiver: Receiver) -> None:
    plain, drawn = await walked(seed, receiver)
    assert (await walked(seed, receiver))[0].seen == plain.seen, "the same walk is the same twice"
    steps = random_walk(_after_readings(seed))
    others = {
        rule: drawn.choice([name for name in readings if name != plain.readings[rule]])
        for rule, readings in READINGS.items()
        if rule not in plain.touched
    }
    again = Walker(plain.readings | others, receiver)
    await again.walk(steps)
    assert again.seen == plain.seen, others


def _after_readings(seed: int) -> Random:
    drawn = Random(seed)
    if seed % 3:
        random_readings(drawn)
    return drawn


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_answer_is_one_that_the_readings_allow(
    seed: int, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="norce_order_async.sandbox"):
        walker, _ = await walked(seed, receiver)
    assert caplog.records == []
    for method, path, answer, faults in walker.answers:
        if not faults:
            try:
                _allowed(walker.readings, method, path, answer)
            except AssertionError as error:
                raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}: {error}") from error


def _allowed(readings: Readings, method: str, path: str, answer: httpx.Response) -> None:
    status = answer.status_code
    operation = operation_of(method, path.partition("?")[0])
    if operation is None:
        assert status in (404, 405)
        _check_error(readings, answer)
        return
    allowed = {int(each) for each in operation["responses"]} - {500}
    name = operation["operationId"]
    if name == "CreateCheckoutOrder" and readings["create-answer"] == "200-without-location":
        allowed.add(200)
    if readings["scope"] == "forbidden":
        allowed.add(403)
    if readings["hook-denial"] == "conflict" or (
        name == "DeleteCheckoutOrder" and readings["delete-order"] == "checkout-only"
    ):
        allowed.add(409)
    if readings["state-answer"] == "200-when-done":
        allowed.discard(202)
    assert status in allowed, "the status"
    if status >= 400:
        if name == "Validate" and status == 400 and readings["validate-failed"] != "200-with-entries":
            found = answer.json()
            if is_list(found) or "errors" in found:
                assert is_list(found) == (readings["validate-failed"] == "list")
                return
        if readings["hook-denial"] != "hook-body" or answer.content != b'{"why": "no"}':
            _check_error(readings, answer)
        return
    if name == "CreateCheckoutOrder":
        _check_creation(readings, answer)
        return
    content = followed(operation["responses"].get(str(status), {})).get("content")
    if content is None or not answer.content:
        assert answer.content == b"", "no body"
        return
    _check_value(answer.json(), content["application/json"]["schema"], readings, "$")
    data = answer.json()
    for order in data["data"] if name == "GetCheckoutOrders" else [data] if name == "GetCheckoutOrder" else []:
        _check_order(order, readings)


def _check_error(readings: Readings, answer: httpx.Response) -> None:
    body = answer.json()
    match readings["errors"]:
        case "code-message":
            assert body.keys() == {"code", "message"}
        case "problem-details":
            assert body.keys() == {"type", "title", "status", "detail", "traceId"}
            assert body["status"] == answer.status_code
        case _:
            assert body.keys() - {"detail", "errors"} == {"type", "title", "status", "traceId"}
            assert ("errors" in body) != ("detail" in body)


def _check_creation(readings: Readings, answer: httpx.Response) -> None:
    located = "location" in answer.headers
    match readings["create-answer"]:
        case "bare-string":
            assert (answer.status_code, located, type(answer.json())) == (201, True, str)
        case "location-alone":
            assert (answer.status_code, located, answer.content) == (201, True, b"")
        case "200-without-location":
            assert (answer.status_code, located, answer.json().keys()) == (200, False, {"id"})
        case _:
            assert (answer.status_code, located, answer.json().keys()) == (201, True, {"id"})


def _check_value(value: Any, schema: Mapping[str, Any], readings: Readings, path: str) -> None:
    """Check a value against its schema, with nulls, times and enums as the readings have them."""
    schema = followed(dict(schema))
    for part in [*schema.get("allOf", []), *schema.get("anyOf", [])[:1]]:
        _check_value(value, part, readings, path)
    if value is None:
        assert readings["nulls"] == "written", f"{path} is null"
        return
    if "enum" in schema:
        words = schema["enum"]
        match readings["enum-written"]:
            case "as-described":
                assert value in words, path
            case "capitalised":
                assert value in [word[:1].upper() + word[1:] for word in words], path
            case _:
                assert value.lower() in [word.lower() for word in words], path
    if schema.get("format") == "date-time":
        assert TIMES[readings["times"]].fullmatch(value), f"{path}: {value}"
    members: Mapping[str, Any] = schema.get("properties", {})
    if members:
        assert value.keys() <= members.keys(), path
        if readings["nulls"] == "written" and not schema.get("allOf"):
            assert value.keys() == members.keys(), path
        for name, member in value.items():
            _check_value(member, members[name], readings, f"{path}.{name}")
    elif schema.get("type") == "array":
        for index, entry in enumerate(value):
            _check_value(entry, schema["items"], readings, f"{path}[{index}]")


def _check_order(order: Mapping[str, Any], readings: Readings) -> None:
    cart: Json = order.get("cart") or {}
    standing = [one for one in order["shippings"] if one["state"].lower() != "removed"]
    total = _cents(cart.get("total")) + sum(_cents(one.get("total")) for one in standing)
    assert _cents(order["total"]) == total, "the total is not that of cart and shippings"
    if readings["cart-total"] == "recomputed" and cart:
        items: list[Json] = cart.get("items") or []
        assert _cents(cart["total"]) == sum(_cents(item.get("total")) for item in items)
    statuses = [one["status"].lower() for one in order["state"]["transitions"]]
    if statuses:
        assert statuses[-1] == order["state"]["currentStatus"].lower()
    if readings["transitions"] == "table" and readings["delete-order"] != "moves-to-removed":
        for before, after in zip(["checkout", *statuses], statuses, strict=False):
            again = before == after and readings["same-status"] == "again"
            assert after in TRANSITIONS[before] or again, statuses


def _cents(price: Mapping[str, Any] | None) -> int:
    return round(float((price or {}).get("includingVat", 0)) * 100 + 1e-6)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_unique_cart_reference_is_unique(seed: int, receiver: Receiver) -> None:
    """That holds under any other readings, and for an order that comes back from removed."""
    drawn = Random(seed)
    readings = random_readings(drawn) | {"cart-reference-unique": "at-commit"}
    walker = Walker(readings, receiver)
    steps = [step for step in random_walk(drawn) if step[0] not in ("faults", "reset")]
    steps += [("send", {"method": "GET", "path": "/orders?limit=50"})]
    await walker.walk([*steps, ("advance", {"seconds": 10}), steps[-1]])
    pages = [one.json() for _, path, one, _ in walker.answers if path == "/orders?limit=50" and one.status_code == 200]
    for page in pages:
        held = [
            _reference(order)
            for order in page["data"]
            if _reference(order) and order["state"]["currentStatus"].lower() != "removed"
        ]
        assert len(held) == len(set(held)), held


def _reference(order: Json) -> str | None:
    cart: Json = order.get("cart") or {}
    return cart.get("reference")


async def test_an_order_that_comes_back_does_not_share_its_cart_reference(receiver: Receiver) -> None:
    walker = Walker(Readings({"transitions": "unchecked"}), receiver)
    cart = {"cart": {"reference": "c1"}}

    def send(method: str, path: str, body: object, order: int = 0) -> Step:
        return "send", {"method": method, "path": path, "body": body, "order": order}

    def go(status: str, order: int) -> Step:
        return send("PUT", "/orders/{order}/state", {"currentStatus": status}, order)

    await walker.walk(
        [send("POST", "/orders", cart), go("removed", 0), send("POST", "/orders", cart), go("checkout", 1)]
    )
    assert [one.status_code for _, _, one, _ in walker.answers] == [201, 200, 201, 400]
