"""The page that a maintainer reads, and the same for machines."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from regenerate.drift.change import ADVICE, Change, Level, worst
from regenerate.drift.check import Place
from regenerate.drift.house import House, Touched, touched

_HEADINGS: dict[Level, str] = {
    "breaking": "Breaking for callers of the facade",
    "addition": "New, and nobody has to do anything",
    "note": "Of no effect on callers",
}
_REASONS: dict[Level, str] = {
    "breaking": "a program that works today can stop working, or stop passing its type check",
    "addition": "there is more than before, and what was there works as it did",
    "note": "callers of the facade do not see a difference",
}


@dataclass
class Report:
    """What changed, and what is to be done."""

    address: str
    version_before: str
    version_after: str
    changes: list[Change]
    places: list[Place]
    not_in_sandbox: list[str]
    """Operations that the local order service does not carry out."""
    house: House

    @property
    def advice(self) -> str:
        """One of major, minor, patch, none."""
        level = worst(self.changes)
        return ADVICE[level] if level else "none"

    def headline(self) -> str:
        """The advice, with its reason."""
        level = worst(self.changes)
        if level is None:
            return "none: nothing has changed that the generated code is made of"
        number = sum(change.level == level for change in self.changes)
        return f"{ADVICE[level]}: {_REASONS[level]} ({number} such change{'s' * (number != 1)})"


def as_json(report: Report) -> str:
    """Everything, nothing shortened."""
    data = {
        "address": report.address,
        "version": {"before": report.version_before, "after": report.version_after},
        "advice": report.advice,
        "reason": report.headline(),
        "changes": [{**asdict(change), "touches": asdict(_touched(report.house, change))} for change in report.changes],
        "places": [asdict(place) for place in report.places],
        "not_in_sandbox": report.not_in_sandbox,
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def as_markdown(report: Report) -> str:
    """One page: what to do first, then what changed, the worst first; long lists are cut and say so."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield "# The description has changed" if report.changes else "# The description says what it said"
    yield ""
    versions = f"{report.version_before} to {report.version_after}"
    if report.version_before == report.version_after:
        versions = f"{report.version_after}, as before"
    yield f"From: {_code(report.address)}, version {_code(versions)}"
    yield ""
    yield f"**Advice for the next version: {report.headline()}.**"
    yield from _places(report.places)
    for level, heading in _HEADINGS.items():
        yield from _section(heading, [change for change in report.changes if change.level == level], report.house)
    if report.not_in_sandbox:
        yield from ("", "## Not in the local order service yet", "")
        yield from (f"- {_code(operation)}" for operation in report.not_in_sandbox)
    yield from ("", "When the places are done, `scripts/test.sh` says whether types, tests and pages agree.")


def _places(places: list[Place]) -> Iterator[str]:
    yield ""
    if not places:
        yield "Nothing to change by hand: every operation, parameter, status and model fits the hand-written code."
        return
    yield from (f"## To change by hand ({len(places)})", "")
    yield from (f"- [ ] **{place.name}** {_code(place.where)}: {_plain(place.text)}" for place in places)


def _section(heading: str, changes: list[Change], house: House) -> Iterator[str]:
    """By what changed where it matters whom it touches; by kind of change where it does not."""
    if not changes:
        return
    yield from ("", f"## {heading} ({len(changes)})", "")
    if changes[0].level == "note":
        for told, group in _grouped(changes, lambda change: f"**{change.kind}**: {_plain(change.text)}"):
            yield f"- {told} ({_few([_code(change.subject) for change in group], 3)})"
        return
    for subject, group in _grouped(changes, lambda change: _code(change.subject)):
        yield f"- {subject}: " + "; ".join(f"**{change.kind}**: {_plain(change.text)}" for change in group)
        yield from _touches(_touched(house, group[0]))


def _grouped(changes: list[Change], key: Callable[[Change], str]) -> list[tuple[str, list[Change]]]:
    groups: dict[str, list[Change]] = {}
    for change in changes:
        groups.setdefault(key(change), []).append(change)
    return list(groups.items())


def _touches(found: Touched) -> Iterator[str]:
    methods = [entry.rpartition(" ")[2] for entry in found.methods]
    handlers = [entry.rpartition("/")[2].replace(".py ", ".") for entry in found.handlers]
    named = [
        f"{word} {_few([_code(entry) for entry in entries], 3)}"
        for word, entries in (("facade", methods), ("sandbox", handlers), ("tests", found.tests), ("docs", found.pages))
        if entries
    ]
    if named:
        yield f"  - touches {'; '.join(named)}"


def _touched(house: House, change: Change) -> Touched:
    kind, _, name = change.subject.partition(" ")
    return touched(house, change.operations, name if kind == "schema" else None)


def _few(entries: Sequence[str], number: int) -> str:
    more = len(entries) - number
    return ", ".join(entries[:number]) + (f" and {more} more" if more > 0 else "")


def _code(text: str) -> str:
    """Whatever a description says, it stays on its line and between its backticks."""
    return f"`{' '.join(text.replace('`', chr(39)).split())}`"


def _plain(text: str) -> str:
    """Words of the description can't become links, pictures, markup or mentions in a pull request."""
    one_line = " ".join(text.split())
    escaped = re.sub(r"([\\`*_\[\]<>|#!])", r"\\\1", one_line[:600])
    return escaped.replace("@", "@\u200b")
