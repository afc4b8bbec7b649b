"""At DEBUG, with every logger on, no library's log shows a query or a header of a request."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import httpx
import pytest

from norce_order_async import NorceOrderClient
from norce_order_async.engines._httpx_stream import CURRENT
from norce_order_async.engines._logs import OURS, keep_quiet
from norce_order_async.engines.base import Engine
from tests.engines.wire import handed_in, trusting_the_environment
from tests.support.plain import NO_TLS

from .conftest import EngineFactory
from .faultserver import FaultServer
from .wire import wire

pytestmark = pytest.mark.anyio

QUERY = "customerEmail=attrappe%40example.com&number=191212121212"
PRIVATE = ("attrappe", "191212121212", "s3cret", "session=abc")


def nothing_private(caplog: pytest.LogCaptureFixture) -> None:
    for record in caplog.records:
        assert not [word for word in PRIVATE if word in record.getMessage()], record.name


@pytest.mark.parametrize("made", [handed_in, trusting_the_environment])
async def test_nothing_is_logged_by_httpx(
    made: Callable[[], AbstractAsyncContextManager[Engine]], server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    """httpx logs an address, without its query, only for the user's own client."""
    with caplog.at_level(logging.DEBUG):
        async with made() as engine:
            for play in ("cookie", "good", "close"):
                try:
                    await engine.send(wire(f"{server.url}/{play}?{QUERY}", headers={"authorization": "Bearer s3cret"}))
                except Exception:
                    assert play == "close"
    told = [record.getMessage() for record in caplog.records if record.name == "httpx"]
    assert any(f"{server.url}/good " in line for line in told) == (made is handed_in)
    assert any(record.name.startswith("httpcore") for record in caplog.records)
    nothing_private(caplog)


async def test_nothing_is_logged_by_libraries_of_engines(
    make_engine: EngineFactory, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine()
    with caplog.at_level(logging.DEBUG):
        for play in ("cookie", "good"):
            await engine.send(wire(f"{server.url}/{play}?{QUERY}", headers={"authorization": "Bearer s3cret"}))
        await engine.aclose()
    nothing_private(caplog)


async def test_nothing_is_logged_by_the_generated_client(server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    norce = NorceOrderClient(base_url=server.url, merchant="acme", channel="se", token="s3cret")
    with caplog.at_level(logging.DEBUG):
        async with norce.raw as raw:
            await raw.get_async_httpx_client().get(f"{server.url}/cookie?{QUERY}")
    assert [record for record in caplog.records if record.name == "httpx"]
    nothing_private(caplog)
    assert not OURS.get()


async def test_requests_of_others_are_logged_as_usual(server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    keep_quiet()
    with caplog.at_level(logging.DEBUG):
        async with httpx.AsyncClient(verify=NO_TLS) as client:
            await client.get(f"{server.url}/good?page=7")
    assert CURRENT.get() is None
    assert any("page=7" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("name", ["hpack.hpack", "hpack.table", "httpcore.http2", "httpcore2.http11"])
async def test_headers_of_http2_are_not_logged(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """The loggers that would show headers of HTTP/2 leave them out."""
    keep_quiet()
    before = OURS.set(True)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger(name).debug("Adding %r to the header table", (b"authorization", b"Bearer s3cret"))
    OURS.reset(before)
    assert [record.getMessage() for record in caplog.records] == ["Adding"]
