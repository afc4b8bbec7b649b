"""Reads and writes JSON, and gives typed access to JSON data of unknown shape.

orjson is used where it is installed (the ``fast`` extra), the standard library elsewhere. Where the two differ, the
standard library decides, so a program reads and sends the same data with and without orjson.
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
"""Stands for a body that is not JSON, or exceeds a limit below."""

LARGE: Final = 1024 * 1024
"""Bodies of more bytes are read in a thread."""

DEEPEST: Final = 254
"""The deepest nesting of objects and arrays in a body. A deeper body counts as unreadable, because recursive code would
fail on it."""

MOST_CONTAINERS: Final = 500_000
"""The most objects and arrays in a body over :data:`LARGE`. An empty one takes three bytes on the wire and ninety or
more in memory, so the size of the body does not limit the memory that its data take."""

MOST_VALUES: Final = 4_000_000
"""The most values in such a body, counted by the commas between them."""

# The standard library does not write dataclasses and datetimes, so orjson must not either.
_OPTIONS: Final = 0 if orjson is None else orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME

_DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
_LONG: Final = b"0" * 19
"""A whole number with this many digits may not fit into 64 bits."""


# Lower camel case or with underscores, as APIs spell members. Names, addresses and numbers of persons do not match.
_API_NAME: Final = re.compile(r"(?!.*[0-9]{4})[a-z][A-Za-z0-9_]{0,39}", re.ASCII)


def is_api_name(name: str) -> bool:
    """Whether the name of an undescribed member looks like an identifier, and may be shown and logged."""
    return _API_NAME.fullmatch(name) is not None


class Unshown:
    """JSON data that is about to be sent, hidden from tracebacks: neither the repr nor the attributes show it."""

    __slots__ = ("to_dict",)

    def __init__(self, data: Any) -> None:
        self.to_dict: Callable[[], Any] = lambda: data

    def __repr__(self) -> str:
        return "<data, not shown>"


def read_json(body: bytes) -> Any:
    """The JSON data of a body.

    NaN and infinities, which JSON does not have, are read as null.

    Returns:
        The data; :data:`UNREADABLE` if the body is not JSON, is nested deeper than :data:`DEEPEST`, or is large and
        holds more than :data:`MOST_CONTAINERS` or :data:`MOST_VALUES`.
    """
    if len(body) > LARGE and _is_crowded(body):
        return UNREADABLE
    data = _read(body)
    return UNREADABLE if data is not UNREADABLE and _is_deep(body, data) else data


def _read(body: bytes) -> Any:
    if orjson is not None and not _has_long_number(body):
        try:
            return orjson.loads(body)
        except ValueError:
            pass  # not JSON, or something that only the standard library reads: NaN, UTF-16, half a surrogate pair
    try:
        return json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return UNREADABLE


def write_json(data: Any) -> bytes:
    """JSON data as bytes.

    Raises:
        ValueError: the data hold NaN, an infinity or half a surrogate pair, or are nested without end.
        TypeError: the data hold something that JSON does not have.
    """
    if orjson is not None:
        try:
            body: bytes = orjson.dumps(data, None, _OPTIONS)
        except TypeError:
            pass  # not JSON data, or something that only the standard library writes: numbers beyond 64 bits
        else:
            # orjson writes NaN and infinities as null. Searching from the end takes a third of the time here.
            if body.rfind(b"null") < 0:
                return body
    try:
        return _STANDARD.encode(data).encode()
    except RecursionError:
        why = "it is nested too deeply"
    except UnicodeEncodeError:
        why = "a text in it holds half a surrogate pair"
    # Raised here and not in the except block: Python's own error holds the whole body.
    raise ValueError(why)


def is_mapping(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether it is a JSON object."""
    # dict first: a check against an abstract class takes ten times as long, and a call makes several checks.
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
    """Whether a number has so many digits that orjson might read a whole number as a float.

    Checking every fourth byte is enough for nearly every body, and takes a sixth of the time that decoding takes.
    """
    return body[::4].translate(_DIGITS).rfind(b"0000") >= 0 and _LONG in body.translate(_DIGITS)


def _is_crowded(body: bytes) -> bool:
    """Whether it holds more objects, arrays or values than allowed. Brackets and commas inside strings count too, so
    that the body need not be parsed."""
    return body.count(b"[") + body.count(b"{") > MOST_CONTAINERS or body.count(b",") > MOST_VALUES


def _is_deep(body: bytes, data: Any) -> bool:
    """Whether it is nested deeper than allowed."""
    if len(body.translate(None, _NO_BRACKETS)) <= 2 * DEEPEST:
        return False
    if orjson is not None:
        try:
            # orjson refuses to write deeper data, and is quicker than a check in Python.
            orjson.dumps(data)
        except TypeError:
            pass  # too deep, or a number beyond 64 bits
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
    raise TypeError(f"{type(value).__name__} is not JSON data")


_STANDARD: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_as_orjson_does)
