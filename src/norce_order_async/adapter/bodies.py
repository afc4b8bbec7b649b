"""Reads the bodies that the service posts: orders in their v0 or v1 form.

v1 has other names for two members, the address of a validation and the part that a hook subscribes to, and lacks a few.
The names in a body show its version, so the registered version is not needed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from norce_order_async._json import LARGE, is_list, is_mapping, read_json
from norce_order_async.pipeline.response import in_thread

MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes of a body, at most."""

_RENAMED: Final[Mapping[str, tuple[str, str]]] = {"validations": ("invoke", "url"), "hooks": ("scope", "subscribeTo")}
"""Lists of an order whose entries have a member with another name in v1: the names in v1 and in v0."""


def read_order(body: bytes) -> dict[str, Any] | None:
    """Read the order in a body, in the v0 form; None if it is not a JSON object or is nested too deeply."""
    data = read_json(body)
    return in_v0(cast("dict[str, Any]", data)) if type(data) is dict else None


async def read_order_in_thread(body: bytes) -> dict[str, Any] | None:
    """Read the order in a body, as :func:`read_order` does; a large body is read in a thread."""
    return read_order(body) if len(body) <= LARGE else await in_thread(read_order, body)


def in_v0(order: dict[str, Any]) -> dict[str, Any]:
    """Return an order with its members named as in v0."""
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
    """The id in an order, or None if it has no id."""
    found = order.get("id")
    return found if isinstance(found, str) else None
