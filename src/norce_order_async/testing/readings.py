"""Runs tests again under the other readings of the rules.

pytest loads this only if an option or a setting asks for readings. First, all tests have their plain run, as without
this module. Then each test that used ``norce_sandbox`` and passed runs again under every other reading that its
requests could have met. Only this module sees the reports of those runs: no other plugin counts, logs or stores them.
``reliances.py`` reports the findings.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

import pytest

from norce_order_async.sandbox import Readings, ReadingsError, Sandbox
from norce_order_async.sandbox.readings import readings_of
from norce_order_async.testing.reliances import (
    ACCEPTED_SETTING,
    EACH,
    HARSH,
    OPTION,
    WITH_READINGS,
    Change,
    Failure,
    Found,
    Reliances,
    cut,
)

REPORT, STRICT = f"{OPTION}-report", f"{OPTION}-strict"
FILE_SETTING = "norce_readings"
_LONGEST_ERROR = 500
_PER_WORKER = "norce_readings"
_LOG = "pytest_runtest_logreport"

Overlay: TypeAlias = Mapping[str, str]
"""The readings that a run changes, by rule."""


class Seen(NamedTuple):
    """The readings of a test's sandbox, and the rules that its requests touched."""

    readings: Readings
    touched: frozenset[str]
    chosen: frozenset[str]
    """The rules whose reading the test itself has chosen."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options and settings about readings."""

    base: Readings
    mode: str | None
    accepted: frozenset[tuple[str, str]]
    report: Path | None
    strict: bool


def wanted(config: pytest.Config) -> Wanted:
    """Read the options and settings about readings.

    Raises:
        pytest.UsageError: one of them can't be used; the text says why.
    """
    modes: list[str] = []
    base = Readings()
    file: str | None = config.getini(FILE_SETTING)
    try:
        if file:
            base = Readings.load((config.inipath or config.rootpath / "x").parent / file)
        for value in config.getoption(OPTION) or ():
            path = config.invocation_params.dir / value
            rule, equals, reading = value.partition("=")
            if value in (EACH, HARSH):
                modes.append(value)
            elif equals and not path.exists():
                base |= {rule: reading}
            else:
                base |= Readings.load(path)
    except ReadingsError as error:
        raise pytest.UsageError(f"{OPTION}: {error}") from None
    accepted = _accepted(config.getini(ACCEPTED_SETTING))
    if len(set(modes)) > 1:
        raise pytest.UsageError(f"{OPTION} takes {EACH} or {HARSH}, not both")
    mode = modes[0] if modes else None
    report: str | None = config.getoption(REPORT)
    if mode is None and (report or config.getoption(STRICT)):
        raise pytest.UsageError(f"{REPORT} and {STRICT} need {OPTION}={EACH} or {OPTION}={HARSH}")
    place = config.invocation_params.dir / report if report else None
    if place is not None and not place.parent.is_dir():
        raise pytest.UsageError(f"{REPORT}: there is no folder {place.parent}")
    return Wanted(base, mode, accepted, place, bool(config.getoption(STRICT)))


def _accepted(lines: Sequence[str]) -> frozenset[tuple[str, str]]:
    """The pairs of a rule and a reading in the setting.

    Raises:
        pytest.UsageError: there is no such rule or reading.
    """
    pairs = [line.replace(" ", "").partition("=") for line in lines]
    try:
        for rule, _, reading in pairs:
            Readings({rule: reading})
    except ReadingsError as error:
        raise pytest.UsageError(f"{ACCEPTED_SETTING}: {error}") from None
    return frozenset((rule, reading) for rule, _, reading in pairs)


class ReadingRuns:
    """The readings of a run of pytest: gives sandboxes their readings, and runs tests again under others."""

    def __init__(self, config: pytest.Config, asked: Wanted) -> None:
        self._config = config
        self._asked = asked
        self._seen: dict[pytest.Item, Seen] = {}
        self._passed: dict[str, bool] = {}
        self._found = Found()
        self._overlay: Overlay | None = None
        """The changed readings of a run that is not reported; empty for one without changes, None for a plain run."""
        self._error: str | None = None
        """Why that run fails, so far."""

    # For norce_sandbox

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a test's sandbox, with its readings."""
        own = readings_of(given.get("readings"))
        return {**given, "readings": self._asked.base | own | _chosen(given) | (self._overlay or {})}

    def saw(self, item: pytest.Item, sandbox: Sandbox, given: Mapping[str, Any]) -> None:
        """Note the rules that a test has touched, after its sandbox was used."""
        if self._asked.mode is not None and self._overlay is None:
            self._seen[item] = Seen(sandbox.readings, sandbox.touched, frozenset(_chosen(given)))

    # Planning the runs

    def _planned(self, item: pytest.Item) -> list[tuple[Change, ...]]:
        seen = self._seen[item]
        # Readings that were observed are certain, and readings that a test has chosen are meant.
        open_rules = [
            rule
            for rule in WITH_READINGS.values()
            if rule.id in seen.touched - seen.chosen and seen.readings.certainty(rule.id) == "assumed"
        ]
        if self._asked.mode == EACH:
            return [
                (Change(rule.id, seen.readings[rule.id], reading.id),)
                for rule in open_rules
                for reading in rule.readings
                if reading.id != seen.readings[rule.id]
            ]
        harsh = Readings.harsh()
        changes = tuple(
            Change(rule.id, seen.readings[rule.id], harsh[rule.id])
            for rule in open_rules
            if seen.readings[rule.id] != harsh[rule.id]
            and (rule.id, harsh[rule.id]) not in self._asked.accepted
            # If a rule has no harsh reading, it is the first one.
            and harsh[rule.id] != rule.readings[0].id
        )
        return [changes] if changes else []

    # Running tests again

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """After all plain runs, run tests again under other readings."""
        try:
            done = yield
        except BaseException:
            self._found.complete = False
            raise
        plan = [
            (item, runs)
            for item in self._seen
            if self._passed.get(item.nodeid) and not _shows_only(self._config) and (runs := self._planned(item))
        ]
        self._found.tests += sum(self._passed.get(item.nodeid, False) for item in self._seen)
        if plan:
            self._progress(f"\nunder other readings, {sum(len(runs) for _, runs in plan)} runs: ")
        for number, (item, runs) in enumerate(plan):
            if session.shouldstop or session.shouldfail:
                self._found.complete = False
                break
            self._run_all(item, runs, plan[number + 1][0] if number + 1 < len(plan) else None)
        return done

    def _run_all(self, item: pytest.Item, runs: Sequence[tuple[Change, ...]], following: pytest.Item | None) -> None:
        """Run one test under all its readings. Fixtures that it shares with others are kept between the runs."""
        aside: pytest.Item = cast("Any", _Aside).from_parent(item.parent, name="another run")
        self._run_each(item, runs, aside)
        try:
            # Tear down fixtures that the next test does not share. pytest does so only as a part of a run.
            cast("Any", item.session)._setupstate.teardown_exact(following)  # noqa: SLF001
        except Exception:  # noqa: BLE001 - an error of a fixture, which no reading has caused
            self._found.unrepeatable.append(item.nodeid)

    def _run_each(self, item: pytest.Item, runs: Sequence[tuple[Change, ...]], aside: pytest.Item) -> None:
        repeatable = False
        for changes in runs:
            overlay = {change.rule: change.under for change in changes}
            error = self._run(item, aside, overlay)
            self._found.runs += 1
            self._found.tried.update((change.rule, change.under) for change in changes)
            if error is None:
                continue
            # It may fail by chance, or because it can't be run twice. The reading causes neither.
            if self._run(item, aside, overlay) is None or (not repeatable and self._run(item, aside, {}) is not None):
                self._found.unrepeatable.append(item.nodeid)
                return
            repeatable = True
            self._found.failures.append(Failure(item.nodeid, changes, error))

    def _run(self, item: pytest.Item, following: pytest.Item, overlay: Overlay) -> str | None:
        """Run a test once, and return why it failed, or None. Its own fixtures are made again."""
        if isinstance(item.parent, pytest.Class) and "_instance" in vars(item):
            # The instance of the test's class must not keep anything from another run. pytest makes both again.
            vars(item).pop("_instance")
            vars(item)["_obj"] = None
        hooks, everyone_else = self._config.hook, self._config.pluginmanager.get_plugins() - {self}
        quiet = self._config.pluginmanager.subset_hook_caller(_LOG, everyone_else)
        self._overlay, self._error = overlay, None
        try:
            with pytest.MonkeyPatch.context() as patch:
                # Subtests log their own reports, however a test is run.
                patch.setattr(hooks, _LOG, quiet)
                # Through the hook, so that warnings, timeouts, assertions and the guard are as in a plain run.
                item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        finally:
            self._overlay = None
        self._progress("." if self._error is None else "F")
        return self._error

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a test under readings without logging it, and without the plugins that repeat failures."""
        if self._overlay is None:
            return None
        # As pytest-rerunfailures does: there is no public function that makes a test's fixtures anew.
        from _pytest.runner import runtestprotocol

        for report in runtestprotocol(item, log=False, nextitem=nextitem):
            self.pytest_runtest_logreport(report)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note whether a test passes in its last plain run, and why a run under readings fails."""
        if self._overlay is not None:
            if report.failed and self._error is None:
                self._error = _first_line(report)
            return
        if report.when == "setup":
            self._passed.pop(report.nodeid, None)
        if report.failed:
            self._passed[report.nodeid] = False
        elif report.when == "call" and report.passed:
            self._passed.setdefault(report.nodeid, True)

    def _progress(self, text: str) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None and self._config.get_verbosity() >= 0:
            terminal.write(text, flush=True)

    # Reporting

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add the findings of a worker of pytest-xdist."""
        found = getattr(node, "workeroutput", {}).get(_PER_WORKER)
        if found is None:
            self._found.complete = False
        else:
            self._found.add(found)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Send a worker's findings to the controller; without workers, or in the controller, report them."""
        if self._asked.mode is None:
            return
        if hasattr(self._config, "workerinput"):
            self._config.workeroutput[_PER_WORKER] = self._found.dumped()  # type: ignore[attr-defined]
            return
        if self._asked.report is not None:
            report = json.dumps(self._reliances().report(), indent=2, ensure_ascii=False)
            self._asked.report.write_text(f"{report}\n", "utf-8")
        if self._asked.strict and exitstatus == pytest.ExitCode.OK and self._reliances().is_any_new():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table."""
        if self._asked.mode is None:
            return
        terminalreporter.section("readings of the rules")
        for line in self._reliances().table():
            terminalreporter.line(line)
        if self._asked.strict and self._reliances().is_any_new():
            terminalreporter.line(f"FAILED by {STRICT}: tests rely on readings not in {ACCEPTED_SETTING}", red=True)

    def _reliances(self) -> Reliances:
        return Reliances(self._found, self._asked.mode, self._asked.accepted)


class _Aside(pytest.Item):
    """Stands for the next test, so that pytest tears down a test's own fixtures and keeps those that it shares."""

    def runtest(self) -> None:
        """Never called."""


def _chosen(given: Mapping[str, Any]) -> Overlay:
    """The readings that a test's own arguments choose, first ones included."""
    own = given.get("readings")
    if isinstance(own, Readings):
        return {one.rule: one.id for one in own.changed} | {
            rule: reading for rule, reading in own.items() if own.certainty(rule) == "observed"
        }
    return dict(own or {})


def _first_line(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message) if crash is not None else report.longreprtext.strip()
    return cut(next(iter(text.splitlines()), "failed"), _LONGEST_ERROR)


def _shows_only(config: pytest.Config) -> bool:
    """Whether pytest only shows its setup, and runs no test."""
    return bool(config.getoption("setuponly", default=False) or config.getoption("setupplan", default=False))
