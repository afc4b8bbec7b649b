"""Event loops in virtual time: when all of them wait, the clock jumps to the next timer.

A module makes a fixture of these::

    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(request): return in_virtual_time(request.param)

Tests over a socket can't use them, because an answer would come after every timer.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any


class _Jumping(selectors.DefaultSelector):
    """Adds the time of a wait to the clock instead of waiting."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or not timeout:
            return ready or super().select(timeout)
        self.passed += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop in virtual time."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return 1_000.0 + self._jumping.passed


def in_virtual_time(loop: str) -> tuple[str, Mapping[str, Any]]:
    """Return a backend for anyio's plugin."""
    if loop == "asyncio":
        return "asyncio", {"loop_factory": VirtualLoop}
    from trio.testing import MockClock

    return "trio", {"clock": MockClock(autojump_threshold=0.0)}
