"""Rows of a command as a table, as lines of JSON or as CSV, with the columns that were asked for."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Generic, Literal, TypeVar

import click

from norce_order_async.cli.connection import Command, with_options
from norce_order_async.cli.failures import in_shell
from norce_order_async.cli.tables import table
from norce_order_async.display import printable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Form:
    """How rows are printed."""

    kind: Literal["table", "json", "csv"]
    columns: tuple[str, ...]
    """Names of usual columns, or of fields; empty for the usual ones."""


_OPTIONS = (
    click.option(
        "--json", "as_json", is_flag=True, help="Print JSON, one line each: all of it, personal data included."
    ),
    click.option("--csv", "as_csv", is_flag=True, help="Print CSV."),
    click.option(
        "--columns",
        metavar="NAMES",
        help="Print these columns: names of the table's, or fields such as cart.items.0.sku.",
    ),
)


def row_options(command: Command) -> Command:
    """Add ``--json``, ``--csv`` and ``--columns`` to a command, which gets them as ``form``."""

    @wraps(command)
    def printed(*, as_json: bool, as_csv: bool, columns: str | None, **others: Any) -> Any:
        if as_json and as_csv:
            raise click.UsageError("give --json or --csv, not both")
        names = tuple(name.strip() for name in columns.split(",")) if columns is not None else ()
        if "" in names or len(set(names)) < len(names):
            raise click.BadParameter("must be different names, separated by commas", param_hint="--columns")
        return command(form=Form("json" if as_json else "csv" if as_csv else "table", names), **others)

    return with_options(_OPTIONS, printed)


class Rows(Generic[T]):
    """Prints rows: JSON and CSV as they come, a table at the end.

    Args:
        form: How.
        usual: What the usual columns show of a thing.
        whole: A thing as JSON.
        model: The name of its model; other columns are fields of it.

    Raises:
        UsageError: A column is neither.
    """

    def __init__(
        self, form: Form, usual: Mapping[str, Callable[[T], Any]], whole: Callable[[T], Mapping[str, Any]], model: str
    ) -> None:
        self._form = form
        self._usual = usual
        self._whole = whole
        self._columns = form.columns or tuple(usual)
        self._paths = {name: _parts(name, usual, model) for name in self._columns if name not in usual}
        self._table: list[tuple[str, ...]] = []
        self.count = 0

    def add(self, thing: T) -> None:
        """One more row."""
        if self._form.kind == "json":
            whole = (
                dict(zip(self._columns, self._cells(thing), strict=True)) if self._form.columns else self._whole(thing)
            )
            click.echo(json.dumps(whole))
        elif self._form.kind == "csv":
            if not self.count:
                click.echo(_csv(self._columns), nl=False)
            click.echo(_csv(self._cells(thing)), nl=False)
        else:
            self._table.append(tuple(_text(cell) for cell in self._cells(thing)))
        self.count += 1

    def end(self, nothing: str) -> None:
        """Print what is left to print, or on standard error that there is nothing."""
        if not self.count:
            if self._form.kind == "table":
                click.echo(nothing, err=True)
            elif self._form.kind == "csv":
                click.echo(_csv(self._columns), nl=False)
        elif self._form.kind == "table":
            table([name.upper() for name in self._columns], self._table)

    def _cells(self, thing: T) -> list[Any]:
        from norce_order_async.bulk.actions.export import found

        whole: Mapping[str, Any] = self._whole(thing) if self._paths else {}
        return [
            self._usual[name](thing) if name in self._usual else found(whole, self._paths[name])
            for name in self._columns
        ]


def _parts(name: str, usual: Mapping[str, object], model: str) -> tuple[str, ...]:
    from norce_order_async.bulk.actions.export import parts_of
    from norce_order_async.errors import ConfigurationError

    try:
        return parts_of(name, model)
    except ConfigurationError as error:
        advice = f"the table's columns are {', '.join(usual)}"
        raise click.BadParameter(f"{in_shell(printable(str(error)))}; {advice}", param_hint="--columns") from error


def _text(cell: Any) -> str:
    if cell is None:
        return "-"
    return cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)


def _csv(cells: list[Any] | tuple[Any, ...]) -> str:
    from norce_order_async.bulk.actions.cells import harmless

    line = io.StringIO()
    csv.writer(line).writerow(
        ["" if cell is None else harmless(cell) if isinstance(cell, str) else _text(cell) for cell in cells]
    )
    return line.getvalue()
