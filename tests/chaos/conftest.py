"""One local order service for this folder, a proxy in front of it for each test, and a merchant for each test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from norce_order_async.engines.select import EngineName
from norce_order_async.sandbox import Sandbox
from tests.support.proxy import Proxy
from tests.support.wires import WIRES, engine_of, loop_of

from .service import Truth

_merchants = itertools.count(1)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(token="sandbox-token", keep_requests=100) as sandbox:
        yield sandbox


@pytest.fixture
def proxy(sandbox: Sandbox) -> Iterator[Proxy]:
    with Proxy(sandbox.base_url) as proxy:
        yield proxy


@pytest.fixture(params=WIRES)
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return loop_of(request)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> EngineName:
    return engine_of(request)


@pytest.fixture
def truth(sandbox: Sandbox, engine: EngineName) -> Truth:
    """The service itself, for a merchant that no other test uses."""
    return Truth(sandbox, f"merchant-{next(_merchants)}", engine)


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str], pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Write a line of figures past pytest's capturing."""

    def write(line: str) -> None:
        with capsys.disabled():
            reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")
            if reporter is not None:
                reporter.write_line(f"\n{line}")

    return write
