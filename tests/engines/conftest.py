"""Engines, loops and the server they meet. The engines under contract are those that a client can ask for by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from norce_order_async.engines.base import Engine
from norce_order_async.engines.select import ENGINES

from .faultserver import FaultServer

EngineFactory = Callable[..., Engine]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(ENGINES))
def engine_name(request: pytest.FixtureRequest, anyio_backend: str) -> str:
    name = str(request.param)
    if anyio_backend not in ENGINES[name].loops:
        pytest.skip(f"{name} does not run on {anyio_backend}")
    return name


@pytest.fixture
def make_engine(engine_name: str) -> EngineFactory:
    return ENGINES[engine_name].make


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server
