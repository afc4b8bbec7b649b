"""Engines, loops and the server they meet. The engines under contract are those that a client can ask for by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from norce_order_async.engines.base import Engine
from norce_order_async.engines.select import ENGINES
from tests.support.wires import CHOSEN, EVERY_ENGINE, ON_EVERY_WIRE

from .faultserver import FaultServer

EngineFactory = Callable[..., Engine]


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each loop with each engine that runs on it, and with what else a program can send with. In an ordinary run each
    engine has one loop in a test, and in the next test of the module the other one."""
    for fixture, others in (("engine_name", ()), ("sends_with", ("handed in",))):
        if fixture in metafunc.fixturenames:
            every = [*EVERY_ENGINE, *((loop, other) for loop in CHOSEN for other in others)]
            now = every if ON_EVERY_WIRE else _in_turn(every, metafunc.definition.path)
            wires = [
                pytest.param(*wire, id="-".join(wire), marks=() if wire in now else pytest.mark.soak) for wire in every
            ]
            # As a mark, which also says that the loops are spoken for.
            names = ("anyio_backend", fixture)
            metafunc.definition.add_marker(pytest.mark.parametrize(names, wires, indirect=True))


_tests_before: Counter[Path] = Counter()


def _in_turn(wires: list[tuple[str, str]], module: Path) -> list[tuple[str, str]]:
    """One loop for each engine. Engines that run on both loops get them in turn, and the other way round in the next
    test, so that each test has both loops and each engine has both in two tests."""
    turn = _tests_before[module]
    _tests_before[module] += 1
    chosen: list[tuple[str, str]] = []
    for engine in dict.fromkeys(engine for _, engine in wires):
        loops = [loop for loop, other in wires if other == engine]
        chosen.append((loops[turn % len(loops)], engine))
        if len(loops) > 1:
            turn += 1
    return chosen


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
