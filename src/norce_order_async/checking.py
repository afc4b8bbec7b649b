"""Arguments of a caller's, refused by name and kind before they can fail as something else further in."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from norce_order_async.errors import ConfigurationError, InvalidRequestError

Refusal = type[ConfigurationError] | type[InvalidRequestError]


def as_given(value: object) -> str:
    """What was given, for an error's text; its kind alone where it can't be written, or would be long."""
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 10**18):
        return repr(value)
    if isinstance(value, str) and len(value) <= 80:
        return repr(value)
    return f"a value of type {type(value).__name__}"


def check_kind(name: str, value: object, kind: type | tuple[type, ...], words: str, refusal: Refusal) -> None:
    """Refuse what is no instance.

    Raises:
        ConfigurationError, InvalidRequestError: as ``refusal`` says. The text names the argument and the type given.
    """
    if not isinstance(value, kind):
        raise refusal(f"{name} must be {words}, not {type(value).__name__}")


def check_whole(name: str, value: object, least: int, refusal: Refusal) -> None:
    """Refuse what is no whole number from ``least`` on, or one beyond 64 bits.

    Raises:
        ConfigurationError, InvalidRequestError: as ``refusal`` says.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**63:
        raise refusal(f"{name} must be a whole number, {least} or more; got {as_given(value)}")


def check_number(name: str, value: object, words: str, refusal: Refusal, *, above: bool = False) -> None:
    """Refuse what is no finite number, or is below 0; with ``above`` also 0.

    Raises:
        ConfigurationError, InvalidRequestError: as ``refusal`` says.
    """
    try:
        right = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        right = False
    if not right or not (cast("float", value) > 0 if above else cast("float", value) >= 0):
        raise refusal(f"{name} must be {words}; got {as_given(value)}")


def path_of(name: str, value: object, refusal: Refusal = ConfigurationError) -> Path:
    """The path that was given.

    Raises:
        ConfigurationError: it is none, or no system has files of that name.
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
    """A copy of the mapping that was given.

    Raises:
        ConfigurationError, InvalidRequestError: as ``refusal`` says: it is none.
    """
    check_kind(name, value, Mapping, "a dict", refusal)
    return dict(cast("Mapping[Any, Any]", value))
