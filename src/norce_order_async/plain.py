"""Looking into JSON data of unknown shape, without surprises and with types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeGuard

UNREADABLE: Final = object()
"""Stands for a body that is no JSON."""


def read_json(body: bytes) -> Any:
    """The JSON data of a body, or :data:`UNREADABLE`. NaN and infinities, which JSON has not, read as null."""
    try:
        return json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return UNREADABLE


def is_mapping(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether it is a JSON object."""
    return isinstance(value, Mapping)


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


def _no_number(_: str) -> None:
    return None
