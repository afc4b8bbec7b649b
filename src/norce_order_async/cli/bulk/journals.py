"""``bulk status`` and ``bulk retry``: what a journal says, and another try for what did not go through."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import click

from norce_order_async.cli.bulk.options import How, retry_options
from norce_order_async.cli.bulk.rows import BadInput
from norce_order_async.cli.connection import Connection, connection_options
from norce_order_async.cli.failures import one_line
from norce_order_async.cli.tables import facts

if TYPE_CHECKING:
    from norce_order_async.bulk.report import JournalReport

Only = Literal["refused", "unknown"]


@click.command(short_help="Say how far a job came.")
@click.argument("path", metavar="JOURNAL")
@click.option("--json", "as_json", is_flag=True, help="Tell it as JSON.")
def status(path: str, as_json: bool) -> int:
    """Say what job a journal is of, and how far it came; also while it runs. Needs no service.

    The exit code is that of the job: 0 all done, 3 some were refused or their outcome is unknown, 4 some are left.
    """
    report = _read(path)
    if as_json:
        _tell_machines(report)
    else:
        _tell_people(report)
    if report.left or not report.listed:
        return 4
    return 3 if report.counts["refused"] or report.counts["unknown"] else 0


@click.command(short_help="Try again what did not go through.")
@click.argument("path", metavar="JOURNAL")
@click.option(
    "--only",
    type=click.Choice(["refused", "unknown"]),
    required=True,
    help="Those that were refused, or those whose outcome is not known: these are looked at before they are sent.",
)
@click.option("--send-again", is_flag=True, help="With --only unknown: send them without a look, done or not.")
@retry_options
@connection_options
def retry(connection: Connection, path: str, only: Only, send_again: bool, how: How) -> int:
    """Try again the orders of a job that were refused, or whose outcome is not known, and whatever is left of it.

    An order whose outcome is not known is read first, and sent only if it was not done. Where reading can't tell, it
    stays unknown: look at it yourself, and use --send-again if doing it twice does no harm.
    """
    from norce_order_async.bulk import actions
    from norce_order_async.bulk.report import plan_again
    from norce_order_async.cli.bulk.running import Request, go
    from norce_order_async.errors import NorceError

    if send_again and only != "unknown":
        raise click.UsageError("--send-again goes with --only unknown")
    report = _read(path)
    try:
        action = actions.from_journal(report.action, report.parameters)
    except NorceError as error:
        raise BadInput(f"journal {path}: {one_line(error)}") from error
    if report.action == "export":
        raise BadInput("an export makes its file as a whole: run it again, with a journal of its own")
    _check_place(connection, report)

    def again() -> None:
        try:
            plan_again(path, [only], send_again=send_again)
        except NorceError as error:
            raise BadInput(one_line(error)) from error

    what = f"{action.name} {json.dumps(action.parameters)}"
    request = Request(connection, action, what, replace(how, journal=path, partition=report.partition))
    return go(request, None, lambda: f"{report.counts[only]:,} {only}, and {report.left:,} left", before=again)


def _read(path: str) -> JournalReport:
    from norce_order_async.bulk.errors import JournalError
    from norce_order_async.bulk.report import read_journal

    try:
        return read_journal(path)
    except JournalError as error:
        raise BadInput(one_line(error)) from error


def _check_place(connection: Connection, report: JournalReport) -> None:
    """The journal names where its orders are; going elsewhere with them is a mistake."""
    norce = connection.client()
    for name, there, here in (
        ("service", report.service, norce.base_url),
        ("merchant", report.merchant, norce.merchant),
        ("channel", report.channel, norce.channel),
    ):
        if there != here:
            raise BadInput(f"the journal is of {name} {there}, not {here}")


def _tell_machines(report: JournalReport) -> None:
    told = {
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
    click.echo(json.dumps(told))


def _tell_people(report: JournalReport) -> None:
    index, of = report.partition
    facts(
        [
            ("job", f"{report.action} {json.dumps(report.parameters)}"),
            ("service", report.service),
            ("for", f"merchant {report.merchant}, channel {report.channel}"),
            *([("part", f"{index} of {of}")] if of > 1 else []),
            ("running", "yes" if report.running else "no"),
            *((state, f"{count:,}") for state, count in report.counts.items()),
            *((f"  {reason}", f"{count:,}") for reason, count in report.reasons.items()),
        ]
    )
