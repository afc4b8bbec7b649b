"""Reading answers: bodies that are cut off, empty or HTML, undocumented successes, ids, reports, errors, and the record
of drift."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from norce_order_async._json import UNREADABLE, read_json
from norce_order_async.engines.base import WireResponse
from norce_order_async.errors import BadRequestError, CallError, OutcomeUnknownError, UnavailableError
from norce_order_async.pipeline.operations import (
    CREATE_ORDER,
    CREATE_PAYMENT,
    DELETE_ORDER,
    GET_ORDER,
    LIST_ORDERS,
    SET_CART,
    UPDATE_PAYMENT,
    VALIDATE,
    Expects,
    Operation,
)
from norce_order_async.pipeline.response import DriftRecord, created_id, read_refusal
from tests.support.engine import Step, answer
from tests.support.kinds import by_kind
from tests.support.pipeline import answered_id, description, stand

pytestmark = pytest.mark.anyio

EVERY = by_kind()

HTML = b"<html><title>Sign in</title></html>"
CUT = b'{"id": "o1", "cart": {"ref'


def success_of(operation: Operation) -> int:
    return min(int(status) for status in description()[operation.id]["statuses"])


@EVERY
@pytest.mark.parametrize("body", [HTML, CUT, b"", b" ", b"\xff\xfe\x00", b"null", b"[" * 100_000])
# The result of an answer is computed without awaiting anything.
@pytest.mark.in_turn("anyio_backend")
async def test_a_success_with_an_unreadable_body(operation: Operation, body: bytes) -> None:
    """If no body is needed, the call succeeds. Otherwise the outcome is unknown or the read fails, and no parser's
    exception gets out."""
    stand_ = stand(lambda _: answer(success_of(operation), body=body))
    if operation.brings is Expects.NOTHING or (operation.brings is Expects.REPORT and body.strip() in (b"", b"null")):
        done = await stand_.call(operation)
        assert (len(stand_.sent), done.parsed) == (1, None)
        if body in (HTML, CUT):
            assert (operation.id, "body", "not-json") in drifts(stand_.client.drift)
        return
    with pytest.raises(CallError, match="without a readable body") as caught:
        await stand_.call(operation)
    writes = operation.brings is Expects.ID
    assert type(caught.value) is (OutcomeUnknownError if writes else UnavailableError)
    assert caught.value.attempts[0].outcome == "unknown"


def drifts(record: DriftRecord) -> list[tuple[str, str, str]]:
    return [(drift.operation, drift.where, drift.kind) for drift, _ in record]


@EVERY
async def test_an_undocumented_success_is_recorded_and_accepted(operation: Operation) -> None:
    """A 207 is accepted and counted, with a body, and without one if none is needed."""
    stand_ = stand([answer(207, {"id": answered_id(operation)}), answer(207, location="/orders/x1", body=b"")])
    done = await stand_.call(operation)
    assert done.status == 207
    assert (operation.id, f"{operation.id}.207", "unknown-status") in drifts(stand_.client.drift)
    if operation.brings is Expects.NOTHING:
        await stand_.call(operation)
        counts = {drift.where: count for drift, count in stand_.client.drift}
        assert counts[f"{operation.id}.207"] == 2


async def test_an_undocumented_success_keeps_its_body() -> None:
    """The body of an undocumented success is decoded like that of the documented one."""
    stand_ = stand([answer(203, {"id": "o1"}), answer(206, {"data": [{"id": "o2"}]})])
    assert (await stand_.call(GET_ORDER)).parsed.id == "o1"
    assert [order.id for order in (await stand_.call(LIST_ORDERS)).parsed.data] == ["o2"]


@pytest.mark.parametrize("operation", [CREATE_ORDER, CREATE_PAYMENT])
@pytest.mark.parametrize(
    "step",
    [
        answer(201, {"id": "x1"}),
        answer(201, "x1"),
        answer(200, {"id": "x1", "more": True}),
        answer(201, body=b"", location="https://acme.example/api/v0/checkout/orders/x1"),
        answer(201, body=HTML, location="/api/v0/checkout/orders/x1/"),
        answer(201, {"href": "somewhere"}, location="orders/x1?expand=1"),
        answer(204, location="x1"),
    ],
)
async def test_an_id_in_three_forms(operation: Operation, step: Step) -> None:
    """The id is read from an object, from a bare string or from the Location header alone."""
    assert (await stand([step]).call(operation)).id == "x1"


def test_no_usable_id() -> None:
    """An empty id, a number and a list give no id."""
    nothing: list[Any] = [{"id": ""}, {"id": 5}, {"id": None}, [], 5, None, UNREADABLE, ""]
    for data in nothing:
        assert created_id(WireResponse(201, {}, b"..."), data) is None


@pytest.mark.parametrize(
    ("step", "entries"),
    [
        (answer(200, []), 0),
        (answer(200, [{"adapterId": "a1"}]), 1),
        (answer(400, [{"adapterId": "a1"}, {"adapterId": "a2"}]), 2),
        (answer(400, {"errors": [{"adapterId": "a1"}]}), None),
    ],
)
async def test_a_validation_report_may_come_with_a_400(step: Step, entries: int | None) -> None:
    """Both shapes of a report are results and not errors, also with a 400."""
    done = await stand([step]).call(VALIDATE)
    assert done.status == step.status
    if entries is None:
        assert done.parsed.errors[0].adapter_id == "a1"
    else:
        assert len(done.parsed) == entries


@pytest.mark.parametrize("data", [{"code": "bad", "message": "no"}, {"errors": {"cart": ["no"]}}, {}, "no", None])
async def test_any_other_400_of_validate_is_an_error(data: Any) -> None:
    """A 400 with ``{code, message}``, with ASP.NET's field errors or without a body is an error."""
    with pytest.raises(BadRequestError):
        await stand([answer(400, data)]).call(VALIDATE)


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        ({"code": "c1", "message": "m1"}, "c1", "m1"),
        (
            {"type": "https://httpstatuses.io/400", "title": "Bad", "detail": "why"},
            "bad-request",
            "Bad: why",
        ),
        ({"title": "Bad", "status": 400}, "bad-request", "Bad"),
        ({"type": "https://tools.ietf.org/html/rfc9110#section-15.5.1", "title": "Bad"}, "bad-request", "Bad"),
        ({"type": "about:blank", "detail": "why"}, "bad-request", "why"),
        ({"type": "https://norce.io/problems/order-conflict/", "title": "T", "detail": "T"}, "order-conflict", "T"),
        ({"type": "urn:norce:order-validation"}, "order-validation", None),
        ({"type": 5, "title": ["x"]}, "bad-request", None),
        ({"code": 5, "message": None}, None, None),
    ],
)
async def test_the_contents_of_an_error_body(data: dict[str, Any], code: str | None, message: str | None) -> None:
    """The error has the code, the message and the whole body as attributes, from ``{code, message}`` or
    ProblemDetails."""
    with pytest.raises(BadRequestError) as caught:
        await stand([answer(400, data)]).call(SET_CART)
    assert (caught.value.code, caught.value.message, caught.value.problem) == (code, message, data)


@pytest.mark.parametrize("body", [HTML, CUT, b"", b"[]", b'"no"', b"5"])
async def test_an_error_without_a_usable_body_is_still_that_error(body: bytes) -> None:
    """The status decides the error, and its attributes are None."""
    with pytest.raises(BadRequestError) as caught:
        await stand([answer(400, body=body)]).call(SET_CART)
    assert (caught.value.code, caught.value.message, caught.value.problem) == (None, None, None)


async def test_field_errors_are_reported_by_member() -> None:
    """ASP.NET's map of members to errors becomes pairs, and values of other types are left out."""
    errors = {"$.cart.items[0].sku": ["is required", "is odd"], "Culture": "no such", "x": [5], "y": None}
    with pytest.raises(BadRequestError) as caught:
        await stand([answer(400, {"title": "Validation errors", "errors": errors})]).call(SET_CART)
    assert caught.value.field_errors == (
        ("$.cart.items[0].sku", "is required"),
        ("$.cart.items[0].sku", "is odd"),
        ("Culture", "no such"),
    )
    assert caught.value.code == "bad-request"


def test_a_status_without_a_name_gives_no_code() -> None:
    """A status without a standard name gives no code."""
    assert read_refusal({"title": "Odd"}, 499).code is None


def test_a_refusal_that_is_not_an_object_has_no_words() -> None:
    """A list gives neither a code nor a message."""
    said = read_refusal(["code"], 400)
    assert (said.code, said.message, said.problem) == (None, None, None)


@pytest.mark.parametrize(
    ("body", "data"),
    [(b'{"a": NaN}', {"a": None}), (b'{"a": -Infinity}', {"a": None}), (b"{", UNREADABLE), (b"1" * 9999, UNREADABLE)],
)
def test_invalid_json(body: bytes, data: Any) -> None:
    """NaN reads as null. An unreadable body has a mark of its own, which differs from null."""
    assert read_json(body) == data if data is not UNREADABLE else read_json(body) is UNREADABLE


async def test_the_record_counts_and_logs_once_for_each_kind(caplog: pytest.LogCaptureFixture) -> None:
    """Each kind is counted every time and logged once, by name and never with a value."""
    odd = {"id": "o1", "state": {"currentStatus": "Verlorengegangen-Anna"}, "surprise": "anna@example.com"}
    stand_ = stand(lambda _: answer(200, odd))
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            assert (await stand_.call(GET_ORDER)).parsed.id == "o1"
    assert {count for _, count in stand_.client.drift} == {3}
    kinds = {drift.kind for drift, _ in stand_.client.drift}
    assert {"unknown-word", "extra"} <= kinds
    lines = [record.getMessage() for record in caplog.records if record.name == "norce_order_async.drift"]
    assert len(lines) == len(set(lines)) == len(stand_.client.drift)
    assert "Anna" not in caplog.text
    assert "anna@" not in caplog.text
    assert repr(stand_.client.drift) == f"<DriftRecord: {len(lines)} kinds, {3 * len(lines)} in all>"


async def test_the_most_frequent_difference_comes_first() -> None:
    """The record iterates over its kinds from the most frequent one on."""
    stand_ = stand([answer(200, body=HTML), answer(200, body=HTML), answer(207)])
    for operation in (SET_CART, SET_CART, DELETE_ORDER):
        await stand_.call(operation)
    assert [count for _, count in stand_.client.drift] == [2, 1]
    assert len(stand_.client.drift) == 2


async def test_a_documented_body_reads_without_drift() -> None:
    stand_ = stand([answer(200, {"id": "payment_id-1", "reference": "p-ref", "amount": 10.0})])
    assert (await stand_.call(UPDATE_PAYMENT)).parsed.reference == "p-ref"
