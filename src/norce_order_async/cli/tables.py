"""Facts and tables in plain text: whole in a pipe, aligned on a terminal, nothing in them that steers one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from norce_order_async.display import printable

_NAMES = 12
"""Letters of a usual name, so that most facts stand at the same place."""


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """One fact a line, its name first."""
    told = [(printable(name), printable(value)) for name, value in pairs]
    width = max([_NAMES, *(len(name) for name, _ in told)])
    for name, value in told:
        click.echo(f"{name.ljust(width)}  {value}")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest cell."""
    shown = [list(heads), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
