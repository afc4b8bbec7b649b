"""A sandbox with an inspector, served over a socket, and a visitor with its link."""

from collections.abc import Iterator

import httpx
import pytest

from norce_order_async.sandbox import ManualClock, Sandbox

from .support import Caller, entered


@pytest.fixture
def inspected() -> Iterator[Sandbox]:
    with Sandbox(inspect=True, seed=7, token="sandbox-token", clock=ManualClock()) as sandbox:
        yield sandbox
    sandbox.close()


@pytest.fixture
def caller(inspected: Sandbox) -> Iterator[Caller]:
    with Caller(inspected) as one:
        yield one


@pytest.fixture
def visitor(inspected: Sandbox) -> Iterator[httpx.Client]:
    with entered(inspected) as client:
        yield client
