"""The pytest plugin: fixtures for a local order service, markers, and a guard around tests.

pytest loads this module in every run if the package is installed, so it imports only modules that pytest has loaded
already. Each fixture imports its own modules when a test uses it. Fixtures and their teardown are plain functions: they
work with anyio's plugin and pytest-asyncio, in all modes and on every event loop.
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
    from norce_order_async.testing.adapters import ConnectAdapter
    from norce_order_async.testing.fixtures import SandboxClient
    from norce_order_async.testing.readings import ReadingRuns
    from norce_order_async.testing.receiver import CallbackReceiver

_FAULTS, _SOCKET, _REAL_HOSTS, _ON = "norce_faults", "norce_socket", "norce_real_hosts", "norce_guard"
_FIXTURES = frozenset(
    {
        "norce_adapter",
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
_READINGS: pytest.StashKey[ReadingRuns] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    what = "norce_client calls norce_sandbox over a socket, not within the process"
    group = parser.getgroup("norce", "tests against a local Norce order service")
    group.addoption("--norce-socket", action="store_true", help=what)
    parser.addini(_SOCKET, f"{what} (true or false)", type="bool", default=False)
    what = "calls to real Norce hosts fail the test that makes them"
    parser.addini(_ON, f"{what} (true or false; unset: where a test uses this plugin)", type="bool", default=None)
    group.addoption(
        "--norce-readings",
        action="append",
        metavar="each|harsh|FILE|RULE=READING",
        help="each: tests that use norce_sandbox run again under every other reading of the rules they meet, and a "
        "table shows what they rely on; harsh: again under all harsh readings at once; FILE, as a calibration wrote "
        "it, or RULE=READING: the readings of norce_sandbox in every run",
    )
    what = "write what --norce-readings found to this file, as JSON"
    group.addoption("--norce-readings-report", metavar="FILE", help=what)
    what = "a test that fails under a reading fails the run, unless norce_readings_accepted has that reading"
    group.addoption("--norce-readings-strict", action="store_true", help=what)
    parser.addini("norce_readings", "a file with the readings of norce_sandbox, as a calibration wrote it")
    what = "readings under which tests may fail, as RULE=READING, one a line"
    parser.addini("norce_readings_accepted", what, type="linelist", default=[])


def pytest_configure(config: pytest.Config) -> None:
    markers = {
        f"{_FAULTS}(plan, *, seed=None)": "faults that norce_sandbox plays: the name of a ready-made plan, the path "
        "of a YAML file, a mapping or a FaultPlan; the same seed gives the same faults",
        f"{_SOCKET}(on=True)": "norce_client calls over a socket, or not",
        f"{_REAL_HOSTS}(*hosts)": "the test may call these real Norce hosts, with * for any characters, or all",
    }
    for marker, what in markers.items():
        config.addinivalue_line("markers", f"{marker}: {what}")
    if any(map(config.getoption, ("--norce-readings", "--norce-readings-report", "--norce-readings-strict"))) or (
        config.getini("norce_readings")
    ):
        from norce_order_async.testing.readings import ReadingRuns, wanted

        runs = config.stash[_READINGS] = ReadingRuns(config, wanted(config))
        config.pluginmanager.register(runs, "norce_order_readings")


# The guard


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Install the guard if any test of the project uses this plugin, even one that is deselected this time."""
    wanted: bool | None = config.getini(_ON)
    if wanted or (wanted is None and any(_uses_plugin(item) for item in items)):
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


def _uses_plugin(item: pytest.Item) -> bool:
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
    """Arguments of ``Sandbox`` for ``norce_sandbox``; override this fixture to give some."""
    return {}


@pytest.fixture
def norce_client_options() -> dict[str, Any]:
    """Arguments of ``NorceOrderClient`` for ``norce_client``; override this fixture to give some."""
    return {}


@pytest.fixture
def norce_sandbox(request: pytest.FixtureRequest, norce_sandbox_options: dict[str, Any]) -> Iterator[Sandbox]:
    """A local order service for this test alone; over a socket if the test or the project asks for it."""
    from norce_order_async.testing.fixtures import planned, sandbox_of

    readings = request.config.stash.get(_READINGS, None)
    options = norce_sandbox_options if readings is None else readings.options(norce_sandbox_options)
    with closing(sandbox_of(options)) as sandbox:
        marker = request.node.get_closest_marker(_FAULTS)
        if marker is not None:
            if len(marker.args) != 1 or marker.kwargs.keys() - {"seed"}:
                pytest.fail(f'{_FAULTS} takes a plan, and perhaps a seed: {_FAULTS}("slow", seed=7)', pytrace=False)
            sandbox.faults.play(planned(marker.args[0], marker.kwargs.get("seed")))
        with sandbox if _over_socket(request) else nullcontext():
            yield sandbox
        if readings is not None:
            readings.saw(request.node, sandbox, norce_sandbox_options)


@pytest.fixture
def norce_client(
    request: pytest.FixtureRequest, norce_sandbox: Sandbox, norce_client_options: dict[str, Any]
) -> SandboxClient:
    """A client of ``norce_sandbox``, ready to use without ``async with``; merchant ``acme``, channel ``se``."""
    from norce_order_async.testing.fixtures import client_of

    return client_of(norce_sandbox, norce_client_options, over_socket=_over_socket(request))


@pytest.fixture
def norce_order(request: pytest.FixtureRequest, norce_sandbox: Sandbox, norce_client: SandboxClient) -> Order:
    """An order ready for payment: in checkout, with a cart, addresses and a shipping. Created before faults begin."""
    from norce_order_async.testing.fixtures import client_of, order_ready_for_payment

    scope = {"merchant": norce_client.merchant, "channel": norce_client.channel}
    maker = client_of(norce_sandbox, scope, over_socket=_over_socket(request))
    return order_ready_for_payment(norce_sandbox, norce_client, maker)


@pytest.fixture
def norce_faults(norce_sandbox: Sandbox) -> Faults:
    """The faults of ``norce_sandbox``: ``play`` a plan, ``stop`` it, and read the log of faults played."""
    return norce_sandbox.faults


@pytest.fixture
def norce_callbacks() -> Iterator[CallbackReceiver]:
    """A server for the callbacks of ``norce_sandbox``: addresses to register, the calls received, and the replies."""
    from norce_order_async.testing.receiver import CallbackReceiver

    receiver = CallbackReceiver()
    yield receiver
    receiver.close()


@pytest.fixture
def norce_adapter(
    request: pytest.FixtureRequest,
    norce_sandbox: Sandbox,
    norce_client: SandboxClient,
    norce_client_options: dict[str, Any],
) -> Iterator[ConnectAdapter]:
    """A function that has ``norce_sandbox`` call an adapter: it takes a function that makes the adapter from a client,
    and returns the adapter."""
    from norce_order_async.testing.adapters import ConnectAdapter

    connect = ConnectAdapter(norce_sandbox, norce_client, norce_client_options, over_socket=_over_socket(request))
    yield connect
    connect.close()


def _over_socket(request: pytest.FixtureRequest) -> bool:
    marker = request.node.get_closest_marker(_SOCKET)
    if marker is not None:
        return bool(marker.args[0]) if marker.args else True
    return bool(request.config.getoption("--norce-socket") or request.config.getini(_SOCKET))
