"""Bodies that the service posts: an order in its v0 or v1 form, read alike.

v1 calls two members otherwise (the address of a validation, and what a hook listens to) and lacks a few. Which of the
two a body is shows in these members, so the version that was registered need not be known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from norce_order_async._json import LARGE, is_list, is_mapping, read_json
from norce_order_async.pipeline.response import in_thread

MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes of a body."""

_RENAMED: Final[Mapping[str, tuple[str, str]]] = {"validations": ("invoke", "url"), "hooks": ("scope", "subscribeTo")}
"""Lists of an order, and the member of their entries that v1 calls otherwise than v0."""


def read_order(body: bytes) -> dict[str, Any] | None:
    """The order in a body, in the v0 form; None for what is no JSON object, or is nested too deeply."""
    data = read_json(body)
    return in_v0(cast("dict[str, Any]", data)) if type(data) is dict else None


async def read_order_aside(body: bytes) -> dict[str, Any] | None:
    """The same; a large body is read in a thread."""
    return read_order(body) if len(body) <= LARGE else await in_thread(read_order, body)


def in_v0(order: dict[str, Any]) -> dict[str, Any]:
    """The order with its members named as in v0."""
    for name, (v1, v0) in _RENAMED.items():
        entries: Any = order.get(name)
        if is_list(entries) and entries:
            order[name] = [_renamed(entry, v1, v0) if is_mapping(entry) else entry for entry in entries]
    return order


def _renamed(entry: Mapping[str, Any], v1: str, v0: str) -> Mapping[str, Any]:
    if v1 not in entry or v0 in entry:
        return entry
    return {v0 if name == v1 else name: value for name, value in entry.items()}


def id_in(order: Mapping[str, Any]) -> str | None:
    """The id that an order says it has."""
    found = order.get("id")
    return found if isinstance(found, str) else None
