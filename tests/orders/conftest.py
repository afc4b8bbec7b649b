"""One local order service for a module of tests, over a socket, and clients of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from norce_order_async import NorceOrderClient
from norce_order_async.sandbox import Sandbox
from tests.support.orders import client_of
from tests.support.servers import serving


@pytest.fixture(scope="module")
def service() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(service: Sandbox) -> Sandbox:
    """Return the module's sandbox with an empty request log."""
    service.requests.clear()
    return service


@pytest.fixture
async def norce(sandbox: Sandbox) -> AsyncIterator[NorceOrderClient]:
    async with client_of(sandbox) as client:
        yield client


class _Provider(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def provider_url() -> Iterator[str]:
    """Serve an address at which a payment provider takes actions."""
    with serving(_Provider) as address:
        yield f"{address}/capture"
