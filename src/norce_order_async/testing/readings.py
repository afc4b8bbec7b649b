"""Tests under the other readings of the rules: which of them, how they run once more, and what the run says at its end.

pytest loads this only when an option or a setting asks for readings. All tests run plainly first, untouched by what
comes after. Then each test that used ``norce_sandbox`` and passed runs once more under every other reading that its
requests could have met. Those runs report to nobody but this module: no other plugin counts, logs or stores them.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

import pytest

from norce_order_async.sandbox import RULES, Readings, ReadingsError, Rule, Sandbox
from norce_order_async.sandbox.readings import readings_of

OPTION, REPORT, STRICT = "--norce-readings", "--norce-readings-report", "--norce-readings-strict"
FILE_SETTING, ACCEPTED_SETTING = "norce_readings", "norce_readings_accepted"
EACH, HARSH = "each", "harsh"

VERSION = 1
"""Of the report's form. It grows when a member changes or goes; members may be added without."""

_WITH_READINGS: Mapping[str, Rule] = {rule.id: rule for rule in RULES if rule.readings}
_LONGEST_ERROR = 500
_SHOWN_ERROR = 100
_PER_WORKER = "norce_readings"
_LOG = "pytest_runtest_logreport"

Overlay: TypeAlias = Mapping[str, str]
"""Reading by rule: what a run changes."""


class Change(NamedTuple):
    """A reading in place of the one that the test met in its plain run."""

    rule: str
    relied_on: str
    under: str


class Seen(NamedTuple):
    """What a test's sandbox knows at its end."""

    readings: Readings
    touched: frozenset[str]
    chosen: frozenset[str]
    """The rules whose reading the test has chosen by itself."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A test that passes plainly and fails under other readings."""

    test: str
    changes: tuple[Change, ...]
    error: str


@dataclass
class Found:
    """What one process found; the controller of several adds them up."""

    tests: int = 0
    runs: int = 0
    tried: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    failures: list[Failure] = field(default_factory=list[Failure])
    unrepeatable: list[str] = field(default_factory=list[str])
    complete: bool = True

    def dumped(self) -> str:
        """As text, for another process."""
        return json.dumps(asdict(self) | {"tried": sorted(self.tried)})

    def add(self, dumped: str) -> None:
        """Take in what another process found."""
        other = json.loads(dumped)
        self.tests += other["tests"]
        self.runs += other["runs"]
        self.tried.update((rule, reading) for rule, reading in other["tried"])
        self.failures += (
            Failure(one["test"], tuple(Change(*change) for change in one["changes"]), one["error"])
            for one in other["failures"]
        )
        self.unrepeatable += other["unrepeatable"]
        self.complete &= other["complete"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What options and settings ask for."""

    base: Readings
    mode: str | None
    accepted: frozenset[tuple[str, str]]
    report: Path | None
    strict: bool


def wanted(config: pytest.Config) -> Wanted:
    """What is asked for.

    Raises:
        pytest.UsageError: it can't be done; the text says why.
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
        pairs = [line.replace(" ", "").partition("=") for line in config.getini(ACCEPTED_SETTING)]
        for rule, _, reading in pairs:
            Readings({rule: reading})
    except ReadingsError as error:
        raise pytest.UsageError(f"{OPTION}: {error}") from None
    if len(set(modes)) > 1:
        raise pytest.UsageError(f"{OPTION} takes {EACH} or {HARSH}, not both")
    mode = modes[0] if modes else None
    report: str | None = config.getoption(REPORT)
    if mode is None and (report or config.getoption(STRICT)):
        raise pytest.UsageError(f"{REPORT} and {STRICT} need {OPTION}={EACH} or {OPTION}={HARSH}")
    place = config.invocation_params.dir / report if report else None
    if place is not None and not place.parent.is_dir():
        raise pytest.UsageError(f"{REPORT}: there is no folder {place.parent}")
    accepted = frozenset((rule, reading) for rule, _, reading in pairs)
    return Wanted(base, mode, accepted, place, bool(config.getoption(STRICT)))


class ReadingRuns:
    """The readings of a run of pytest: those of its sandboxes, and the runs under others after the plain ones."""

    def __init__(self, config: pytest.Config, asked: Wanted) -> None:
        self._config = config
        self._asked = asked
        self._seen: dict[pytest.Item, Seen] = {}
        self._passed: dict[str, bool] = {}
        self._found = Found()
        self._overlay: Overlay | None = None
        """Of the run at hand, while one is that reports to nobody; empty if that is plain."""
        self._error: str | None = None
        """Why that run fails, so far."""

    # What norce_sandbox asks

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments of a test's sandbox, with the readings that it is to have."""
        own = readings_of(given.get("readings"))
        return {**given, "readings": self._asked.base | own | _chosen(given) | (self._overlay or {})}

    def saw(self, item: pytest.Item, sandbox: Sandbox, given: Mapping[str, Any]) -> None:
        """A test is done with its sandbox."""
        if self._asked.mode is not None and self._overlay is None:
            self._seen[item] = Seen(sandbox.readings, sandbox.touched, frozenset(_chosen(given)))

    # Which tests, under which readings

    def _planned(self, item: pytest.Item) -> list[tuple[Change, ...]]:
        seen = self._seen[item]
        # What was observed is no question any more, and what a test has chosen is what it wants to see.
        open_rules = [
            rule
            for rule in _WITH_READINGS.values()
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
            # The first reading is where a rule has no harsh one.
            and harsh[rule.id] != rule.readings[0].id
        )
        return [changes] if changes else []

    # How they run once more

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """After all plain runs, the others."""
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
        """All runs of one test. What it shares with others is kept between them, whatever comes next."""
        aside: pytest.Item = cast("Any", _Aside).from_parent(item.parent, name="another run")
        self._run_each(item, runs, aside)
        try:
            # What the next test does not share is left now. pytest does so only as a part of a run.
            cast("Any", item.session)._setupstate.teardown_exact(following)  # noqa: SLF001
        except Exception:  # noqa: BLE001 - a fixture's own, and no part of what any reading did
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
            # It may fail by chance, or because it can't be run twice: neither is the reading's doing.
            if self._run(item, aside, overlay) is None or (not repeatable and self._run(item, aside, {}) is not None):
                self._found.unrepeatable.append(item.nodeid)
                return
            repeatable = True
            self._found.failures.append(Failure(item.nodeid, changes, error))

    def _run(self, item: pytest.Item, following: pytest.Item, overlay: Overlay) -> str | None:
        """One more run; why it failed, or None. All that a test needs is made anew, up to what its class shares."""
        if isinstance(item.parent, pytest.Class) and "_instance" in vars(item):
            # What a test in a class left in its self is no part of another run. pytest makes both anew on demand.
            vars(item).pop("_instance")
            vars(item)["_obj"] = None
        hooks, everyone_else = self._config.hook, self._config.pluginmanager.get_plugins() - {self}
        quiet = self._config.pluginmanager.subset_hook_caller(_LOG, everyone_else)
        self._overlay, self._error = overlay, None
        try:
            with pytest.MonkeyPatch.context() as patch:
                # Subtests log their reports by themselves, however a test is run.
                patch.setattr(hooks, _LOG, quiet)
                # By way of the hook, so that warnings, timeouts, assertions and the guard are as in a plain run.
                item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        finally:
            self._overlay = None
        self._progress("." if self._error is None else "F")
        return self._error

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """A run of ours is not logged, and not repeated by plugins that do so on failures."""
        if self._overlay is None:
            return None
        # The way of pytest-rerunfailures and its like: there is no public one that makes a test's fixtures anew.
        from _pytest.runner import runtestprotocol

        for report in runtestprotocol(item, log=False, nextitem=nextitem):
            self.pytest_runtest_logreport(report)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Whether tests pass plainly, and if one is repeated, the last time; why a run of ours fails."""
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

    # What is said at the end

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """What a worker of pytest-xdist has found."""
        found = getattr(node, "workeroutput", {}).get(_PER_WORKER)
        if found is None:
            self._found.complete = False
        else:
            self._found.add(found)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """A worker hands over what it found; a run of its own, or the controller, reports it."""
        if self._asked.mode is None:
            return
        if hasattr(self._config, "workerinput"):
            self._config.workeroutput[_PER_WORKER] = self._found.dumped()  # type: ignore[attr-defined]
            return
        if self._asked.report is not None:
            report = json.dumps(self._report(), indent=2, ensure_ascii=False)
            self._asked.report.write_text(f"{report}\n", "utf-8")
        if self._asked.strict and exitstatus == pytest.ExitCode.OK and self._new():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The table."""
        if self._asked.mode is None:
            return
        terminalreporter.section("readings of the rules")
        for line in self._table():
            terminalreporter.line(line)
        if self._asked.strict and self._new():
            terminalreporter.line(f"FAILED by {STRICT}: tests rely on what is not in {ACCEPTED_SETTING}", red=True)

    def _reliances(self) -> list[tuple[tuple[Change, ...], list[Failure]]]:
        """The failures by what was changed, in the order of the rules."""
        places = {(rule.id, one.id): place for place, (rule, one) in enumerate(_every_reading())}
        by_changes: dict[tuple[Change, ...], list[Failure]] = {}
        for failure in sorted(self._found.failures, key=lambda one: one.test):
            by_changes.setdefault(failure.changes, []).append(failure)
        return sorted(by_changes.items(), key=lambda one: [places[change.rule, change.under] for change in one[0]])

    def _accepted(self, changes: tuple[Change, ...]) -> bool:
        return all((change.rule, change.under) in self._asked.accepted for change in changes)

    def _new(self) -> bool:
        return any(not self._accepted(changes) for changes, _ in self._reliances())

    def _table(self) -> Iterator[str]:
        reliances = self._reliances()
        for changes, failures in reliances:
            yield from self._row(changes, failures)
            yield from (f"    {failure.test} - {_cut(failure.error, _SHOWN_ERROR)}" for failure in failures)
        if self._found.unrepeatable:
            yield "Nothing can be said of these: the same run of them passes at one time and fails at another."
            yield from (f"    {test}" for test in sorted(self._found.unrepeatable))
        if not self._found.complete:
            yield "The run was stopped: not every reading was tried."
        tests = _counted(self._found.tests, "test with norce_sandbox passes", "tests with norce_sandbox pass")
        runs = _counted(self._found.runs, "run")
        if self._asked.mode == HARSH:
            yield f"{tests}. There were {runs} under harsh readings."
            return
        yield f"{tests}. There were {runs} under {_counted(len(self._found.tried), 'other reading')}."
        if reliances:
            one = reliances[0][0][0]
            yield f"To see one fail: pytest {OPTION}={one.rule}={one.under} TEST"

    def _row(self, changes: tuple[Change, ...], failures: Sequence[Failure]) -> Iterator[str]:
        tests = _counted(len(failures), "test relies on", "tests rely on")
        they = "It fails" if len(failures) == 1 else "They fail"
        if len(changes) == 1:
            ((rule, relied_on, under),) = changes
            accepted = ", accepted" if self._accepted(changes) else ""
            yield f"{tests} {rule}: {_words(relied_on)} ({_WITH_READINGS[rule].certainty}{accepted})."
            yield f"  {they} under {_words(under)}: {_meaning(rule, under)}"
            return
        yield f"{tests} one or more of these. {they} under their harsh readings; {OPTION}={EACH} says under which."
        for rule, relied_on, under in changes:
            yield f"  {rule}: {_words(relied_on)}; harsh: {_words(under)}"

    def _report(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "mode": self._asked.mode,
            "complete": self._found.complete,
            "tests": self._found.tests,
            "runs": self._found.runs,
            "tried": [
                {"rule": rule.id, "reading": one.id}
                for rule, one in _every_reading()
                if (rule.id, one.id) in self._found.tried
            ],
            "reliances": [
                {
                    "accepted": self._accepted(changes),
                    "changes": [
                        {
                            "rule": rule,
                            "certainty": _WITH_READINGS[rule].certainty,
                            "relied_on": relied_on,
                            "under": under,
                            "text": _meaning(rule, under),
                        }
                        for rule, relied_on, under in changes
                    ],
                    "tests": [{"id": failure.test, "error": failure.error} for failure in failures],
                }
                for changes, failures in self._reliances()
            ],
            "unrepeatable": sorted(self._found.unrepeatable),
        }


class _Aside(pytest.Item):
    """Stands for the next test: with it as such, pytest ends what a test has for itself and keeps what it shares."""

    def runtest(self) -> None:
        """It is never run."""


def _chosen(given: Mapping[str, Any]) -> Overlay:
    """The readings that a test's own arguments choose, first ones included."""
    own = given.get("readings")
    if isinstance(own, Readings):
        return {one.rule: one.id for one in own.changed} | {
            rule: reading for rule, reading in own.items() if own.certainty(rule) == "observed"
        }
    return dict(own or {})


def _every_reading() -> Iterable[tuple[Rule, Any]]:
    return ((rule, one) for rule in _WITH_READINGS.values() for one in rule.readings)


def _meaning(rule: str, reading: str) -> str:
    return next(one.text for one in _WITH_READINGS[rule].readings if one.id == reading)


def _words(reading: str) -> str:
    return reading.replace("-", " ")


def _counted(number: int, one: str, more: str | None = None) -> str:
    return f"{number} {one if number == 1 else more or one + 's'}"


def _first_line(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message) if crash is not None else report.longreprtext.strip()
    return _cut(next(iter(text.splitlines()), "failed"), _LONGEST_ERROR)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."


def _shows_only(config: pytest.Config) -> bool:
    """Whether pytest shows what it would do."""
    return bool(config.getoption("setuponly", default=False) or config.getoption("setupplan", default=False))
