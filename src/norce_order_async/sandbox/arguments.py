"""Checks of arguments: a wrong value raises a TypeError or a ValueError that names the argument."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import UnionType
from typing import Any, cast

_UNWRITABLE = re.compile(r"[\x00-\x1f\ud800-\udfff]")

_LONGEST = timedelta.max.total_seconds() / 1000
"""Seconds; about 2,700 years."""

_EARLIEST, _LATEST = datetime(1000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Bounds of moments: their texts sort as the moments do, and adding to one does not leave the calendar."""


def shown(value: object) -> str:
    """The repr of any value for an error's text, cut to a bounded length."""
    try:
        text = "nothing" if value is None else repr(value)
    except (ValueError, RecursionError):
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def near(name: object, names: Iterable[str]) -> str:
    """The end of an error's text with the names that may have been meant; empty if none is near."""
    found = difflib.get_close_matches(name, list(names), n=2, cutoff=0.5) if isinstance(name, str) else []
    return f"; did you mean {' or '.join(found)}?" if found else ""


def check_is(name: str, value: object, kind: type | UnionType, words: str) -> None:
    """Check that a value is an instance of a class; ``words`` describe the class.

    Raises:
        TypeError: It is not.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {words}, not {type(value).__name__}")


def check_text(name: str, value: object) -> None:
    """Check that a value is a string that can be stored.

    Raises:
        TypeError: It is not a string.
        ValueError: It holds control characters or half a surrogate pair.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}")
    if _UNWRITABLE.search(value):
        raise ValueError(f"{name} must hold no control characters and no half surrogate pairs")


def check_texts(name: str, values: object) -> None:
    """Check that a value is a collection of strings, and not a single string.

    Raises:
        TypeError: It is not.
        ValueError: One of the strings can't be stored.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Collection):
        raise TypeError(f"{name} must be a collection of strings, not {type(values).__name__}")
    for value in cast("Collection[object]", values):
        check_text(f"each of {name}", value)


def check_whole(name: str, value: object, least: int, most: int) -> None:
    """Check that a value is a whole number from ``least`` to ``most``.

    Raises:
        TypeError: It is not a whole number.
        ValueError: It is out of these bounds.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")
    if not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}")


def check_seconds(name: str, value: object) -> None:
    """Check that a value is a number of seconds that a clock can be moved by.

    Raises:
        TypeError: It is not a number.
        ValueError: It is negative, not finite, or too large.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not 0 <= value <= _LONGEST or math.isnan(value):
        raise ValueError(f"{name} must be a finite number of seconds, 0 or more")


def check_moment(name: str, value: object) -> None:
    """Check that a value is a moment that a clock can show.

    Raises:
        TypeError: It is not a datetime.
        ValueError: It has no UTC offset, or is not in the years 1000 to 8999.
    """
    check_is(name, value, datetime, "a datetime")
    moment = cast("datetime", value)
    if moment.utcoffset() is None:
        raise ValueError(f"{name} must have a UTC offset")
    if not _EARLIEST <= moment < _LATEST:
        raise ValueError(f"{name} must be in the years {_EARLIEST.year} to {_LATEST.year - 1}")


def check_has(name: str, value: Any, method: str) -> None:
    """Check that an object has a method, or with an empty ``method`` that it is a function.

    Raises:
        TypeError: It does not.
    """
    if not callable(getattr(value, method, None) if method else value):
        raise TypeError(f"{name} must {f'have a method {method}' if method else 'be a function'}")


def check_mapping(name: str, value: object) -> None:
    """Check that a value is a mapping.

    Raises:
        TypeError: It is not.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping, not {type(value).__name__}")
