"""Facts, tables and durations in plain text, without control characters."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

import click

from norce_order_async.display import printable

_NAMES = 12
"""Least width of the names, so that the values of most lists align."""

_LEAST = 20
"""Least width of a column whose text wraps."""


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Print one fact per line, its name first."""
    shown = [(printable(name), printable(value)) for name, value in pairs]
    width = max([_NAMES, *(len(name) for name, _ in shown)])
    for name, value in shown:
        click.echo(f"{name.ljust(width)}  {value}")


def duration(seconds: float) -> str:
    """A duration in words: seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:,.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.1f}".removesuffix(".0") + " h"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; each column is as wide as its widest cell.

    On a terminal that is too narrow, the text of the last column wraps, or each row becomes a list of facts. Elsewhere
    every row is one line.
    """
    shown = [list(heads), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    before = sum(widths[:-1]) + 2 * (len(widths) - 1)
    room = shutil.get_terminal_size().columns - before if sys.stdout.isatty() else widths[-1]
    if room < widths[-1] and room < max(_LEAST, *(len(word) for row in shown for word in row[-1].split())):
        _one_by_one(shown)
        return
    for row in shown:
        first, *more = (_wrapped(row[-1], room) or [""]) if room < widths[-1] else [row[-1]]
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        click.echo("  ".join([*cells, first]).rstrip())
        for line in more:
            click.echo(" " * before + line)


def _one_by_one(shown: Sequence[Sequence[str]]) -> None:
    heads, *rows = shown
    width = max(len(head.strip()) for head in heads)
    columns = shutil.get_terminal_size().columns
    if columns - width - 2 < _LEAST:
        # The longest names get lines of their own.
        width = max(0, *(len(head.strip()) for head in heads if len(head.strip()) <= columns - 2 - _LEAST))
    room = max(_LEAST, columns - width - 2)
    for number, row in enumerate(rows):
        if number:
            click.echo()
        for head, cell in zip(heads, row, strict=True):
            name = head.strip()
            if cell and len(name) > width:
                click.echo(name)
                name = ""
            for part in _wrapped(cell, room):
                click.echo(f"{name.ljust(width)}  {part}")
                name = ""


def _wrapped(text: str, room: int) -> list[str]:
    """The text in lines. A word that is longer than a line stays whole, so that it can be copied."""
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
