"""The commands under ``norce-order bulk``: each names its action, and the orders it is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from norce_order_async.cli.bulk.journals import results, retry, status
from norce_order_async.cli.bulk.options import How, Which, how_options, which_options, writing_options
from norce_order_async.cli.connection import Connection, connection_options
from norce_order_async.cli.filters import STATUSES

if TYPE_CHECKING:
    from norce_order_api.models import OrderStatus
    from norce_order_async.bulk.actions.export import ExportFormat

REFERENCE = "reference"


@click.group(short_help="Do one thing to many orders.")
def bulk() -> None:
    """Do one thing to many orders: adaptive, and with --journal safe against crashes.

    \b
    Exit codes:
      0    all done
      1    it failed; the line says why
      2    the command line, the file or the journal can't be used; nothing was changed
      3    through, but some orders were refused, not valid, or their outcome is unknown
      4    stopped before its end: Ctrl-C, SIGTERM or --failure-limit
      130  stopped at once: Ctrl-C or SIGTERM, twice
    """


@bulk.command(short_help="Move orders to another status.")
@click.option("--to", "target", type=click.Choice(STATUSES, case_sensitive=False), required=True, help="Where to.")
@click.option("--validate", "validates", is_flag=True, help="Move only those that the service's validation passes.")
@click.option("--explain", "explains", is_flag=True, help="Have the service say of each refused order what is missing.")
@which_options
@writing_options
@connection_options
def transition(
    connection: Connection, target: OrderStatus, validates: bool, explains: bool, which: Which, how: How
) -> int:
    """Move orders to another status. The service decides of each whether it may go there."""
    from norce_order_async.bulk import actions
    from norce_order_async.cli.bulk.running import Request, run

    action = actions.transition(target, validate=validates, explain=explains)
    return run(Request(connection, action, f"to {target}", how), which)


@bulk.command(short_help="Set orders to removed.")
@which_options
@writing_options
@connection_options
def remove(connection: Connection, which: Which, how: How) -> int:
    """Set orders to the status removed, as abandoned carts are: kept, and readable."""
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


@bulk.command(short_help="Have the service check orders.")
@which_options
@how_options
@connection_options
def validate(connection: Connection, which: Which, how: How) -> int:
    """Have the service check orders, and tell what is missing. Nothing is changed."""
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
@click.option("--out", required=True, type=click.Path(dir_okay=False), metavar="FILE", help="The file to be made.")
@click.option(
    "--format", "kind", type=click.Choice(["jsonl", "csv", "parquet"]), help="By the file's ending if left out."
)
@click.option(
    "--field",
    "fields",
    multiple=True,
    callback=_fields,
    metavar="NAME=PATH",
    help="A column, and where it is in an order; repeat for more.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@click.option("--raw-cells", is_flag=True, help="Leave texts in CSV as they are, also those a spreadsheet would run.")
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

    JSON Lines without --field hold whole orders, personal data too. CSV and Parquet without --field have a few columns
    and nothing of the customers.
    """
    from norce_order_async.bulk import actions
    from norce_order_async.cli.bulk.running import Request, run
    from norce_order_async.errors import ConfigurationError

    try:
        action: Any = actions.export(out, fields=fields, format=kind, overwrite=force, raw_cells=raw_cells)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    return run(Request(connection, action, f"export to {out}", how), which)


for _command in (status, results, retry):
    bulk.add_command(_command)
