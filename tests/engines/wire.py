"""Short ways to write a request; certificates made for a test, and contexts that use them."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import trustme

from norce_order_async.engines.base import Engine, Timeouts, WireRequest
from norce_order_async.engines.httpx import HttpxEngine
from tests.support.plain import NO_TLS

PATIENT = Timeouts(connect=5.0, write=5.0, read=5.0, pool=5.0)
"""Longer than any test may take: a call that ends with these did not end by a timeout."""

HASTY = Timeouts(connect=0.2, write=0.2, read=0.2, pool=0.2)
"""For calls that only a timeout ends, at any point."""


def wire(
    url: str,
    method: str = "GET",
    *,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    timeouts: Timeouts = PATIENT,
    total: float | None = None,
) -> WireRequest:
    return WireRequest(method, url, headers or {}, body, timeouts, total)


@asynccontextmanager
async def handed_in() -> AsyncGenerator[Engine]:
    """Return an engine over the user's own httpx client."""
    async with httpx.AsyncClient(verify=NO_TLS) as client:
        yield HttpxEngine(client=client)


@asynccontextmanager
async def trusting_the_environment() -> AsyncGenerator[Engine]:
    """Return the engine that reads the environment's proxies."""
    engine = HttpxEngine(trust_env=True)
    yield engine
    await engine.aclose()


def none_idle(connector: object, key: object) -> None:
    """Replace ``Connector.take``, so that each request of the aiohttp engine takes the path of the first on a
    connection."""


def server_context(authority: trustme.CA, *names: str, clients: trustme.CA | None = None) -> ssl.SSLContext:
    """Return a server's TLS context for these names. With ``clients`` it demands a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with authority.issue_cert(*names).private_key_and_cert_chain_pem.tempfile() as pem:
        context.load_cert_chain(pem)
    if clients is not None:
        context.load_verify_locations(cadata=clients.cert_pem.bytes().decode())
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """Return a client's TLS context that trusts only this authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority.cert_pem.bytes().decode())
    return context
