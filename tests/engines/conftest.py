"""Engines, loops and the server they meet.

``ENGINES`` is the one place that names the engines under contract: another engine is one more line here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from norce_order_async.engines.aiohttp import AiohttpEngine
from norce_order_async.engines.base import Engine
from norce_order_async.engines.httpx import HttpxEngine

from .faultserver import FaultServer

EngineFactory = Callable[..., Engine]

ENGINES: dict[str, tuple[EngineFactory, tuple[str, ...]]] = {
    "httpx": (HttpxEngine, ("asyncio", "trio")),
    "aiohttp": (AiohttpEngine, ("asyncio",)),
}
"""How each engine is made, and the loops it supports."""


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(ENGINES))
def engine_name(request: pytest.FixtureRequest, anyio_backend: str) -> str:
    name = str(request.param)
    if anyio_backend not in ENGINES[name][1]:
        pytest.skip(f"{name} does not run on {anyio_backend}")
    return name


@pytest.fixture
def make_engine(engine_name: str) -> EngineFactory:
    return ENGINES[engine_name][0]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server
