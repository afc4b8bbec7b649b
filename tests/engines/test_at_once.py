"""aiohttp's requests on an idle connection take another path than the first one on it, with the same results."""

from __future__ import annotations

import asyncio
import gc
import gzip
from functools import partial
from typing import Any

import pytest

from norce_order_async import CallError, CallOptions, NorceOrderClient, OutcomeUnknownError, UnavailableError
from norce_order_async.engines import aiohttp
from norce_order_async.engines._aiohttp_connection import Exchange, Progress, head_of, whole_chunks
from norce_order_async.engines.aiohttp import AiohttpEngine, Connector
from norce_order_async.engines.base import Caller, MaybeSentError, SendError, UnsentError, WireRequest
from norce_order_async.scope import session_of
from tests.support.waiting import until, wait_until

from .faultserver import PLAYS, FaultServer, answer
from .wire import HASTY, PATIENT, none_idle, wire

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

ENDLESS = {"half-head-hang", "half-body-hang", "hang", "drip-head"}
OTHERS = {
    "held-body",
    "says",
    "connect",
    "bomb",
    "drip-body",
    # These close the connection after the answer, at their own time.
    "once",
    "then-close",
    "then-reset",
    # aiohttp treats an answer with garbage after it as malformed too.
    "extra-garbage",
    "extra-later",
    "extra-half-later",
}
COMPARED = sorted(play for play in PLAYS if play not in OTHERS and not play.startswith("flood"))
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[WireRequest]:
    """Record the requests that take the path of an idle connection."""
    found: list[WireRequest] = []

    def made(loop: asyncio.AbstractEventLoop, progress: Progress, *others: Any) -> Exchange:
        found.append(progress.request)
        return Exchange(loop, progress, *others)

    monkeypatch.setattr(aiohttp, "Exchange", made)
    return found


async def outcome(engine: AiohttpEngine, request: WireRequest) -> Any:
    """Return everything that a caller gets."""
    try:
        received = await engine.send(request)
    except SendError as error:
        return type(error), error.phase, error.reason
    return received.status, dict(received.headers), received.body, received.unreadable


async def both_ways(server: FaultServer, request: WireRequest) -> tuple[Any, Any]:
    """Return the results on a new connection and on an idle one, each with whether the connection is then kept."""
    found: list[Any] = []
    for warmed in (False, True):
        engine = AiohttpEngine()
        if warmed:
            await engine.send(wire(f"{server.url}/good"))
        before = server.accepted
        came = await outcome(engine, request)
        await asyncio.sleep(0)
        await engine.send(wire(f"{server.url}/good"))
        found.append((came, server.accepted - before + warmed))
        await engine.aclose()
    return found[0], found[1]


@pytest.mark.parametrize("play", COMPARED)
async def test_every_answer_gives_the_same_result(server: FaultServer, begun: list[WireRequest], play: str) -> None:
    """Both paths give the same answer or the same error, and keep or close the connection alike."""
    request = wire(f"{server.url}/{play}", timeouts=HASTY if play in ENDLESS else PATIENT)
    new, idle = await both_ways(server, request)
    assert idle == new
    assert request in begun


@pytest.mark.parametrize(
    "says",
    [
        CHUNKED + b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n",
        CHUNKED + b"5\r\nhello\r\n0\r\nx-after: 1\r\n\r\n",
        CHUNKED + b"0\r\n\r\n",
        answer(b"hello", connection="close"),
        answer(b"hello", connection="keep-alive"),
        answer(b"hello").replace(b"HTTP/1.1", b"HTTP/1.0"),
        answer(b"hello").replace(b"content-length: 5", b"content-length: 5\r\ncontent-length: 5"),
        answer(b"hello").replace(b"content-length: 5", b"content-length: +5"),
        answer(b"hello", x_odd="\xe5\xe4\xf6"),
        answer(gzip.compress(bytes(3_000_000)), content_encoding="gzip"),
        answer(gzip.compress(b"hello")[:-4], content_encoding="gzip"),
        answer(b"hello", content_encoding="br"),
        answer(bytes(400_000)),
        answer(b"", "304 Not Modified"),
    ],
)
async def test_unusual_heads_and_bodies_give_the_same_result(
    server: FaultServer, begun: list[WireRequest], says: bytes
) -> None:
    """Answers that are read directly and answers that are left to aiohttp's parser give the same results."""
    server.says = says
    new, idle = await both_ways(server, wire(f"{server.url}/says"))
    assert idle == new
    assert begun


async def test_bytes_after_an_answer_close_its_connection(server: FaultServer) -> None:
    engine = AiohttpEngine()
    await engine.send(wire(f"{server.url}/good"))
    assert (await engine.send(wire(f"{server.url}/extra-garbage"))).body == b"first"
    await until(lambda: not server.connections)
    await engine.aclose()


@pytest.mark.parametrize("size", [0, 4, 5])
async def test_a_body_is_not_larger_than_allowed(server: FaultServer, size: int) -> None:
    """A body of exactly the limit passes, and a larger one does not."""
    for says in (answer(b"hello"), CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"):
        server.says = says
        plain = wire(f"{server.url}/says")
        request = WireRequest(plain.method, plain.url, {}, None, PATIENT, max_answer_size=size)
        new, idle = await both_ways(server, request)
        assert idle == new
        assert (idle[0][3] is None) == (size == 5)


@pytest.mark.parametrize("cut", range(1, 120, 7))
async def test_an_answer_may_come_in_pieces(server: FaultServer, cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer may be cut at any place."""
    for whole in (answer(b"hello, world"), CHUNKED + b"5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n"):

        def play(connection: Any, request: Any, whole: bytes = whole) -> bool:
            for part in (whole[:cut], whole[cut:]):
                connection.send(part)
                connection.wait(0.005)
            return True

        monkeypatch.setitem(PLAYS, "says", play)
        new, idle = await both_ways(server, wire(f"{server.url}/says"))
        assert idle == new
        assert idle[0][2] == b"hello, world"


HEADERS = {"user-agent": "a", "accept": "b", "X-Odd": "c, d", "content-type": "application/json"}


@pytest.mark.parametrize(
    ("method", "body"),
    [("GET", None), ("PUT", b"{}"), ("PUT", b""), ("POST", None), ("PATCH", b"[1]"), ("DELETE", None), ("GET", b"{}")],
)
@pytest.mark.parametrize("headers", [{}, HEADERS, {**HEADERS, "Host": "other"}, {**HEADERS, "x-tab": "a\tb"}])
async def test_the_same_bytes_are_sent(
    server: FaultServer, method: str, body: bytes | None, headers: dict[str, str]
) -> None:
    """Both paths send the same headers in the same order."""
    request = wire(f"{server.url}/echo/a%20b?x=1&y", method, body=body, headers=headers)
    new, idle = await both_ways(server, request)
    assert idle == new
    first, second = (one.headers for one in server.received if one.play == "echo")
    assert list(first.items()) == list(second.items())


@pytest.mark.parametrize("value", ["a\r\nx-more: b", "a\nb", "a\0b", "\x7f", "a\tb", "caf\xe9", "\ud800"])
@pytest.mark.parametrize("name", ["x-odd", "x odd", "x:odd", "content-length", "Cookie", ""])
def test_unusual_headers_are_left_to_aiohttp(name: str, value: str, anyio_backend: str) -> None:
    """Unusual headers are left to aiohttp, which refuses or supports them."""
    assert head_of("GET", "host", "/", {name: value}, None) is None
    assert head_of("GET", "host", "/", {"x-plain": value}, None) is None
    assert head_of("GET", "host", "/", {name: "plain"}, None) is None or name == "x-odd"


@pytest.mark.parametrize("play", ["once", "extra-later", "extra-half-later"])
@pytest.mark.parametrize("body", [b"{}", b" " * 100_000], ids=["small", "large"])
async def test_a_close_by_the_server_is_noticed_before_a_request(server: FaultServer, play: str, body: bytes) -> None:
    """If the server closed the connection and the event loop had no time to notice, the request still goes over another
    one."""
    engine = AiohttpEngine()
    await engine.send(wire(f"{server.url}/good"))
    await engine.send(wire(f"{server.url}/{play}"))
    if play == "once":
        wait_until(lambda: not server.connections)
    else:
        wait_until(lambda: server.answered == 2)
    second = await engine.send(wire(f"{server.url}/echo/second", "POST", body=body))
    assert second.body.startswith(b"POST /echo/second")
    assert server.accepted == 2
    await engine.aclose()


async def test_it_needs_no_task(server: FaultServer) -> None:
    """While the answer is awaited, the engine runs no task of its own."""
    engine = AiohttpEngine()
    await engine.send(wire(f"{server.url}/good"))
    server.free.clear()
    tasks = asyncio.all_tasks()
    sending = asyncio.ensure_future(engine.send(wire(f"{server.url}/good/2")))
    await until(lambda: server.targets["/good/2"])
    assert asyncio.all_tasks() - tasks == {sending}
    server.free.set()
    assert (await sending).status == 200
    await engine.aclose()


async def test_a_cancelled_caller_closes_the_connection_of_a_read(
    server: FaultServer, begun: list[WireRequest]
) -> None:
    """When the caller leaves, the read's connection is closed at once. If the caller left before, nothing is sent."""
    engine = AiohttpEngine()
    await engine.send(wire(f"{server.url}/good"))
    caller = Caller()
    request = WireRequest("GET", wire(f"{server.url}/hang").url, {}, None, PATIENT, caller=caller)
    sending = asyncio.ensure_future(engine.send(request))
    await until(lambda: server.counts["hang"])
    assert caller.leave()
    with pytest.raises(MaybeSentError, match="no longer waits"):
        await sending
    await until(lambda: not server.connections)
    await engine.send(wire(f"{server.url}/good"))
    with pytest.raises(UnsentError, match="no longer waits"):
        await engine.send(request)
    assert server.counts["hang"] == 1
    assert begun == [request]
    await engine.aclose()


async def test_nothing_is_written_if_it_is_kept_back(server: FaultServer) -> None:
    """The error has the reason, nothing is written, and the connection is kept."""
    engine = AiohttpEngine()
    await engine.send(wire(f"{server.url}/good"))
    plain = wire(f"{server.url}/good/2")
    request = WireRequest("GET", plain.url, {}, None, PATIENT, before_first_byte=lambda: "it is another's")
    with pytest.raises(UnsentError, match="another's"):
        await engine.send(request)
    await engine.send(wire(f"{server.url}/good/3"))
    assert (server.accepted, server.targets["/good/2"]) == (1, 0)
    await engine.aclose()


async def test_closing_the_engine_ends_it(server: FaultServer) -> None:
    """Closing the engine ends a write as "maybe", because the service may have acted."""
    engine = AiohttpEngine()
    await engine.send(wire(f"{server.url}/good"))
    sending = asyncio.ensure_future(engine.send(wire(f"{server.url}/hang", "POST", body=b"{}")))
    await until(lambda: server.counts["hang"])
    await engine.aclose()
    with pytest.raises(MaybeSentError):
        await sending
    await until(lambda: not server.connections)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"0\r\n\r\n", (b"", 5)),
        (b"1\r\na\r\n0\r\n\r\nmore", (b"a", 11)),
        (b"A\r\n0123456789\r\n0\r\n\r\n", (b"0123456789", 20)),
        *((b"5\r\nhello\r\n0\r\n\r\n"[:end], (b"", 0)) for end in range(15)),
        (b"5;x\r\nhello\r\n", None),
        (b"5\nhello\r\n", None),
        (b"5\r\nhello!", None),
        (b"0\r\nx: y\r\n\r\n", None),
        (b"-1\r\n", None),
        (b" 1\r\na\r\n", None),
        (b"00000001\r\na\r\n", None),
    ],
)
def test_chunks(data: bytes, found: tuple[bytes, int] | None, anyio_backend: str) -> None:
    """Whole chunks are joined; chunks that have only begun or are unusual are left to the parser."""
    assert whole_chunks(data, 0) == found


@pytest.fixture(params=["idle", "new"])
def norce(request: pytest.FixtureRequest, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> NorceOrderClient:
    """Make a client whose requests all take one path or, except the first, all the other. The results must not
    differ."""
    if request.param == "new":
        monkeypatch.setattr(Connector, "take", none_idle)
    return NorceOrderClient(
        base_url=f"{server.url}/created", merchant="m", channel="c", token="t", engine="aiohttp", max_in_flight=1
    )


@pytest.mark.parametrize("writes", [True, False])
async def test_a_caller_that_leaves_tears_no_write_in_half(
    norce: NorceOrderClient, server: FaultServer, writes: bool
) -> None:
    """A write continues to its end and then gives its permit back. A read ends at once."""
    async with norce:
        order = await norce.orders.get("o1")
        server.free.clear()
        calling = asyncio.ensure_future(order.set_reference("r") if writes else order.refresh())
        await until(lambda: len(server.received) == 2)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        session = session_of(norce)
        if writes:
            assert (session.core.sends.in_flight, session.limiter.in_flight) == (1, 1)
            server.free.set()
        await until(lambda: not session.core.sends.in_flight)
        assert session.limiter.in_flight == 0
        server.free.set()
        assert (await norce.orders.get("o2")).id == "o2"
        assert len(server.received) == 3


async def test_the_deadline_ends_a_call(norce: NorceOrderClient, server: FaultServer) -> None:
    """The deadline ends a read and a write, and the error names it."""
    async with norce:
        order = await norce.orders.get("o1")
        server.free.clear()
        calls: list[tuple[Any, type[CallError]]] = [
            (order.refresh, UnavailableError),
            (partial(order.set_reference, "r"), OutcomeUnknownError),
        ]
        for call, error in calls:
            with pytest.raises(error) as caught:
                await call(options=CallOptions(deadline=0.2))
            assert caught.value.gave_up == "deadline"
            assert [(tried.outcome, tried.phase) for tried in caught.value.attempts] == [("unknown", "read")]
        server.free.set()
        await until(lambda: not session_of(norce).core.sends.in_flight)


async def test_closing_the_client_ends_what_it_has_waited_for(norce: NorceOrderClient, server: FaultServer) -> None:
    """Closing ends a send that it has waited for long enough, and the caller's error says that it may have been
    done."""
    order = await norce.orders.get("o1")
    server.free.clear()
    writing = asyncio.ensure_future(order.set_reference("r"))
    await until(lambda: len(server.received) == 2)
    await session_of(norce).core.sends.drain(0.0)
    await norce.aclose()
    with pytest.raises(OutcomeUnknownError, match="closed"):
        await writing
    server.free.set()


async def test_a_call_leaves_nothing_to_the_garbage_collector(server: FaultServer) -> None:
    """A call's objects refer to each other only while it lasts, because a cycle would cost each call a part of a
    collection."""
    async with NorceOrderClient(
        base_url=f"{server.url}/created", merchant="m", channel="c", token="t", engine="aiohttp"
    ) as norce:
        order = await norce.orders.get("o1")
        await order.set_reference("r")

        async def left_by(calls: int) -> int:
            for _ in range(calls):
                await order.refresh()
                await order.set_reference("r")
            return gc.collect()

        gc.collect()
        gc.disable()
        try:
            # The first few calls also collect what other tests left.
            few = await left_by(10)
            assert await left_by(100) - few < 10
        finally:
            gc.enable()
