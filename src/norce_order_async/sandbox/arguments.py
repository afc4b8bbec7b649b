"""What callers give to a sandbox: a wrong value is a TypeError or a ValueError that names the argument."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, cast

_LONGEST = timedelta.max.total_seconds() / 1000
"""Seconds; a thousand thousand years."""


def check_text(name: str, value: object) -> None:
    """A string that can be written.

    Raises:
        TypeError: it is no string.
        ValueError: it holds control characters or half a surrogate pair.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}")
    if any(character < " " or "\ud800" <= character <= "\udfff" for character in value):
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
        TypeError: it is no number.
        ValueError: it is not finite, negative, or beyond what a clock can show.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not 0 <= value <= _LONGEST or math.isnan(value):
        raise ValueError(f"{name} must be a finite number of seconds, 0 or more")


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
