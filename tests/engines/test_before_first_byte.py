"""Right before the first byte of a request an engine asks whether it may still send it.

A worker may stand still while it waits for a connection. It must not send for an item that another worker has by then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
import trustme

from norce_order_async import NorceOrderClient, NotSentError
from norce_order_async.engines.base import UnsentError, WireRequest, asks_before_first_byte
from norce_order_async.engines.httpx import HttpxEngine
from norce_order_async.engines.select import EngineName
from norce_order_async.runtime.clock import SystemClock
from norce_order_async.runtime.stop import ItemCalls, Stop, made_for
from tests.support.servers import closed_port
from tests.support.waiting import wait_until

from .conftest import EngineFactory
from .faultserver import TUNNEL_TLS, FaultServer
from .wire import server_context, trusting, wire

pytestmark = pytest.mark.anyio

MINE = None
TAKEN = "another worker has it"


class Gate:
    """Gives the prepared answers, and records what had happened at the server when it was asked."""

    def __init__(self, server: FaultServer, *answers: str | None, connections: int = 1) -> None:
        self.seen: list[tuple[int, int]] = []
        """Connections that were accepted, and whole requests that were received."""
        self._server = server
        self._answers = iter(answers)
        self._connections = connections
        """The connections that there are by then. The server may notice the last one a moment later."""

    def __call__(self) -> str | None:
        wait_until(lambda: self._server.accepted >= self._connections)
        self.seen.append((self._server.accepted, sum(self._server.counts.values())))
        return next(self._answers)


def asking(request: WireRequest, gate: Callable[[], str | None]) -> WireRequest:
    return replace(request, before_first_byte=gate)


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", b'{"a": 1}'), ("PUT", b"x" * 300_000)])
@pytest.mark.parametrize("secure", [False, True])
async def test_it_is_asked_once_for_each_send_with_the_connection_ready(
    make_engine: EngineFactory, secure: bool, method: str, body: bytes | None
) -> None:
    """The engine asks when the connection is ready, on a new one and on one that is used again."""
    authority = trustme.CA()
    with FaultServer(tls=server_context(authority, "127.0.0.1") if secure else None) as server:
        engine = make_engine(verify=trusting(authority))
        gate = Gate(server, MINE, MINE)
        for _ in range(2):
            await engine.send(asking(wire(f"{server.url}/good", method, body=body), gate))
        assert gate.seen == [(1, 0), (1, 1)]
        await engine.aclose()
        assert server.settle() == 0


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", b'{"a": 1}'), ("PUT", b"x" * 300_000)])
@pytest.mark.parametrize("used_before", [False, True])
async def test_a_request_that_may_not_be_sent_stays_and_has_its_reason(
    make_engine: EngineFactory, server: FaultServer, used_before: bool, method: str, body: bytes | None
) -> None:
    """Nothing is sent, on a new connection or on a used one, and the engine continues to work."""
    engine = make_engine()
    if used_before:
        await engine.send(wire(f"{server.url}/good", "POST", body=b"{}"))
    with pytest.raises(UnsentError, match=TAKEN) as caught:
        await engine.send(asking(wire(f"{server.url}/echo", method, body=body), Gate(server, TAKEN)))
    assert caught.value.phase == "connect"
    for _ in range(3):
        await engine.send(wire(f"{server.url}/good", "POST", body=b"{}"))
    assert server.counts == {"good": 3 + used_before}
    await engine.aclose()
    assert server.settle() == 0


async def test_it_is_asked_for_the_connection_that_replaces_a_stale_one(
    make_engine: EngineFactory, server: FaultServer
) -> None:
    """The engine asks again after it opened another connection, because that takes time in which the item may get
    another worker."""

    class Clock(SystemClock):
        added = 0.0

        def monotonic(self) -> float:
            return self.added

    clock = Clock()
    engine = make_engine(clock=clock)
    await engine.send(wire(f"{server.url}/good", "POST", body=b"{}"))
    clock.added += 3600.0
    gate = Gate(server, TAKEN, connections=2)
    with pytest.raises(UnsentError, match=TAKEN):
        await engine.send(asking(wire(f"{server.url}/good", "POST", body=b"{}"), gate))
    assert gate.seen == [(2, 1)]
    await engine.aclose()
    assert server.settle() == 0


async def test_it_is_not_asked_without_a_connection(make_engine: EngineFactory, server: FaultServer) -> None:
    """A refused connection and a failed handshake end the send before the engine asks."""
    gate = Gate(server)
    engine = make_engine(verify=trusting(trustme.CA()))
    with closed_port() as url, pytest.raises(UnsentError):
        await engine.send(asking(wire(f"{url}/good", "POST", body=b"{}"), gate))
    with FaultServer(tls=server_context(trustme.CA(), "127.0.0.1")) as foreign:
        with pytest.raises(UnsentError):
            await engine.send(asking(wire(f"{foreign.url}/good", "POST", body=b"{}"), gate))
        assert foreign.settle() == 0
    assert gate.seen == []
    await engine.aclose()


async def test_a_tunnel_through_a_proxy_is_opened_before_it_is_asked(
    make_engine: EngineFactory, server: FaultServer
) -> None:
    """The request that opens the tunnel is not the request itself, so it is sent before the engine asks."""
    authority = trustme.CA()
    TUNNEL_TLS.append(server_context(authority, "service.test"))
    try:
        engine = make_engine(proxy=f"http://127.0.0.1:{server.port}", verify=trusting(authority))
        gate = Gate(server, TAKEN)
        with pytest.raises(UnsentError, match=TAKEN):
            await engine.send(asking(wire("https://service.test/good", "POST", body=b"{}"), gate))
        assert server.counts["good"] == 0
        assert gate.seen == [(1, 1)]
        await engine.aclose()
    finally:
        TUNNEL_TLS.clear()
    assert server.settle() == 0


async def test_an_engine_has_an_attribute_for_it(make_engine: EngineFactory) -> None:
    """An engine without the attribute counts as not asking, and so does one over the user's client or transport."""
    assert asks_before_first_byte(make_engine())
    async with httpx.AsyncClient() as client:
        assert not asks_before_first_byte(HttpxEngine(client=client))
    assert not asks_before_first_byte(HttpxEngine(transport=httpx.MockTransport(lambda _: httpx.Response(200))))
    assert not asks_before_first_byte(object())


# From a job's item down to the engine


@pytest.mark.parametrize("lost", ["before", "meanwhile"])
async def test_calls_for_an_item_of_another_worker_are_not_sent(
    engine_name: EngineName, server: FaultServer, lost: str
) -> None:
    """If the item was lost before the attempt or while it waited for its connection, nothing is sent and nothing
    repeated."""
    answers = iter([MINE, TAKEN] if lost == "meanwhile" else [TAKEN])
    last: list[str | None] = []

    def kept_back() -> str | None:
        last.append(next(answers, TAKEN))
        return last[-1]

    item = ItemCalls(Stop(), kept_back)
    async with NorceOrderClient(
        base_url=f"{server.url}/created", merchant="acme", channel="se", token="t", engine=engine_name
    ) as norce:
        with made_for(item), pytest.raises(NotSentError) as caught:
            await norce.orders("o1").payments.create({"reference": "first"})
        assert caught.value.gave_up == "stopped"
        assert (item.held_back, item.written, server.counts["created"]) == (True, 0, 0)
        await norce.orders("o1").payments.create({"reference": "first"})
    assert server.counts["created"] == 1
