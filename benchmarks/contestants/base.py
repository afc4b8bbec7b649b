"""What a contestant is."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from benchmarks.server import Target

CONNECTIONS = 100
ORDER_ID = "o_yClTSySjyAuuBjmiBlHCjuEcTf"
PATH = f"/api/v0/checkout/orders/{ORDER_ID}"
MERCHANT = "acme"
CHANNEL = "se"
TOKEN = "benchmark"
PATIENCE = 120.0
"""Timeout in seconds, so long that a wait in a queue is measured and not cut."""
HEADERS = {
    "user-agent": "benchmark",
    "accept": "application/json",
    "x-merchant": MERCHANT,
    "x-channel": CHANNEL,
    "authorization": f"Bearer {TOKEN}",
    "x-correlation-id": "0123456789abcdef0123456789abcdef",
}

MOST_OVER_HTTPX = 500
"""httpx goes through all waiting requests for each request, so that a lap with thousands of tasks takes half a
minute."""

Read = Callable[[], Awaitable[object]]
"""Reads one order; every call returns a fresh one."""


class AbsentError(Exception):
    """A contestant that can't run here; the text is the reason."""


@dataclass(frozen=True)
class Contestant:
    """One way to read an order."""

    name: str
    gives: str
    open: Callable[[Target, int], AbstractAsyncContextManager[Read]]
    """Takes a target and the largest number of connections."""
    prepare: Callable[[], object] = lambda: None
    """Raises :class:`AbsentError`; may take its time, and is called once before anything is measured."""
    most_tasks: int = 1_000_000
    """With more tasks than this it takes too long to be measured."""


def library(name: str) -> Any:
    """A module that need not be installed.

    Raises:
        AbsentError: it is not.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise AbsentError(f"{name} is not installed") from None
