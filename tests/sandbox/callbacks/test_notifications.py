"""Notifications: what the sandbox sends after a commit, when and how often, and its record of them."""

import threading
from collections.abc import Iterator
from typing import Any

import anyio
import httpx
import pytest

from norce_order_async.sandbox import Delivery, ManualClock, Sandbox
from tests.sandbox.support import API, CART, Api, rule
from tests.support.plain import NO_TLS
from tests.support.waiting import wait_until

from .receiver import OK, Receiver, receiving

pytestmark = pytest.mark.anyio


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


async def notify(api: Api, order: str, invoke: str, scope: str = "/reference", **members: Any) -> None:
    await api.ok("POST", f"{order}/notifications", {"adapterId": "erp", "scope": scope, "invoke": invoke, **members})


@rule("notifications", "notification-body", "notification-order", "callback-headers")
async def test_a_notification_comes_after_the_commit_with_the_order(
    api: Api, sandbox: Sandbox, receiver: Receiver
) -> None:
    order = await api.order(cart=CART)
    await notify(api, order, receiver.url + "/told")
    await api.ok("PUT", f"{order}/reference", "r1")
    committed = await api.ok("GET", order)
    assert receiver.got == []
    await api.ok("PUT", f"{order}/reference", "r2")
    await sandbox.deliver_due()
    assert [got.path for got in receiver.got] == ["/told", "/told"]
    assert committed in [got.order for got in receiver.got]
    assert (receiver.got[0].headers["x-merchant"], receiver.got[0].headers["x-channel"]) == ("acme", "se")


SCHEMAS: list[tuple[str, Any, list[str]]] = [
    ("/state/currentStatus", {"const": "completed"}, ["completed"]),
    ("/state/currentStatus", {"enum": ["processing", "completed"]}, ["processing", "completed"]),
    ("/state/currentStatus", {"not": {"const": "completed"}}, ["processing"]),
    ("/state/currentStatus", ..., ["processing", "completed"]),
    ("/state", {"required": ["currentStatus"], "properties": {"transitions": {"minItems": 2}}}, ["completed"]),
    ("/state/transitions/0", ..., []),
    ("/cart", ..., []),
    ("", ..., []),
    ("state", ..., []),
    ("/state/currentStatus", {"type": "integer"}, []),
]


@rule("notifications")
@pytest.mark.parametrize(("scope", "schema", "statuses"), SCHEMAS)
async def test_it_is_sent_when_the_value_changed_and_matches(
    api: Api, sandbox: Sandbox, receiver: Receiver, scope: str, schema: Any, statuses: list[str]
) -> None:
    order = await api.payable()
    await notify(api, order, receiver.url, scope, **({} if schema is ... else {"schema": schema}))
    for status in ("processing", "processing", "completed"):
        await api.status(order, status)
    await sandbox.deliver_due()
    assert sorted(got.order["state"]["currentStatus"] for got in receiver.got) == sorted(statuses)


@rule("notifications")
async def test_a_missing_value_has_changed_and_matches_no_schema(
    api: Api, sandbox: Sandbox, receiver: Receiver
) -> None:
    order = await api.order(attributes={"gift": True})
    await notify(api, order, receiver.url + "/any", "/attributes/gift")
    await notify(api, order, receiver.url + "/with", "/attributes/gift", schema={})
    await api.ok("PATCH", f"{order}/attributes", {"gift": None})
    await sandbox.deliver_due()
    assert receiver.paths == ["/any"]


@rule("notifications")
async def test_the_delay_uses_the_sandboxs_clock(
    api: Api, sandbox: Sandbox, clock: ManualClock, receiver: Receiver
) -> None:
    order = await api.order()
    await notify(api, order, receiver.url, delay=1500)
    await api.ok("PUT", f"{order}/reference", "r1")
    clock.advance(1.499)
    await sandbox.deliver_due()
    assert receiver.got == []
    assert [delivery.state for delivery in sandbox.deliveries] == ["waiting"]
    clock.advance(0.001)
    await sandbox.deliver_due()
    assert len(receiver.got) == 1
    assert [delivery.state for delivery in sandbox.deliveries] == ["delivered"]


@rule("notifications", "hook-before-commit")
async def test_a_denied_change_is_not_announced(api: Api, sandbox: Sandbox, receiver: Receiver) -> None:
    order = await api.order()
    await notify(api, order, receiver.url)
    await api.ok("POST", f"{order}/hooks", {"subscribeTo": "/reference", "invoke": receiver.url + "/hook"})
    receiver.answer = lambda _: (400, None)
    assert await api.refused("PUT", f"{order}/reference", "r1") == (400, "order-validation")
    assert len(sandbox.deliveries) == 0


@rule("notification-retries", "notification-log")
async def test_a_failure_is_retried_three_times(
    api: Api, sandbox: Sandbox, clock: ManualClock, receiver: Receiver
) -> None:
    order = await api.order()
    await notify(api, order, receiver.url)
    await api.ok("PUT", f"{order}/reference", "r1")
    receiver.answer = lambda _: (503, None)
    for seconds, attempts in [(0, 1), (0.9, 1), (0.1, 2), (1.9, 2), (0.1, 3), (3.9, 3), (0.1, 4), (100, 4)]:
        clock.advance(seconds)
        await sandbox.deliver_due()
        assert len(receiver.got) == attempts
    (delivery,) = sandbox.deliveries
    assert delivery.state == "failed"
    assert [(attempt.status, attempt.problem) for attempt in delivery.attempts] == [(503, "it answered 503")] * 4
    assert [attempt.at[17:22] for attempt in delivery.attempts] == ["00.00", "01.00", "03.00", "07.00"]


@rule("notification-log")
async def test_a_delivery_can_be_sent_again(api: Api, sandbox: Sandbox, clock: ManualClock, receiver: Receiver) -> None:
    order = await api.order()
    await notify(api, order, receiver.url, reference="export")
    await api.ok("PUT", f"{order}/reference", "r1")
    receiver.answer = lambda _: (500, None)
    for _ in range(4):
        await sandbox.deliver_due()
        clock.advance(10)
    (delivery,) = sandbox.deliveries.of(order.removeprefix("/orders/"))
    assert delivery.state == "failed"
    receiver.answer = lambda _: OK
    sandbox.redeliver(delivery.id)
    await sandbox.deliver_due()
    assert (delivery.state, len(delivery.attempts)) == ("delivered", 5)
    assert receiver.got[4].content == receiver.got[0].content
    assert delivery.notification["reference"] == "export"
    assert (delivery.created_at, delivery.id[14]) == ("2026-01-01T00:00:00.000000Z", "7")
    with pytest.raises(LookupError, match="no delivery nothing"):
        sandbox.redeliver("nothing")


@rule("notification-log", "placeholder-unknown", "callers-only-loopback")
@pytest.mark.parametrize(
    ("address", "problem"), [("{config.base}/", "{config.base}"), ("http://10.0.0.1/", "may not be called")]
)
async def test_a_failed_call_is_recorded(api: Api, sandbox: Sandbox, address: str, problem: str) -> None:
    order = await api.order()
    await notify(api, order, address)
    await api.ok("PUT", f"{order}/reference", "r1")
    await sandbox.deliver_due()
    (attempt,) = sandbox.deliveries[0].attempts
    assert attempt.status is None
    assert problem in (attempt.problem or "")


@rule("callback-registration")
@pytest.mark.parametrize(
    "schema", [{"type": "none"}, {"enum": 5}, {"properties": {"a": 5}}, {"$ref": 1}, {"pattern": "("}]
)
async def test_an_invalid_schema_is_refused(api: Api, schema: Any) -> None:
    order = await api.order()
    notification = {"scope": "/cart", "schema": schema}
    assert await api.refused("POST", f"{order}/notifications", notification) == (400, "order-bad-request")
    response = await api.send("POST", "/orders", {"notifications": [{}, notification]})
    assert response.status_code == 400
    assert "$.notifications[1].schema" in response.json()["message"]


@rule("notification-log")
@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"$ref": "http://127.0.0.1:1/s"}, {"$ref": "#/gone"}])
async def test_a_schema_that_fails_while_it_runs_is_recorded_and_stops_nothing(
    api: Api, sandbox: Sandbox, schema: Any
) -> None:
    order = await api.order()
    await notify(api, order, "http://localhost/", schema=schema)
    await api.ok("PUT", f"{order}/reference", "r1")
    (delivery,) = sandbox.deliveries
    assert (delivery.state, delivery.attempts[0].problem) == ("failed", "its schema can't be evaluated")


DOUBLING = {"$defs": {f"d{at}": {"allOf": [{"$ref": f"#/$defs/d{at + 1}"}] * 2} for at in range(40)} | {"d40": {}}}
ENDLESS = [
    ({"pattern": "^(a+)+$"}, "a" * 40 + "!"),
    # Each takes a second of the processor, so an ordinary run has only one of the patterns.
    pytest.param({"pattern": "a*a*a*a*a*a*a*a*a*$"}, "a" * 5_000 + "!", marks=pytest.mark.soak),
    pytest.param({"pattern": "a*b"}, "a" * 2_000_000, marks=pytest.mark.soak),
    ({**DOUBLING, "$ref": "#/$defs/d0"}, "r1"),
]


@rule("notification-schema")
@pytest.mark.parametrize(("schema", "value"), ENDLESS)
# A schema is tried outside the loop.
@pytest.mark.in_turn("anyio_backend")
async def test_an_endless_schema_is_ended_and_blocks_no_other(
    api: Api, sandbox: Sandbox, receiver: Receiver, schema: Any, value: str
) -> None:
    """A schema has a pattern that backtracks for very long, or references that double. The loop continues meanwhile,
    and other notifications are sent."""
    order = await api.order()
    await notify(api, order, receiver.url + "/other")
    await notify(api, order, receiver.url + "/never", schema=schema)
    turns = 0

    async def turning() -> None:
        nonlocal turns
        while True:
            await anyio.sleep(0.01)
            turns += 1

    async with anyio.create_task_group() as group:
        group.start_soon(turning)
        await api.ok("PUT", f"{order}/reference", value)
        group.cancel_scope.cancel()
    await sandbox.deliver_due()
    assert receiver.paths == ["/other"]
    assert turns > 10
    (ended,) = [one for one in sandbox.deliveries if one.state == "failed"]
    assert ended.attempts[0].problem == "its schema takes more than 1 s"


@rule("notification-schema")
@pytest.mark.parametrize(
    ("schema", "matches"),
    [
        ({"pattern": "^r[0-9]{2}$"}, False),
        ({"pattern": "^r[0-9]$"}, True),
        ({"pattern": "^(r|s)+[0-9]+$"}, True),
        ({"pattern": "^(r|s)+[a-z]+$"}, False),
        ({"$defs": {"a": {"const": "r1"}}, "$ref": "#/$defs/a"}, True),
        ({"$defs": {"a": {"const": "r2"}}, "$ref": "#/$defs/a"}, False),
        ({"anyOf": [{"type": "integer"}, {"allOf": [{"type": "string"}, {"maxLength": 2}]}]}, True),
    ],
)
async def test_a_schema_gives_the_same_wherever_it_runs(
    api: Api, sandbox: Sandbox, receiver: Receiver, schema: Any, matches: bool
) -> None:
    """The service checks a quick schema itself, and any other one in a process of its own."""
    order = await api.order()
    await notify(api, order, receiver.url, schema=schema)
    await api.ok("PUT", f"{order}/reference", "r1")
    await sandbox.deliver_due()
    assert len(receiver.got) == matches
    assert [one.state for one in sandbox.deliveries] == ["delivered"] * matches


@rule("callback-registration")
async def test_an_incomplete_notification_is_never_sent(api: Api, sandbox: Sandbox) -> None:
    order = await api.order(notifications=[{"scope": "/reference"}, {"invoke": "http://localhost/"}])
    await api.ok("PUT", f"{order}/reference", "r1")
    assert len(sandbox.deliveries) == 0


def put_reference(sandbox: Sandbox, receiver: Receiver, notifications: int = 1) -> None:
    """Create an order over a socket, and change what its notifications are about."""
    headers = {"authorization": f"Bearer {sandbox.token}", "x-merchant": "acme", "x-channel": "se"}
    with httpx.Client(base_url=sandbox.base_url + API, headers=headers, verify=NO_TLS) as client:
        entry = {"scope": "/reference", "invoke": receiver.url}
        order = client.post("/orders", json={"notifications": [entry] * notifications}).json()["id"]
        assert client.put(f"/orders/{order}/reference", json="r1").status_code == 200


@rule("notifications")
def test_a_running_server_sends_by_itself(receiver: Receiver) -> None:
    with Sandbox() as sandbox:
        put_reference(sandbox, receiver, notifications=30)
        wait_until(lambda: all(delivery.state == "delivered" for delivery in sandbox.deliveries))
    assert len(receiver.got) == 30


@rule("notification-retries")
async def test_moving_the_clock_of_a_running_server_makes_the_retry_due(clock: ManualClock, receiver: Receiver) -> None:
    receiver.answer = lambda _: (500, None) if len(receiver.got) == 1 else OK
    async with Sandbox(clock=clock) as sandbox:
        put_reference(sandbox, receiver)
        await sandbox.deliver_due()
        while len(receiver.got) < 2:
            clock.advance(1)
            await sandbox.deliver_due()
            await anyio.sleep(0.001)
        assert [attempt.status for attempt in sandbox.deliveries[0].attempts] == [500, 200]


@rule("notifications")
def test_leaving_stops_attempts_in_flight_and_entering_makes_them_again(receiver: Receiver) -> None:
    held = threading.Event()
    receiver.answer = lambda _: (held.wait(60), OK)[1]
    sandbox = Sandbox()
    with sandbox:
        put_reference(sandbox, receiver)
        wait_until(lambda: receiver.got)
    (delivery,) = sandbox.deliveries
    assert (delivery.state, delivery.attempts) == ("waiting", [])
    held.set()
    with sandbox:
        wait_until(lambda: delivery.state == "delivered")
    assert [attempt.status for attempt in delivery.attempts] == [200]
    sandbox.close()


@rule("notification-log")
async def test_the_record_is_bounded_and_keeps_waiting_ones(receiver: Receiver) -> None:
    sandbox = Sandbox(keep_requests=3, clock=ManualClock())
    api = Api(sandbox)
    order = await api.order()
    await notify(api, order, receiver.url + "/later", delay=1000)
    await notify(api, order, receiver.url + "/now")
    for value in ("a", "b", "c"):
        await api.ok("PUT", f"{order}/reference", value)
        await sandbox.deliver_due()
    states = [delivery.state for delivery in sandbox.deliveries]
    assert states == ["waiting", "waiting", "waiting"]
    assert receiver.paths == ["/now"] * 3
    assert "secret" not in repr(Delivery("i", "t", "o", {"invoke": "secret"}, {"reference": "secret"}))
    sandbox.deliveries.clear()
    assert len(sandbox.deliveries) == 0
    await api.close()
