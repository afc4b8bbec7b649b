"""Engines, loops and the server they meet. The engines under contract are those that a client can ask for by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from norce_order_async.engines.base import Engine
from norce_order_async.engines.select import ENGINES
from tests.support.wires import CHOSEN, EVERY_ENGINE

from .faultserver import FaultServer

EngineFactory = Callable[..., Engine]


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each loop with each engine that runs on it, and with what else a program can send with."""
    for fixture, others in (("engine_name", ()), ("sends_with", ("handed in",))):
        if fixture in metafunc.fixturenames:
            wires = [*EVERY_ENGINE, *((loop, other) for loop in CHOSEN for other in others)]
            # As a mark, which also says that the loops are spoken for.
            names = ("anyio_backend", fixture)
            metafunc.definition.add_marker(
                pytest.mark.parametrize(names, wires, ids=["-".join(wire) for wire in wires], indirect=True)
            )


@pytest.fixture
def engine_name(request: pytest.FixtureRequest, anyio_backend: str) -> str:
    return str(request.param)


@pytest.fixture
def sends_with(request: pytest.FixtureRequest, anyio_backend: str) -> str:
    """An engine by name, or a client of httpx's own that the program hands in."""
    return str(request.param)


@pytest.fixture
def make_engine(engine_name: str) -> EngineFactory:
    return ENGINES[engine_name].make


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server
