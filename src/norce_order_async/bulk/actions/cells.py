"""Cells of CSV files that a spreadsheet would run as a formula: a ``'`` put in front, and taken off again.

What customers and other systems write ends up in these files, and a text that begins with ``=`` is a program to a
spreadsheet. A number is never touched, nor is a ``+`` or ``-`` with nothing but digits behind it.
"""

from __future__ import annotations

import re
from typing import Any, Final

from norce_order_async.checking import check_kind
from norce_order_async.errors import InvalidRequestError

_RUN: Final = re.compile(r"'*(?![+-][0-9]+\Z)[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
"""What would be run, with full-width forms, or looks as if it had been made harmless."""


def harmless(value: Any) -> Any:
    """The value for a cell, with a ``'`` in front if it is a text that a spreadsheet would run."""
    return f"'{value}" if isinstance(value, str) and _RUN.match(value) else value


def as_it_was(text: str) -> str:
    """The text of a cell without what :func:`harmless` put in front.

    Raises:
        InvalidRequestError: it is no text.
    """
    check_kind("text", text, str, "the text of a cell", InvalidRequestError)
    return text[1:] if text.startswith("'") and _RUN.match(text) else text
