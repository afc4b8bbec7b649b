"""Faults below HTTP are seen over a raw socket, with both of the parsers that the server may use."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any, Self, cast
from urllib.parse import urlsplit

import httpx
import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import norce_order_async.sandbox.serving
from norce_order_async.sandbox import IN_PROCESS_URL, FaultPlan, FaultRule, Sandbox
from norce_order_async.sandbox.faults import CutBody, Delay, Drip, Fault, LoseAnswer, RefuseConnection, Reset, Respond
from norce_order_async.sandbox.faults.wire import protocol, reset
from tests.sandbox.support import API
from tests.support.waiting import wait_until

ORDERS = f"/checkout/order{API}/orders"


@pytest.fixture(params=[H11Protocol, HttpToolsProtocol], ids=["h11", "httptools"])
def sandbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    parser: type[asyncio.Protocol] = request.param
    monkeypatch.setattr(norce_order_async.sandbox.serving, "protocol", partial(protocol, parser=parser))
    with Sandbox(token="sandbox-token") as running:
        yield running


class Raw:
    """One connection, byte by byte."""

    def __init__(self, sandbox: Sandbox) -> None:
        port = urlsplit(sandbox.base_url).port
        assert port is not None
        self.socket = socket.create_connection(("127.0.0.1", port))

    def send(self, method: str = "POST", path: str = ORDERS, body: str = "{}") -> None:
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer sandbox-token\r\n"
            f"x-merchant: acme\r\nx-channel: se\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        self.socket.sendall((head + body).encode())

    def received(self) -> bytes:
        """Receive until the other side closes. A reset raises."""
        chunks: list[bytes] = []
        while chunk := self.socket.recv(65536):
            chunks.append(chunk)
        return b"".join(chunks)

    def exchanged(self) -> bytes:
        """Send, and receive until the other side closes."""
        self.send()
        return self.received()

    def answer(self) -> bytes:
        """Receive one answer, over a connection that stays."""
        text = b""
        while b"\r\n\r\n" not in text:
            text += self.socket.recv(65536)
        length = int(text.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(text.partition(b"\r\n\r\n")[2]) < length:
            text += self.socket.recv(65536)
        return text

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def play(sandbox: Sandbox, fault: Fault) -> None:
    sandbox.faults.play(FaultPlan([FaultRule(fault)]))


def orders(sandbox: Sandbox) -> int:
    return len(sandbox.effects.of(operation="CreateCheckoutOrder"))


@pytest.mark.parametrize(("when", "effects"), [("before", 0), ("after", 1)])
def test_a_reset_before_or_after_the_change(sandbox: Sandbox, when: Any, effects: int) -> None:
    play(sandbox, Reset(when))
    with Raw(sandbox) as raw:
        raw.send()
        with pytest.raises(ConnectionResetError):
            raw.received()
    assert orders(sandbox) == effects
    assert sandbox.requests[0].status is None
    assert sandbox.requests[0].faults == (f"reset {when} the change",)


def test_a_lost_answer_leaves_the_change(sandbox: Sandbox) -> None:
    play(sandbox, LoseAnswer())
    with Raw(sandbox) as raw:
        raw.send()
        assert raw.received() == b""
    assert orders(sandbox) == 1


def test_a_body_is_cut(sandbox: Sandbox) -> None:
    play(sandbox, CutBody(0.5))
    with Raw(sandbox) as raw:
        raw.send()
        head, body = raw.received().split(b"\r\n\r\n")
    promised = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert head.startswith(b"HTTP/1.1 201")
    assert len(body) == promised // 2 > 0
    assert orders(sandbox) == 1


def test_an_answer_without_a_body_is_cut_in_its_head(sandbox: Sandbox) -> None:
    with Raw(sandbox) as raw:
        raw.send()
        answer = raw.answer()
    order = json.loads(answer.partition(b"\r\n\r\n")[2])["id"]
    play(sandbox, CutBody())
    with Raw(sandbox) as raw:
        raw.send("DELETE", f"{ORDERS}/{order}")
        assert raw.received() == b"HTTP/1.1 204 \r\nserv"


def test_a_drip_arrives_bit_by_bit_and_whole(sandbox: Sandbox) -> None:
    play(sandbox, Drip(every=0.02, chunk=4))
    with Raw(sandbox) as raw:
        raw.send()
        pieces = [raw.socket.recv(65536)]
        while not pieces[-1].endswith(b"}"):
            pieces.append(raw.socket.recv(65536))
    assert len(pieces) > 3
    assert json.loads(b"".join(pieces).split(b"\r\n\r\n")[1])["id"]
    assert sandbox.requests[0].status == 201


def test_a_connection_is_reset_at_its_first_request(sandbox: Sandbox) -> None:
    sandbox.faults.play(FaultPlan([FaultRule(RefuseConnection(), every=2)]))
    with Raw(sandbox) as raw:
        raw.send()
        assert raw.answer().startswith(b"HTTP/1.1 201")
    with Raw(sandbox) as raw, pytest.raises(ConnectionResetError):
        raw.exchanged()
    assert orders(sandbox) == len(sandbox.requests) == 1
    (played,) = sandbox.faults
    assert (played.operation, played.request, played.fault) == (None, 2, "connection refused")


@pytest.mark.parametrize("parser", [H11Protocol, HttpToolsProtocol], ids=["h11", "httptools"])
def test_the_pages_about_the_sandbox_are_never_refused(
    parser: type[asyncio.Protocol], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a plan that refuses every connection could not be stopped from there. The plan does not count their
    connections."""
    monkeypatch.setattr(norce_order_async.sandbox.serving, "protocol", partial(protocol, parser=parser))
    plan = FaultPlan([FaultRule(RefuseConnection(), first=1)])
    with Sandbox(token="sandbox-token", inspect=True, faults=plan) as sandbox:
        for path, status in (("/__inspect/", 403), ("/__sandbox/faults", 200)):
            with Raw(sandbox) as raw:
                # A network may deliver a request in pieces.
                raw.socket.sendall(b"GET " + path[:5].encode())
                raw.socket.sendall(f"{path[5:]} HTTP/1.1\r\nhost: localhost\r\n".encode())
                raw.socket.sendall(b"authorization: Bearer sandbox-token\r\nconnection: close\r\n\r\n")
                assert raw.received().startswith(f"HTTP/1.1 {status} ".encode())
        assert not sandbox.faults
        with Raw(sandbox) as raw, pytest.raises(ConnectionResetError):
            raw.exchanged()
        with Raw(sandbox) as raw:
            raw.send()
            assert raw.answer().startswith(b"HTTP/1.1 201")
        assert [played.request for played in sandbox.faults] == [1]


@pytest.mark.parametrize("path", ["/__inspect/", "/__sandbox/faults"])
def test_paths_of_pages_that_are_not_there_are_refused_as_others(path: str) -> None:
    with Sandbox(admin=False, faults=FaultPlan([FaultRule(RefuseConnection())])) as sandbox, Raw(sandbox) as raw:
        raw.send("GET", path)
        with pytest.raises(ConnectionResetError):
            raw.received()


def test_leaving_does_not_wait_for_a_connection_without_a_request(caplog: pytest.LogCaptureFixture) -> None:
    with Sandbox(faults=FaultPlan([FaultRule(RefuseConnection())])) as sandbox, Raw(sandbox) as raw:
        raw.socket.sendall(b"GET /")
        with Raw(sandbox) as later:
            # When this request is answered, the earlier connection was accepted too.
            later.send("GET", "/__sandbox/clock")
            later.answer()
        sandbox.close()
        assert raw.received() == b""
    assert not caplog.records


def flood(raw: Raw) -> None:
    """Send until the other side ends the connection."""
    while True:
        raw.socket.sendall(b"x" * 10_000)


def test_a_first_line_without_an_end_is_refused(sandbox: Sandbox) -> None:
    sandbox.faults.play(FaultPlan([FaultRule(RefuseConnection())]))
    with Raw(sandbox) as raw, pytest.raises(ConnectionError):
        flood(raw)


def test_other_requests_over_the_connection_are_untouched(sandbox: Sandbox) -> None:
    """A fault ends only the connection that met it. The service works afterwards."""
    with Raw(sandbox) as kept:
        kept.send()
        assert kept.answer().startswith(b"HTTP/1.1 201")
        sandbox.faults.play(FaultPlan([FaultRule(Reset(), first=1)]))
        with Raw(sandbox) as raw, pytest.raises(ConnectionResetError):
            raw.exchanged()
        kept.send()
        assert kept.answer().startswith(b"HTTP/1.1 201")


def test_leaving_does_not_wait_for_a_delay(caplog: pytest.LogCaptureFixture) -> None:
    before = threading.enumerate()  # other tests in this process may share a sandbox that runs on
    with Sandbox(token="sandbox-token", faults=FaultPlan([FaultRule(Delay(3600))])) as sandbox, Raw(sandbox) as raw:
        raw.send()
        wait_until(lambda: sandbox.requests)
        sandbox.close()
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
    assert not [
        thread for thread in threading.enumerate() if thread not in before and thread.name.startswith("order-sandbox")
    ]


IN_PROCESS: list[tuple[Fault, type[Exception], int]] = [
    (RefuseConnection(), httpx.ConnectError, 0),
    (Reset("before"), httpx.ReadError, 0),
    (Reset("after"), httpx.ReadError, 1),
    (LoseAnswer(), httpx.RemoteProtocolError, 1),
    (CutBody(), httpx.RemoteProtocolError, 1),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("fault", "error", "effects"), IN_PROCESS, ids=[str(fault) for fault, _, _ in IN_PROCESS])
async def test_in_process_the_caller_gets_the_httpx_error_of_a_socket(
    fault: Fault, error: type[Exception], effects: int
) -> None:
    seen: list[Any] = []
    sandbox = Sandbox(token="sandbox-token", faults=FaultPlan([FaultRule(fault)]), on_request=seen.append)
    headers = {"authorization": "Bearer sandbox-token", "x-merchant": "acme", "x-channel": "se"}
    transport = httpx.ASGITransport(sandbox.app)
    async with httpx.AsyncClient(transport=transport, base_url=IN_PROCESS_URL + API, headers=headers) as client:
        with pytest.raises(error):
            await client.post("/orders", json={})
    assert orders(sandbox) == effects
    assert len(sandbox.faults) == 1
    assert seen == list(sandbox.requests)
    sandbox.close()


@pytest.mark.anyio
async def test_in_process_a_drip_is_whole() -> None:
    sandbox = Sandbox(token="sandbox-token", faults=FaultPlan([FaultRule(Drip(every=0.001)), FaultRule(Respond(500))]))
    headers = {"authorization": "Bearer sandbox-token", "x-merchant": "acme", "x-channel": "se"}
    transport = httpx.ASGITransport(sandbox.app)
    async with httpx.AsyncClient(transport=transport, base_url=IN_PROCESS_URL + API, headers=headers) as client:
        assert (await client.post("/orders", json={})).json()["id"]
    sandbox.close()


def test_a_connection_that_the_caller_has_closed_is_reset_without_an_error() -> None:
    class Gone:
        def __init__(self) -> None:
            self.socket = socket.socket()
            self.socket.close()
            self.aborted = False

        def get_extra_info(self, _: str) -> socket.socket:
            return self.socket

        def abort(self) -> None:
            self.aborted = True

    gone = Gone()
    reset(cast("asyncio.Transport", gone))
    assert gone.aborted
