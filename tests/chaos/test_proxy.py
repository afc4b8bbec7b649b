"""The proxy changes nothing by default, and otherwise does what a test says."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.faults import ALL_THAT_END, Fault, Passing, Scripted, Seeded
from tests.support.plain import NO_TLS
from tests.support.proxy import Proxy, read_message

from .service import CREATE_ORDER, Truth, cart

Exchange = Callable[[bytes], bytes]


@asynccontextmanager
async def raw_service(answer: Exchange) -> AsyncGenerator[str]:
    """A service that answers each request with the given bytes. At its end all clients must have closed their
    connections."""
    connections: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.current_task())
        while (request := await read_message(reader)) is not None:
            writer.write(answer(request.wire))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*filter(None, connections))


@pytest.mark.asyncio
@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
async def test_bodies_of_every_size_pass_unchanged_in_both_directions(chunked: bool) -> None:
    """All of them go over one connection."""
    digests: list[str] = []

    def answer(request: bytes) -> bytes:
        body = request.partition(b"\r\n\r\n")[2]
        digests.append(hashlib.sha256(body).hexdigest())
        if not chunked:
            return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        pieces = [body[start : start + 1000] for start in range(0, len(body), 1000)]
        framed = b"".join(b"%x;note=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + framed + b"0\r\ntrailer: 1\r\n\r\n"

    chance = random.Random(7)
    bodies = [chance.randbytes(size) for size in (0, 1, 999, 1000, 1001, 70_000, 300_000)] * 3
    async with raw_service(answer) as url, httpx.AsyncClient(timeout=None, verify=NO_TLS) as client:
        with Proxy(url) as proxy:
            for body in bodies:
                response = await client.post(proxy.base_url, content=body)
                assert response.content == body
            assert (proxy.requests, proxy.faults, proxy.accepted) == (len(bodies), 0, 1)
    assert digests == [hashlib.sha256(body).hexdigest() for body in bodies]


@pytest.mark.asyncio
async def test_answers_without_a_length_of_their_own_pass_too() -> None:
    """HEAD and 204 have no body. An answer that closes its connection closes the client's connection too."""

    def answer(request: bytes) -> bytes:
        if request.startswith(b"HEAD"):
            return b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
        if request.startswith(b"DELETE"):
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        return b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"

    async with raw_service(answer) as url, httpx.AsyncClient(timeout=None, verify=NO_TLS) as client:
        with Proxy(url) as proxy:
            for _ in range(2):
                assert (await client.head(proxy.base_url)).status_code == 200
                assert (await client.delete(proxy.base_url)).status_code == 204
                assert (await client.get(proxy.base_url)).content == b"ok"
            assert proxy.accepted == 2, "an answer that closes its connection closes the client's too"


def post(proxy: Proxy, truth: Truth, reference: str) -> tuple[int, bytes]:
    """Create an order with a simple client."""
    address = urlsplit(proxy.base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    headers = {"authorization": "Bearer sandbox-token", "x-merchant": truth.merchant, "x-channel": "se"}
    try:
        connection.request("POST", f"{address.path}/api/v0/checkout/orders", _order(reference), headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _order(reference: str) -> bytes:
    return json.dumps({"culture": "sv-SE", "currency": "SEK", "country": "SE", "cart": cart(reference)}).encode()


@pytest.mark.parametrize("fault", [Fault.PASS, *ALL_THAT_END])
def test_a_fault_does_what_it_says(fault: Fault, proxy: Proxy, truth: Truth) -> None:
    """The fault decides whether the service acts, and what the client receives. The next request is served."""
    proxy.plan = Scripted(fault)
    heard: int | None = None
    try:
        heard, _ = post(proxy, truth, "a")
    except (OSError, http.client.HTTPException):
        heard = None
    proxy.settle()
    answers = {
        Fault.PASS: 201,
        Fault.DELAY: 201,
        Fault.MASK: 502,
        Fault.GATEWAY: 502,
        Fault.ERROR: 500,
        Fault.THROTTLE: 429,
        Fault.BUSY: 503,
        Fault.BUSY_AFTER: 503,
    }
    assert heard == answers.get(fault)
    assert len(truth.effects(CREATE_ORDER)) == int(fault.reaches)
    assert proxy.counts == {fault: 1}
    assert post(proxy, truth, "b")[0] == 201, "and the next request is served"


def test_a_plan_of_random_faults_meets_its_rate() -> None:
    """About one in five requests meets a fault, the same ones for the same seed. Reads are left alone if the plan
    says so."""

    def drawn(seed: int, *, writes_only: bool = False) -> list[Fault]:
        plan = Seeded(seed, 0.2, ALL_THAT_END, writes_only=writes_only)
        methods = ("GET", "POST")
        return [plan(Passing(number, methods[number % 2], "/")) for number in range(5_000)]

    assert 900 < sum(fault is not Fault.PASS for fault in drawn(1)) < 1_100
    assert drawn(1) == drawn(1) != drawn(2)
    spared = drawn(1, writes_only=True)
    assert all(fault is Fault.PASS for fault in spared[::2])
    assert set(spared[1::2]) == {Fault.PASS, *ALL_THAT_END}
