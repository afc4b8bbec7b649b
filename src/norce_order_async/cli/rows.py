"""Rows of a command as a table, as JSON or as CSV, with the columns that the user asks for."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

import click

from norce_order_async.cli.failures import in_shell
from norce_order_async.cli.options import Command, meant, with_options
from norce_order_async.cli.tables import table
from norce_order_async.display import printable

if TYPE_CHECKING:
    from datetime import datetime

T = TypeVar("T")

Kind: TypeAlias = Literal["table", "lines", "array", "csv"]
"""How rows are printed; ``lines`` and ``array`` are JSON."""


@dataclass(frozen=True, slots=True)
class Form:
    """How rows are printed."""

    kind: Kind
    columns: tuple[str, ...]
    """Names of columns, or of fields; empty for the usual columns."""


_CSV = click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
_COLUMNS = click.option("--columns", metavar="NAMES", help="Print these columns, separated by commas.")


def row_options(command: Command) -> Command:
    """Add ``--json`` (a line each), ``--csv`` and ``--columns`` to a command, which gets them as ``form``."""
    return with_options(
        (
            click.option(
                "--json", "as_json", is_flag=True, help="Print JSON, one line each: all of it, personal data included."
            ),
            _CSV,
            click.option(
                "--columns",
                metavar="NAMES",
                help="Print these columns: names of the table's, or fields such as cart.items.0.sku.",
            ),
        ),
        _with_form(command, "lines"),
    )


def array_options(command: Command) -> Command:
    """Add ``--json`` (one array), ``--jsonl``, ``--csv`` and ``--columns`` to a command; it gets them as ``form``."""
    return with_options(
        (
            click.option("--json", "as_json", is_flag=True, help="Print one JSON array."),
            click.option("--jsonl", "as_jsonl", is_flag=True, help="Print JSON, one line each."),
            _CSV,
            _COLUMNS,
        ),
        _with_form(command, "array"),
    )


def document_options(command: Command) -> Command:
    """Add ``--json``, ``--csv`` and ``--columns`` to a command that prints a JSON document of its own."""
    json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    return with_options((json_option, _CSV, _COLUMNS), _with_form(command, "array"))


def _with_form(command: Command, json_kind: Kind) -> Command:
    """The command, called with one ``form`` in place of its options."""

    @wraps(command)
    def printed(*, as_json: bool, as_csv: bool, columns: str | None, as_jsonl: bool = False, **others: Any) -> Any:
        if as_json + as_jsonl + as_csv > 1:
            raise click.UsageError("give --json or --csv, not both")
        names = tuple(name.strip() for name in columns.split(",")) if columns is not None else ()
        if "" in names or len(set(names)) < len(names):
            raise click.BadParameter("must be different names, separated by commas", param_hint="--columns")
        kind: Kind = json_kind if as_json else "lines" if as_jsonl else "csv" if as_csv else "table"
        return command(form=Form(kind, names), **others)

    return printed


class Rows(Generic[T]):
    """Prints rows: JSON and CSV as they come, a table at the end.

    Args:
        form: How to print them.
        columns: A function for each column, which returns its cell.
        whole: Returns a row as a JSON object, which is printed unless the user asks for columns.
        model: The name of the row's model, if its fields can be columns too.
        usual: The columns that are printed unless the user asks for others; left out, all of ``columns``.

    Raises:
        UsageError: There is no such column.
    """

    def __init__(
        self,
        form: Form,
        columns: Mapping[str, Callable[[T], Any]],
        whole: Callable[[T], Mapping[str, Any]],
        model: str | None = None,
        *,
        usual: Sequence[str] = (),
    ) -> None:
        self._form = form
        self._cell_of = columns
        self._whole = whole
        self._columns = form.columns or tuple(usual) or tuple(columns)
        self._paths = {name: _path(name, columns, model) for name in self._columns if name not in columns}
        self._table: list[tuple[str, ...]] = []
        self._array = JsonArray()
        self.count = 0

    def add(self, row: T) -> None:
        """Add one row."""
        match self._form.kind:
            case "lines":
                click.echo(json.dumps(self._object(row)))
            case "array":
                self._array.add(self._object(row))
            case "csv":
                if not self.count:
                    click.echo(_csv(self._columns), nl=False)
                click.echo(_csv(self._cells(row)), nl=False)
            case "table":
                self._table.append(tuple(_text(cell) for cell in self._cells(row)))
        self.count += 1

    def end(self, nothing: str) -> None:
        """Print the table or the end of the array; ``nothing`` goes to standard error if a table has no rows."""
        match self._form.kind:
            case "array":
                self._array.end()
            case "csv" if not self.count:
                click.echo(_csv(self._columns), nl=False)
            case "table" if not self.count:
                click.echo(nothing, err=True)
            case "table":
                table([name.replace("_", " ").upper() for name in self._columns], self._table)
            case _:
                pass

    def _object(self, row: T) -> Mapping[str, Any]:
        if not self._form.columns:
            return self._whole(row)
        return dict(zip(self._columns, self._cells(row), strict=True))

    def _cells(self, row: T) -> list[Any]:
        from norce_order_async.bulk.actions.export import found

        whole: Mapping[str, Any] = self._whole(row) if self._paths else {}
        return [
            self._cell_of[name](row) if name in self._cell_of else found(whole, self._paths[name])
            for name in self._columns
        ]


class JsonArray:
    """Prints a JSON array entry by entry, because it may have a million."""

    def __init__(self) -> None:
        self._before = "["

    def add(self, entry: object) -> None:
        """Print one entry."""
        click.echo(self._before + json.dumps(entry), nl=False)
        self._before = ",\n "

    def end(self) -> None:
        """Close the array."""
        click.echo("[]" if self._before == "[" else "]")


def timestamp(moment: datetime | None) -> str | None:
    """A moment in UTC as JSON and CSV have it, to the millisecond; None stays None."""
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _path(name: str, columns: Mapping[str, object], model: str | None) -> tuple[str, ...]:
    """The path of the field that a column is named after."""
    if model is None:
        why = f"there is no column {printable(name)}{meant(name, columns)}"
        raise click.BadParameter(f"{why}; the columns are {', '.join(columns)}", param_hint="--columns")
    from norce_order_async.bulk.actions.export import parts_of
    from norce_order_async.errors import ConfigurationError

    try:
        return parts_of(name, model)
    except ConfigurationError as error:
        advice = f"the table's columns are {', '.join(columns)}"
        raise click.BadParameter(f"{in_shell(printable(str(error)))}; {advice}", param_hint="--columns") from error


def _text(cell: Any) -> str:
    if cell is None:
        return "-"
    return cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)


def _csv(cells: Sequence[Any]) -> str:
    from norce_order_async.bulk.actions.cells import harmless

    line = io.StringIO()
    csv.writer(line).writerow(
        ["" if cell is None else harmless(cell) if isinstance(cell, str) else _text(cell) for cell in cells]
    )
    return line.getvalue()
