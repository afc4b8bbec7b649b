"""A sandbox that follows one reading, and a caller over a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from norce_order_async.sandbox import ManualClock, Sandbox
from tests.sandbox.callbacks.receiver import Receiver, receiving

from .support import Wire


@pytest.fixture
async def wire(request: pytest.FixtureRequest) -> AsyncIterator[Wire]:
    rule, reading, options = request.param
    clock = ManualClock()
    given: dict[str, Any] = {"clock": clock, "seed": 7, **options}
    async with Sandbox(readings={rule: reading}, **given) as sandbox:
        caller = Wire(sandbox, clock, rule, reading)
        yield caller
        await caller.aclose()
        assert rule in sandbox.touched, "what a reading changes is noted as touched"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver
