"""JSON data: from bytes and to bytes, and looking into what is of unknown shape, without surprises and with types.

orjson does the work where it is installed (the ``fast`` extra), the standard library elsewhere. Where they differ, the
standard library has the last word, so that what is read and sent does not depend on what is installed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from enum import Enum
from types import ModuleType
from typing import Any, Final, TypeGuard
from uuid import UUID

orjson: ModuleType | None
try:
    import orjson
except ImportError:
    orjson = None

UNREADABLE: Final = object()
"""Stands for a body that is no JSON."""

LARGE: Final = 1024 * 1024
"""Bytes of a body beyond which it is read in a thread."""

DEEPEST: Final = 254
"""How many objects and arrays of a body may stand one in another. What is nested deeper is taken for no JSON, because
whatever looks at it by recursion would fail."""

MOST_CONTAINERS: Final = 500_000
"""How many objects and arrays a body over :data:`LARGE` may hold. An empty one takes three bytes on the wire and ninety
or more in memory, so the size alone does not bound what a body comes to."""

MOST_VALUES: Final = 4_000_000
"""How many values it may hold in all, as commas between them."""

# What the standard library does not write either.
_OPTIONS: Final = 0 if orjson is None else orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME

_DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
_LONG: Final = b"0" * 19
"""Whole numbers of so many digits can be beyond 64 bits."""


# Lower camel case or with underscores, as APIs spell members; not a person's name, an address, a number of theirs.
_API_NAME: Final = re.compile(r"(?!.*[0-9]{4})[a-z][A-Za-z0-9_]{0,39}", re.ASCII)


def is_api_name(name: str) -> bool:
    """Whether the name of an undescribed member looks like an identifier, and may be shown and logged."""
    return _API_NAME.fullmatch(name) is not None


class Unshown:
    """JSON data on their way out, which no traceback shows: neither a repr nor a walk over members finds them."""

    __slots__ = ("to_dict",)

    def __init__(self, data: Any) -> None:
        self.to_dict: Callable[[], Any] = lambda: data

    def __repr__(self) -> str:
        return "<data, not shown>"


def read_json(body: bytes) -> Any:
    """The JSON data of a body, or :data:`UNREADABLE`, which is also what is nested deeper than :data:`DEEPEST` and what
    holds more than :data:`MOST_CONTAINERS` or :data:`MOST_VALUES`. NaN and infinities, which JSON has not, read as
    null."""
    if len(body) > LARGE and _is_crowded(body):
        return UNREADABLE
    data = _read(body)
    return UNREADABLE if data is not UNREADABLE and _is_deep(body, data) else data


def _read(body: bytes) -> Any:
    if orjson is not None and not _has_long_number(body):
        try:
            return orjson.loads(body)
        except ValueError:
            pass  # no JSON, or what only the standard library reads: NaN, UTF-16, half a surrogate pair
    try:
        return json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return UNREADABLE


def write_json(data: Any) -> bytes:
    """JSON data as bytes.

    Raises:
        ValueError: NaN, an infinity, half a surrogate pair, or nested without end.
        TypeError: something that is no JSON data.
    """
    if orjson is not None:
        try:
            body: bytes = orjson.dumps(data, None, _OPTIONS)
        except TypeError:
            pass  # no JSON data, or what only the standard library writes: numbers beyond 64 bits, keys that are none
        else:
            # NaN and infinities come out as null. Searching from the end takes a third of the time here.
            if body.rfind(b"null") < 0:
                return body
    try:
        return _STANDARD.encode(data).encode()
    except RecursionError:
        why = "it is nested too deeply"
    except UnicodeEncodeError:
        why = "a text in it holds half a surrogate pair"
    # Here and not where it was caught: Python's own error holds the whole body.
    raise ValueError(why)


def is_mapping(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether it is a JSON object."""
    # The class that JSON is read into first: asking an abstract class takes ten times as long, several times a call.
    return type(value) is dict or isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether it is a JSON array."""
    return isinstance(value, list)


def mapping_or_empty(value: object) -> Mapping[str, Any]:
    """The object, or an empty one for anything else."""
    return value if is_mapping(value) else {}


def list_or_empty(value: object) -> list[Any]:
    """The array, or an empty one for anything else."""
    return value if is_list(value) else []


def text_or_none(value: object) -> str | None:
    """The text, or None for an empty one and for anything else."""
    return value if isinstance(value, str) and value else None


def _has_long_number(body: bytes) -> bool:
    """Whether so many digits stand in a row that orjson might make a float of a whole number.

    A look at every fourth byte settles it for nearly every body, in a sixth of the time that decoding takes.
    """
    return body[::4].translate(_DIGITS).rfind(b"0000") >= 0 and _LONG in body.translate(_DIGITS)


def _is_crowded(body: bytes) -> bool:
    """Whether it holds more objects, arrays or values than allowed. Those in its texts count too, so that the
    body need not be parsed."""
    return body.count(b"[") + body.count(b"{") > MOST_CONTAINERS or body.count(b",") > MOST_VALUES


def _is_deep(body: bytes, data: Any) -> bool:
    """Whether it is nested deeper than allowed."""
    if len(body.translate(None, _NO_BRACKETS)) <= 2 * DEEPEST:
        return False
    if orjson is not None:
        try:
            # Refuses what is deeper, and is quicker than any look at it from here.
            orjson.dumps(data)
        except TypeError:
            pass  # that, or a number beyond 64 bits
        else:
            return False
    level = [data]
    for _ in range(DEEPEST):
        level = [
            value
            for holder in level
            for value in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(value, dict | list)
        ]
        if not level:
            return False
    return True


def _no_number(_: str) -> None:
    return None


def _as_orjson_does(value: object) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON data")


_STANDARD: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_as_orjson_does)
