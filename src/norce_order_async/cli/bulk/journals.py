"""``bulk status``, ``results``, ``report``, ``retry`` and ``work``: read a journal, make a page of it, try its refused
or unknown orders again, and work on a job that several machines share."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import anyio
import click

from norce_order_async.cli.bulk.options import How, check_spread, retry_options
from norce_order_async.cli.bulk.progress import Progress
from norce_order_async.cli.bulk.rows import BadInput
from norce_order_async.cli.bulk.running import place_of
from norce_order_async.cli.connection import Connection, connection_options
from norce_order_async.cli.failures import one_line
from norce_order_async.cli.options import Choice
from norce_order_async.cli.rows import JsonArray, timestamp
from norce_order_async.cli.tables import facts
from norce_order_async.cli.watching import failed_reading
from norce_order_async.display import printable

if TYPE_CHECKING:
    from norce_order_async.bulk.journal.inspect import JournalReport
    from norce_order_async.bulk.journal.results import ItemResult, Result

Only = Literal["refused", "unknown"]


@click.command(short_help="Show the progress of a job.")
@click.argument("path", metavar="JOURNAL")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option("--watch", "watches", is_flag=True, help="Print the progress every two seconds, until nothing is left.")
def status(path: str, as_json: bool, watches: bool) -> int:
    """Show the job in a journal and its progress, also while it runs. Needs no connection to the service.

    JOURNAL is a file, or postgresql://HOST/DATABASE#JOB.

    The exit code is that of the job: 0 all done, 3 some orders were refused or their outcome is unknown, 4 some are
    left.
    """
    if watches:
        _watch(path)
    report = _read(path)
    if as_json:
        _print_json(report)
    else:
        print_facts(report)
    if _is_left(report):
        return 4
    return 3 if report.counts["refused"] or report.counts["unknown"] else 0


WATCHED_EVERY = 2.0
"""Seconds between two readings of ``--watch``."""


def _is_left(report: JournalReport) -> bool:
    return bool(report.left) or not (report.listed and all(shard.finished for shard in report.shards))


def _watch(path: str) -> None:
    """Print the progress on standard error until nothing is left. If a later reading fails, print that and go on.

    Raises:
        BadInput: The first reading failed.
    """
    progress = Progress()
    report, failure = _read(path, reasons=False), ""
    while _is_left(report):
        if not failure:
            for line in progress.lines(report, time.monotonic()):
                click.echo(line, err=True)
        time.sleep(WATCHED_EVERY)
        before, failure = failure, ""
        try:
            report = _read(path, reasons=False)
        except BadInput as error:
            failure = failed_reading(error, WATCHED_EVERY)
            if failure != before:
                click.echo(failure, nl=False, err=True)


@click.command(short_help="Write a report of a job as a page.")
@click.argument("path", metavar="JOURNAL")
@click.option("--html", "out", metavar="FILE", required=True, help="The HTML page to write; it needs no other file.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def report(path: str, out: str, force: bool) -> None:
    """Write a report of a job: totals, verdicts over time, load, durations, refusals, the slowest and unknown orders.

    JOURNAL is a file, or postgresql://HOST/DATABASE#JOB; its job may still run. The page has the ids of orders and the
    service's messages about them.
    """
    from norce_order_async.bulk.report.page import html_report
    from norce_order_async.errors import NorceError

    try:
        html_report(place_of(path)).write(out, overwrite=force)
    except NorceError as error:
        raise BadInput(one_line(error).replace("give --overwrite", "give --force")) from error
    click.echo(printable(out))


@click.command(short_help="Work on a job that several machines share.")
@click.argument("path", metavar="JOURNAL")
@connection_options
def work(connection: Connection, path: str) -> int:
    """Take free shards of a job and run them, until none is left. JOURNAL is postgresql://HOST/DATABASE#JOB.

    Run it on as many machines as you like: if one dies, the others take over its shards. A command with --shards, or a
    program, has created the job before; that is when you were asked whether orders in production may be changed.

    The exit code is that of the job: 0 all done, 3 some orders were refused or their outcome is unknown.
    """
    from norce_order_async.bulk import PostgresJournal
    from norce_order_async.errors import NorceError

    place = place_of(path)
    if not isinstance(place, PostgresJournal):
        raise click.UsageError("JOURNAL must be postgresql://HOST/DATABASE#JOB: a file belongs to one machine")
    _check_place(connection, _read(path, reasons=False))
    try:
        report = anyio.run(place.work, connection.recipe())
    except NorceError as error:
        raise BadInput(one_line(error)) from error
    print_facts(report)
    return 3 if report.counts["refused"] or report.counts["unknown"] else 0


_COLUMNS = ("order_id", "verdict", "reason", "code", "message", "attempts", "sent", "changed", "correlation_id")


def _verdicts(_context: click.Context, _option: click.Parameter, value: str | None) -> list[Result] | None:
    if value is None:
        return None
    known: tuple[Result, ...] = ("done", "refused", "unknown", "in flight", "left")
    given = {word.strip() for word in value.split(",")}
    chosen: list[Result] = [verdict for verdict in known if verdict in given]
    if len(chosen) != len(given):
        raise click.BadParameter(f"must be some of {', '.join(known)}, separated by commas")
    return chosen


@click.command(short_help="List the result of each order.")
@click.argument("path", metavar="JOURNAL")
@click.option(
    "--verdict", "verdicts", callback=_verdicts, metavar="WORDS", help="Only these verdicts, such as refused,unknown."
)
@click.option("--csv", "form", flag_value="csv", help="Print CSV with a header.")
@click.option(
    "--raw-cells", is_flag=True, help="With --csv: write texts unchanged, even those a spreadsheet would run."
)
@click.option("--json", "form", flag_value="json", help="Print one JSON array.")
@click.option("--jsonl", "form", flag_value="jsonl", help="Print JSON, one line per order.")
def results(
    path: str, verdicts: list[Result] | None, form: Literal["csv", "json", "jsonl"] | None, raw_cells: bool
) -> int:
    """List the result of each order of a job: verdict, the service's code and message, attempts, times, correlation id.

    It works while the job runs and after it has ended, and needs no connection to the service. Messages may hold
    personal data.
    """
    from norce_order_async.bulk import read_results
    from norce_order_async.bulk.actions.cells import harmless
    from norce_order_async.bulk.journal.errors import JournalError

    try:
        rows = (_row(result) for result in read_results(place_of(path), verdicts))
        match form:
            case "csv":
                writer = csv.writer(sys.stdout, lineterminator="\n")
                writer.writerow(_COLUMNS)
                for row in rows:
                    writer.writerow(row.values() if raw_cells else map(harmless, row.values()))
            case "json":
                array = JsonArray()
                for row in rows:
                    array.add(row)
                array.end()
            case "jsonl":
                for row in rows:
                    click.echo(json.dumps(row))
            case None:
                for row in rows:
                    click.echo(_line(row))
    except JournalError as error:
        raise BadInput(one_line(error)) from error
    return 0


def _row(result: ItemResult) -> dict[str, Any]:
    return {
        "order_id": result.key,
        "verdict": result.verdict,
        "reason": result.reason,
        "code": result.code,
        "message": result.message,
        "attempts": result.attempts,
        "sent": timestamp(result.sent),
        "changed": timestamp(result.changed),
        "correlation_id": result.correlation_id,
    }


def _line(row: Mapping[str, Any]) -> str:
    words = printable(" ".join((row["message"] or "").split()))
    return "  ".join(part for part in (row["order_id"], row["verdict"], row["reason"], words) if part)


@click.command(short_help="Try refused or unknown orders again.")
@click.argument("path", metavar="JOURNAL")
@click.option(
    "--only",
    type=Choice(["refused", "unknown"]),
    required=True,
    help="The refused orders, or those with an unknown outcome.",
)
@click.option(
    "--send-again", is_flag=True, help="With --only unknown: send them without reading first, even if they were done."
)
@retry_options
@connection_options
def retry(connection: Connection, path: str, only: Only, send_again: bool, how: How) -> int:
    """Try the refused orders of a job again, or those with an unknown outcome, and all that are left.

    An order with an unknown outcome is read first, and sent only if it was not done. If the reading does not show that,
    the order stays unknown: look at it yourself, and use --send-again if it does no harm to do it twice.

    A job that is split into shards is planned again as a whole. This process runs its free shards, and other processes
    can help with bulk work.
    """
    from norce_order_async.bulk import actions
    from norce_order_async.bulk.journal.results import plan_again
    from norce_order_async.cli.bulk.running import Request, go
    from norce_order_async.errors import NorceError

    if send_again and only != "unknown":
        raise click.UsageError("--send-again needs --only unknown")
    report = _read(path)
    try:
        action = actions.from_journal(report.action, report.parameters)
    except NorceError as error:
        raise BadInput(f"journal {place_of(path)}: {one_line(error)}") from error
    if report.shards:
        check_spread(how)
    _check_place(connection, report)

    def again() -> None:
        try:
            plan_again(place_of(path), [only], send_again=send_again)
        except NorceError as error:
            raise BadInput(one_line(error)) from error

    what = f"{action.name} {json.dumps(action.parameters)}"
    partition = None if report.shards else report.partition
    request = Request(connection, action, what, replace(how, journal=path, partition=partition))
    count = f"{report.counts[only]:,} {only}, and {report.left:,} left"
    return go(request, None, lambda: count, before=again, split=bool(report.shards))


def _read(path: str, *, reasons: bool = True) -> JournalReport:
    from norce_order_async.bulk.journal.errors import JournalError
    from norce_order_async.bulk.journal.inspect import read_journal

    try:
        return read_journal(place_of(path), reasons=reasons)
    except JournalError as error:
        raise BadInput(one_line(error)) from error


def _check_place(connection: Connection, report: JournalReport) -> None:
    """Check that service, merchant and channel are those of the journal."""
    norce = connection.client()
    for name, there, here in (
        ("service", report.service, norce.base_url),
        ("merchant", report.merchant, norce.merchant),
        ("channel", report.channel, norce.channel),
    ):
        if there != here:
            raise BadInput(f"the journal is of {name} {there}, not {here}")


def _print_json(report: JournalReport) -> None:
    members: dict[str, Any] = {
        "action": report.action,
        "parameters": report.parameters,
        "service": report.service,
        "merchant": report.merchant,
        "channel": report.channel,
        "partition": report.partition,
        "running": report.running,
        "states": report.counts,
        "reasons": report.reasons,
        "left": report.left,
    }
    if report.shards:
        members["max_rate"] = report.max_rate
        members["members"] = report.members
        members["shards"] = [
            {
                "shard": one.number,
                "owner": one.owner or None,
                "states": one.counts,
                "left": one.left,
                "finished": one.finished,
            }
            for one in report.shards
        ]
        members["manifest"] = None if report.manifest is None else str(report.manifest)
    click.echo(json.dumps(members))


def print_facts(report: JournalReport) -> None:
    """The contents of a journal, for people."""
    index, of = report.partition
    left = sum(not shard.finished for shard in report.shards)
    facts(
        [
            ("job", f"{report.action} {json.dumps(report.parameters)}"),
            ("service", report.service),
            ("for", f"merchant {report.merchant}, channel {report.channel}"),
            *([("part", f"{index} of {of}")] if of > 1 else []),
            ("running", "yes" if report.running else "no"),
            *([("shards", f"{left} of {len(report.shards)} left")] if report.shards else []),
            *([("rate", f"at most {report.max_rate:,g}/s for all workers")] if report.max_rate else []),
            *_owned_shards(report),
            *((state, f"{count:,}") for state, count in report.counts.items()),
            *((f"  {reason}", f"{count:,}") for reason, count in report.reasons.items()),
            *([("manifest", printable(str(report.manifest)))] if report.manifest is not None else []),
        ]
    )


_MOST_SHARDS = 20
"""Shards that get a line of their own; --json has all."""


def _owned_shards(report: JournalReport) -> list[tuple[str, str]]:
    owned = [shard for shard in report.shards if shard.owner]
    rows = [(f"  shard {one.number}", f"{one.left:,} left, {one.owner}") for one in owned[:_MOST_SHARDS]]
    if len(owned) > _MOST_SHARDS:
        rows.append(("  and more", f"{len(owned) - _MOST_SHARDS:,} shards that processes have; --json names all"))
    return rows
