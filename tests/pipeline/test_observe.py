"""Log lines show only what a list allows, and observers can't break a call."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import pytest

from norce_order_async import Attempt, CallError, CallEvent, NorceOrderClient, NotFoundError, OutcomeUnknownError
from norce_order_async._json import is_list, is_mapping
from norce_order_async.engines.base import WireRequest, WireResponse
from norce_order_async.pipeline.events import SHOWN_HEADERS, Reporter, masked_body, shown_headers
from norce_order_async.pipeline.operations import (
    CREATE_ORDER,
    CREATE_PAYMENT,
    GET_ORDER,
    LIST_ORDERS,
    OPERATIONS,
    PATCH_ATTRIBUTES,
    SET_BILLING,
    Operation,
)
from norce_order_async.pipeline.readback import Baseline
from norce_order_async.pipeline.settings import CallOptions
from norce_order_async.sandbox import Sandbox
from tests.support.engine import Step, answer, lost
from tests.support.pipeline import description, path_names, stand

pytestmark = pytest.mark.anyio

PERSONAL = ("Anna Svensson", "anna@example.com", "+46701234567", "0701234567", "19900101-1234", "Storgatan 1", "Åsa")
"""A person, in the forms that members of an order hold."""

SCHEMAS: dict[str, Any] = json.loads(resources.files("norce_order_api").joinpath("openapi.json").read_text("utf-8"))[
    "components"
]["schemas"]


def full(schema: dict[str, Any], people: Iterator[str], depth: int = 8) -> Any:
    """Build a value of a schema in which every text, also each enum, date and free-form member, is about people."""
    if "$ref" in schema:
        return full(SCHEMAS[schema["$ref"].rpartition("/")[2]], people, depth)
    members: dict[str, Any] = {}
    for part in schema.get("allOf", []):
        inner = full(part, people, depth)
        if not isinstance(inner, dict):
            return inner
        members |= inner
    for name, member in schema.get("properties", {}).items():
        if depth:
            members[name] = full(member, people, depth - 1)
    if schema.get("additionalProperties"):
        members |= {next(people): next(people), "id": next(people), "type": {"code": [next(people)]}}
    if members:
        return members
    match schema.get("type"):
        case "array":
            return [full(schema["items"], people, depth)]
        case "number" | "integer":
            return 1.5
        case "boolean":
            return True
        case "object":
            return {}
        case _:
            return next(people)


def texts(value: Any) -> list[str]:
    """Return every text in a value, without the names of members."""
    if is_mapping(value):
        return [text for one in value.values() for text in texts(one)]
    if is_list(value):
        return [text for one in value for text in texts(one)]
    return [value] if isinstance(value, str) else []


def clean(log: str, *secrets: str) -> None:
    """Check that no personal text, token or secret is in a log, in any spelling that a log could have."""
    for secret in (*PERSONAL, *secrets):
        for spelling in (secret, json.dumps(secret)[1:-1], secret.replace(" ", "+"), secret.replace("@", "%40")):
            assert spelling not in log
    assert "t0ken" not in log


# Bodies


@pytest.mark.parametrize("name", sorted(SCHEMAS))
@pytest.mark.parametrize("personal", PERSONAL)
# The model decides which members are shown, and one pattern which texts.
@pytest.mark.in_turn("personal")
def test_no_member_of_any_model_shows_a_person(name: str, personal: str) -> None:
    """No member shows personal text. Members whose texts are shown, such as ids, show only plain words."""
    body = full(SCHEMAS[name], itertools.repeat(personal))
    shown = repr(masked_body(json.dumps(body).encode()))
    assert personal not in shown


def test_the_bodies_of_that_test_are_full() -> None:
    """An order has more than 150 texts, so the test above means something."""
    assert len(texts(full(SCHEMAS["Order"], itertools.repeat("Anna Svensson")))) > 150


def test_what_helps_is_shown() -> None:
    """Ids, statuses, codes, times and money are shown; names and free texts are masked."""
    body = {
        "id": "oAbC-12",
        "created": "2026-01-12T10:00:00.123456+01:00",
        "state": {"currentStatus": "processing", "transitions": [{"status": "checkout"}]},
        "total": {"includingVat": 12500.5},
        "cart": {"reference": "our cart", "items": [{"sku": "T-1", "name": "Thing", "quantity": 2}]},
        "customer": {"billing": {"givenName": "Anna", "type": "Person", "country": "SE", "phone": None}},
        "codes": ["a"],
    }
    assert masked_body(json.dumps(body).encode()) == {
        "id": "oAbC-12",
        "created": "2026-01-12T10:00:00.123456+01:00",
        "state": {"currentStatus": "processing", "transitions": [{"status": "checkout"}]},
        "total": {"includingVat": 12500.5},
        "cart": {"reference": "***", "items": [{"sku": "T-1", "name": "***", "quantity": 2}]},
        "customer": {"billing": {"givenName": "***", "type": "Person", "country": "SE", "phone": None}},
        "codes": ["***"],
    }


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (None, None),
        (b"", None),
        (b'"anna@example.com"', "***"),
        (b'["Anna Svensson"]', ["***"]),
        (b"Anna Svensson", "<13 bytes>"),
        (b"<html>Anna</html>", "<17 bytes>"),
        (b"\xff\xfeA", "<3 bytes>"),
        (b"[" * 100_000 + b"]" * 100_000, "<200000 bytes>"),
        (b"199001011234", "***"),
        (b"-701234567.0", "***"),
        (
            b'{"phone": 701234567, "amount": 99999999, "open": true}',
            {"phone": "***", "amount": 99_999_999, "open": True},
        ),
        (b'{"attributes": {"Anna": 7}}', {"attributes": "***"}),
        (b'{"anna@example.com": true, "1990": {"id": "x"}}', {"***": {"id": "x"}}),
        (b'{"id": ["a1", "Anna Svensson", {"name": "Anna"}]}', {"id": ["a1", "***", {"name": "***"}]}),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_unusual_bodies(body: bytes | None, shown: Any) -> None:
    assert masked_body(body) == shown


def test_headers_by_allow_list() -> None:
    """Names are shown, and values only of harmless headers. A redirect's address is shown without its query."""
    given = {
        "Authorization": "Bearer t0ken",
        "Cookie": "sid=1",
        "X-Merchant": "acme",
        "x-anything": "Anna",
        "location": "https://x.example/login?email=anna%40example.com",
        "retry-after": "3",
    }
    assert shown_headers(given) == {
        "Authorization": "***",
        "Cookie": "***",
        "X-Merchant": "acme",
        "x-anything": "***",
        "location": "https://x.example/login",
        "retry-after": "3",
    }
    assert not SHOWN_HEADERS & {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"}


# Log lines


def leaking(people: Iterator[str]) -> list[Step]:
    """Return answers full of personal texts: orders, lists of them, refusals and failures."""
    order = full(SCHEMAS["Order"], people)
    said = {"code": next(people), "message": next(people), "errors": [{"code": next(people)}], "title": next(people)}
    pairs: list[tuple[int, Any]] = [(200, order), (200, {"data": [order]}), (201, [order]), (400, said), (500, said)]
    return [answer(status, data, x_note="Anna Svensson") for status, data in pairs]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
@pytest.mark.parametrize("bodies", [False, True])
# Lines are written without awaiting anything.
@pytest.mark.in_turn("anyio_backend")
async def test_no_person_in_any_line_at_any_level(
    operation: Operation, bodies: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """No line shows a person, although request, answer, query and headers are full of them, after success, refusal and
    failure."""
    caplog.set_level(logging.DEBUG)
    people = itertools.cycle(PERSONAL)
    schema = description()[operation.id]["schema"]
    path = dict.fromkeys(path_names(operation), "id1")
    query = {"billing_emails": [*PERSONAL], "search": next(people)} if operation is LIST_ORDERS else None
    options = CallOptions(headers={"x-note": "for Anna Svensson"}, max_attempts=1)
    for step in leaking(people):
        on = stand(itertools.repeat(step), log_bodies=bodies)
        body = None if schema is None else full(schema, people)
        with contextlib.suppress(CallError):
            await on.session.call(operation, path, query=query, body=body, options=options)
    clean(caplog.text)
    assert operation.id in caplog.text
    assert ("body=" in caplog.text) == bodies


async def test_lines_of_an_ordinary_client(caplog: pytest.LogCaptureFixture) -> None:
    """Each attempt has one line, at DEBUG for a success and at INFO otherwise."""
    caplog.set_level(logging.DEBUG)
    on = stand([answer(503), answer(200, {"id": "o1"}), answer(404, {"code": "gone"})])
    options = CallOptions(correlation_id="c-1")
    await on.call(GET_ORDER, options=options)
    with pytest.raises(NotFoundError):
        await on.call(GET_ORDER, options=options)
    begin = "GetCheckoutOrder order=o1"
    assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "norce_order_async",
            "INFO",
            f"{begin} attempt=1 outcome=unknown status=503 seconds=0.000 next=repeat after 0.00 s correlation=c-1",
        ),
        (
            "norce_order_async",
            "DEBUG",
            f"{begin} attempt=2 outcome=succeeded status=200 seconds=0.000 next=return correlation=c-1",
        ),
        (
            "norce_order_async",
            "INFO",
            f"{begin} attempt=1 outcome=refused status=404 seconds=0.000 next=raise correlation=c-1",
        ),
    ]


async def test_the_line_with_bodies(caplog: pytest.LogCaptureFixture) -> None:
    """The line has the path, the names of the query once each, and masked headers and bodies."""
    caplog.set_level(logging.DEBUG)
    on = stand([answer(200, {"data": []}, set_cookie="sid=1")], log_bodies=True)
    await on.call(LIST_ORDERS, query={"billing_emails": ["a@x.example", "b@x.example"], "limit": 5})
    (line,) = [record.getMessage() for record in caplog.records if "body=" in record.getMessage()]
    assert line.startswith("GET /checkout/order/api/v0/checkout/orders query=['billing_emails', 'limit'] headers={")
    assert "'authorization': '***'" in line
    assert "'x-merchant': 'acme'" in line
    assert line.endswith("-> 200 headers={'set-cookie': '***'} body={'data': []}")


async def test_bodies_are_not_read_above_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    reporter = Reporter(bodies=True)
    request = WireRequest("GET", "https://x.example/", {}, None, None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    reporter.log_exchange(request, WireResponse(200, {}, b"{}"))
    await stand([answer(200, {"id": "o1"})], log_bodies=True).call(GET_ORDER)
    assert caplog.records == []


async def test_over_a_socket_no_library_logs_it_either(caplog: pytest.LogCaptureFixture) -> None:
    """No logger, those of the HTTP libraries included, logs a token, a query value or a body at DEBUG."""
    caplog.set_level(logging.DEBUG)
    with Sandbox(token="t0ken") as sandbox:
        async with NorceOrderClient(
            base_url=sandbox.base_url, merchant="acme", channel="se", token="t0ken", log_bodies=True
        ) as norce:
            order = await norce.orders.create(culture="sv-SE", currency="SEK", country="SE")
            await order.customer.set_billing(
                {"givenName": "Anna", "familyName": "Svensson", "email": "anna@example.com", "phone": "+46701234567"}
            )
            await order.refresh()
            assert await norce.orders.find_by_cart_reference("Anna Svensson") is None
    clean(caplog.text, "Svensson", "givenName': 'Anna'")
    assert SET_BILLING.id in caplog.text


# Observers


@dataclass
class Watcher:
    """Records its calls, and raises if the test says so."""

    raises: BaseException | None = None
    attempts: list[tuple[str, Attempt]] = field(default_factory=list[tuple[str, Attempt]])
    calls: list[CallEvent] = field(default_factory=list[CallEvent])

    def attempt_ended(self, operation: str, attempt: Attempt, /) -> None:
        self.attempts.append((operation, attempt))
        self._maybe_raise()

    def call_ended(self, call: CallEvent, /) -> None:
        self.calls.append(call)
        self._maybe_raise()

    def _maybe_raise(self) -> None:
        if self.raises:
            raise self.raises


async def test_observers_see_attempts_and_calls() -> None:
    """Observers get each attempt with outcome and timing, and each call with its attempts and its error."""
    watcher = Watcher()
    on = stand(
        [answer(503, retry_after="2", takes=0.5), answer(200, {"id": "o1"}, takes=0.25), answer(404)],
        observers=[watcher],
    )
    options = CallOptions(correlation_id="c-1")
    await on.call(GET_ORDER, options=options)
    with pytest.raises(NotFoundError) as caught:
        await on.call(GET_ORDER, options=options)
    first, second, third = watcher.attempts
    assert (first[0], first[1].outcome, first[1].status, first[1].seconds) == ("GetCheckoutOrder", "rejected", 503, 0.5)
    assert (second[1].number, second[1].outcome, second[1].seconds) == (2, "succeeded", 0.25)
    assert third[1] == caught.value.attempts[0]
    assert watcher.calls == [
        CallEvent(
            operation="GetCheckoutOrder",
            order_id="o1",
            merchant="acme",
            channel="se",
            correlation_id="c-1",
            succeeded=True,
            seconds=2.75,
            attempts=(first[1], second[1]),
            error=None,
        ),
        CallEvent(
            operation="GetCheckoutOrder",
            order_id="o1",
            merchant="acme",
            channel="se",
            correlation_id="c-1",
            succeeded=False,
            seconds=0.0,
            attempts=(third[1],),
            error="NotFoundError",
        ),
    ]


async def test_a_read_back_is_reported_as_attempts_of_the_call_it_serves() -> None:
    watcher = Watcher()
    on = stand([lost("read"), answer(200, {"payments": []})], observers=[watcher])
    with pytest.raises(OutcomeUnknownError):
        await on.call(CREATE_PAYMENT, before=Baseline(ids=frozenset()))
    assert [operation for operation, _ in watcher.attempts].count("CreateOrderPayment") == 1
    assert {call.operation: call.error for call in watcher.calls} == {"CreateOrderPayment": "OutcomeUnknownError"}


async def test_a_cancelled_call_is_reported_too() -> None:
    watcher = Watcher()
    on = stand([answer(200, {"id": "o1"}, takes=5.0)], observers=[watcher])
    with on.clock.move_on_after(1.0):
        await on.call(GET_ORDER)
    (call,) = watcher.calls
    assert (call.succeeded, call.seconds, call.error) in {(False, 1.0, "CancelledError"), (False, 1.0, "Cancelled")}
    await on.client.aclose()


async def test_an_observer_that_raises_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """An observer that raises breaks neither the call nor other observers. Its error is logged."""
    bad, good = Watcher(raises=ZeroDivisionError()), Watcher()
    on = stand([answer(201, {"id": "p1"}), answer(404)], observers=[bad, good])
    assert (await on.call(CREATE_PAYMENT)).id == "p1"
    with pytest.raises(NotFoundError):
        await on.call(GET_ORDER)
    assert len(good.attempts) == len(bad.attempts) == 2
    assert len(good.calls) == len(bad.calls) == 2
    assert {record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR} == {
        "an observer failed"
    }


async def test_attributes_show_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The names of attributes are the user's own, so a name that is harmless elsewhere may hold personal data there."""
    caplog.set_level(logging.DEBUG)
    on = stand([answer(204)], log_bodies=True)
    await on.call(PATCH_ATTRIBUTES, body={"id": "Anna Svensson", "ssn": "19900101-1234", "number": 199001011234})
    clean(caplog.text, "199001011234")
    on = stand([answer(201, {"id": "o1"})], log_bodies=True)
    await on.call(CREATE_ORDER, body={"attributes": {"id": "Anna", "type": "Svensson"}})
    clean(caplog.text, "Anna", "Svensson")
