"""Facts and tables in plain text, without control characters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from norce_order_async.display import printable

_NAMES = 12
"""Least width of the names, so that the values of most lists are aligned."""


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Print one fact per line, its name first."""
    shown = [(printable(name), printable(value)) for name, value in pairs]
    width = max([_NAMES, *(len(name) for name, _ in shown)])
    for name, value in shown:
        click.echo(f"{name.ljust(width)}  {value}")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; each column is as wide as its widest cell."""
    shown = [list(heads), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
