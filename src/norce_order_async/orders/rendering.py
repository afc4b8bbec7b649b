"""How orders, pages and reports look where ``rich`` is installed. Gets what is safe to show, nothing of a customer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from norce_order_async.display import cell

if TYPE_CHECKING:
    from rich.console import RenderableType


def render_table(headings: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> RenderableType:
    """A table. Foreign words may stand anywhere in it."""
    from rich.table import Column, Table

    table = Table(
        *(Column(cell(each)) for each in headings), title=cell(title) if title else None, title_justify="left"
    )
    for row in rows:
        table.add_row(*map(cell, row))
    return table


def render_line(text: str) -> RenderableType:
    """One line of text, longer than a cell."""
    return cell(text, longest=200)


def written_time(moment: datetime | None) -> str:
    """A moment to the second, with its zone; empty without one."""
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}" if moment else ""


def written_amount(amount: Decimal | None, currency: str | None) -> str:
    """An amount with its currency, if there is one."""
    return "unknown" if amount is None else f"{amount} {currency or ''}".rstrip()
