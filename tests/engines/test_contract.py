"""The contract of every engine, on every loop it runs on, against a server that counts.

Each case has one misbehaviour, the exception that it must give, and how many requests the server really received, which
shows an engine that sends again by itself. Afterwards the same engine must serve twenty good requests.
"""

from __future__ import annotations

import itertools
import socket
import time
import traceback
from dataclasses import dataclass, replace
from typing import Literal

import anyio
import anyio.to_thread
import pytest

from norce_order_async.engines.base import (
    Engine,
    MaybeSentError,
    SendError,
    UnsentError,
    WireRequest,
    WireResponse,
)
from norce_order_async.errors import Phase
from tests.support.servers import closed_port
from tests.support.waiting import until

from .conftest import EngineFactory
from .faultserver import FaultServer, unanswered_port
from .wire import HASTY, PATIENT, wire

pytestmark = pytest.mark.anyio

METHODS = [("GET", None), ("POST", b'{"a": 1}'), ("PUT", b'{"a": 1}'), ("DELETE", None)]


async def fails(engine: Engine, request: WireRequest) -> SendError:
    with pytest.raises(SendError) as caught:
        await engine.send(request)
    return caught.value


async def still_works(engine: Engine, server: FaultServer) -> None:
    """Check that twenty good requests, five at a time, succeed and are received once each."""
    before = server.counts["good"]

    async def five() -> None:
        for _ in range(5):
            answer = await engine.send(wire(f"{server.url}/good", "POST", body=b"{}"))
            assert answer.status == 200

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(five)
    assert server.counts["good"] == before + 20


@dataclass(frozen=True)
class Fault:
    """A play in which the server receives the whole request and gives no whole answer."""

    play: str
    phase: Phase
    ends_by: Literal["itself", "read", "total"] = "itself"
    """The timeout that ends the request, if nothing that the server does would."""
    or_phase: Phase | None = None
    """The phase of an engine that parses while it receives, and so loses a head that came with a bad body."""


FAULTS = [
    Fault("hang", "read", "read"),
    Fault("close", "read"),
    Fault("reset", "read"),
    Fault("half-status", "read"),
    Fault("half-head", "read"),
    Fault("half-head-hang", "read", "read"),
    Fault("garbage", "read"),
    Fault("huge-head", "read"),
    Fault("continue-twice-close", "read"),
    Fault("half-body", "body"),
    Fault("half-body-reset", "body"),
    Fault("half-body-hang", "body", "read"),
    Fault("cut-chunks", "body"),
    Fault("bad-chunk", "body", or_phase="read"),
    Fault("drip-body", "body", "total"),
    Fault("drip-head", "read", "total"),
    Fault("hang", "read", "total"),
    Fault("half-body-hang", "body", "total"),
]


async def fails_by(
    engine: Engine, server: FaultServer, fault: Fault, method: str, body: bytes | None
) -> tuple[SendError, str]:
    """Meet the fault in the middle of the server's play, and return the error and the request.

    If the machine is so slow that the server had hardly begun when the timeout ended it, it is tried again with a
    longer one.
    """
    for number in itertools.count():
        seconds = 0.1 * 4**number
        server.said_all = None
        target = f"/{fault.play}/{number}"
        timeouts = replace(PATIENT, read=seconds) if fault.ends_by == "read" else PATIENT
        total = seconds if fault.ends_by == "total" else None
        error = await fails(engine, wire(server.url + target, method, body=body, timeouts=timeouts, total=total))
        if fault.ends_by == "itself":
            server.heard(fault.play)
        elif server.said_all is None or time.monotonic() - server.said_all < seconds / 2:
            continue
        return error, target
    raise AssertionError


@pytest.mark.parametrize(("method", "body"), METHODS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.play}-{fault.ends_by}")
# The whole request was received, so its method and body make no difference to how its answer ends.
@pytest.mark.in_turn("method", "body")
async def test_a_fault_after_the_request_may_have_been_acted_on(
    make_engine: EngineFactory, server: FaultServer, fault: Fault, method: str, body: bytes | None
) -> None:
    """The error is ``MaybeSentError`` and names the phase, and the server received the request exactly once."""
    engine = make_engine()

    error, target = await fails_by(engine, server, fault, method, body)

    assert isinstance(error, MaybeSentError)
    assert error.phase in (fault.phase, fault.or_phase)
    assert server.targets[target] == 1
    await still_works(engine, server)
    assert server.targets[target] == 1
    await engine.aclose()
    assert server.settle() == 0


ANSWERS = [
    ("good", 200, b'{"ok": true}'),
    ("html-502", 502, b"<html>Bad Gateway</html>"),
    ("status-520", 520, b""),
    ("status-499", 499, b""),
    ("redirect", 307, b""),
    ("gzip", 200, b'{"ok": "zipped"}'),
    ("continue", 200, b'{"ok": true}'),
    ("early-hints", 200, b'{"ok": true}'),
    ("no-length", 200, b'{"ok": true}'),
    ("no-content", 204, b""),
    ("big-head", 200, b'{"ok": true}'),
    ("slow-body", 200, b"a" * 500 + b"b" * 500),
]


@pytest.mark.parametrize(("play", "status", "body"), ANSWERS)
async def test_a_whole_answer_is_passed_on_as_it_is(
    make_engine: EngineFactory, server: FaultServer, play: str, status: int, body: bytes
) -> None:
    """Unusual statuses, HTML, redirects and decoded bodies are returned as they are, and no redirect is followed."""
    engine = make_engine()

    answer = await engine.send(wire(f"{server.url}/{play}", "POST", body=b"{}", total=5.0))

    assert (answer.status, answer.body) == (status, body)
    assert server.counts == {play: 1}
    await still_works(engine, server)
    await engine.aclose()
    assert server.settle() == 0


async def test_a_refused_connection_is_not_sent(make_engine: EngineFactory, server: FaultServer) -> None:
    """If the port is closed, it is certain that nothing was sent."""
    engine = make_engine()
    with closed_port() as url:
        error = await fails(engine, wire(f"{url}/good", "POST", body=b"{}"))
    assert isinstance(error, UnsentError)
    assert error.phase == "connect"
    await still_works(engine, server)
    await engine.aclose()


async def test_a_connection_that_is_never_accepted_is_not_sent(make_engine: EngineFactory, server: FaultServer) -> None:
    """The connect timeout ends the wait, and the error says that nothing was sent."""
    engine = make_engine()
    with unanswered_port() as url:
        error = await fails(engine, wire(f"{url}/good", "POST", body=b"{}", timeouts=HASTY))
    assert isinstance(error, UnsentError)
    assert error.phase == "connect"
    await still_works(engine, server)
    await engine.aclose()


async def test_an_unknown_host_is_not_sent(
    make_engine: EngineFactory, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the name can't be resolved, nothing was sent. The resolver is replaced so that no network is used."""
    real = socket.getaddrinfo

    def resolve(host: str | bytes | None, *args: object, **kwargs: object) -> object:
        if host in ("nowhere.invalid", b"nowhere.invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    engine = make_engine()
    error = await fails(engine, wire("http://nowhere.invalid/good", "POST", body=b"{}"))
    assert isinstance(error, UnsentError)
    assert error.phase == "resolve"
    assert "nowhere" not in str(error)
    await still_works(engine, server)
    await engine.aclose()


async def test_a_server_that_never_reads_is_a_write_that_may_have_arrived(
    make_engine: EngineFactory, server: FaultServer
) -> None:
    """A large body stops in the socket's buffers until the write timeout, and part of it may have arrived."""
    engine = make_engine()
    with FaultServer(deaf=True) as deaf:
        error = await fails(
            engine, wire(f"{deaf.url}/good", "PUT", body=b"x" * 32_000_000, timeouts=replace(PATIENT, write=0.2))
        )
        assert isinstance(error, MaybeSentError)
        assert error.phase == "write"
        assert deaf.accepted == 1
    await still_works(engine, server)
    await engine.aclose()


@pytest.mark.parametrize(("method", "body"), METHODS)
@pytest.mark.parametrize("play", ["then-close", "then-reset"])
async def test_a_connection_closed_on_its_second_request_is_not_tried_again(
    make_engine: EngineFactory, server: FaultServer, play: str, method: str, body: bytes | None
) -> None:
    """If a kept-alive connection fails under a request that the server has read, the server may have acted on it."""
    engine = make_engine()
    request = wire(f"{server.url}/{play}", method, body=body)
    assert (await engine.send(request)).status == 200

    error = await fails(engine, request)

    assert isinstance(error, MaybeSentError)
    assert error.phase == "read"
    assert server.counts[play] == 2
    await still_works(engine, server)
    assert server.counts[play] == 2
    await engine.aclose()


async def test_an_idle_connection_the_server_has_closed_is_not_used(
    make_engine: EngineFactory, server: FaultServer
) -> None:
    """An engine notices that the server closed an idle connection, and sends over a new one."""
    engine = make_engine()
    for _ in range(3):
        assert (await engine.send(wire(f"{server.url}/once", "POST", body=b"{}"))).status == 200
        server.settle()
        await anyio.sleep(0.01)
    assert server.counts["once"] == 3
    await engine.aclose()


async def test_the_address_goes_out_byte_for_byte(make_engine: EngineFactory, server: FaultServer) -> None:
    """An encoded slash, dot, percent sign or colon stays encoded."""
    engine = make_engine()
    for target in (
        "/echo/a%2Fb/%2e%2e/c%20d/100%25",
        "/echo/a:b@c;d=e,f",
        "/echo?x=%2F&y=a+b&z=%C3%A5&list=1,2&t=2026-01-01T00:00:00%2B01:00",
        "/echo//double",
        "/echo/%7Btilde%7D~'()*!$",
    ):
        answer = await engine.send(wire(server.url + target))
        assert answer.body.decode().splitlines()[0] == f"GET {target}"
    await engine.aclose()


@pytest.mark.parametrize("target", ["/echo?", "/echo/a/../b", "/echo/./a", "/echo/a b", "/echo/å", '/echo/"a"?b=<c>'])
async def test_an_unusual_address_is_sent_as_it_is_or_not_at_all(
    make_engine: EngineFactory, server: FaultServer, target: str
) -> None:
    """No engine may change an address with an empty query, with dots or with unencoded characters into another one."""
    engine = make_engine()
    try:
        answer = await engine.send(wire(server.url + target))
    except UnsentError:
        assert server.counts == {}
    else:
        assert answer.body.decode().splitlines()[0] == f"GET {target}"
    await engine.aclose()


async def test_nothing_but_the_requests_own_headers_goes_out(make_engine: EngineFactory, server: FaultServer) -> None:
    """Only host, length, codings and connection are added, which belong to the protocol."""
    engine = make_engine()
    request = wire(
        f"{server.url}/good", "POST", body=b'{"a": 1}', headers={"User-Agent": "mine/1", "X-Merchant": "acme"}
    )
    await engine.send(request)
    received = server.received[0]
    assert received.body == b'{"a": 1}'
    own = {name: value for name, value in received.headers.items() if name in ("user-agent", "x-merchant")}
    assert own == {"user-agent": "mine/1", "x-merchant": "acme"}
    assert set(received.headers) - set(own) <= {"host", "content-length", "accept-encoding", "connection"}
    await engine.aclose()


async def test_cookies_are_never_sent_back(make_engine: EngineFactory, server: FaultServer) -> None:
    """A cookie of the server is in the answer, and is not sent back."""
    engine = make_engine()
    answer = await engine.send(wire(f"{server.url}/cookie"))
    assert answer.headers["set-cookie"] == "session=abc; Path=/"
    await engine.send(wire(f"{server.url}/good"))
    assert all("cookie" not in request.headers for request in server.received)
    await engine.aclose()


async def test_headers_of_an_answer_are_lower_case_and_joined(make_engine: EngineFactory, server: FaultServer) -> None:
    engine = make_engine()
    answer = await engine.send(wire(f"{server.url}/two-headers"))
    assert answer.headers["x-twice"] == "a, b"
    await engine.aclose()


async def test_proxies_of_the_environment_are_ignored(
    make_engine: EngineFactory, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine ignores the environment's proxies by default."""
    with closed_port() as url:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        engine = make_engine()
        assert (await engine.send(wire(f"{server.url}/good"))).status == 200
    await engine.aclose()


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/a", "/relative", "http://127.0.0.1/a#fragment", "http://user:word@127.0.0.1/a", "http://"]
)
async def test_an_invalid_address_is_not_sent(make_engine: EngineFactory, url: str) -> None:
    """The error says that nothing was sent, and does not repeat the address."""
    engine = make_engine()
    error = await fails(engine, wire(url))
    assert isinstance(error, UnsentError)
    assert "127.0.0.1" not in str(error)
    assert "word" not in str(error)
    await engine.aclose()


async def test_a_header_the_protocol_forbids_is_not_sent(make_engine: EngineFactory, server: FaultServer) -> None:
    """A newline in a value never makes another header, and nothing of the request is sent."""
    engine = make_engine()
    error = await fails(engine, wire(f"{server.url}/good", headers={"X-Merchant": "acme\r\nx-evil: 1"}))
    assert isinstance(error, UnsentError)
    assert "evil" not in "".join(traceback.format_exception(error))
    assert server.counts == {}
    await still_works(engine, server)
    await engine.aclose()


async def test_a_closed_engine_sends_nothing(make_engine: EngineFactory, server: FaultServer) -> None:
    """After closing, all connections are closed and a later send fails. A second close does no harm."""
    engine = make_engine()
    await still_works(engine, server)
    await engine.aclose()
    await engine.aclose()
    assert server.settle() == 0
    error = await fails(engine, wire(f"{server.url}/good"))
    assert isinstance(error, UnsentError)
    assert error.phase == "closed"


@pytest.mark.parametrize("play", ["hang", "half-body-hang", "drip-head", "drip-body"])
async def test_closing_under_a_send_ends_it_and_leaves_no_connection(
    make_engine: EngineFactory, server: FaultServer, play: str
) -> None:
    """The send in flight gets an error, and no connection is left. No timeout ends the send here."""
    engine = make_engine()
    errors: list[SendError] = []

    async def send() -> None:
        errors.append(await fails(engine, wire(f"{server.url}/{play}", timeouts=replace(PATIENT, read=3_600.0))))

    async with anyio.create_task_group() as group:
        group.start_soon(send)
        await until(lambda: server.said_all)
        await engine.aclose()
    assert [type(error) for error in errors] == [MaybeSentError]
    assert server.settle() == 0


async def test_an_engine_may_be_made_outside_a_loop(make_engine: EngineFactory) -> None:
    """Making an engine needs no event loop, so a thread can do it."""
    engine = await anyio.to_thread.run_sync(make_engine)
    with FaultServer() as server:
        answer: WireResponse = await engine.send(wire(f"{server.url}/good"))
        assert answer.status == 200
        await engine.aclose()


@pytest.mark.parametrize("play", ["garbage", "bad-chunk", "huge-head", "half-head", "cut-chunks", "close", "reset"])
async def test_no_exception_holds_the_headers_or_the_answer(
    make_engine: EngineFactory, server: FaultServer, play: str
) -> None:
    """The libraries' exceptions hold the request with its token, and bytes of the answer, so they are not chained."""
    engine = make_engine()
    request = wire(f"{server.url}/{play}", headers={"Authorization": "Bearer hush"})
    error: BaseException | None = await fails(engine, request)
    shown = "".join(traceback.format_exception(error))
    while error is not None:
        shown += repr(error) + repr(error.args) + repr(vars(error))
        assert error.__traceback__ is None or isinstance(error, SendError | OSError)
        error = error.__cause__ or error.__context__
    assert "hush" not in shown
    assert "this is not http" not in shown
    assert "hello" not in shown
    await engine.aclose()


async def test_the_error_of_the_system_is_the_cause(make_engine: EngineFactory) -> None:
    """The cause is the system's error, without the library's exceptions around it."""
    engine = make_engine()
    with closed_port() as url:
        error = await fails(engine, wire(url))
    assert isinstance(error.__cause__, OSError)
    await engine.aclose()


async def test_an_address_or_a_header_that_can_not_be_sent_is_not_kept(make_engine: EngineFactory) -> None:
    """Python's own error about a character holds the whole text, so it must not be chained."""
    engine = make_engine()
    error: BaseException | None = await fails(
        engine, wire("http://127.0.0.1:1", headers={"Authorization": "Bearer hush\ud800\n"})
    )
    while error is not None:
        assert "hush" not in f"{error!r}{error.args!r}{vars(error)!r}{getattr(error, 'object', '')}"
        error = error.__cause__ or error.__context__
    await engine.aclose()
