"""Engines, loops and the server they meet.

``make_engine`` is the one place that names the engines under contract: another engine is one more parameter here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from norce_order_async.engines.base import Engine
from norce_order_async.engines.httpx import HttpxEngine

from .faultserver import FaultServer

EngineFactory = Callable[[], Engine]

ENGINES: dict[str, tuple[EngineFactory, tuple[str, ...]]] = {
    "httpx": (HttpxEngine, ("asyncio", "trio")),
}
"""How each engine is made, and the loops it supports."""


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(ENGINES))
def make_engine(request: pytest.FixtureRequest, anyio_backend: str) -> EngineFactory:
    factory, loops = ENGINES[request.param]
    if anyio_backend not in loops:
        pytest.skip(f"{request.param} does not run on {anyio_backend}")
    return factory


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server
