"""Idle connections: how long they are used, and for how short a time by calls that can't be repeated.

If a server closes a connection while a request is written to it, this can't be told from a server that has read the
request.
"""

from __future__ import annotations

import contextlib

import anyio
import pytest
import trustme

from norce_order_async import CallError, NorceOrderClient
from norce_order_async.engines.base import KEEP_IDLE, Engine, WireRequest
from norce_order_async.engines.select import EngineName
from norce_order_async.pipeline.operations import MAX_IDLE, OPERATIONS, Kind, Operation
from norce_order_async.runtime.clock import SystemClock
from tests.support.engine import answer
from tests.support.pipeline import stand

from .conftest import EngineFactory
from .faultserver import FaultServer
from .wire import server_context, trusting, wire

pytestmark = pytest.mark.anyio


class Clock(SystemClock):
    """A clock that stands still except for time that a test adds."""

    added = 0.0

    def monotonic(self) -> float:
        return self.added


def post(server: FaultServer, max_idle: float | None) -> WireRequest:
    request = wire(f"{server.url}/good", "POST", body=b"{}")
    return WireRequest(request.method, request.url, request.headers, request.body, request.timeouts, None, max_idle)


async def connections_for(
    engine: Engine, clock: Clock, server: FaultServer, idle: float, max_idle: float | None
) -> int:
    """Return the number of new connections for two sends with a pause in between."""
    before = server.accepted
    assert (await engine.send(post(server, max_idle))).status == 200
    clock.added += idle
    assert (await engine.send(post(server, max_idle))).status == 200
    return server.accepted - before


@pytest.mark.parametrize(
    ("max_idle", "idle", "connections"),
    [
        (None, KEEP_IDLE - 0.5, 1),
        (None, KEEP_IDLE + 0.1, 2),
        (1.0, 0.5, 1),
        (1.0, 1.1, 2),
        (30.0, KEEP_IDLE - 0.5, 1),
        (30.0, KEEP_IDLE + 0.1, 2),
    ],
)
@pytest.mark.parametrize("secure", [False, True])
async def test_a_connection_that_was_idle_for_longer_is_not_used(
    make_engine: EngineFactory, secure: bool, max_idle: float | None, idle: float, connections: int
) -> None:
    """The old connection is closed unused and another one is opened. No request may allow more than the general
    limit."""
    authority = trustme.CA()
    clock = Clock()
    with FaultServer(tls=server_context(authority, "127.0.0.1") if secure else None) as server:
        engine = make_engine(clock=clock, verify=trusting(authority))
        assert await connections_for(engine, clock, server, idle, max_idle) == connections
        assert server.counts["good"] == 2
        assert server.settle(1) == 1
        await engine.aclose()


async def test_many_old_connections_are_skipped(make_engine: EngineFactory, server: FaultServer) -> None:
    """However many old connections there are, one request opens one new connection."""
    clock = Clock()
    engine = make_engine(clock=clock)
    server.latency = 0.1

    async def send() -> None:
        await engine.send(post(server, 1.0))

    async with anyio.create_task_group() as group:
        for _ in range(25):
            group.start_soon(send)
    before = server.accepted
    clock.added += 2.0
    await send()
    assert server.accepted == before + 1
    await engine.aclose()
    assert server.settle() == 0


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
async def test_a_call_that_can_not_be_repeated_uses_a_fresh_connection(operation: Operation) -> None:
    """Only creating and executing need a connection that was idle for a short time."""
    at = stand(lambda _request: answer(200, {"id": "x1"}))
    with contextlib.suppress(CallError):  # The answer may not fit, but this test is about the request.
        await at.call(operation)
    short = operation.kind in (Kind.CREATE, Kind.CREATE_ORDER, Kind.EXECUTE)
    assert at.engine.requests[0].max_idle == (MAX_IDLE if short else None)


# --- at length


PAIRS = 130
ROUNDS = 6
CLOSES_AFTER = 5.0


@pytest.mark.soak
@pytest.mark.timeout(300)
async def test_no_creation_is_lost_to_a_server_that_closes_idle_connections(engine_name: EngineName) -> None:
    """780 payments succeed, each over a connection that has been idle for about as long as the server keeps one."""
    with FaultServer(closes_after=CLOSES_AFTER) as server:

        async def customer(number: int) -> None:
            async with NorceOrderClient(
                base_url=f"{server.url}/created", merchant="acme", channel="se", token="t", engine=engine_name
            ) as norce:
                await norce.orders("o1").payments.create({"reference": "first"})
                for turn in range(ROUNDS):
                    # From 10 ms before to 10 ms after the moment in which the server closes.
                    await anyio.sleep(CLOSES_AFTER + ((number * ROUNDS + turn) % 201 - 100) / 10_000)
                    await norce.orders("o1").payments.create({"reference": f"p{turn}"})

        async with anyio.create_task_group() as group:
            for number in range(PAIRS):
                group.start_soon(customer, number)
    assert server.counts["created"] == PAIRS * (ROUNDS + 1)
