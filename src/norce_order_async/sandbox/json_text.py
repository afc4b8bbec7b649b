"""JSON in and out, strict where Python's reader is lenient."""

from __future__ import annotations

import json
import math
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


class NotJsonError(ValueError):
    """The text is not JSON, or holds what a JSON store can't keep."""


def read(body: bytes) -> Any:
    """Parse a body; NaN, infinities and half surrogate pairs are refused like any other malformed text."""
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
    """A document that this module wrote."""
    value: Json = json.loads(document)
    return value


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number too large")
    return value
