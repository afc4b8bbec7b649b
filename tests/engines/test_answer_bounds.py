"""Answers without a limit: what they cost, and that their status counts all the same.

The tests count steps, bytes and turns of a second task, never seconds.
"""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from norce_order_async.engines import _answer
from norce_order_async.engines._answer import MEMBERS, STEP, Inflater
from norce_order_async.engines.base import MAX_ANSWER_SIZE, MaybeSentError, WireRequest, WireResponse
from norce_order_async.engines.httpx import HttpxEngine
from tests.support.plain import NO_TLS

from .conftest import EngineFactory
from .faultserver import PLAYS, FaultServer, answer
from .wire import wire

pytestmark = pytest.mark.anyio

MOST = 4 * 1024 * 1024


def bounded(url: str, most: int = MOST, **arguments: Any) -> WireRequest:
    return replace(wire(url, "POST", body=b"{}", **arguments), max_answer_size=most)


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch, server: FaultServer) -> Any:
    """Has the server answer with a body in a coding."""

    def says(body: bytes, coding: str, status: str = "200 OK") -> str:
        def play(connection: Any, request: Any) -> bool:
            connection.send(answer(body, status, content_encoding=coding))
            return True

        monkeypatch.setitem(PLAYS, "coded", play)
        return f"{server.url}/coded"

    return says


class Turns:
    """A second task that counts its turns."""

    def __init__(self) -> None:
        self.count = 0
        self.ended = False

    async def take(self) -> None:
        while not self.ended:
            self.count += 1
            await anyio.lowlevel.checkpoint()


# Too large


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_bomb_costs_no_more_than_the_bound(
    make_engine: EngineFactory, server: FaultServer, monkeypatch: pytest.MonkeyPatch, coding: str
) -> None:
    """Ten gigabytes in ten megabytes are decompressed in steps, with turns for other tasks in between. No more than the
    limit is in memory."""
    engine = make_engine()
    await engine.send(wire(f"{server.url}/good"))
    undone: list[int] = []
    at_once: Counter[int] = Counter()
    step = Inflater.step

    def counted(self: Inflater, piece: bytes) -> bytes:
        found = step(self, piece)
        undone.append(len(found))
        at_once[turns.count] += len(found)
        return found

    turns = Turns()
    peaks: list[int] = []
    answers: list[WireResponse] = []
    monkeypatch.setattr(Inflater, "step", counted)
    async with anyio.create_task_group() as group:
        group.start_soon(turns.take)
        await anyio.lowlevel.checkpoint()
        tracemalloc.start()
        answers.append(await engine.send(bounded(f"{server.url}/bomb/{coding}", MAX_ANSWER_SIZE)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        turns.ended = True

    received = answers[0]
    assert (received.status, received.body) == (200, b"")
    assert received.unreadable == "it is larger than max_answer_size, 67108864 bytes"
    assert max(undone) <= STEP
    assert MAX_ANSWER_SIZE < sum(undone) <= MAX_ANSWER_SIZE + STEP
    # Fewer bytes than two steps are decompressed without a turn for the other task. On trio it is up to twice that,
    # because trio may give the other task no turn between two turns of the first.
    assert max(at_once.values()) < 4 * STEP
    assert peaks[0] < MAX_ANSWER_SIZE + 4_000_000
    await engine.aclose()
    assert server.settle() == 0


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_the_timeout_ends_a_bomb(make_engine: EngineFactory, server: FaultServer, coding: str) -> None:
    """If the size limit does not end the bomb, the total timeout does."""
    engine = make_engine()
    with pytest.raises(MaybeSentError) as caught:
        await engine.send(bounded(f"{server.url}/bomb/{coding}", 100_000_000_000, total=0.3))
    assert caught.value.phase == "body"
    assert (await engine.send(wire(f"{server.url}/good"))).status == 200
    await engine.aclose()
    assert server.settle() == 0


@pytest.mark.parametrize("play", ["flood", "flood-chunks", "flood-close"])
async def test_an_endless_body_is_not_read_to_its_end(
    make_engine: EngineFactory, server: FaultServer, play: str
) -> None:
    """A body without end is abandoned, whether it comes with a length, in chunks or until the connection closes."""
    engine = make_engine()
    await engine.send(wire(f"{server.url}/good"))
    tracemalloc.start()
    received = await engine.send(bounded(f"{server.url}/{play}"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (received.status, received.body) == (200, b"")
    assert received.unreadable == f"it is larger than max_answer_size, {MOST} bytes"
    assert peak < 2 * MOST
    assert server.counts[play] == 1
    assert (await engine.send(wire(f"{server.url}/good"))).status == 200
    await engine.aclose()
    assert server.settle() == 0


@pytest.mark.parametrize("coding", ["", "gzip", "deflate"])
@pytest.mark.parametrize("size", [0, 1, STEP - 1, STEP, STEP + 1, 3 * STEP, 3 * STEP + 1])
async def test_a_body_within_the_limit_is_whole(
    make_engine: EngineFactory, says: Any, server: FaultServer, coding: str, size: int
) -> None:
    """A body of exactly the limit arrives whole, over the same connection. With a limit one byte smaller it is too
    large."""
    plain = bytes(range(256)) * (size // 256) + bytes(size % 256)
    packed = {"gzip": gzip.compress(plain), "deflate": zlib.compress(plain)}.get(coding, plain)
    url = says(packed, coding or "identity")
    engine = make_engine()
    for _ in range(2):
        received = await engine.send(bounded(url, max(size, len(packed), 1)))
        assert (received.body, received.unreadable) == (plain, None)
    assert server.accepted == 1
    if size > 1:
        received = await engine.send(bounded(url, size - 1))
        assert received.status == 200
        assert received.unreadable
        assert received.body == b""
    await engine.aclose()


@pytest.mark.parametrize("play", ["flood-headers", "flood-header", "flood-status", "flood-hints"])
async def test_an_endless_head_is_not_an_answer(make_engine: EngineFactory, server: FaultServer, play: str) -> None:
    """An endless head fails, whether its headers, one header, its reason or its interim answers have no end."""
    engine = make_engine()
    await engine.send(wire(f"{server.url}/good"))
    tracemalloc.start()
    with pytest.raises(MaybeSentError) as caught:
        await engine.send(bounded(f"{server.url}/{play}"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(caught.value) == "the answer can't be trusted: its head is too long (read)"
    assert peak < 2_000_000
    assert server.counts[play] == 1
    await engine.aclose()
    assert server.settle() == 0


# Codings

TEXT = b'{"ok": "packed"}' * 40


def raw_deflate(body: bytes) -> bytes:
    packing = zlib.compressobj(wbits=-15)
    return packing.compress(body) + packing.flush()


UNDONE = {
    "gzip": (gzip.compress(TEXT), "gzip"),
    "in capitals": (gzip.compress(TEXT), " GZip "),
    "by its old name": (gzip.compress(TEXT), "x-gzip"),
    "several members": (b"".join(gzip.compress(TEXT[i : i + 100]) for i in range(0, len(TEXT), 100)), "gzip"),
    "an empty member": (gzip.compress(b"") + gzip.compress(TEXT), "gzip"),
    "deflate": (zlib.compress(TEXT), "deflate"),
    "deflate without its frame": (raw_deflate(TEXT), "deflate"),
    "none": (TEXT, "identity"),
}


@pytest.mark.parametrize("name", UNDONE)
async def test_requested_codings_are_decoded(make_engine: EngineFactory, says: Any, name: str) -> None:
    engine = make_engine()
    received = await engine.send(wire(says(*UNDONE[name])))
    assert (received.status, received.body, received.unreadable) == (200, TEXT, None)
    await engine.aclose()


UNREADABLE = {
    "not gzip": (TEXT, "gzip"),
    "not deflate": (b"\xff" * 50, "deflate"),
    "cut gzip": (gzip.compress(TEXT)[:-5], "gzip"),
    "one byte of gzip": (b"\x1f", "gzip"),
    "cut deflate": (zlib.compress(TEXT)[:-5], "deflate"),
    "cut between members": (gzip.compress(TEXT) + gzip.compress(TEXT)[:12], "gzip"),
    "wrong checksum": (gzip.compress(TEXT)[:-8] + bytes(8), "gzip"),
    "garbage behind gzip": (gzip.compress(TEXT) + b"garbage", "gzip"),
    "a byte behind gzip": (gzip.compress(TEXT) + b"x", "gzip"),
    "garbage behind deflate": (zlib.compress(TEXT) + b"garbage", "deflate"),
    "gzip in gzip": (gzip.compress(gzip.compress(TEXT)), "gzip, gzip"),
    "brotli": (b"\x8b\x01\x80{}\x03", "br"),
    "zstd": (b"\x28\xb5\x2f\xfd{}", "zstd"),
    "a coding nobody knows": (TEXT, "x-own"),
    "too many members": (gzip.compress(b"") * (MEMBERS + 1), "gzip"),
}


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
@pytest.mark.parametrize("name", UNREADABLE)
async def test_a_body_that_can_not_be_decoded_leaves_the_status(
    make_engine: EngineFactory, says: Any, server: FaultServer, name: str, status: str
) -> None:
    """The answer counts without its body, and its connection is not used again."""
    engine = make_engine()
    received = await engine.send(wire(says(*UNREADABLE[name], status), "POST", body=b"{}"))
    assert (f"{received.status}", received.body) == (status[:3], b"")
    assert received.unreadable
    assert "packed" not in received.unreadable
    assert server.counts == {"coded": 1}
    assert (await engine.send(wire(f"{server.url}/good"))).status == 200
    assert server.accepted == 2
    await engine.aclose()
    assert server.settle() == 0


async def test_an_empty_body_is_empty_in_any_coding(make_engine: EngineFactory, says: Any) -> None:
    """An empty body need not be decoded."""
    engine = make_engine()
    for coding in ("gzip", "deflate", "br"):
        received = await engine.send(wire(says(b"", coding)))
        assert (received.body, received.unreadable) == (b"", None)
    await engine.aclose()


async def test_engines_request_the_codings_that_they_decode(make_engine: EngineFactory, server: FaultServer) -> None:
    """Engines request no other codings, whatever is installed."""
    engine = make_engine()
    await engine.send(wire(f"{server.url}/good"))
    assert server.received[0].headers["accept-encoding"] == _answer.CODINGS
    await engine.aclose()


# The user's own client or transport


@pytest.mark.parametrize("play", ["bomb/gzip", "bomb/deflate", "flood", "flood-chunks"])
async def test_a_client_of_httpxs_own_has_the_limit_too(server: FaultServer, play: str) -> None:
    async with httpx.AsyncClient(verify=NO_TLS) as client:
        engine = HttpxEngine(client=client)
        received = await engine.send(bounded(f"{server.url}/{play}"))
        assert (received.status, received.body) == (200, b"")
        assert received.unreadable
        assert (await engine.send(wire(f"{server.url}/good"))).status == 200


async def test_an_endless_transport_is_abandoned() -> None:
    """An endless body is also abandoned if its transport has no connection to close."""
    sent = 0

    class Endless(httpx.AsyncByteStream):
        def __aiter__(self) -> AsyncIterator[bytes]:
            return self

        async def __anext__(self) -> bytes:
            nonlocal sent
            sent += 1
            return b"x" * 100_000

    engine = HttpxEngine(transport=httpx.MockTransport(lambda _: httpx.Response(200, stream=Endless())))
    received = await engine.send(bounded("http://127.0.0.1/endless"))
    assert received.unreadable
    assert sent < 100
    await engine.aclose()


async def test_an_answer_that_was_read_already_has_the_limit() -> None:
    """The limit also holds for answers of mocks and caches, which have been read already."""
    engine = HttpxEngine(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=b"x" * 100)))
    received = await engine.send(bounded("http://127.0.0.1/read", 99))
    assert (received.body, bool(received.unreadable)) == (b"", True)
    await engine.aclose()
