"""Errors, reprs and log lines show no token, no personal data and no body, for any request and answer."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator

import pytest

from norce_order_async import CallOptions
from norce_order_async.auth.providers import StaticToken, Tokens
from norce_order_async.context import Context
from norce_order_async.errors import NorceError
from norce_order_async.pipeline.answer import Answer
from norce_order_async.pipeline.operations import OPERATIONS, Operation
from norce_order_async.pipeline.readback import Baseline
from norce_order_async.pipeline.request import Requests
from tests.support.engine import Step, answer, lost
from tests.support.pipeline import BASE_URL, Stand, stand

pytestmark = pytest.mark.anyio

TOKEN = "tok-5ecret"
SECRETS = (TOKEN, "19121212-1212", "anna.berg@example.com", "Storgatan", "hdr-5ecret", "cursor-5ecret")

PERSON = {
    "name": "Anna Berg, 19121212-1212",
    "email": "anna.berg@example.com",
    "street": "Storgatan 1",
    "reference": "anna.berg@example.com",
    "cart": {"reference": "anna.berg@example.com"},
    "adapterId": "anna.berg@example.com",
    "invoke": "https://anna.berg@example.com",
    "url": "https://anna.berg@example.com",
    "id": "anna.berg@example.com",
    "currentStatus": "anna.berg@example.com",
}
SAID = {
    "code": "19121212-1212 anna.berg@example.com",
    "message": "anna.berg@example.com (19121212-1212) may not send tok-5ecret and hdr-5ecret",
    "type": "https://errors.example/19121212-1212",
    **{f"anna.berg@example.com {number}": "Storgatan" for number in range(2)},
    "state": {"currentStatus": "anna.berg@example.com"},
}

ECHO = {"message": "Anna Berg lives in Storgatan, by cursor-5ecret"}
"""A body that a request with a person in it, or a search, may get as its answer."""

STEPS: list[Step] = [
    answer(200, SAID),
    answer(201, {**PERSON, "id": "x1"}),
    answer(200, body=b"<html>anna.berg@example.com 19121212-1212"),
    *(answer(status, SAID) for status in (302, 400, 401, 403, 404, 409, 422, 429, 500, 501)),
    answer(429, SAID, retry_after="anna.berg@example.com"),
    lost("read"),
    lost("connect"),
]


def texts(error: BaseException) -> Iterator[str]:
    yield str(error)
    yield repr(error)
    yield from traceback.format_exception(error)
    for attempt in getattr(error, "attempts", ()):
        yield repr(attempt)


def reprs(stand_: Stand) -> Iterator[str]:
    session = stand_.session
    for thing in (stand_.client, session, session.core, session.core.auth, session.context, stand_.client.drift):
        yield repr(thing)
    for request in stand_.engine.requests:
        yield repr(request)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
async def test_no_text_shows_a_secret(operation: Operation, caplog: pytest.LogCaptureFixture) -> None:
    """No text shows a secret, for every operation with every kind of answer, at DEBUG."""
    schema_is_list = operation.id in ("PatchCheckoutOrderConsents", "AddPaymentAction")
    body = [PERSON] if schema_is_list else "anna.berg@example.com" if "Reference" in operation.id else PERSON
    seen: list[str] = []
    caplog.set_level(logging.DEBUG)
    reading_back = [answer(200, SAID)] * 6
    sends_a_person = isinstance(body, dict) and has_body(operation)
    echo = [answer(status, ECHO) for status in (400, 422, 429, 500)] if sends_a_person else []
    for step in [*STEPS, *echo]:
        stand_ = stand([step] * 3 + reading_back, token=TOKEN, headers={"x-key": "hdr-5ecret"})
        options = CallOptions(headers={"x-other": "hdr-5ecret"})
        seen.append(repr(options))
        query = {"search": "cursor-5ecret"} if operation.id == "GetCheckoutOrders" else None
        try:
            done = await stand_.call(
                operation,
                body=body if has_body(operation) else None,
                query=query,
                before=Baseline(ids=frozenset()),
                options=options,
            )
        except NorceError as error:
            seen.extend(texts(error))
        else:
            assert isinstance(done, Answer)
            seen.append(repr(done))
        seen.extend(reprs(stand_))
    assert len(caplog.records) > len(STEPS)
    seen.append(caplog.text)
    seen.extend(repr(record.args) for record in caplog.records if record.name.startswith("norce"))
    told = "\n".join(seen)
    assert [secret for secret in SECRETS if secret in told] == []


def has_body(operation: Operation) -> bool:
    from tests.support.pipeline import description

    return description()[operation.id]["schema"] is not None


def test_internal_objects_show_no_secret() -> None:
    """The reprs of internal objects, which a debugger or a crash report prints, show no secret."""
    (create,) = [row for row in OPERATIONS if row.id == "CreateCheckoutOrder"]
    context = Context.create(merchant="acme", channel="se", headers={"x-key": "hdr-5ecret"})
    requests = Requests(BASE_URL, context, "agent")
    told = repr(requests.prepare(create, {}, body=PERSON)) + repr(requests) + repr(context)
    told += repr(Tokens(StaticToken(TOKEN))) + repr(Tokens(StaticToken(TOKEN)).at_hand())
    assert [secret for secret in SECRETS if secret in told] == []


async def test_log_lines_hold_the_useful_facts(caplog: pytest.LogCaptureFixture) -> None:
    """A line has operation, order, attempt, outcome, status, the next step and the correlation id."""
    stand_ = stand([answer(500), answer(200, {})], token=TOKEN)
    about, correlation = "GetCheckoutOrder order=o1", "correlation=corr-1"
    with caplog.at_level(logging.DEBUG, logger="norce_order_async"):
        (get,) = [row for row in OPERATIONS if row.id == "GetCheckoutOrder"]
        await stand_.call(get, options=CallOptions(correlation_id="corr-1"))
    lines = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "norce_order_async"]
    assert lines == [
        ("INFO", f"{about} attempt=1 outcome=unknown status=500 seconds=0.000 next=repeat after 0.00 s {correlation}"),
        ("DEBUG", f"{about} attempt=2 outcome=succeeded status=200 seconds=0.000 next=return {correlation}"),
    ]
