"""Fixtures for every test, and options of the run."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import gc
import importlib
import os
import signal
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harsh import follow_harsh_readings, leave_out_exceptions
from tests.security import attacks
from tests.support import turns

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs like this, and programs that tests interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Return one of both event loops, for every test marked ``anyio``."""
    return str(request.param)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of this run's PostgreSQL server, with ``{database}`` in it."""
    from tests.support import postgres

    if not postgres.is_available():
        pytest.fail(postgres.MISSING)
    # Under xdist every process has its own folder below the run's folder.
    run = tmp_path_factory.getbasetemp()
    with postgres.shared_server(run.parent if "PYTEST_XDIST_WORKER" in os.environ else run) as address:
        yield address


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[str]:
    """Return the address of an empty PostgreSQL database, with a password. Mark the test ``slow(group="postgres")``."""
    from tests.support.postgres import drop_database, new_database

    address = new_database(postgres_server)
    yield address
    drop_database(address)


_TRIED: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options. ``pytest --write-security-docs`` with the files of :data:`tests.security.attacks.ATTACKS` writes
    their counts."""
    parser.addoption("--write-security-docs", action="store_true", help="put the attacks tried into docs/security.md")
    parser.addoption("--harsh-readings", action="store_true", help="local services follow every harsh reading")


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the run before anything makes a sandbox or a test."""
    turns.begin(config)
    _send_less(config)
    if config.getoption("--harsh-readings"):
        follow_harsh_readings()


def _send_less(config: pytest.Config) -> None:
    """Let a worker send only what is shown of a test, because all five messages cost more than a short test."""
    if config.getoption("durations") is not None or config.getoption("xmlpath"):
        return
    for plugin in config.pluginmanager.get_plugins():
        if type(plugin).__name__ == "WorkerInteractor":
            plugin.sendevent = functools.partial(_send_if_shown, plugin.sendevent)


def _send_if_shown(send: Callable[..., None], event: str, **given: Any) -> None:
    if event in {"logstart", "logfinish"}:
        return
    if event == "testreport":
        report = given["data"]
        if report["when"] != "call" and report["outcome"] == "passed" and not report["sections"]:
            return
    send(event, **given)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Let one of several workers compile the tests while the others wait. No garbage is collected, because all objects
    made here stay."""
    gc.disable()
    try:
        with _compiling(session.config) if hasattr(session.config, "workerinput") else contextlib.nullcontext():
            return (yield)
    finally:
        gc.enable()


@contextlib.contextmanager
def _compiling(config: pytest.Config) -> Generator[None]:
    """Let the first worker in at once, and every other one when the first has left or ended."""
    # This is the folder of the run, in which each worker has its own.
    with (Path(str(config.getoption("basetemp"))).parent / "compiling").open("w") as first:
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(first, fcntl.LOCK_SH)
            fcntl.flock(first, fcntl.LOCK_UN)
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests that only a soak has, before they are left out. If attacks are counted, select only their tests."""
    turns.mark_for_soak(items)
    if config.getoption("--harsh-readings"):
        leave_out_exceptions(items, config.rootpath)
    if config.getoption("--write-security-docs"):
        items[:] = [item for item in items if attacks.attack_of(item.nodeid)]


def pytest_collection_finish() -> None:
    """Freeze the thousands of tests, because each garbage collection would spend nearly all of its time on them."""
    # hypothesis searches for references to trio's random numbers when it is loaded, and would not find frozen objects.
    importlib.import_module("hypothesis")
    gc.collect()
    gc.freeze()
    # Tests that look for leftovers collect garbage by themselves. Collecting as often as Python does by default would
    # cost the others one part in twenty of the run.
    gc.set_threshold(20_000, 20, 50)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count the attacks that failed."""
    attack = attacks.attack_of(report.nodeid)
    if attack is not None and report.when == "call" and report.passed:
        _TRIED[attack] += 1


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the table after a run without a failure. With ``--collect-only`` count the tests that there are."""
    config: Any = session.config
    if config.getoption("--collect-only"):
        _TRIED.update(attack for item in session.items if (attack := attacks.attack_of(item.nodeid)))
    if config.getoption("--write-security-docs") and not hasattr(config, "workerinput") and exitstatus == 0:
        attacks.write(_TRIED)
