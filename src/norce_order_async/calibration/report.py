"""The files that a calibration writes: the readings for the local service, and a report for people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from norce_order_async._version import __version__
from norce_order_async.calibration.masking import Masking
from norce_order_async.calibration.probes import PROBES, CouldNotTell, Follows, Neither
from norce_order_async.calibration.run import Plan, Result, in_words
from norce_order_async.display import printable

_MOST_SHOWN = 4
"""Exchanges that the report shows for one rule."""
_MOST_KEPT = 2
"""Exchanges that ``calibration.yaml`` has for one rule."""


def written(moment: datetime) -> str:
    """A time as a report has it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def as_yaml(result: Result, masking: Masking) -> str:
    """``calibration.yaml``, in the form that ``Readings.load`` reads, with each rule that the run could answer.

    Every value is written as JSON, which is also YAML.
    """
    lines = [
        "# What norce-order calibrate saw the order service do. Sandbox(readings=Readings.load(FILE)) does the same.",
        "# A rule that is not listed here, or has the reading neither, stays assumed.",
    ]
    for rule, verdict in result.verdicts.items():
        match verdict:
            case Follows(reading, shown_by):
                observed = PROBES[rule].answers[reading]
            case Neither(observed, shown_by):
                reading = "neither"
            case CouldNotTell():
                continue
        lines += [
            f"{rule}:",
            f"  reading: {json.dumps(reading)}",
            f"  observed: {json.dumps(observed)}",
            f"  when: {json.dumps(written(result.when))}",
            f"  build: {json.dumps(result.build)}",
            "  shown_by:",
        ]
        lines += [f"  - {json.dumps(masking.exchange(each))}" for each in shown_by[-_MOST_KEPT:]]
    return "\n".join([*lines, ""]) if len(lines) > 2 else "\n".join([*lines, "{}", ""])


def as_markdown(plan: Plan, result: Result, masking: Masking) -> str:
    """The report."""
    return "\n".join(_sections(plan, result, masking)) + "\n"


def _sections(plan: Plan, result: Result, masking: Masking) -> Iterator[str]:
    follows = {rule: each for rule, each in result.verdicts.items() if isinstance(each, Follows)}
    neither = {rule: each for rule, each in result.verdicts.items() if isinstance(each, Neither)}
    unknown = {rule: each for rule, each in result.verdicts.items() if isinstance(each, CouldNotTell)}
    yield "# What the order service does"
    yield ""
    yield (
        f"Seen by `norce-order calibrate` (norce-order-async {__version__}) on {written(result.when)}, with "
        f"{result.orders} test orders and {result.requests} requests. Build of the service: {result.build}. Answers "
        "are shown without texts, tokens and large numbers."
    )
    yield ""
    yield f"{len(follows)} rules follow a reading, {len(neither)} follow none, {len(unknown)} are still open."
    if result.stopped is not None:
        yield ""
        yield f"**The run was stopped early: {result.stopped}.**"
    if result.left:
        yield ""
        yield (
            f"**{len(result.left)} test orders may still be there.** `{printable(plan.state.name)}` names them; run "
            "`norce-order calibrate --clean-up`, or ask Norce to remove the orders whose reference is "
            f"{', '.join(sorted({made.run for made in result.left}))}."
        )
    yield from _table("Follows a reading", ["rule", "reading", "what was seen"], [
        [rule, each.reading, PROBES[rule].answers[each.reading]] for rule, each in follows.items()
    ])  # fmt: skip
    yield from _table("Follows none of the readings", ["rule", "what was seen"], [
        [rule, each.does] for rule, each in neither.items()
    ])  # fmt: skip
    yield from _table("Still open", ["rule", "why"], [
        *([rule, each.why] for rule, each in unknown.items()), *map(list, result.unasked.items())
    ])  # fmt: skip
    yield from _differences(result)
    yield from _described(result)
    if follows or neither:
        yield ""
        yield "## Requests and answers"
    for rule, verdict in (follows | neither).items():
        yield ""
        yield f"### {rule}: {in_words(verdict)}"
        yield ""
        yield PROBES[rule].asks
        yield ""
        yield "```"
        yield from (masking.exchange(each) for each in verdict.shown_by[-_MOST_SHOWN:])
        yield "```"


def _table(title: str, heads: list[str], rows: list[list[str]]) -> Iterator[str]:
    if not rows:
        return
    yield ""
    yield f"## {title}"
    yield ""
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"


def _differences(result: Result) -> Iterator[str]:
    found = result.differences
    yield ""
    yield "## What the description lacks"
    yield ""
    for title, words in (
        ("members that it does not have", found.members),
        ("words that its enumerations do not have", found.words),
        ("statuses that an operation does not declare", found.statuses),
        ("headers worth a look", found.headers),
    ):
        yield f"- {title}: {', '.join(f'`{word}`' for word in sorted(words)) or 'none'}"


def _described(result: Result) -> Iterator[str]:
    yield ""
    yield "## The description itself"
    yield ""
    if not result.described.tried:
        yield "The run did not look for it."
        return
    if result.described.body is None:
        yield "It was at none of these addresses:"
    else:
        yield "It was found, and saved beside this report for `scripts/regenerate.sh --from`:"
    yield ""
    for address, came_to in result.described.tried:
        yield f"- `{without_slug(address)}`: {came_to}"


def without_slug(address: str) -> str:
    """An address without the part of the host that names the customer."""
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    first, dot, others = host.partition(".")
    named = "{slug}" if dot and others.startswith("api-") else first
    return f"{scheme}://{named}{dot}{others}{slash}{path}"
