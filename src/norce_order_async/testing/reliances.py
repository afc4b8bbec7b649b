"""The readings that tests rely on: collected from all processes, and reported as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from norce_order_async.sandbox import RULES, Rule

OPTION = "--norce-readings"
EACH, HARSH = "each", "harsh"
ACCEPTED_SETTING = "norce_readings_accepted"

VERSION = 1
"""The version of the report's form. It grows if a member changes or is removed, not if one is added."""

WITH_READINGS: Mapping[str, Rule] = {rule.id: rule for rule in RULES if rule.readings}
_SHOWN_ERROR = 100


class Change(NamedTuple):
    """A reading that replaces the one of the test's plain run."""

    rule: str
    relied_on: str
    under: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A test that passes in its plain run and fails under other readings."""

    test: str
    changes: tuple[Change, ...]
    error: str


@dataclass
class Found:
    """The findings of one process; with several processes, the controller adds them up."""

    tests: int = 0
    runs: int = 0
    tried: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    failures: list[Failure] = field(default_factory=list[Failure])
    unrepeatable: list[str] = field(default_factory=list[str])
    complete: bool = True

    def dumped(self) -> str:
        """The findings as text, for another process."""
        return json.dumps(asdict(self) | {"tried": sorted(self.tried)})

    def add(self, dumped: str) -> None:
        """Add the findings of another process."""
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
class Reliances:
    """The findings, and the accepted pairs of a rule and a reading."""

    found: Found
    mode: str | None
    accepted: frozenset[tuple[str, str]]

    def _by_changes(self) -> list[tuple[tuple[Change, ...], list[Failure]]]:
        """The failures by changed readings, in the order of the rules."""
        places = {(rule.id, one.id): place for place, (rule, one) in enumerate(_every_reading())}
        by_changes: dict[tuple[Change, ...], list[Failure]] = {}
        for failure in sorted(self.found.failures, key=lambda one: one.test):
            by_changes.setdefault(failure.changes, []).append(failure)
        return sorted(by_changes.items(), key=lambda one: [places[change.rule, change.under] for change in one[0]])

    def _accepted(self, changes: tuple[Change, ...]) -> bool:
        return all((change.rule, change.under) in self.accepted for change in changes)

    def is_any_new(self) -> bool:
        """Whether a test fails under a reading that is not accepted."""
        return any(not self._accepted(changes) for changes, _ in self._by_changes())

    def unneeded(self) -> list[tuple[str, str]]:
        """The accepted readings under which no test has failed.

        Empty for harsh runs, which leave out accepted readings, and for runs that were stopped.
        """
        if self.mode != EACH or not self.found.complete:
            return []
        needed = {(change.rule, change.under) for failure in self.found.failures for change in failure.changes}
        every = ((rule.id, one.id) for rule, one in _every_reading())
        return [pair for pair in every if pair in self.accepted - needed]

    def table(self) -> Iterator[str]:
        """Yield the lines of the table that ends the run."""
        reliances = self._by_changes()
        for changes, failures in reliances:
            yield from self._row(changes, failures)
            yield from (f"    {failure.test} - {cut(failure.error, _SHOWN_ERROR)}" for failure in failures)
        if self.found.unrepeatable:
            yield "No result for these tests: the same run passes at one time and fails at another."
            yield from (f"    {test}" for test in sorted(self.found.unrepeatable))
        if unneeded := self.unneeded():
            yield f"No test of this run needs these in {ACCEPTED_SETTING}:"
            yield from (f"    {rule}={reading}" for rule, reading in unneeded)
        if not self.found.complete:
            yield "The run was stopped: not every reading was tried."
        tests = _counted(self.found.tests, "test with norce_sandbox passes", "tests with norce_sandbox pass")
        runs = _counted(self.found.runs, "run")
        if self.mode == HARSH:
            yield f"{tests}. There were {runs} under harsh readings."
            return
        yield f"{tests}. There were {runs} under {_counted(len(self.found.tried), 'other reading')}."
        if reliances:
            one = reliances[0][0][0]
            yield f"To see one fail: pytest {OPTION}={one.rule}={one.under} TEST"

    def _row(self, changes: tuple[Change, ...], failures: Sequence[Failure]) -> Iterator[str]:
        tests = _counted(len(failures), "test relies on", "tests rely on")
        they = "It fails" if len(failures) == 1 else "They fail"
        if len(changes) == 1:
            ((rule, relied_on, under),) = changes
            accepted = ", accepted" if self._accepted(changes) else ""
            yield f"{tests} {rule}: {_words(relied_on)} ({WITH_READINGS[rule].certainty}{accepted})."
            yield f"  {they} under {_words(under)}: {_meaning(rule, under)}"
            return
        yield f"{tests} one or more of these. {they} under their harsh readings; {OPTION}={EACH} says under which."
        for rule, relied_on, under in changes:
            yield f"  {rule}: {_words(relied_on)}; harsh: {_words(under)}"

    def report(self) -> dict[str, Any]:
        """Return the report as JSON data."""
        return {
            "version": VERSION,
            "mode": self.mode,
            "complete": self.found.complete,
            "tests": self.found.tests,
            "runs": self.found.runs,
            "tried": [
                {"rule": rule.id, "reading": one.id}
                for rule, one in _every_reading()
                if (rule.id, one.id) in self.found.tried
            ],
            "reliances": [
                {
                    "accepted": self._accepted(changes),
                    "changes": [
                        {
                            "rule": rule,
                            "certainty": WITH_READINGS[rule].certainty,
                            "relied_on": relied_on,
                            "under": under,
                            "text": _meaning(rule, under),
                        }
                        for rule, relied_on, under in changes
                    ],
                    "tests": [{"id": failure.test, "error": failure.error} for failure in failures],
                }
                for changes, failures in self._by_changes()
            ],
            "unneeded": [{"rule": rule, "reading": reading} for rule, reading in self.unneeded()],
            "unrepeatable": sorted(self.found.unrepeatable),
        }


def _every_reading() -> Iterable[tuple[Rule, Any]]:
    return ((rule, one) for rule in WITH_READINGS.values() for one in rule.readings)


def _meaning(rule: str, reading: str) -> str:
    return next(one.text for one in WITH_READINGS[rule].readings if one.id == reading)


def _words(reading: str) -> str:
    return reading.replace("-", " ")


def _counted(number: int, one: str, more: str | None = None) -> str:
    return f"{number} {one if number == 1 else more or one + 's'}"


def cut(text: str, length: int) -> str:
    """The text, with dots at its end if it is longer."""
    return text if len(text) <= length else f"{text[: length - 3]}..."
