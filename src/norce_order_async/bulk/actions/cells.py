"""Escape cells of CSV files that a spreadsheet would run as a formula, by a ``'`` in front; and undo that.

These files hold texts of customers and other systems, and a spreadsheet runs a text that begins with ``=``. Numbers are
never changed, and neither is a text of ``+`` or ``-`` and digits alone.
"""

from __future__ import annotations

import re
from typing import Any, Final

from norce_order_async.checking import check_kind
from norce_order_async.errors import InvalidRequestError

_RUN: Final = re.compile(r"'*(?![+-][0-9]+\Z)[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
"""A text that would be run, in full-width forms too, or that looks escaped."""


def harmless(value: Any) -> Any:
    """Return the value for a cell, with a ``'`` in front if it is a text that a spreadsheet would run."""
    return f"'{value}" if isinstance(value, str) and _RUN.match(value) else value


def as_it_was(text: str) -> str:
    """Return the text of a cell without the ``'`` that an export put in front.

    Raises:
        InvalidRequestError: ``text`` is not a string.
    """
    check_kind("text", text, str, "the text of a cell", InvalidRequestError)
    return text[1:] if text.startswith("'") and _RUN.match(text) else text
