"""The pytest plugin: fixtures with a local order service behind them, markers, and a guard around tests.

pytest loads this module in every run wherever the package is installed, so it imports nothing that a run has not
imported anyway; what a fixture needs is imported when a test asks for it. Fixtures are plain functions with plain
teardown: they work under anyio's plugin and pytest-asyncio, in any of their modes and on any event loop.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from norce_order_async.testing.guard import Guard

if TYPE_CHECKING:
    from norce_order_async.orders.order import Order
    from norce_order_async.sandbox import Faults, Sandbox
    from norce_order_async.testing.fixtures import SandboxClient
    from norce_order_async.testing.receiver import CallbackReceiver

_FAULTS, _SOCKET, _REAL_HOSTS, _ON = "norce_faults", "norce_socket", "norce_real_hosts", "norce_guard"
_FIXTURES = frozenset(
    {
        "norce_callbacks",
        "norce_client",
        "norce_client_options",
        "norce_faults",
        "norce_order",
        "norce_real_hosts",
        "norce_sandbox",
        "norce_sandbox_options",
    }
)

_GUARD = pytest.StashKey[Guard]()


def pytest_addoption(parser: pytest.Parser) -> None:
    what = "norce_client calls norce_sandbox over a socket instead of within the process"
    group = parser.getgroup("norce", "tests against a local Norce order service")
    group.addoption("--norce-socket", action="store_true", help=what)
    parser.addini(_SOCKET, f"{what} (true or false)", type="bool", default=False)
    what = "calls to real Norce hosts fail the test that makes them"
    parser.addini(_ON, f"{what} (true or false; unset: where a test uses this plugin)", type="bool", default=None)


def pytest_configure(config: pytest.Config) -> None:
    markers = {
        f"{_FAULTS}(plan, *, seed=None)": "what goes wrong in norce_sandbox: a ready-made plan by name, a YAML file by "
        "path, a mapping or a FaultPlan; the same seed, the same story",
        f"{_SOCKET}(on=True)": "norce_client calls over a socket, or not",
        f"{_REAL_HOSTS}(*hosts)": "the test may call real Norce hosts: these, with * for any characters, or all",
    }
    for marker, what in markers.items():
        config.addinivalue_line("markers", f"{marker}: {what}")


# The guard


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Before any item is deselected: the guard is a matter of the project, not of what is run this time."""
    wanted: bool | None = config.getini(_ON)
    if wanted or (wanted is None and any(_uses_us(item) for item in items)):
        guard = config.stash[_GUARD] = Guard()
        guard.install()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    guard = session.config.stash.get(_GUARD, None)
    if guard is not None:
        guard.remove()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    guard = item.config.stash.get(_GUARD, None)
    with nullcontext() if guard is None else guard.watching(_allowed(item)):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    guard = item.config.stash.get(_GUARD, None)
    refused = None if guard is None else guard.account()
    if refused is not None and not report.failed:
        report.outcome, report.longrepr = "failed", refused
    elif refused is not None and refused not in report.longreprtext:
        report.sections.append(("Norce", refused))
    return report


def _uses_us(item: pytest.Item) -> bool:
    return not _FIXTURES.isdisjoint(getattr(item, "fixturenames", ())) or any(
        item.get_closest_marker(name) is not None for name in (_FAULTS, _SOCKET, _REAL_HOSTS)
    )


def _allowed(item: pytest.Item) -> Sequence[str]:
    marker = item.get_closest_marker(_REAL_HOSTS)
    if marker is not None:
        return marker.args or ("*",)
    return ("*",) if _REAL_HOSTS in getattr(item, "fixturenames", ()) else ()


@pytest.fixture
def norce_real_hosts() -> None:
    """The test may call real Norce hosts."""


# The local order service


@pytest.fixture
def norce_sandbox_options() -> dict[str, Any]:
    """Arguments of ``norce_sandbox``, those of ``Sandbox``; override it to give some."""
    return {}


@pytest.fixture
def norce_client_options() -> dict[str, Any]:
    """Arguments of ``norce_client``, those of ``NorceOrderClient``; override it to give some."""
    return {}


@pytest.fixture
def norce_sandbox(request: pytest.FixtureRequest, norce_sandbox_options: dict[str, Any]) -> Iterator[Sandbox]:
    """A local order service of this test's own, served over a socket if that was asked for."""
    from norce_order_async.testing.fixtures import planned, sandbox_of

    with closing(sandbox_of(norce_sandbox_options)) as sandbox:
        marker = request.node.get_closest_marker(_FAULTS)
        if marker is not None:
            if len(marker.args) != 1 or marker.kwargs.keys() - {"seed"}:
                pytest.fail(f'{_FAULTS} takes a plan, and perhaps a seed: {_FAULTS}("slow", seed=7)', pytrace=False)
            sandbox.faults.play(planned(marker.args[0], marker.kwargs.get("seed")))
        with sandbox if _over_socket(request) else nullcontext():
            yield sandbox


@pytest.fixture
def norce_client(
    request: pytest.FixtureRequest, norce_sandbox: Sandbox, norce_client_options: dict[str, Any]
) -> SandboxClient:
    """A client of ``norce_sandbox``, to be used without being entered; merchant ``acme``, channel ``se``."""
    from norce_order_async.testing.fixtures import client_of

    return client_of(norce_sandbox, norce_client_options, over_socket=_over_socket(request))


@pytest.fixture
def norce_order(request: pytest.FixtureRequest, norce_sandbox: Sandbox, norce_client: SandboxClient) -> Order:
    """An order ready for payment: in checkout, with a cart, addresses and a shipping. Made before faults begin."""
    from norce_order_async.testing.fixtures import client_of, order_ready_for_payment

    scope = {"merchant": norce_client.merchant, "channel": norce_client.channel}
    maker = client_of(norce_sandbox, scope, over_socket=_over_socket(request))
    return order_ready_for_payment(norce_sandbox, norce_client, maker)


@pytest.fixture
def norce_faults(norce_sandbox: Sandbox) -> Faults:
    """What goes wrong in ``norce_sandbox``: ``play`` a plan, ``stop`` it, and the log of what was played."""
    return norce_sandbox.faults


@pytest.fixture
def norce_callbacks() -> Iterator[CallbackReceiver]:
    """A receiver for what ``norce_sandbox`` calls: addresses to register, the calls, and what to answer them."""
    from norce_order_async.testing.receiver import CallbackReceiver

    receiver = CallbackReceiver()
    yield receiver
    receiver.close()


def _over_socket(request: pytest.FixtureRequest) -> bool:
    marker = request.node.get_closest_marker(_SOCKET)
    if marker is not None:
        return bool(marker.args[0]) if marker.args else True
    return bool(request.config.getoption("--norce-socket") or request.config.getini(_SOCKET))
