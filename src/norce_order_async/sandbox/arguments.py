"""What callers give to a sandbox: a wrong value is a TypeError or a ValueError that names the argument."""

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
"""Seconds; some 2700 years."""

_EARLIEST, _LATEST = datetime(1000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Of moments, so that texts sort as they do, and what is reckoned from one is a moment too."""


def shown(value: object) -> str:
    """A value as it may stand in an error's text: of bounded length, and whatever it is."""
    try:
        text = "nothing" if value is None else repr(value)
    except (ValueError, RecursionError):
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def near(name: object, names: Iterable[str]) -> str:
    """The end of an error's text that says which names may have been meant; empty where none is near."""
    found = difflib.get_close_matches(name, list(names), n=2, cutoff=0.5) if isinstance(name, str) else []
    return f"; did you mean {' or '.join(found)}?" if found else ""


def check_is(name: str, value: object, kind: type | UnionType, words: str) -> None:
    """An instance of a class.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {words}, not {type(value).__name__}")


def check_text(name: str, value: object) -> None:
    """A string that can be written.

    Raises:
        TypeError: it is not a string.
        ValueError: it holds control characters or half a surrogate pair.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}")
    if _UNWRITABLE.search(value):
        raise ValueError(f"{name} must hold no control characters and no half surrogate pairs")


def check_texts(name: str, values: object) -> None:
    """A collection of strings, and not a single one.

    Raises:
        TypeError: it is something else.
        ValueError: one of them can't be written.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Collection):
        raise TypeError(f"{name} must be a collection of strings, not {type(values).__name__}")
    for value in cast("Collection[object]", values):
        check_text(f"each of {name}", value)


def check_whole(name: str, value: object, least: int, most: int) -> None:
    """A whole number from ``least`` to ``most``.

    Raises:
        TypeError: it is no whole number.
        ValueError: it is beyond these.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")
    if not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}")


def check_seconds(name: str, value: object) -> None:
    """A number of seconds that a clock can take.

    Raises:
        TypeError: it is not a number.
        ValueError: it is not finite, negative, or beyond what a clock can show.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not 0 <= value <= _LONGEST or math.isnan(value):
        raise ValueError(f"{name} must be a finite number of seconds, 0 or more")


def check_moment(name: str, value: object) -> None:
    """A moment that a clock can show.

    Raises:
        TypeError: it is not a datetime.
        ValueError: it has no UTC offset, or is not of the years 1000 to 8999.
    """
    check_is(name, value, datetime, "a datetime")
    moment = cast("datetime", value)
    if moment.utcoffset() is None:
        raise ValueError(f"{name} must have a UTC offset")
    if not _EARLIEST <= moment < _LATEST:
        raise ValueError(f"{name} must be of the years {_EARLIEST.year} to {_LATEST.year - 1}")


def check_has(name: str, value: Any, method: str) -> None:
    """An object with this method; an empty name of the method stands for a function.

    Raises:
        TypeError: it has none.
    """
    if not callable(getattr(value, method, None) if method else value):
        raise TypeError(f"{name} must {f'have a method {method}' if method else 'be a function'}")


def check_mapping(name: str, value: object) -> None:
    """A mapping.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping, not {type(value).__name__}")
