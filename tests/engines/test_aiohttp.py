"""The aiohttp engine's own rules: nothing is sent twice, one loop, large bodies, timeouts, and one TLS context."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractContextManager
from typing import Any, cast

import aiohttp
import anyio
import anyio.to_thread
import pytest
import trustme

from norce_order_async.engines.aiohttp import AiohttpEngine, Connector
from norce_order_async.engines.base import Engine, MaybeSentError, SendError, Timeouts, UnsentError
from norce_order_async.runtime.clock import SystemClock

from .faultserver import FaultServer
from .wire import none_idle, server_context, wire

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def engine() -> AsyncIterator[AiohttpEngine]:
    engine = AiohttpEngine()
    yield engine
    await engine.aclose()


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Record the sessions that engines make."""
    made: list[Any] = []
    make = aiohttp.ClientSession

    def recorded(**arguments: Any) -> aiohttp.ClientSession:
        made.append(make(**arguments))
        return cast("aiohttp.ClientSession", made[-1])

    monkeypatch.setattr(aiohttp, "ClientSession", recorded)
    return made


def test_it_is_an_engine() -> None:
    """The assignment shows to type checkers that the class fits the protocol."""
    engine: Engine = AiohttpEngine()
    assert engine.name == "aiohttp"


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "gopher://127.0.0.1", "127.0.0.1:3128"])
def test_an_unknown_kind_of_proxy_is_refused(proxy: str) -> None:
    """The engine refuses it when it is made, and the error has the reason."""
    with pytest.raises(ValueError, match="proxies with http and https"):
        AiohttpEngine(proxy=proxy)


# --- nothing is sent twice


async def test_the_switch_for_sending_again_exists_and_is_off(
    engine: AiohttpEngine, server: FaultServer, sessions: list[Any]
) -> None:
    """The switch is a private name, so a version of aiohttp without it fails here."""
    async with aiohttp.ClientSession():
        assert sessions[0]._retry_connection is True
    await engine.send(wire(f"{server.url}/good"))
    _, session = sessions
    assert session._retry_connection is False


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("play", ["close", "reset", "then-close", "then-reset"])
async def test_with_sending_again_switched_on_nothing_is_sent_twice_either(
    engine: AiohttpEngine, server: FaultServer, sessions: list[Any], play: str, method: str
) -> None:
    """With the switch on, aiohttp sends these again after a disconnect, but the request refuses to go out a second
    time."""
    first = play if play.startswith("then") else "good"
    await engine.send(wire(f"{server.url}/{first}", method))
    (session,) = sessions
    session._retry_connection = True
    before = server.counts[play]

    with pytest.raises(MaybeSentError):
        await engine.send(wire(f"{server.url}/{play}", method))

    assert server.counts[play] == before + 1
    assert (await engine.send(wire(f"{server.url}/good"))).status == 200


# --- loops


async def test_a_second_loop_is_refused(engine: AiohttpEngine, server: FaultServer) -> None:
    """Connections belong to the loop of the first call, so a call from another loop is not sent."""

    async def send() -> None:
        await engine.send(wire(f"{server.url}/good"))

    await send()
    with pytest.raises(UnsentError, match="the event loop of its first call") as caught:
        await anyio.to_thread.run_sync(lambda: asyncio.run(send()))
    assert caught.value.phase == "closed"
    assert server.counts == {"good": 1}


def test_trio_is_refused(server: FaultServer) -> None:
    """On trio the error is our own and not a RuntimeError."""
    import trio

    engine = AiohttpEngine()

    async def send() -> None:
        await engine.send(wire(f"{server.url}/good"))

    with pytest.raises(UnsentError, match="on asyncio only"):
        trio.run(send)


async def test_an_unused_engine_is_closed_without_a_warning() -> None:
    engine = AiohttpEngine()
    await engine.aclose()
    del engine
    gc.collect()


# --- bodies and bounds


async def test_a_large_body_arrives_whole(engine: AiohttpEngine, server: FaultServer) -> None:
    """Three megabytes arrive whole, with their length in front."""
    body = bytes(range(256)) * 12_000
    answer = await engine.send(wire(f"{server.url}/good", "PUT", body=body, total=10.0))
    assert answer.status == 200
    assert server.received[0].body == body
    assert "transfer-encoding" not in server.received[0].headers
    assert "content-type" not in server.received[0].headers


async def test_an_answer_before_the_body_is_read_is_an_answer(engine: AiohttpEngine) -> None:
    """A server may refuse before it has read the body, and its answer counts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.recv(1000)
                sock.sendall(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
                gone.wait()

        gone = threading.Event()
        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/orders"
        answer = await engine.send(wire(url, "PUT", body=b"x" * 32_000_000))
        assert (answer.status, answer.body) == (413, b"no")
        await engine.aclose()
        gone.set()
        thread.join()


async def test_the_total_timeout_ends_what_the_others_do_not(engine: AiohttpEngine, server: FaultServer) -> None:
    """The total timeout ends a write to a server that never reads, and the engine still works."""
    with FaultServer(deaf=True) as deaf:
        with pytest.raises(MaybeSentError) as caught:
            await engine.send(wire(f"{deaf.url}/good", "PUT", body=b"x" * 32_000_000, total=0.2))
        assert caught.value.phase == "write"
        assert deaf.accepted == 1
    await engine.send(wire(f"{server.url}/good"))


async def test_no_bound_is_never_no_bound_at_all(
    engine: AiohttpEngine, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiohttp takes a timeout of zero for none, so zero must not reach it. A new connection is used, because an idle
    one does not use aiohttp's timeouts."""
    monkeypatch.setattr(Connector, "take", none_idle)
    bounds_kept: list[aiohttp.ClientTimeout] = []
    make = aiohttp.ClientTimeout

    def recorded(**bounds: Any) -> aiohttp.ClientTimeout:
        bounds_kept.append(make(**bounds))
        return bounds_kept[-1]

    monkeypatch.setattr(aiohttp, "ClientTimeout", recorded)
    await engine.send(wire(f"{server.url}/good"))
    with pytest.raises(MaybeSentError) as caught:
        await engine.send(wire(f"{server.url}/hang", timeouts=Timeouts(connect=0.0, write=0.0, read=0.0, pool=0.0)))
    assert caught.value.phase == "read"
    (bounds,) = [kept for kept in bounds_kept if kept.connect != Timeouts().connect]
    assert bounds.connect


async def test_an_answer_in_pieces_is_not_silent(engine: AiohttpEngine, server: FaultServer) -> None:
    """The whole answer takes longer than the read timeout and no piece of it does, so the total timeout ends it."""
    loop = asyncio.get_running_loop()
    total = 1.0
    while True:
        began = loop.time()
        with pytest.raises(MaybeSentError) as ended:
            await engine.send(wire(f"{server.url}/drip-body", timeouts=Timeouts(read=0.4 * total), total=total))
        # Only on a slow machine a piece may take too long.
        if "the time for the whole send is over" in str(ended.value):
            break
        total *= 4
    assert loop.time() - began > 0.9 * total


async def test_a_given_clock_bounds_the_whole(server: FaultServer) -> None:
    """The given clock measures the total timeout. If the machine was too slow to send in that time, it gets more."""

    class Hurried(SystemClock):
        given = 0.05

        def move_on_after(self, seconds: float | None) -> AbstractContextManager[Any]:
            assert seconds == 60.0
            return anyio.move_on_after(self.given)

    clock = Hurried()
    engine = AiohttpEngine(clock=clock)
    while True:
        with pytest.raises(SendError, match="the time for the whole send is over") as ended:
            await engine.send(wire(f"{server.url}/hang", total=60.0))
        if isinstance(ended.value, MaybeSentError):
            break
        clock.given *= 4
    await engine.aclose()


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "PUT", "PATCH"])
@pytest.mark.parametrize("body", [None, b"{}"])
@pytest.mark.parametrize("names", [(), ("accept", "user-agent"), ("accept", "user-agent", "content-type")])
async def test_no_header_is_added_or_lost(
    engine: AiohttpEngine, server: FaultServer, method: str, body: bytes | None, names: tuple[str, ...]
) -> None:
    """aiohttp adds only the protocol's own headers and removes none."""
    await engine.send(wire(f"{server.url}/good", method, body=body, headers=dict.fromkeys(names, "text/mine")))
    received = server.received[0].headers
    own = {"host", "content-length", "accept-encoding", "connection"}
    assert {name: value for name, value in received.items() if name not in own} == dict.fromkeys(names, "text/mine")


# --- TLS


async def test_the_context_is_built_once_in_a_thread_at_the_first_need(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain http never builds a context; thirty first sends over https build one."""
    finish = ssl.SSLContext.set_alpn_protocols
    threads: list[int] = []

    def counted(context: ssl.SSLContext, protocols: Iterable[str]) -> None:
        threads.append(threading.get_ident())
        finish(context, protocols)

    monkeypatch.setattr(ssl.SSLContext, "set_alpn_protocols", counted)
    engine = AiohttpEngine(verify=False)
    await engine.send(wire(f"{server.url}/good"))
    assert threads == []

    with FaultServer(tls=server_context(trustme.CA(), "127.0.0.1")) as secure:

        async def send() -> None:
            assert (await engine.send(wire(f"{secure.url}/good"))).status == 200

        async with anyio.create_task_group() as group:
            for _ in range(30):
                group.start_soon(send)
        await engine.aclose()
        assert secure.settle() == 0
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()
