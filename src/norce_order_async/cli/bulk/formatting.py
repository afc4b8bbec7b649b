"""One order, and the whole job, as text and as JSON; without personal data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from norce_order_async.cli.failures import one_line
from norce_order_async.cli.tables import duration
from norce_order_async.display import printable, shown_code
from norce_order_async.orders.validation import ValidationReport

if TYPE_CHECKING:
    from norce_order_async.bulk.outcome import ItemOutcome, Summary

VERDICTS = ("done", "already done", "refused", "unknown", "not tried")


def fine(outcome: ItemOutcome[Any], *, dry_run: bool) -> bool:
    """Whether this order needs no attention."""
    if isinstance(outcome.value, ValidationReport):
        return outcome.value.ok
    if dry_run:
        return outcome.error is None
    return outcome.verdict in ("done", "already done")


def line(outcome: ItemOutcome[Any]) -> str:
    """One order as text."""
    verdict = "not valid" if isinstance(outcome.value, ValidationReport) and not outcome.value else outcome.verdict
    why = _problems_in_words(outcome.value) or (one_line(outcome.error) if outcome.error else printable(outcome.note))
    return f"{verdict:<12} {printable(outcome.key)}{f'  {why}' if why else ''}"


def record(outcome: ItemOutcome[Any]) -> Mapping[str, Any]:
    """One order as a JSON object."""
    members: dict[str, Any] = {
        "order_id": outcome.key,
        "verdict": outcome.verdict,
        "attempts": len(outcome.attempts),
        "reason": outcome.reason or None,
        "error": one_line(outcome.error) if outcome.error else None,
        "note": outcome.note or None,
    }
    if isinstance(outcome.value, ValidationReport):
        members["valid"] = outcome.value.ok
        members["problems"] = [
            {"adapter_id": each.adapter_id, "code": shown_code(each.code)} for each in outcome.value.problems
        ]
    return {name: value for name, value in members.items() if value is not None}


def summary_record(summary: Summary, not_valid: int) -> Mapping[str, Any]:
    """The whole job as a JSON object."""
    return {
        "verdicts": {verdict: count for verdict, count in summary.verdicts.items() if count},
        "before": dict(summary.before),
        "refusals": dict(summary.refusals),
        "not_valid": not_valid,
        "total": summary.total,
        "left": summary.left,
        "duplicates": summary.duplicates,
        "retries": summary.retries,
        "throttled": summary.throttled,
        "throttled_seconds": round(summary.throttled_seconds, 3),
        "elapsed": round(summary.elapsed, 3),
        "rate": round(summary.rate, 3),
        "note": summary.note or None,
        "stopped": summary.stopped or None,
    }


def summary_lines(summary: Summary, not_valid: int) -> list[tuple[str, str]]:
    """The whole job as pairs of a name and a text."""
    lines = [(verdict, f"{count:,}") for verdict in VERDICTS if (count := summary.verdicts[verdict])] or [("done", "0")]
    if not_valid:
        lines.append(("not valid", f"{not_valid:,}"))
    lines += [(f"  {reason}", f"{count:,}") for reason, count in summary.refusals.most_common()]
    if summary.before:
        lines.append(("before", ", ".join(f"{count:,} {verdict}" for verdict, count in summary.before.items())))
    if summary.duplicates:
        lines.append(("duplicates", f"{summary.duplicates:,}, skipped"))
    if summary.left:
        lines.append(("left", f"{summary.left:,}"))
    took = [f"{summary.elapsed:.1f} s", f"{summary.rate:,.0f} orders a second"]
    if summary.retries:
        took.append(f"{summary.retries:,} retries")
    if summary.throttled_seconds:
        took.append(f"waited {summary.throttled_seconds:.1f} s for the service")
    lines.append(("took", ", ".join(took)))
    if summary.note:
        lines.append(("note", summary.note))
    if summary.stopped:
        lines.append(("stopped", summary.stopped))
    return lines


def so_far(summary: Summary, in_flight: int, total: int | None) -> str:
    """The progress of a running job. ``total`` is the number of orders of this run, if it is known."""
    through = sum(summary.verdicts.values())
    rate = through / summary.elapsed if summary.elapsed else 0.0
    parts = [f"{rate:,.0f}/s", f"{in_flight} at once"]
    wrong = summary.verdicts["refused"] + summary.verdicts["unknown"]
    if wrong:
        parts.append(f"{wrong:,} refused or unknown")
    if summary.throttled_seconds >= 0.05:
        parts.append(f"waited {summary.throttled_seconds:.1f} s")
    if summary.failed_probes:
        parts.append(f"{summary.failed_probes:,} failed probes")
    if total is not None and total > through and rate:
        parts.append(f"{duration((total - through) / rate)} left")
    return ", ".join(parts)


def _problems_in_words(value: object) -> str:
    if not isinstance(value, ValidationReport):
        return ""
    return ", ".join(f"{shown_code(each.adapter_id)}: {shown_code(each.code)}" for each in value.problems)
