"""If a server sends more than the answer, the surplus must never become the answer to the next request."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import anyio
import httpx
import pytest
import trustme

from norce_order_async.engines.base import Engine, MaybeSentError, UnsentError
from norce_order_async.engines.httpx import HttpxEngine
from tests.engines.wire import handed_in, trusting_the_environment
from tests.support.waiting import until

from .conftest import EngineFactory
from .faultserver import FaultServer, answer
from .wire import server_context, trusting, wire

pytestmark = pytest.mark.anyio

TOGETHER = ["extra", "extra-half", "extra-chunked", "extra-empty", "extra-packet"]
"""Plays in which the surplus comes with the answer, whole or half."""

LATER = ["extra-later", "extra-half-later"]
"""Plays in which the surplus comes on a connection that is idle by then."""


async def the_next_request_gets_its_own_answer(engine: Engine, server: FaultServer, play: str) -> None:
    first = await engine.send(wire(f"{server.url}/{play}"))
    assert (first.status, first.body) == ((204, b"") if play == "extra-empty" else (200, b"first"))
    if play in TOGETHER:
        await until(lambda: not server.connections)
    else:
        await until(lambda: server.answered)
        await anyio.sleep(0.01)

    second = await engine.send(wire(f"{server.url}/echo/second", "POST", body=b"{}"))

    assert second.body.startswith(b"POST /echo/second")
    assert server.counts == {play: 1, "echo": 1}
    assert server.accepted == 2


@pytest.mark.parametrize("play", TOGETHER + LATER)
async def test_bytes_after_an_answer_are_not_the_next_answer(
    make_engine: EngineFactory, server: FaultServer, play: str
) -> None:
    """The surplus may come with the answer or after it, whole or half; the next request gets its own answer."""
    engine = make_engine()
    try:
        await the_next_request_gets_its_own_answer(engine, server, play)
    finally:
        await engine.aclose()
    assert server.settle() == 0


@pytest.mark.parametrize("play", TOGETHER + LATER)
async def test_bytes_after_an_answer_are_not_the_next_answer_under_tls(make_engine: EngineFactory, play: str) -> None:
    """Under TLS the surplus may have been received and not decrypted yet."""
    authority = trustme.CA()
    with FaultServer(tls=server_context(authority, "127.0.0.1")) as server:
        engine = make_engine(verify=trusting(authority))
        try:
            await the_next_request_gets_its_own_answer(engine, server, play)
        finally:
            await engine.aclose()
        assert server.settle() == 0


@pytest.mark.parametrize("made", [handed_in, trusting_the_environment])
@pytest.mark.parametrize("play", TOGETHER + LATER)
async def test_bytes_after_an_answer_are_not_the_next_answer_of_other_httpx_clients(
    made: Callable[[], AbstractAsyncContextManager[Engine]], server: FaultServer, play: str
) -> None:
    """The surplus is not the next answer over the user's client either, nor over the client that reads the
    environment's proxies."""
    async with made() as engine:
        await the_next_request_gets_its_own_answer(engine, server, play)


async def test_bytes_that_are_not_an_answer_fail_one_request_at_most(
    make_engine: EngineFactory, server: FaultServer
) -> None:
    """The request with the surplus or the one after it may fail as "maybe". No caller gets an answer made of these
    bytes."""
    engine = make_engine()
    answers: list[bytes] = []
    for target in ("extra-garbage", "echo/second", "echo/third"):
        try:
            answers.append((await engine.send(wire(f"{server.url}/{target}", "POST", body=b"{}"))).body)
        except MaybeSentError:
            continue
    assert len(answers) >= 2
    assert all(body == b"first" or body.startswith(b"POST /echo/") for body in answers)
    await engine.aclose()
    assert server.settle() == 0


@pytest.mark.parametrize("greeting", [answer(b"unasked"), answer(b"unasked")[:40], b"220 mail.example ready\r\n"])
async def test_a_server_that_speaks_first_ends_the_attempts(make_engine: EngineFactory, greeting: bytes) -> None:
    """After the request is sent, such bytes look like a quick answer. The engine must not open connections again and
    again."""
    with FaultServer(greeting=greeting) as server:
        engine = make_engine()
        for _ in range(3):
            with contextlib.suppress(UnsentError, MaybeSentError):
                await engine.send(wire(f"{server.url}/echo/second", "POST", body=b"{}"))
        assert server.accepted <= 3
        await engine.aclose()
        assert server.settle() == 0


async def test_an_answer_can_have_its_connection_dropped(make_engine: EngineFactory, server: FaultServer) -> None:
    """If an answer turns out to be another request's, its connection is dropped and the next request uses another
    one."""
    engine = make_engine()
    for number in range(1, 4):
        received = await engine.send(wire(f"{server.url}/good"))
        received.drop_connection()
        received.drop_connection()
        await until(lambda: not server.connections)
        assert server.accepted == number
    await engine.aclose()


async def test_dropping_ends_the_request_on_that_connection(make_engine: EngineFactory, server: FaultServer) -> None:
    """The answer to a request on a dropped connection can't be trusted, so that request fails as "maybe"."""
    engine = make_engine()
    received = await engine.send(wire(f"{server.url}/good"))
    async with anyio.create_task_group() as group:

        async def another() -> None:
            with pytest.raises(MaybeSentError):
                await engine.send(wire(f"{server.url}/hang", "POST", body=b"{}"))

        group.start_soon(another)
        await until(lambda: server.counts["hang"])
        received.drop_connection()
    assert server.accepted == 1
    assert (await engine.send(wire(f"{server.url}/good"))).status == 200
    await engine.aclose()
    assert server.settle() == 0


async def test_an_answer_without_a_connection_can_be_dropped_too() -> None:
    """An answer of a mock or of middleware has no connection, so dropping it does nothing."""
    engine = HttpxEngine(transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    (await engine.send(wire("http://127.0.0.1/good"))).drop_connection()
    await engine.aclose()
