"""TLS: trusted authorities, client certificates, handshakes that fail, and the single context of all pools."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import trustme

from norce_order_async.engines.base import MaybeSentError, UnsentError
from norce_order_async.engines.httpx import HttpxEngine

from .conftest import EngineFactory
from .faultserver import FaultServer
from .wire import HASTY, server_context, trusting, wire

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[FaultServer]:
    with FaultServer(tls=server_context(authority, "127.0.0.1")) as server:
        yield server


async def test_a_trusted_server_is_called(
    make_engine: EngineFactory, secure: FaultServer, authority: trustme.CA
) -> None:
    """One connection serves many requests, and closing the engine closes it."""
    engine = make_engine(verify=trusting(authority))
    for _ in range(5):
        assert (await engine.send(wire(f"{secure.url}/good", "POST", body=b"{}"))).status == 200
    assert secure.accepted == 1
    await engine.aclose()
    assert secure.settle() == 0


@pytest.mark.parametrize("play", ["close", "reset", "half-head"])
async def test_a_fault_under_tls_may_have_been_acted_on(
    make_engine: EngineFactory, secure: FaultServer, authority: trustme.CA, play: str
) -> None:
    """As without TLS, the server has read the request, so the error is "maybe"."""
    engine = make_engine(verify=trusting(authority))
    with pytest.raises(MaybeSentError) as caught:
        await engine.send(wire(f"{secure.url}/{play}", "POST", body=b"{}"))
    assert caught.value.phase == "read"
    assert secure.counts == {play: 1}
    await engine.aclose()
    assert secure.settle() == 0


async def test_an_unknown_authority_is_not_sent(make_engine: EngineFactory, secure: FaultServer) -> None:
    """certifi's authorities do not include this one, so nothing is sent."""
    engine = make_engine()
    with pytest.raises(UnsentError) as caught:
        await engine.send(wire(f"{secure.url}/good", "POST", body=b"{}"))
    assert caught.value.phase == "tls"
    assert secure.counts == {}
    await engine.aclose()
    assert secure.settle() == 0


async def test_without_verify_nothing_is_checked(make_engine: EngineFactory, secure: FaultServer) -> None:
    """``verify=False`` accepts any server."""
    engine = make_engine(verify=False)
    assert (await engine.send(wire(f"{secure.url}/good"))).status == 200
    await engine.aclose()


async def test_a_certificate_for_another_name_is_not_sent(make_engine: EngineFactory, authority: trustme.CA) -> None:
    """A trusted authority is not enough, so nothing is sent."""
    with FaultServer(tls=server_context(authority, "elsewhere.test")) as server:
        engine = make_engine(verify=trusting(authority))
        with pytest.raises(UnsentError) as caught:
            await engine.send(wire(f"{server.url}/good", "POST", body=b"{}"))
        assert caught.value.phase == "tls"
        assert server.counts == {}
        await engine.aclose()


async def test_a_server_without_tls_is_not_sent(make_engine: EngineFactory, server: FaultServer) -> None:
    """The server reads the handshake as a bad request, and nothing of the request is sent."""
    engine = make_engine(verify=False)
    with pytest.raises(UnsentError) as caught:
        await engine.send(wire(f"https://127.0.0.1:{server.port}/good", "POST", body=b"{}", timeouts=HASTY))
    # aiohttp has one timeout for both steps and does not show which of them it ended.
    assert caught.value.phase in ("tls", "connect")
    await engine.aclose()
    assert server.settle() == 0


async def test_a_client_certificate(
    make_engine: EngineFactory, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificate is loaded from a file. The test's own authorities replace certifi's."""
    clients = trustme.CA()
    pem = tmp_path / "client.pem"
    clients.issue_cert("service@example.test").private_key_and_cert_chain_pem.write_to_path(str(pem))
    roots = tmp_path / "roots.pem"
    authority.cert_pem.write_to_path(str(roots))
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    with FaultServer(tls=server_context(authority, "127.0.0.1", clients=clients)) as server:
        engine = make_engine(cert=str(pem), trust_env=True)
        assert (await engine.send(wire(f"{server.url}/good"))).status == 200
        await engine.aclose()

        without = make_engine(verify=trusting(authority))
        with pytest.raises((UnsentError, MaybeSentError)):
            await without.send(wire(f"{server.url}/good", "POST", body=b"{}"))
        await without.aclose()
        assert server.counts == {"good": 1}
        assert server.settle() == 0


async def test_a_client_certificate_that_is_missing_is_not_sent(
    make_engine: EngineFactory, secure: FaultServer
) -> None:
    """The error comes when the certificate is needed, and does not show its path."""
    engine = make_engine(cert=("/no/such/cert.pem", "/no/such/key.pem"))
    with pytest.raises(UnsentError, match="FileNotFoundError") as caught:
        await engine.send(wire(f"{secure.url}/good"))
    assert caught.value.phase == "tls"
    assert "such" not in str(caught.value)
    await engine.aclose()


def test_a_client_certificate_beside_a_context_is_refused(make_engine: EngineFactory) -> None:
    """Loading the certificate into a shared context would change other clients."""
    with pytest.raises(ValueError, match="load the client certificate"):
        make_engine(verify=ssl.create_default_context(), cert="client.pem")


async def test_the_context_is_built_once_in_a_thread_at_the_first_need(
    server: FaultServer, secure: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain http never builds a context; thirty first sends over https, in three pools, build one."""
    build = httpx.create_ssl_context
    threads: list[int] = []

    def counted(**arguments: Any) -> ssl.SSLContext:
        threads.append(threading.get_ident())
        return build(**arguments)

    monkeypatch.setattr(httpx, "create_ssl_context", counted)
    engine = HttpxEngine(verify=False)
    await engine.send(wire(f"{server.url}/good"))
    assert threads == []

    async def send() -> None:
        assert (await engine.send(wire(f"{secure.url}/good"))).status == 200

    async with anyio.create_task_group() as group:
        for _ in range(30):
            group.start_soon(send)
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()
    await engine.aclose()
    assert secure.settle() == 0
