"""The httpx engine's own rules: its pools, the user's client, transports without sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import anyio
import httpx
import pytest
import respx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from norce_order_async.engines.base import Engine, MaybeSentError, SendError, Timeouts, UnsentError
from norce_order_async.engines.httpx import HttpxEngine
from norce_order_async.errors import Phase
from norce_order_async.runtime.clock import SystemClock
from tests.support.waiting import until

from .faultserver import FaultServer
from .wire import PATIENT, wire

pytestmark = pytest.mark.anyio

URL = "https://api.example.test/order/v0"


def test_it_is_an_engine() -> None:
    """The assignment shows to type checkers that the class fits the protocol."""
    engine: Engine = HttpxEngine()
    assert engine.name == "httpx"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"client": object(), "transport": httpx.MockTransport(lambda _: httpx.Response(200))}, "not both"),
        ({"pool_size": 0}, "pool_size"),
        ({"proxy": "gopher://127.0.0.1"}, "gopher"),
    ],
)
def test_contradictory_arguments_are_refused(arguments: dict[str, object], words: str) -> None:
    """The engine refuses them when it is made, and the error has the reason."""
    with pytest.raises(ValueError, match=words):
        HttpxEngine(**arguments)  # type: ignore[arg-type]


# --- pools


async def test_pools_grow_with_the_sends_and_none_waits(server: FaultServer) -> None:
    """Twenty-five sends over pools of ten are all in flight together, and none waits for a connection."""
    engine = HttpxEngine()
    server.free.clear()
    no_waiting = Timeouts(connect=5, write=5, read=20, pool=0.05)

    async def send() -> None:
        assert (await engine.send(wire(f"{server.url}/good", timeouts=no_waiting))).status == 200

    async with anyio.create_task_group() as group:
        for _ in range(25):
            group.start_soon(send)
        await until(lambda: server.counts["good"] == 25)
        server.free.set()
    assert server.accepted == 25
    await engine.aclose()
    assert server.settle() == 0


async def test_one_after_the_other_uses_one_connection(server: FaultServer) -> None:
    """The engine uses the first pool as long as that is idle."""
    engine = HttpxEngine()
    for _ in range(30):
        await engine.send(wire(f"{server.url}/good", "POST", body=b"{}"))
    assert server.accepted == 1
    await engine.aclose()


@pytest.mark.parametrize("play", ["hang", "drip-head"])
async def test_a_cancelled_send_ends_its_pool(server: FaultServer, play: str) -> None:
    """New sends use other pools. The other sends of that pool end normally, and the last of them closes it."""
    engine = HttpxEngine()
    answers: list[int] = []
    await engine.send(wire(f"{server.url}/good"))
    assert server.accepted == 1

    async def slow() -> None:
        answers.append((await engine.send(wire(f"{server.url}/held-body"))).status)

    server.free.clear()
    async with anyio.create_task_group() as group:
        group.start_soon(slow)
        await until(lambda: server.said_all)
        async with anyio.create_task_group() as leaving:
            leaving.start_soon(engine.send, wire(f"{server.url}/{play}"))
            await until(lambda: server.counts[play])
            leaving.cancel_scope.cancel()
        server.free.set()
    assert answers == [200]
    assert server.settle() == 0

    await engine.send(wire(f"{server.url}/good"))
    assert server.accepted == 3
    await engine.aclose()


async def test_the_total_timeout_is_checked_between_chunks() -> None:
    """A chunk that comes after the total timeout, by the given clock, ends the send."""

    class Clock(SystemClock):
        now = 100.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    sent: list[int] = []

    class Chunks(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for number in range(4):
                sent.append(number)
                clock.now += 1.0
                yield b"x"

    engine = HttpxEngine(transport=httpx.MockTransport(lambda _: httpx.Response(200, stream=Chunks())), clock=clock)

    assert (await engine.send(wire(URL, total=4.5))).body == b"xxxx"
    with pytest.raises(MaybeSentError, match="time for the whole send is over") as caught:
        await engine.send(wire(URL, total=2.0))
    assert caught.value.phase == "body"
    await engine.aclose()


async def test_the_bounds_of_each_step_are_cut_to_what_is_left_of_the_total() -> None:
    """httpcore reads the timeouts at each step, so a step that begins late gets only what is left then."""

    class Clock(SystemClock):
        now = 100.0

        def monotonic(self) -> float:
            return self.now

        @contextmanager
        def move_on_after(self, seconds: float | None) -> Generator[None]:
            yield

    clock = Clock()
    seen: list[dict[str, float]] = []

    async def play(request: httpx.Request) -> httpx.Response:
        trace, timeouts = request.extensions["trace"], request.extensions["timeout"]
        for step in ("send_request_headers.started", "receive_response_headers.started"):
            clock.now += 1.0
            await trace(f"http11.{step}", {"request": request})
            seen.append(dict(timeouts))
        return httpx.Response(200)

    engine = HttpxEngine(transport=httpx.MockTransport(play), clock=clock)
    await engine.send(wire(URL, timeouts=Timeouts(connect=5, write=10, read=20, pool=5), total=6.0))
    assert seen == [
        {"connect": 5, "write": 5.0, "read": 5.0, "pool": 5},
        {"connect": 5, "write": 4.0, "read": 4.0, "pool": 5},
    ]
    await engine.aclose()


@pytest.mark.parametrize("path", ["/a/../b", "/a/./b", "/..", "/a b", "/å"])
async def test_an_address_httpx_would_rewrite_is_not_sent(server: FaultServer, path: str) -> None:
    """An address is sent as it was given, or not at all."""
    engine = HttpxEngine()
    with pytest.raises(UnsentError):
        await engine.send(wire(server.url + path))
    assert server.counts == {}
    await engine.aclose()


# Exceptions without a step, such as those of mocks and foreign transports


class OddError(Exception):
    """An exception that no HTTP library has."""


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


class ConnectTimeout(Exception):  # noqa: N818
    """An exception with httpx's name but of another family, like httpx2's exceptions."""


CLASSES: list[tuple[Exception, type[SendError], Phase]] = [
    (httpx.ConnectError(""), UnsentError, "connect"),
    (httpx.ConnectTimeout(""), UnsentError, "connect"),
    (httpx.PoolTimeout(""), UnsentError, "pool"),
    (httpx.ProxyError(""), UnsentError, "connect"),
    (httpx.UnsupportedProtocol(""), UnsentError, "connect"),
    (ConnectTimeout(), UnsentError, "connect"),
    (caused(httpx.ConnectTimeout(""), OddError()), MaybeSentError, "read"),
    (caused(httpx.ConnectError(""), OSError()), MaybeSentError, "read"),
    (httpx.WriteError(""), MaybeSentError, "write"),
    (httpx.WriteTimeout(""), MaybeSentError, "write"),
    (httpx.ReadError(""), MaybeSentError, "read"),
    (httpx.ReadTimeout(""), MaybeSentError, "read"),
    (httpx.RemoteProtocolError(""), MaybeSentError, "read"),
    (httpx.LocalProtocolError(""), MaybeSentError, "read"),
    (httpx.DecodingError(""), MaybeSentError, "body"),
    (OddError("secret"), MaybeSentError, "read"),
]


@pytest.mark.parametrize(("error", "kind", "phase"), CLASSES, ids=lambda value: getattr(value, "__name__", str(value)))
async def test_the_class_decides_without_a_step(error: Exception, kind: type[SendError], phase: Phase) -> None:
    """Without a step the exception's class decides, and in doubt the request may have been sent. The text has the class
    and nothing of the exception's text."""

    def play(request: httpx.Request) -> httpx.Response:
        raise error

    engine = HttpxEngine(transport=httpx.MockTransport(play))
    with pytest.raises(SendError) as caught:
        await engine.send(wire(URL, "POST", body=b"{}"))
    assert (type(caught.value), caught.value.phase) == (kind, phase)
    # The exception's text may repeat a header of the request or bytes of the answer.
    behind = error.__cause__
    assert caught.value.__cause__ is (behind if isinstance(behind, OSError) else None)
    assert caught.value.__context__ is None
    assert type(error).__name__ in str(caught.value)
    assert "secret" not in str(caught.value)
    await engine.aclose()


async def test_a_transport_that_tries_again_is_not_reported_as_unsent() -> None:
    """After a head was sent, a later connect error does not mean that nothing was sent."""

    async def play(request: httpx.Request) -> httpx.Response:
        trace = request.extensions["trace"]
        for step in ("connect_tcp", "send_request_headers", "receive_response_headers", "connect_tcp"):
            await trace(f"http11.{step}.started", {"request": request})
        raise httpx.ConnectError("")

    engine = HttpxEngine(transport=httpx.MockTransport(play))
    with pytest.raises(MaybeSentError):
        await engine.send(wire(URL, "POST", body=b"{}"))
    await engine.aclose()


# --- without sockets


async def test_under_respx() -> None:
    """Users' tests may replace httpx's transports, and they see the request as it would be sent."""
    engine = HttpxEngine()
    with respx.mock(base_url="https://api.example.test") as mock:
        route = mock.put("/order/v0", headers={"x-merchant": "acme"}, content=b'{"a": 1}').respond(
            202, json={"id": "o1"}, headers={"X-Trace": "t"}
        )
        failing = mock.get("/order/v0").mock(side_effect=httpx.ConnectError)
        answer = await engine.send(wire(URL, "PUT", body=b'{"a": 1}', headers={"X-Merchant": "acme"}))
        assert (answer.status, answer.body, answer.headers["x-trace"]) == (202, b'{"id":"o1"}', "t")
        with pytest.raises(UnsentError):
            await engine.send(wire(URL))
        assert route.call_count == failing.call_count == 1
    await engine.aclose()


async def test_an_asgi_application_in_process() -> None:
    """An ASGI application can be called without a socket."""

    async def show(request: Request) -> JSONResponse:
        body = (await request.body()).decode()
        raw_path: bytes = request.scope["raw_path"]
        return JSONResponse({"method": request.method, "path": raw_path.decode(), "body": body})

    app = Starlette(routes=[Route("/{path:path}", show, methods=["POST"])])
    engine = HttpxEngine(transport=httpx.ASGITransport(app=app))
    answer = await engine.send(wire("http://sandbox/a%2Fb", "POST", body=b"hello", total=5.0))
    assert answer.body == b'{"method":"POST","path":"/a%2Fb","body":"hello"}'
    await engine.aclose()
    with pytest.raises(UnsentError):
        await engine.send(wire("http://sandbox/a", "POST"))


# --- the user's own client


async def test_a_client_of_the_user_is_used_and_not_closed(server: FaultServer) -> None:
    """The engine uses the client's pool and headers, and not its cookies, its auth or its redirects."""
    async with httpx.AsyncClient(
        headers={"x-gateway": "g1"},
        cookies={"session": "theirs"},
        auth=("somebody", "theirs"),
        follow_redirects=True,
    ) as client:
        engine = HttpxEngine(client=client)
        assert (await engine.send(wire(f"{server.url}/redirect"))).status == 307
        assert (await engine.send(wire(f"{server.url}/cookie"))).status == 200
        assert (await engine.send(wire(f"{server.url}/good", headers={"Cookie": "ours=1"}))).status == 200
        assert [request.headers.get("cookie") for request in server.received] == [None, None, "ours=1"]
        assert all(request.headers["x-gateway"] == "g1" for request in server.received)
        assert all("authorization" not in request.headers for request in server.received)
        await engine.aclose()
        with pytest.raises(UnsentError):
            await engine.send(wire(f"{server.url}/good"))
        assert (await client.get(f"{server.url}/good")).status_code == 200


async def test_a_full_pool_of_the_users_own_is_not_sent(server: FaultServer) -> None:
    """The pool timeout ends the wait for a connection of the user's pool, and it is certain that nothing was sent."""
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=1)) as client:
        engine = HttpxEngine(client=client)
        hasty = Timeouts(connect=5, write=5, read=5, pool=0.05)

        async def hold(scope: anyio.CancelScope) -> None:
            with scope:
                await engine.send(wire(f"{server.url}/hang"))

        async with anyio.create_task_group() as group:
            held = anyio.CancelScope()
            group.start_soon(hold, held)
            await until(lambda: server.counts["hang"])
            with pytest.raises(UnsentError) as caught:
                await engine.send(wire(f"{server.url}/good", "POST", body=b"{}", timeouts=hasty))
            assert caught.value.phase == "pool"
            held.cancel()
        assert server.counts["good"] == 0


async def test_a_client_of_another_family_is_used_by_its_methods() -> None:
    """httpx2 has the same methods and other classes, so the engine must not check for httpx's classes."""

    class Chunks:
        def __aiter__(self) -> AsyncIterator[bytes]:
            return self._chunks()

        async def _chunks(self) -> AsyncIterator[bytes]:
            yield b'{"ok"'
            yield b": true}"

    class Response:
        status_code = 200
        headers = httpx.Headers({"X-Twice": "a"})
        extensions: Mapping[str, object] = MappingProxyType({})
        is_stream_consumed = False

        def aiter_raw(self) -> AsyncIterator[bytes]:
            return Chunks().__aiter__()

        async def aclose(self) -> None: ...

    class Client:
        def build_request(self, method: str, url: str, **arguments: object) -> httpx.Request:
            return httpx.Request(method, url, headers=arguments["headers"])  # type: ignore[arg-type]

        async def send(self, request: httpx.Request, **arguments: object) -> Response:
            assert arguments == {"stream": True, "auth": None, "follow_redirects": False}
            if request.url.path == "/fail":
                raise ConnectTimeout
            return Response()

    engine = HttpxEngine(client=Client())
    answer = await engine.send(wire("http://127.0.0.1/good", timeouts=PATIENT))
    assert (answer.status, dict(answer.headers), answer.body) == (200, {"x-twice": "a"}, b'{"ok": true}')
    with pytest.raises(UnsentError):
        await engine.send(wire("http://127.0.0.1/fail"))


@pytest.mark.parametrize("target", ["cookie", "good"])
async def test_a_client_handed_in_keeps_no_cookie_of_ours(server: FaultServer, target: str) -> None:
    """A cookie that the service sets for one merchant is not sent for another, and does not stay in the user's client.
    The user's own cookies stay there."""
    async with httpx.AsyncClient(cookies={"mine": "1"}) as client:
        engine = HttpxEngine(client=client)
        for _ in range(2):
            await engine.send(wire(f"{server.url}/{target}"))
        assert [cookie.name for cookie in client.cookies.jar] == ["mine"]
        assert all("cookie" not in request.headers for request in server.received)
