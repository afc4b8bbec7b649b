"""One local order service for a module of tests, and none of our environment variables."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest

from norce_order_async import NorceOrderClient
from norce_order_async.sandbox import Sandbox
from tests.support.orders import client_of


@pytest.fixture(scope="module")
def service() -> Iterator[Sandbox]:
    with Sandbox(token="sandbox-token") as sandbox:
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


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("NORCE_"):
            monkeypatch.delenv(name)
