"""Checks a caller's arguments early, so that an error names the argument instead of failing further in."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from norce_order_async.errors import ConfigurationError, InvalidRequestError

Refusal = type[ConfigurationError] | type[InvalidRequestError]


def as_given(value: object) -> str:
    """The value for an error's text; only its type if the value is long or of another kind."""
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 10**18):
        return repr(value)
    if isinstance(value, str) and len(value) <= 80:
        return repr(value)
    return f"a value of type {type(value).__name__}"


def check_kind(name: str, value: object, kind: type | tuple[type, ...], words: str, refusal: Refusal) -> None:
    """Refuse a value of the wrong type.

    Args:
        name: the argument's name.
        value: what was given.
        kind: the allowed type or types.
        words: the allowed types in words, such as "a list".
        refusal: the class of the error.

    Raises:
        ConfigurationError, InvalidRequestError: the class given as ``refusal``. The text names the argument and the
            type given.
    """
    if not isinstance(value, kind):
        raise refusal(f"{name} must be {words}, not {type(value).__name__}")


def check_whole(name: str, value: object, least: int, refusal: Refusal) -> None:
    """Refuse a value that is not a whole number, is below ``least`` or does not fit into 64 bits.

    Raises:
        ConfigurationError, InvalidRequestError: the class given as ``refusal``.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**63:
        raise refusal(f"{name} must be a whole number, {least} or more; got {as_given(value)}")


def check_number(name: str, value: object, words: str, refusal: Refusal, *, above: bool = False) -> None:
    """Refuse a value that is not a finite number or is below 0; with ``above`` also 0.

    Raises:
        ConfigurationError, InvalidRequestError: the class given as ``refusal``.
    """
    try:
        right = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        right = False
    if not right or not (cast("float", value) > 0 if above else cast("float", value) >= 0):
        raise refusal(f"{name} must be {words}; got {as_given(value)}")


def path_of(name: str, value: object, refusal: Refusal = ConfigurationError) -> Path:
    """The given path.

    Raises:
        ConfigurationError, InvalidRequestError: the class given as ``refusal``: it is not a path, or this system can't
            have a file of that name.
    """
    if not isinstance(value, str | os.PathLike):
        raise refusal(f"{name} must be a path, not {type(value).__name__}")
    text = cast("object", os.fspath(cast("Any", value)))
    if not isinstance(text, str) or "\0" in text or not text:
        raise refusal(f"{name} must be a path of text that is not empty")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise refusal(f"{name} must be a path that this system can have") from None
    return Path(text)


def mapping_of(name: str, value: object, refusal: Refusal) -> dict[Any, Any]:
    """A copy of the given mapping.

    Raises:
        ConfigurationError, InvalidRequestError: the class given as ``refusal``: it is not a mapping.
    """
    check_kind(name, value, Mapping, "a dict", refusal)
    return dict(cast("Mapping[Any, Any]", value))
