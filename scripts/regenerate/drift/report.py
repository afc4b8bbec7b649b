"""The report for maintainers, as a page and as data."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from regenerate.drift.change import ADVICE, Change, Level, worst
from regenerate.drift.check import Place
from regenerate.drift.sdk import Sdk, Touched, touched
from regenerate.drift.texts import TextChange
from regenerate.text import parts, shown, unmarked

_HEADINGS: dict[Level, str] = {
    "breaking": "Breaking for callers of the facade",
    "addition": "New; nothing has to be done",
    "note": "Of no effect on callers",
}
_REASONS: dict[Level, str] = {
    "breaking": "a program that works today can stop working, or stop passing its type check",
    "addition": "there is more than before, and what was there works as it did",
    "note": "callers of the facade do not see a difference",
}

# A pull request holds 65536 characters, and some of it is not ours.
_LENGTH = 60_000
_CUT = "The rest is in `report.json`."
_TEXTS = 50


@dataclass
class Report:
    """The changes, and the places to change by hand."""

    address: str
    version_before: str
    version_after: str
    changes: list[Change]
    texts: list[TextChange]
    """Changed texts for people. They have no effect on programs, but become docstrings."""
    places: list[Place]
    not_in_sandbox: list[str]
    """Operations that the local order service does not have."""
    sdk: Sdk

    @property
    def advice(self) -> str:
        """One of major, minor, patch, none."""
        level = worst(self.changes)
        return ADVICE[level] if level else "none"

    def headline(self) -> str:
        """The advice, with its reason."""
        level = worst(self.changes)
        if level is None and self.texts:
            number = len(self.texts)
            return f"none: only words for people have changed ({number} text{'s' * (number != 1)})"
        if level is None:
            return "none: nothing has changed that the generated code is made of"
        number = sum(change.level == level for change in self.changes)
        return f"{ADVICE[level]}: {_REASONS[level]} ({number} such change{'s' * (number != 1)})"


def as_json(report: Report) -> str:
    """The whole report, uncut."""
    data = {
        "address": report.address,
        "version": {"before": report.version_before, "after": report.version_after},
        "advice": report.advice,
        "reason": report.headline(),
        "changes": [
            {**asdict(change), "text": unmarked(change.text), "touches": asdict(_touched(report.sdk, change))}
            for change in report.changes
        ],
        "texts": [asdict(text) for text in report.texts],
        "places": [{**asdict(place), "text": unmarked(place.text)} for place in report.places],
        "not_in_sandbox": report.not_in_sandbox,
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def as_markdown(report: Report) -> str:
    """One page, also for a pull request: first the places to change, then the changes, the worst first.

    A list that is cut ends with a note of that.
    """
    lines: list[str] = []
    length = 0
    for line in _lines(report):
        length += len(line) + 1
        if length > _LENGTH - len(_CUT):
            return "\n".join([*lines, "", _CUT]) + "\n"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _lines(report: Report) -> Iterator[str]:
    changed = report.changes or report.texts
    yield "# The description has changed" if changed else "# The description says what it said"
    yield ""
    versions = f"{report.version_before} to {report.version_after}"
    if report.version_before == report.version_after:
        versions = f"{report.version_after}, as before"
    yield f"From: {_code(report.address)}, version {_code(versions)}"
    yield ""
    yield f"**Advice for the next version: {report.headline()}.**"
    yield from _places(report.places)
    for level, heading in _HEADINGS.items():
        yield from _section(heading, [change for change in report.changes if change.level == level], report.sdk)
    yield from _texts(report.texts)
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


def _section(heading: str, changes: list[Change], sdk: Sdk) -> Iterator[str]:
    """The changes of one level. Breaking ones are listed with the code they affect, others by kind of change."""
    if not changes:
        return
    yield from ("", f"## {heading} ({len(changes)})", "")
    if changes[0].level == "note":
        for text, group in _grouped(changes, lambda change: f"**{change.kind}**: {_plain(change.text)}"):
            yield f"- {text} ({_few([_code(change.subject) for change in group], 3)})"
        return
    for subject, group in _grouped(changes, lambda change: _code(change.subject)):
        yield f"- {subject}: " + "; ".join(f"**{change.kind}**: {_plain(change.text)}" for change in group)
        yield from _touches(_touched(sdk, group[0]))


def _texts(texts: list[TextChange]) -> Iterator[str]:
    """Each changed text, before and after. The texts become docstrings, so a maintainer should read them."""
    if not texts:
        return
    yield from ("", f"## Changed texts ({len(texts)})", "")
    for text in texts[:_TEXTS]:
        was, now = (_code(words, 300) if words is not None else "nothing" for words in (text.before, text.after))
        yield f"- {_code(text.subject)} {_code(text.where)}: was {was}, is {now}"
    if len(texts) > _TEXTS:
        yield f"- and {len(texts) - _TEXTS} more, all of them in `report.json`"


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


def _touched(sdk: Sdk, change: Change) -> Touched:
    kind, _, name = change.subject.partition(" ")
    return touched(sdk, change.operations, name if kind == "schema" else None)


def _few(entries: Sequence[str], number: int) -> str:
    more = len(entries) - number
    return ", ".join(entries[:number]) + (f" and {more} more" if more > 0 else "")


def _code(text: str, length: int = 200) -> str:
    """A description's text as code: on one line, between backticks, where Markdown has no effect."""
    held = " ".join(shown(text, length).replace("`", "'").split())
    return f"`{held or ' '}`"


def _plain(sentence: str) -> str:
    """A sentence of ours, with the description's words as code."""
    return "".join(_code(piece) if is_said else _escaped(piece) for is_said, piece in parts(sentence))


def _escaped(text: str) -> str:
    """Escapes the text, so that unmarked words of a description become no link, picture, markup or mention."""
    escaped = re.sub(r"([\\`*_~\[\]<>|#!&$])", r"\\\1", " ".join(re.split(r"\s", shown(text, 600))))
    return re.sub(r"(@|#|://|www\.|GH-)", "\\1\u200b", escaped)
