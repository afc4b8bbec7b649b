"""The commands under ``norce-order bulk``: each makes an action and runs it on the selected orders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from norce_order_async.cli.bulk.journals import report, results, retry, status, work
from norce_order_async.cli.bulk.options import How, Which, how_options, which_options, writing_options
from norce_order_async.cli.connection import Connection, connection_options
from norce_order_async.cli.filters import STATUSES
from norce_order_async.cli.options import Choice

if TYPE_CHECKING:
    from norce_order_async.bulk.actions.export import ExportFormat
    from norce_order_async.models import OrderStatus

REFERENCE = "reference"


@click.group(short_help="Run one action on many orders.")
def bulk() -> None:
    """Run one action on many orders. It adapts to the service's limits; with --journal it survives crashes.

    \b
    Exit codes:
      0    all done
      1    failed; the line says why
      2    the command line, the file or the journal can't be used; nothing was changed
      3    ended, but some orders were refused, not valid, or their outcome is unknown
      4    stopped before its end: Ctrl-C, SIGTERM or --failure-limit
      130  stopped at once: Ctrl-C or SIGTERM, twice
    """


@bulk.command(short_help="Move orders to another status.")
@click.option(
    "--to", "target", type=Choice(STATUSES, case_sensitive=False), required=True, help="The status to move to."
)
@click.option("--validate", "validates", is_flag=True, help="Move only orders that pass the service's validation.")
@click.option("--explain", "explains", is_flag=True, help="Ask the service what each refused order lacks.")
@which_options
@writing_options
@connection_options
def transition(
    connection: Connection, target: OrderStatus, validates: bool, explains: bool, which: Which, how: How
) -> int:
    """Move orders to another status. The service decides for each order whether it allows that."""
    from norce_order_async.bulk import actions
    from norce_order_async.cli.bulk.running import Request, run

    action = actions.transition(target, validate=validates, explain=explains)
    return run(Request(connection, action, f"to {target}", how), which)


@bulk.command(short_help="Set orders to removed.")
@which_options
@writing_options
@connection_options
def remove(connection: Connection, which: Which, how: How) -> int:
    """Set orders to the status removed, for example abandoned carts. They are kept and can still be read."""
    from norce_order_async.bulk import actions
    from norce_order_async.cli.bulk.running import Request, run

    return run(Request(connection, actions.remove(), "to removed", how), which)


@bulk.command("set-reference", short_help="Set references from a CSV file.")
@which_options
@writing_options
@connection_options
def set_reference(connection: Connection, which: Which, how: How) -> int:
    """Set the orders' references in another system, from the column reference of a CSV file."""
    from norce_order_async.bulk import actions
    from norce_order_async.cli.bulk.running import Request, run

    if which.file is None:
        raise click.UsageError("--from-file must name a CSV file with the columns order_id and reference")
    return run(Request(connection, actions.set_reference(column=REFERENCE), "set reference", how), which)


@bulk.command(short_help="Have the service validate orders.")
@which_options
@how_options
@connection_options
def validate(connection: Connection, which: Which, how: How) -> int:
    """Have the service validate orders, and print what is missing. Nothing is changed."""
    from norce_order_async.bulk import actions
    from norce_order_async.cli.bulk.running import Request, run

    return run(Request(connection, actions.validate(), "validate", how), which)


def _fields(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> Mapping[str, str] | None:
    fields: dict[str, str] = {}
    for value in values:
        name, parted, path = value.partition("=")
        if not (name and parted and path) or name in fields:
            raise click.BadParameter("must be NAME=PATH, such as total=total.includingVat, each name once")
        fields[name] = path
    return fields or None


@bulk.command(short_help="Write orders to a file.")
@click.option(
    "--out",
    required=True,
    type=click.Path(),
    metavar="FILE",
    help="The file to write; with --shards, a folder that all workers see.",
)
@click.option(
    "--format",
    "kind",
    type=Choice(["jsonl", "csv", "parquet"]),
    help="The format; by default taken from the file's ending, and needed with --shards.",
)
@click.option(
    "--field",
    "fields",
    multiple=True,
    callback=_fields,
    metavar="NAME=PATH",
    help="A column and its path in an order, such as total=total.includingVat; repeat for more.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists, or the export in the folder.")
@click.option("--raw-cells", is_flag=True, help="Write texts to CSV unchanged, even those a spreadsheet would run.")
@which_options
@how_options
@connection_options
def export(
    connection: Connection,
    out: str,
    force: bool,
    raw_cells: bool,
    kind: ExportFormat | None,
    fields: Mapping[str, str] | None,
    which: Which,
    how: How,
) -> int:
    """Write orders to a file: JSON Lines, CSV or Parquet.

    Without --field, JSON Lines hold whole orders, personal data included; CSV and Parquet hold a few columns without
    personal data.

    With --shards, each shard writes one part into the folder, and _manifest.json names them.
    """
    from norce_order_async.bulk import actions
    from norce_order_async.cli.bulk.running import Request, run
    from norce_order_async.errors import ConfigurationError

    if how.shards is None and Path(out).is_dir():
        raise click.BadParameter(f"File {out!r} is a directory.", param_hint="'--out'")
    try:
        action: Any = actions.export(out, fields=fields, format=kind, overwrite=force, raw_cells=raw_cells)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    return run(Request(connection, action, f"export to {out}", how), which)


for _command in (status, results, report, retry, work):
    bulk.add_command(_command)
