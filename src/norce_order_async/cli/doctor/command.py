"""The command: runs the checks in order, prints a line for each, and returns an exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from norce_order_async.cli.connection import Connection, connection_options
from norce_order_async.display import printable

if TYPE_CHECKING:
    from norce_order_async.cli.doctor import Finding

_COLOURS = {"ok": "green", "doubt": "yellow", "wrong": "red", "skipped": "bright_black"}


@click.command(short_help="Check settings, network and service.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@connection_options
def doctor(connection: Connection, as_json: bool) -> int:
    """Check settings, token, network, service and clock, and say what is wrong.

    It asks the service for a list of one order and changes nothing. It never shows the token. The exit code is 0 if
    nothing is wrong, otherwise 1.
    """
    import anyio

    found = anyio.run(_examine, connection)
    well = all(finding.verdict in ("ok", "doubt") for finding in found)
    if as_json:
        checks = [{"check": each.check, "verdict": each.verdict, "said": each.said} for each in found]
        click.echo(json.dumps({"ok": well, "checks": checks}, indent=2))
        return 0 if well else 1
    for finding in found:
        verdict = click.style(f"{finding.verdict:<8}", fg=_COLOURS[finding.verdict])
        click.echo(f"{verdict}{finding.check:<12} {printable(finding.said)}")
    wrong = [finding.check for finding in found if finding.verdict == "wrong"]
    click.echo(f"\nFix this first: {wrong[0]}." if wrong else "\nNothing is wrong.")
    if not wrong:
        click.echo("norce-order calibrate finds out what the service does where nothing is published.")
    return 0 if well else 1


async def _examine(connection: Connection) -> list[Finding]:
    from norce_order_async.cli.doctor import Finding
    from norce_order_async.cli.doctor.network import way_to
    from norce_order_async.cli.doctor.service import asked
    from norce_order_async.cli.doctor.settings import Configured, address, headers, token, versions
    from norce_order_async.runtime.clock import SystemClock

    clock, settings = SystemClock(), Configured(connection)
    where = address(settings)
    found = [versions(), where, *headers(settings), token(settings, clock.wall())]
    if where.verdict == "ok":
        found += await way_to(settings.base_url(), clock)
    if any(finding.verdict in ("wrong", "skipped") for finding in found):
        return [*found, Finding("answer", "skipped", "an earlier check failed")]
    return [*found, *await asked(connection, clock)]
