"""One local order service for a module of tests, over a socket, and a client of it on each loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from norce_order_async import NorceOrderClient
from norce_order_async.sandbox import Sandbox

from .support import client_of


@pytest.fixture(scope="module")
def service() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(service: Sandbox) -> Sandbox:
    """The module's sandbox with an empty request log."""
    service.requests.clear()
    return service


@pytest.fixture
async def norce(sandbox: Sandbox) -> AsyncIterator[NorceOrderClient]:
    async with client_of(sandbox) as client:
        yield client
