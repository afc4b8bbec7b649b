"""Proxies, handed in or from the environment: who sees what, and what counts as sent when a proxy fails."""

from __future__ import annotations

import pytest
import trustme

from norce_order_async.engines.base import MaybeSentError, NotSentError

from .conftest import EngineFactory
from .faultserver import TUNNEL_TLS, FaultServer, closed_port
from .tls import server_context, trusting
from .wire import wire

pytestmark = pytest.mark.anyio


async def test_a_plain_proxy_gets_the_whole_address(make_engine: EngineFactory, server: FaultServer) -> None:
    """And credentials of its own; the address keeps its encoding."""
    engine = make_engine(proxy=f"http://user:word@127.0.0.1:{server.port}")
    answer = await engine.send(wire("http://service.test/echo/a%2Fb?x=1", "PUT", body=b"{}"))
    lines = answer.body.decode().splitlines()
    assert lines[0] == "PUT http://service.test/echo/a%2Fb?x=1"
    assert any(line.startswith("proxy-authorization: Basic ") for line in lines)
    await engine.aclose()
    assert server.settle() == 0


async def test_a_tunnel_through_a_proxy(make_engine: EngineFactory, server: FaultServer) -> None:
    """Over TLS the proxy sees no more than the host; a fault behind it is told as without a proxy."""
    authority = trustme.CA()
    TUNNEL_TLS.append(server_context(authority, "service.test"))
    try:
        engine = make_engine(proxy=f"http://127.0.0.1:{server.port}", verify=trusting(authority))
        answer = await engine.send(wire("https://service.test/echo/a%2Fb"))
        assert answer.body.decode().splitlines()[0] == "GET /echo/a%2Fb"
        with pytest.raises(MaybeSentError) as caught:
            await engine.send(wire("https://service.test/close", "POST", body=b"{}"))
        assert caught.value.phase == "read"
        assert server.counts["close"] == 1
        await engine.aclose()

        engine = make_engine(proxy=f"http://127.0.0.1:{server.port}", verify=trusting(trustme.CA()))
        with pytest.raises(NotSentError) as unsent:
            await engine.send(wire("https://service.test/good", "POST", body=b"{}"))
        assert unsent.value.phase == "tls"
        await engine.aclose()
        assert server.counts["good"] == 0
    finally:
        TUNNEL_TLS.clear()
    assert server.settle() == 0


async def test_a_proxy_that_refuses_or_is_not_there_is_not_sent(
    make_engine: EngineFactory, server: FaultServer
) -> None:
    """The request waits until there is a tunnel."""
    refusing = make_engine(proxy=f"http://127.0.0.1:{server.port}", verify=False)
    with pytest.raises(NotSentError) as caught:
        await refusing.send(wire("https://service.test:9/good", "POST", body=b"{}"))
    assert caught.value.phase == "connect"
    await refusing.aclose()
    with closed_port() as url:
        absent = make_engine(proxy=url, verify=False)
        for target in ("https://service.test/good", "http://service.test/good"):
            with pytest.raises(NotSentError):
                await absent.send(wire(target, "POST", body=b"{}"))
        await absent.aclose()
    assert server.settle() == 0


async def test_the_environment_is_asked_when_told_to(
    make_engine: EngineFactory, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its proxies and its exceptions from them; still no cookies."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    engine = make_engine(trust_env=True, verify=False)
    assert (await engine.send(wire("http://service.test/cookie"))).status == 200
    assert (await engine.send(wire("http://service.test/good"))).status == 200
    assert (await engine.send(wire(f"{server.url}/good"))).status == 200
    assert [request.target for request in server.received] == [
        "http://service.test/cookie",
        "http://service.test/good",
        "/good",
    ]
    assert all("cookie" not in request.headers for request in server.received)
    await engine.aclose()
    assert server.settle() == 0
