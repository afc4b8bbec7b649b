"""Which engine a client gets, and when the client chooses it."""

from __future__ import annotations

import importlib.util
import ssl
from collections.abc import Callable
from typing import Any, get_args

import anyio
import httpx
import httpx2
import pytest

from norce_order_async import CallError, ConfigurationError, NorceOrderClient, NotSentError
from norce_order_async.engines.select import ENGINES, EngineName, NamedEngine
from tests.support.plain import NO_TLS

from .faultserver import FaultServer

GIVEN: dict[str, Any] = {"merchant": "acme", "channel": "se", "token": "t"}

EXPECTED = {"asyncio": "aiohttp", "trio": "httpx2"}


def client_of(base_url: str = "https://a.example", **changes: Any) -> NorceOrderClient:
    settings: dict[str, Any] = {**GIVEN, "base_url": base_url, **changes}
    return NorceOrderClient(**settings)


@pytest.fixture
def without_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    find: Callable[..., Any] = importlib.util.find_spec

    def lost(name: str, package: str | None = None) -> Any:
        return None if name == "aiohttp" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", lost)


@pytest.mark.anyio
async def test_a_client_made_in_a_loop_has_its_engine(anyio_backend: str) -> None:
    """The engine is aiohttp on asyncio and httpx2 on trio, and a scope has the same one."""
    async with client_of() as norce:
        assert norce.engine == norce.scoped(channel="no").engine == EXPECTED[anyio_backend]


@pytest.mark.anyio
async def test_a_client_made_outside_chooses_at_its_first_call(server: FaultServer, anyio_backend: str) -> None:
    """The loop that runs then decides, and each request's User-Agent names the engine, also in scopes that were made
    before."""
    norce = await anyio.to_thread.run_sync(lambda: client_of(f"{server.url}/status-499"))
    scope = norce.scoped(channel="no")
    for maker in (norce, scope, norce):
        with pytest.raises(CallError):
            await maker.orders("o1").refresh()
    agents = {request.headers["user-agent"].rpartition(" ")[2] for request in server.received}
    assert agents == {norce.engine} == {EXPECTED[anyio_backend]}
    await norce.aclose()
    assert server.settle() == 0


@pytest.mark.anyio
async def test_a_client_made_outside_and_closed_unused_stays_closed(server: FaultServer) -> None:
    """The client opened nothing, and no call can open anything."""
    norce = await anyio.to_thread.run_sync(lambda: client_of(f"{server.url}/status-499"))
    await norce.aclose()
    with pytest.raises(CallError, match="closed"):
        await norce.orders("o1").refresh()
    assert server.accepted == 0


def test_every_engine_can_be_named() -> None:
    """The types have the same names as the engines at run time."""
    assert set(get_args(EngineName)) == {"auto", *ENGINES}


def test_outside_a_loop_nothing_is_chosen() -> None:
    """Reading the attribute outside a loop does not choose an engine."""
    assert client_of().engine == "auto"


@pytest.mark.anyio
@pytest.mark.parametrize("engine", ENGINES)
async def test_an_engine_by_name_is_that_one(engine: str) -> None:
    async with client_of(engine=engine) as norce:
        assert norce.engine == engine


@pytest.mark.anyio
@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_a_client_of_the_user_decides_the_engine(library: Any) -> None:
    async with library.AsyncClient(verify=NO_TLS) as theirs, client_of(http_client=theirs) as norce:
        assert norce.engine == library.__name__


@pytest.mark.anyio
@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_a_closed_client_of_the_user_sends_nothing(library: Any) -> None:
    """The outcome of a creation over a closed client is known, because it was not sent."""
    theirs = library.AsyncClient(verify=NO_TLS)
    async with client_of(http_client=theirs) as norce:
        await theirs.aclose()
        with pytest.raises(NotSentError, match="the http_client is closed"):
            await norce.orders.create(culture="sv-SE", currency="SEK", country="SE")


@pytest.mark.parametrize("given", [object(), httpx.Client(verify=NO_TLS), httpx2.Client(verify=NO_TLS)])
def test_an_object_that_is_not_a_client_is_refused(given: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"http_client must be an httpx.AsyncClient or an httpx2.AsyncClient"):
        client_of(http_client=given)


@pytest.mark.anyio
async def test_a_client_of_the_other_library_is_refused() -> None:
    async with httpx.AsyncClient(verify=NO_TLS) as theirs:
        with pytest.raises(ConfigurationError, match="the http_client is one of httpx: leave engine out"):
            client_of(http_client=theirs, engine="httpx2")


@pytest.mark.anyio
async def test_without_aiohttp_it_is_httpx2_or_httpx(without_aiohttp: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extras are optional, so a client takes httpx2 without aiohttp, and httpx without either."""
    async with client_of() as norce:
        assert norce.engine == "httpx2"
    monkeypatch.setattr(NamedEngine, "installed", property(lambda _: False))
    async with client_of() as norce:
        assert norce.engine == "httpx"


def test_aiohttp_by_name_without_it_installed(without_aiohttp: None) -> None:
    """The error says what to install."""
    with pytest.raises(ConfigurationError, match=r"install norce-order-async with \[fast\]$"):
        client_of(engine="aiohttp")


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"engine": "requests"}, ConfigurationError, "auto, httpx, httpx2, aiohttp"),
        ({"engine": "aiohttp", "http_client": object()}, ConfigurationError, "http_client"),
        ({"verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "cert": "client.pem"}, ValueError, "client certificate"),
        ({"proxy": "gopher://127.0.0.1"}, ValueError, "gopher"),
    ],
)
def test_contradictory_arguments_are_refused_at_once(
    changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    """Contradictory arguments are refused when the client is made, even if the engine is chosen later."""
    with pytest.raises(error, match=words):
        client_of(**changes)
