"""Event loops, each with every engine that runs on it: for tests over a socket.

A module or a conftest makes fixtures of these::

    @pytest.fixture(params=WIRES)
    def anyio_backend(request): return loop_of(request)

    @pytest.fixture
    def engine(request): return engine_of(request)
"""

from __future__ import annotations

import os
from typing import cast

import pytest

from norce_order_async.engines.select import ENGINES, EngineName

CHOSEN: dict[str, EngineName] = {"asyncio": "aiohttp", "trio": "httpx2"}
"""The engine that ``"auto"`` chooses on each loop, if all extras are installed."""

EVERY_ENGINE = [(loop, name) for loop in CHOSEN for name in ENGINES if loop in ENGINES[name].loops]
"""Each loop with each engine that runs on it."""

ON_EVERY_WIRE = bool(os.environ.get("NORCE_TESTS_ON_EVERY_WIRE"))
"""Whether a run leaves no wire out, which ``nox -s wires`` requests."""

_NOT_AGAIN = () if ON_EVERY_WIRE else ("asyncio-httpx2", "trio-httpx")
"""Our code is the same for httpx and httpx2, so one loop for each is enough, except for ``nox -s wires``."""

WIRES = [
    wire
    for loop, chosen in CHOSEN.items()
    for name in sorted(ENGINES, key=lambda name: name != chosen)
    if loop in ENGINES[name].loops and (wire := loop if name == chosen else f"{loop}-{name}") not in _NOT_AGAIN
]
"""A loop with the engine that is chosen there, or with the named one."""


def loop_of(request: pytest.FixtureRequest) -> str:
    """Return the loop of the wire in a fixture's parameter."""
    return str(request.param).partition("-")[0]


def engine_of(request: pytest.FixtureRequest) -> EngineName:
    """Return the engine of the wire; ``"auto"`` in a test without one."""
    called = getattr(request.node, "callspec", None)
    wire = str(called.params.get("anyio_backend", "")) if called else ""
    return cast("EngineName", wire.partition("-")[2] or "auto")
