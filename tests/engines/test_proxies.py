"""Proxies, given or from the environment: who sees what, and what counts as sent if a proxy fails."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from typing import Any

import pytest
import trustme

from norce_order_async import ClientCredentials, ConfigurationError, NorceOrderClient
from norce_order_async.engines.base import MaybeSentError, UnsentError
from norce_order_async.engines.select import ENGINES, EngineName
from tests.support.servers import closed_port

from .conftest import EngineFactory
from .faultserver import TUNNEL_TLS, FaultServer
from .wire import server_context, trusting, wire

pytestmark = pytest.mark.anyio


async def test_a_plain_proxy_gets_the_whole_address(make_engine: EngineFactory, server: FaultServer) -> None:
    """The proxy gets the address in its encoding, and the credentials for the proxy."""
    engine = make_engine(proxy=f"http://user:word@127.0.0.1:{server.port}")
    answer = await engine.send(wire("http://service.test/echo/a%2Fb?x=1", "PUT", body=b"{}"))
    lines = answer.body.decode().splitlines()
    assert lines[0] == "PUT http://service.test/echo/a%2Fb?x=1"
    assert any(line.startswith("proxy-authorization: Basic ") for line in lines)
    await engine.aclose()
    assert server.settle() == 0


async def test_a_tunnel_through_a_proxy(make_engine: EngineFactory, server: FaultServer) -> None:
    """Faults behind a tunnel are reported as without a proxy."""
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
        with pytest.raises(UnsentError) as unsent:
            await engine.send(wire("https://service.test/good", "POST", body=b"{}"))
        assert unsent.value.phase == "tls"
        await engine.aclose()
        assert server.counts["good"] == 0
    finally:
        TUNNEL_TLS.clear()
    assert server.settle() == 0


async def test_a_proxy_that_refuses_or_does_not_exist_is_not_sent(
    make_engine: EngineFactory, server: FaultServer
) -> None:
    """Without a connection through the proxy nothing was sent."""
    refusing = make_engine(proxy=f"http://127.0.0.1:{server.port}", verify=False)
    with pytest.raises(UnsentError) as caught:
        await refusing.send(wire("https://service.test:9/good", "POST", body=b"{}"))
    assert caught.value.phase == "connect"
    await refusing.aclose()
    with closed_port() as url:
        absent = make_engine(proxy=url, verify=False)
        for target in ("https://service.test/good", "http://service.test/good"):
            with pytest.raises(UnsentError):
                await absent.send(wire(target, "POST", body=b"{}"))
        await absent.aclose()
    assert server.settle() == 0


async def test_trust_env_uses_the_proxies_of_the_environment(
    make_engine: EngineFactory, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine uses the environment's proxies and its exceptions from them, and sends no cookies."""
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


VARIABLES = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Remove this machine's own proxies from the environment."""
    for name in (*VARIABLES, "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def client_of(engine: EngineName = "auto", **settings: Any) -> NorceOrderClient:
    given: dict[str, Any] = {"base_url": "https://service.test", "trust_env": True, **settings}
    return NorceOrderClient(merchant="acme", channel="se", token="t", engine=engine, **given)


@pytest.mark.parametrize("engine", ["auto", *ENGINES])
@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize(
    "address",
    [
        "user:secret@127.0.0.1:3128",
        "gopher://user:secret@127.0.0.1",
        "127.0.0.1",
        "http://",
        "http://user:secret@127.0.0.1:port",
        "socks5://[::1",
    ],
)
def test_a_proxy_of_the_environment_that_can_not_be_used_is_reported(
    environment: pytest.MonkeyPatch, engine: EngineName, variable: str, address: str
) -> None:
    """The client refuses it when it is made. The error names the variable and not the address, which may hold a
    secret."""
    environment.setenv(variable, address)
    with pytest.raises(ConfigurationError, match=variable) as caught:
        client_of(engine)
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize("engine", ["auto", *ENGINES])
def test_a_proxy_that_is_given_is_reported_likewise(environment: pytest.MonkeyPatch, engine: EngineName) -> None:
    """The error names the argument."""
    with pytest.raises(ConfigurationError, match="proxy must have a scheme"):
        client_of(engine, proxy="user:secret@127.0.0.1:3128")


@pytest.mark.parametrize(
    ("engine", "installed", "words"),
    [
        ("auto", False, r"httpx\[socks\]"),
        ("httpx", False, r"httpx\[socks\]"),
        ("aiohttp", False, r"httpx\[socks\]"),
        ("httpx2", False, r"httpx\[socks\]"),
        ("auto", True, None),
        ("httpx", True, None),
        ("httpx2", True, None),
        ("aiohttp", True, "needs httpx"),
    ],
)
@pytest.mark.parametrize("given", [True, False], ids=["argument", "environment"])
def test_a_socks_proxy_uses_httpx_if_possible(
    environment: pytest.MonkeyPatch, engine: EngineName, installed: bool, words: str | None, given: bool
) -> None:
    """A SOCKS proxy needs a library. If that is missing, the error comes when the client is made, for a given proxy as
    for one of the environment."""
    find: Callable[..., Any] = importlib.util.find_spec

    def found(name: str, package: str | None = None) -> object:
        return (object() if installed else None) if name == "socksio" else find(name, package)

    environment.setattr(importlib.util, "find_spec", found)
    settings: dict[str, Any] = {"proxy": "socks5://127.0.0.1:1080"} if given else {}
    if not given:
        environment.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    if words is None:
        assert client_of(engine, **settings).engine == ("httpx2" if engine == "auto" else engine)
        return
    with pytest.raises(ConfigurationError, match=words) as caught:
        client_of(engine, **settings)
    assert ("ALL_PROXY" in str(caught.value)) is not given


def test_a_proxy_that_is_not_for_this_service_does_not_matter(environment: pytest.MonkeyPatch) -> None:
    """A bad proxy does not matter if it is for another scheme, or if the environment makes an exception for this
    host."""
    environment.setenv("http_proxy", "nonsense")
    client_of()
    environment.setenv("https_proxy", "nonsense")
    with pytest.raises(ConfigurationError):
        client_of()
    client_of(trust_env=False)
    environment.setenv("no_proxy", "service.test")
    client_of()


@pytest.mark.parametrize("address", ["socks5://127.0.0.1:1080", "nonsense://127.0.0.1", "http://", "http://[::1"])
async def test_a_proxy_that_is_not_for_this_service_does_not_affect_sends(
    make_engine: EngineFactory, server: FaultServer, environment: pytest.MonkeyPatch, address: str
) -> None:
    """A proxy for another scheme does not matter for sends, even if the library that it needs is missing."""
    environment.setitem(sys.modules, "socksio", None)
    for name in ("https_proxy", "HTTPS_PROXY"):
        environment.setenv(name, address)
    engine = make_engine(trust_env=True, verify=False)
    assert (await engine.send(wire(f"{server.url}/good"))).status == 200
    with pytest.raises(UnsentError):
        await engine.send(wire(server.url.replace("http:", "https:") + "/good"))
    assert (await engine.send(wire(f"{server.url}/good"))).status == 200
    await engine.aclose()
    assert server.settle() == 0


def test_the_proxy_for_the_token_is_checked_too(environment: pytest.MonkeyPatch) -> None:
    """The token's host may use another proxy than the service's host."""
    environment.setenv("https_proxy", "nonsense")
    environment.setenv("no_proxy", "service.test")
    account = ClientCredentials(
        client_id="c", client_secret="s", scope="stage", token_url="https://identity.test/connect/token"
    )
    with pytest.raises(ConfigurationError, match="https_proxy"):
        NorceOrderClient(base_url="https://service.test", merchant="acme", channel="se", token=account, trust_env=True)


@pytest.mark.anyio
async def test_a_proxy_that_comes_later_is_not_sent(
    environment: pytest.MonkeyPatch, make_engine: EngineFactory, engine_name: str
) -> None:
    """The environment may change after an engine was made. A bad proxy in it then fails before anything is sent."""
    engine = make_engine(trust_env=True, verify=False)
    environment.setenv("http_proxy", "gopher://127.0.0.1:9")
    with pytest.raises(UnsentError) as caught:
        await engine.send(wire("http://service.test/good"))
    assert "http_proxy" in str(caught.value)
    await engine.aclose()
