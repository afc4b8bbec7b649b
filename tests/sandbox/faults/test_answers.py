"""Some faults answer in the service's place: statuses, accepted changes, tokens, limits, delays."""

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import anyio
import httpx
import pytest

from norce_order_async.sandbox import IN_PROCESS_URL, FaultPlan, FaultRule, ManualClock, Sandbox
from norce_order_async.sandbox.faults import (
    Delay,
    ExpireToken,
    Fault,
    LimitConcurrency,
    LimitRate,
    Respond,
    TakeIn,
    UniformDelay,
)
from tests.sandbox.support import API, CART, Api, rule

pytestmark = pytest.mark.anyio


def play(sandbox: Sandbox, fault: Fault, operations: Any = "*", **when: Any) -> None:
    sandbox.faults.play(FaultPlan([FaultRule(fault, operations, **when)]))


async def send(api: Api, method: str, path: str, body: Any = ..., **headers: str) -> Any:
    """Send like `api.send`, but don't check the answer against the description, which has no such answers."""
    given = {} if body is ... else {"json": body}
    transport = httpx.ASGITransport(api.sandbox.app)
    async with httpx.AsyncClient(transport=transport, base_url=IN_PROCESS_URL + API) as client:
        return await client.request(method, path, headers={**api.headers, **headers}, **given)


@rule("unprocessed-503")
@pytest.mark.parametrize(
    ("fault", "headers"),
    [
        (Respond(429, retry_after=1.2), {"retry-after": "2"}),
        (Respond(503, retry_after=1.2, form="milliseconds"), {"retry-after-ms": "1200"}),
        (Respond(503), {}),
        (Respond(500), {}),
        (Respond(418), {}),
    ],
)
async def test_an_answer_instead_of_the_effect(
    api: Api, sandbox: Sandbox, fault: Respond, headers: dict[str, str]
) -> None:
    play(sandbox, fault)
    response = await send(api, "POST", "/orders", {})
    assert response.status_code == fault.status
    assert response.json().keys() == {"code", "message"}
    assert {name: value for name, value in response.headers.items() if name.startswith("retry")} == headers
    assert len(sandbox.effects) == 0
    assert sandbox.requests[0].status == fault.status


async def test_retry_after_as_a_date(api: Api, sandbox: Sandbox) -> None:
    play(sandbox, Respond(503, retry_after=30, form="date"))
    response = await send(api, "GET", "/orders")
    left = parsedate_to_datetime(response.headers["retry-after"]) - datetime.now(UTC)
    assert 29 < left.total_seconds() < 33


@pytest.mark.parametrize("status", [502, 520])
async def test_a_gateway_answers_with_a_page(api: Api, sandbox: Sandbox, status: int) -> None:
    play(sandbox, Respond(status))
    response = await send(api, "GET", "/orders")
    assert response.status_code == status
    assert response.headers["content-type"] == "text/html"
    assert response.text.startswith("<html>")


async def test_an_error_after_the_effect(api: Api, sandbox: Sandbox) -> None:
    play(sandbox, Respond(500, after_effect=True))
    assert (await send(api, "POST", "/orders", {})).status_code == 500
    assert len(sandbox.effects) == 1


async def test_an_accepted_change_is_carried_out_later(api: Api, sandbox: Sandbox, clock: ManualClock) -> None:
    path = await api.payable()
    play(sandbox, TakeIn(apply_after=2), ("UpdateCheckoutOrderState", "UpdateCheckoutOrderCart"))
    response = await send(api, "PUT", f"{path}/state", {"currentStatus": "processing"})
    assert (response.status_code, response.content) == (202, b"")
    assert (await api.ok("GET", path))["state"]["currentStatus"] == "checkout"
    clock.advance(2)
    assert (await api.ok("GET", path))["state"]["currentStatus"] == "processing"
    # This change is no longer possible by the time it is due.
    assert (await send(api, "PUT", f"{path}/cart", CART)).status_code == 202
    clock.advance(2)
    assert "reference" not in (await api.ok("GET", path))["cart"]
    assert (await api.send("PUT", "/orders/oNothing/cart", CART)).status_code == 404


async def test_an_accepted_change_may_be_dropped(api: Api, sandbox: Sandbox, clock: ManualClock) -> None:
    path = await api.payable()
    play(sandbox, TakeIn(dropped=True), "UpdateCheckoutOrderState")
    assert (await send(api, "PUT", f"{path}/state", {"currentStatus": "processing"})).status_code == 202
    clock.advance(1000)
    assert (await api.ok("GET", path))["state"]["currentStatus"] == "checkout"
    assert sandbox.faults[0].fault == "taken in and dropped"


async def test_a_token_expires_for_a_while_and_the_other_is_accepted(clock: ManualClock) -> None:
    sandbox = Sandbox(clock=clock, secondary_token="second")
    api = Api(sandbox)
    play(sandbox, ExpireToken(seconds=5), first=1)
    assert await api.refused("GET", "/orders") == (401, "unauthorized")
    assert await api.refused("GET", "/orders") == (401, "unauthorized")
    assert (await send(api, "GET", "/orders", authorization="Bearer second")).status_code == 200
    clock.advance(5)
    assert (await api.send("GET", "/orders")).status_code == 200
    await api.close()
    sandbox.close()


async def test_a_rate_uses_the_clock(api: Api, sandbox: Sandbox, clock: ManualClock) -> None:
    play(sandbox, LimitRate(per_second=2, burst=3, form="milliseconds"))
    statuses = [(await send(api, "GET", "/orders")).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert (await send(api, "GET", "/orders")).headers["retry-after-ms"] == "500"
    clock.advance(1)
    assert [(await send(api, "GET", "/orders")).status_code for _ in range(3)] == [200, 200, 429]


async def test_a_limit_of_requests_at_once_that_moves(api: Api, sandbox: Sandbox, clock: ManualClock) -> None:
    sandbox.faults.play(
        FaultPlan([FaultRule(LimitConcurrency(3, ((10, 1), (20, 8)))), FaultRule(Delay(0.05))]),
    )

    async def at_once() -> list[int]:
        statuses: list[int] = []

        async def one() -> None:
            statuses.append((await send(api, "GET", "/orders")).status_code)

        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(one)
        return sorted(statuses)

    assert await at_once() == [200] * 3 + [429] * 3
    clock.advance(10)
    assert await at_once() == [200] + [429] * 5
    clock.advance(10)
    assert await at_once() == [200] * 6


async def test_delays_are_waited_for(api: Api, sandbox: Sandbox) -> None:
    play(sandbox, UniformDelay(0.05, 0.06))
    started = time.monotonic()
    await api.ok("GET", "/orders")
    assert time.monotonic() - started >= 0.05
    assert sandbox.requests[0].faults[0].startswith("delay 0.05")


async def test_only_operations_meet_faults(api: Api, sandbox: Sandbox) -> None:
    """An unknown path or a wrong method is not an operation."""
    play(sandbox, Respond(500))
    assert (await api.send("GET", "/nothing")).status_code == 404
    assert (await api.send("PATCH", "/orders")).status_code == 405
    assert len(sandbox.faults) == 0
