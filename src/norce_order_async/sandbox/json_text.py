"""Reads and writes JSON, and is strict where Python's own reader is lenient."""

from __future__ import annotations

import json
import math
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


class NotJsonError(ValueError):
    """The text is not JSON, or holds a value that can't be stored as JSON."""


def read(body: bytes) -> Any:
    """Parse a body.

    Raises:
        NotJsonError: It is not JSON. NaN, infinities and half surrogate pairs are refused too.
    """
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
        if b"\\ud" in body.lower():
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise NotJsonError from error
    return value


def text(value: Any) -> str:
    """The shortest JSON text of a value."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def parsed(document: str) -> Json:
    """Parse a document that :func:`text` wrote."""
    value: Json = json.loads(document)
    return value


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number too large")
    return value
