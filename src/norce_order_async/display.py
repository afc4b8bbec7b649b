"""Shows foreign text, which a service, a file or a user wrote, in our texts and on terminals.

Foreign text must not steer a terminal, break a line of a log, turn the direction of the text around, be taken for
markup, or fill a screen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from rich.console import RenderableType
    from rich.text import Text

LONGEST: Final = 80


def printable(text: str) -> str:
    """The text with every control character written as an escape: line ends, terminal codes, direction marks."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shown(word: object, longest: int = LONGEST) -> str:
    """A foreign word as our texts may show it: printable, and cut at a length.

    Args:
        word: an id, a status, a currency. Another object is shown as ``str`` gives it, or as its type if that fails.
        longest: the most characters that are shown.
    """
    try:
        text = str(word)
    except (RecursionError, ValueError):  # values inside values inside values, or a number of too many digits
        text = f"<{type(word).__name__}>"
    return printable(text if len(text) <= longest else f"{text[: longest - 1]}…")


def written_time(moment: datetime | None) -> str:
    """A time to the second, with its zone; empty if there is none."""
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}" if moment else ""


def written_amount(amount: Decimal | None, currency: str | None) -> str:
    """An amount with its currency, if there is one."""
    return "unknown" if amount is None else f"{amount} {currency or ''}".rstrip()


def cell(word: object, longest: int = LONGEST) -> Text:
    """The same for ``rich``, which then does not read square brackets as markup."""
    from rich.text import Text

    return Text(shown(word, longest))


def render_table(headings: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> RenderableType:
    """A table for ``rich``. Every word in it may be foreign."""
    from rich.table import Column, Table

    table = Table(
        *(Column(cell(each)) for each in headings), title=cell(title) if title else None, title_justify="left"
    )
    for row in rows:
        table.add_row(*map(cell, row))
    return table


def table_in_html(headings: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> str:
    """A table for notebooks. Every word in it may be foreign: each is cut, made printable and escaped."""
    from html import escape

    def line(kind: str, cells: Sequence[object]) -> str:
        style = "text-align: left"
        return "".join(f'<{kind} style="{style}">{escape(shown(one))}</{kind}>' for one in cells)

    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    caption = f'<caption style="text-align: left">{escape(shown(title))}</caption>' if title else ""
    return f"<table>{caption}<thead><tr>{line('th', headings)}</tr></thead><tbody>{body}</tbody></table>"


# A machine-readable word, or a ProblemDetails' address: without an "@", a space or a personal number.
_CODE = re.compile(r"(?!.*[0-9]{6})[A-Za-z0-9_.:/#-]{1,80}")


def shown_code(code: str | None) -> str:
    """A code of the service as our texts may show it. Services may put names and addresses even into codes."""
    if code is None:
        return "?"
    return code if _CODE.fullmatch(code) else "not shown"
