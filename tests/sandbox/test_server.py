"""The sandbox is entered, called over a socket and left, and nothing remains."""

import contextlib
import gc
import http.client
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import pytest

import norce_order_async.sandbox
from norce_order_async.sandbox import ReceivedRequest, Sandbox, SandboxStartError
from tests.support.plain import NO_TLS

from .support import API, CART, SHIPPING

TOKEN = "sandbox-token"
HEADERS = {"authorization": f"Bearer {TOKEN}", "x-merchant": "acme", "x-channel": "se"}


def ask(base_url: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Send one request through the standard library, on a connection of its own."""
    parts = urlsplit(base_url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, parts.path + API + path, sent, {**HEADERS, "content-type": "application/json"})
        response = connection.getresponse()
        assert "norce" not in response.headers["server"].lower()
        content = response.read()
        return response.status, json.loads(content) if content else None
    finally:
        connection.close()


def nothing_listens(base_url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(base_url).port)) != 0


_BEFORE: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def _threads_before() -> None:  # pyright: ignore[reportUnusedFunction]
    """Record the threads that run before the test, because other tests may share a running sandbox."""
    _BEFORE.clear()
    _BEFORE.update(threading.enumerate())


def sandbox_threads() -> list[str]:
    """The threads that started since the test began."""
    return [
        thread.name
        for thread in threading.enumerate()
        if thread not in _BEFORE and thread.name.startswith("order-sandbox")
    ]


def test_the_tutorial_over_a_socket_without_any_loop() -> None:
    answered: list[ReceivedRequest] = []
    with Sandbox(token=TOKEN, on_request=answered.append) as sandbox:
        base_url = sandbox.base_url
        status, made = ask(base_url, "POST", "/orders", {"cart": CART})
        assert status == 201
        order = f"/orders/{made['id']}"
        assert ask(base_url, "POST", f"{order}/shippings", SHIPPING)[0] == 201
        assert ask(base_url, "POST", f"{order}/payments", {"amount": 20})[0] == 201
        assert ask(base_url, "POST", f"{order}/validate") == (200, [])
        assert ask(base_url, "PUT", f"{order}/state", {"currentStatus": "completed"}) == (200, None)
        assert ask(base_url, "GET", order)[1]["state"]["currentStatus"] == "completed"
        assert ask(base_url, "DELETE", order) == (204, None)
    assert nothing_listens(base_url)
    assert sandbox_threads() == []
    # The logs can be read after the sandbox was left.
    assert [request.status for request in sandbox.requests] == [201, 201, 201, 200, 200, 200, 204]
    assert list(sandbox.requests) == answered
    assert len(sandbox.effects.of(made["id"])) == 5


@pytest.mark.anyio
async def test_entered_from_asyncio_and_trio() -> None:
    async with Sandbox(token=TOKEN) as sandbox:
        async with httpx.AsyncClient(base_url=sandbox.base_url + API, headers=HEADERS, verify=NO_TLS) as client:
            made = (await client.post("/orders", json={"cart": CART})).json()
            assert (await client.get(f"/orders/{made['id']}")).json()["cart"]["reference"] == "our-first-cart"
        base_url = sandbox.base_url
    assert nothing_listens(base_url)
    assert sandbox_threads() == []


@pytest.mark.every_loop
@pytest.mark.anyio
async def test_leaving_while_cancelled_still_stops_the_server() -> None:
    base_url = ""
    with anyio.CancelScope() as scope:
        async with Sandbox(token=TOKEN) as sandbox:
            base_url = sandbox.base_url
            scope.cancel()
            await anyio.sleep_forever()
    assert nothing_listens(base_url)
    assert sandbox_threads() == []


def test_answers_are_not_delayed() -> None:
    """Without TCP_NODELAY each answer on a kept connection would wait 40 ms for the client's acknowledgement."""
    with Sandbox(token=TOKEN) as sandbox:
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(sandbox.base_url).port or 0)
        connection.request("GET", "/")
        assert connection.getresponse().read()
        own = connection.sock.getsockname()
        (answering,) = [one for one in open_sockets() if one.getpeername() == own]
        assert answering.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        connection.close()


def open_sockets() -> list[socket.socket]:
    """The connected sockets of this process."""
    found = [one for one in gc.get_objects() if isinstance(one, socket.socket) and one.fileno() >= 0]
    connected: list[socket.socket] = []
    for one in found:
        with contextlib.suppress(OSError):
            one.getpeername()
            connected.append(one)
    return connected


def test_leaving_does_not_wait_for_an_idle_connection() -> None:
    with Sandbox(token=TOKEN) as sandbox:
        base_url = sandbox.base_url
        parts = urlsplit(base_url)
        idle = socket.create_connection(("127.0.0.1", parts.port))
        kept_alive = http.client.HTTPConnection("127.0.0.1", parts.port or 0)
        kept_alive.request("GET", "/")
        assert kept_alive.getresponse().read()
    assert nothing_listens(base_url)
    assert sandbox_threads() == []
    idle.close()
    kept_alive.close()


def test_leaving_does_not_wait_for_a_poll() -> None:
    """The fastest of several stops counts. A busy machine may delay one of them, while a poll of a tenth of a second
    would delay all."""
    took = [1.0]
    while min(took) > 0.09 and len(took) < 20:
        with Sandbox(token=TOKEN) as sandbox:
            assert ask(sandbox.base_url, "GET", "/orders")[0] == 200
            began = time.monotonic()
        took.append(time.monotonic() - began)
    assert min(took) <= 0.09


def test_an_answer_that_is_being_sent_arrives_before_the_server_stops() -> None:
    arrived: list[int] = []
    with Sandbox(token=TOKEN, faults={"rules": [{"fault": {"delay": 60.0}}]}) as sandbox:
        base_url = sandbox.base_url
        asking = threading.Thread(target=lambda: arrived.append(ask(base_url, "GET", "/orders")[0]))
        asking.start()
        while not sandbox.requests:
            time.sleep(0.001)
    asking.join()
    assert arrived == [200]


def test_a_sandbox_can_be_entered_again_with_its_state() -> None:
    sandbox = Sandbox(token=TOKEN)
    with sandbox:
        order = ask(sandbox.base_url, "POST", "/orders", {})[1]["id"]
    with sandbox:
        assert ask(sandbox.base_url, "GET", f"/orders/{order}")[0] == 200
    sandbox.close()


def test_state_in_a_file_outlives_the_sandbox(tmp_path: Any) -> None:
    file = str(tmp_path / "sandbox.db")
    first = Sandbox(token=TOKEN, database=file)
    with first:
        order = ask(first.base_url, "POST", "/orders", {})[1]["id"]
    first.close()
    second = Sandbox(token=TOKEN, database=file)
    with second:
        assert ask(second.base_url, "GET", f"/orders/{order}")[0] == 200
    assert len(second.effects) == 1
    second.close()


def test_a_port_in_use_is_a_clear_error() -> None:
    with Sandbox(token=TOKEN) as sandbox:
        port = urlsplit(sandbox.base_url).port or 0
        with (
            pytest.raises(SandboxStartError, match=f"port {port}: Address already in use"),
            Sandbox(token=TOKEN, port=port),
        ):
            pass
        assert sandbox_threads() == [f"order-sandbox-{port}"]


def test_the_base_url_of_one_that_is_not_running() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        _ = Sandbox(token=TOKEN).base_url


def test_requests_at_once_all_take_effect_once() -> None:
    with Sandbox(token=TOKEN) as sandbox:
        order = ask(sandbox.base_url, "POST", "/orders", {})[1]["id"]

        def add() -> None:
            for _ in range(10):
                assert ask(sandbox.base_url, "POST", f"/orders/{order}/payments", {"amount": 1})[0] == 201

        threads = [threading.Thread(target=add) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ask(sandbox.base_url, "GET", f"/orders/{order}/payments")[1]) == 80
    assert len(sandbox.effects.of(order, "CreateOrderPayment")) == 80


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_stops_on_a_signal(number: int) -> None:
    program = (
        "from norce_order_async.sandbox import Sandbox, serve\n"
        f"serve(Sandbox(token={TOKEN!r}, on_request=lambda r: print(r.method, r.status, flush=True)),"
        " on_start=lambda s: print(s.base_url, flush=True))\n"
        "print('stopped', flush=True)\n"
    )
    arguments = [sys.executable, "-W", "error", "-c", program]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        base_url = process.stdout.readline().strip()
        assert ask(base_url, "GET", "/orders")[0] == 200
        os.kill(process.pid, number)
        assert process.stdout.read().split() == ["GET", "200", "stopped"]
        assert process.wait() == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize("missing", ["jsonpatch", "jsonschema", "starlette", "uvicorn"])
def test_without_the_extra_the_error_says_what_to_install(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf"{missing} is missing\): install norce-order-async with \[sandbox\]$"):
        importlib.reload(norce_order_async.sandbox)


@pytest.mark.anyio
async def test_lifespan_is_answered() -> None:
    """An ASGI server that demands lifespan can run the application."""
    sent: list[str] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await Sandbox(token=TOKEN).app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.anyio
async def test_a_request_that_is_never_finished_has_no_effect() -> None:
    sandbox = Sandbox(token=TOKEN)
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        pytest.fail("there is nobody to answer")

    headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": f"/checkout/order{API}/orders"}
    await sandbox.app({**scope, "query_string": b"", "headers": headers}, receive, send)
    assert len(sandbox.effects) == len(sandbox.requests) == 0


def test_a_shell_starts_and_stops_it() -> None:
    """A sandbox works without a ``with`` block. Its logs can be read after a stop, and it can be started again."""
    sandbox = Sandbox(token=TOKEN).start()
    headers = {"authorization": f"Bearer {sandbox.token}", "x-merchant": "acme", "x-channel": "se"}
    assert (
        httpx.post(f"{sandbox.base_url}/api/v0/checkout/orders", headers=headers, json={}, verify=NO_TLS).status_code
        == 201
    )
    with pytest.raises(RuntimeError, match="is running already"):
        sandbox.start()
    sandbox.stop()
    sandbox.stop()
    assert len(sandbox.effects) == 1
    sandbox.start()
    sandbox.close()


def asked(sandbox: Sandbox, path: str, **headers: str) -> int:
    """The status of a request that has these headers, even where its address would give others."""
    parts = urlsplit(sandbox.base_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.putrequest("GET", path, skip_host="host" in headers)
    for name, value in {**HEADERS, **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    try:
        return connection.getresponse().status
    finally:
        connection.close()


LIST = "/checkout/order/api/v0/checkout/orders"


@pytest.mark.parametrize("path", [LIST, "/__sandbox/clock"])
@pytest.mark.parametrize(
    ("host", "served_as", "status"),
    [
        ("127.0.0.1:8700", (), 200),
        ("localhost", (), 200),
        ("LocalHost.:80", (), 200),
        ("shop.localhost:1", (), 200),
        ("[::1]:8700", (), 200),
        ("10.1.2.3", (), 200),
        ("evil.example", (), 421),
        ("evil.example:8700", (), 421),
        ("localhost.evil.example", (), 421),
        ("127.0.0.1.evil.example", (), 421),
        ("127.0.0.1@evil.example", (), 421),
        ("evil.example#127.0.0.1", (), 421),
        ("evil.example, localhost", (), 421),
        ("2130706433", (), 421),
        ("[::1", (), 421),
        ("", (), 421),
        ("sandbox:8700", (), 421),
        ("sandbox:8700", ["Sandbox"], 200),
        ("other:8700", ["sandbox"], 421),
    ],
)
def test_only_requests_for_this_server_are_answered(path: str, host: str, served_as: list[str], status: int) -> None:
    """An outsider may point a name to this machine. A request for that name is refused, even with the right token."""
    with Sandbox(token=TOKEN, served_as=served_as) as sandbox:
        assert asked(sandbox, path, host=host) == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:3000", 200),
        ("http://127.0.0.1:8700", 200),
        ("https://evil.example", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_a_page_from_another_host_is_refused(origin: str, status: int) -> None:
    """The right token does not change that."""
    with Sandbox(token=TOKEN) as sandbox:
        assert asked(sandbox, LIST, origin=origin) == status
        assert asked(sandbox, "/__sandbox/clock", origin=origin) == status
        assert len(sandbox.requests) == (status == 200)


def test_a_token_is_made_unless_given() -> None:
    """Each sandbox has another token, which can't be guessed."""
    first, second = Sandbox(), Sandbox()
    assert first.token != second.token
    assert len(first.token) >= 32
    first.close()
    second.close()
