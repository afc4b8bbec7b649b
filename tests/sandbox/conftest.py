"""A sandbox in process, and a caller for it."""

from collections.abc import AsyncIterator

import pytest

from norce_order_async.sandbox import ManualClock, Sandbox

from .support import Api


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "rule(*ids): the rules of the sandbox that a test is about")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def sandbox(clock: ManualClock) -> Sandbox:
    return Sandbox(token="sandbox-token", seed=7, clock=clock)


@pytest.fixture
async def api(sandbox: Sandbox) -> AsyncIterator[Api]:
    caller = Api(sandbox)
    yield caller
    await caller.close()
