"""Engines, loops and the server that they call. The tested engines are those that a client can ask for by name."""

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
    """Run each loop with each engine that it supports, and with the other ways in which a program can send. In an
    ordinary run each engine has one loop in a test, and in the next test of the module the other one."""
    for fixture, others in (("engine_name", ()), ("sends_with", ("handed in",))):
        if fixture in metafunc.fixturenames:
            every = [*EVERY_ENGINE, *((loop, other) for loop in CHOSEN for other in others)]
            now = every if ON_EVERY_WIRE else _in_turn(every, metafunc.definition.path)
            wires = [
                pytest.param(*wire, id="-".join(wire), marks=() if wire in now else pytest.mark.soak) for wire in every
            ]
            # It is a mark, because a mark also shows that the loops are chosen.
            names = ("anyio_backend", fixture)
            metafunc.definition.add_marker(pytest.mark.parametrize(names, wires, indirect=True))


_tests_before: Counter[Path] = Counter()


def _in_turn(wires: list[tuple[str, str]], module: Path) -> list[tuple[str, str]]:
    """Choose one loop for each engine. Engines that run on both loops get them in turn, and the other way round in the
    next test, so that each test has both loops and each engine has both in two tests."""
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
    """Return an engine's name, or "handed in" for httpx's own client that the program hands in."""
    return str(request.param)


@pytest.fixture
def make_engine(engine_name: str) -> EngineFactory:
    return ENGINES[engine_name].make


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server
