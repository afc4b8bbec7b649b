"""Applies a hook's JSON Patch operations (RFC 6902) to a proposed order, and resolves JSON pointers (RFC 6901)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final, TypeGuard, cast

import jsonpatch

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.policy import HOOK_GROWTH, HOOK_OPERATIONS, PARTS

MISSING: Final = object()
"""The value at a pointer that leads nowhere; equal only to itself."""


def value_at(order: Json, pointer: str) -> Any:
    """The value at a pointer, or MISSING. A pointer must begin with a slash; the empty one is MISSING too."""
    if not pointer.startswith("/"):
        return MISSING
    value: Any = order
    for step in pointer.split("/")[1:]:
        if not isinstance(value, dict):
            return MISSING
        members = cast("Json", value)
        value = members.get(step.replace("~1", "/").replace("~0", "~"), MISSING)
    return value


def part_of(pointer: str) -> str:
    """The part of the order that a pointer leads to: `cart` for `/cart/items`."""
    return pointer.removeprefix("/").partition("/")[0]


def lies_in(pointer: str, target: str) -> bool:
    """Whether a pointer leads to the same place as ``target``, or to one below it."""
    return pointer == target or pointer.startswith(target + "/")


_CHANGING = frozenset({"add", "remove", "replace", "move", "copy"})


class PatchError(Exception):
    """An operation can't or may not be applied; the text says which and why, without any value."""


def patched(order: Json, operations: list[Any], target: str | None) -> Json:
    """A changed copy of the order. With a target, only values at or below it may be changed.

    Raises:
        PatchError: An operation can't or may not be applied, or there are too many.
    """
    allowed = [target] if target is not None else [f"/{part}" for part in PARTS]
    if len(operations) > HOOK_OPERATIONS:
        raise PatchError(f"it has {len(operations)} operations, more than {HOOK_OPERATIONS}")
    result = deepcopy(order)
    room = HOOK_GROWTH
    for index, operation in enumerate(operations):
        if not _is_operation(operation):
            raise PatchError(f"operation {index} is not an object with a path and one of the ops of JSON Patch")
        name = f"operation {index} ({operation['op']} {operation['path']})"
        for place in _changed_places(operation):
            if not any(lies_in(place, root) for root in allowed):
                raise PatchError(f"{name} changes a place that is not under {' or '.join(allowed)}")
        try:
            # Checked before it is applied: copies of copies would double an order at every step.
            room -= _size(_added(operation, result), room)
            if room >= 0:
                result = cast("Json", jsonpatch.JsonPatch([operation]).apply(result, in_place=True))  # pyright: ignore
        except Exception:  # noqa: BLE001 - for a wrong operation, the library raises errors of many classes
            raise PatchError(f"{name} can't be applied to the order") from None
        if room < 0:
            raise PatchError(f"{name} makes the order more than {HOOK_GROWTH} bytes larger")
    return result


def _is_operation(value: Any) -> TypeGuard[Json]:
    if not isinstance(value, dict):
        return False
    operation = cast("Json", value)
    return operation.get("op") in (*_CHANGING, "test") and isinstance(operation.get("path"), str)


def _changed_places(operation: Json) -> list[str]:
    if operation["op"] not in _CHANGING:
        return []
    places = [operation["path"]]
    if operation["op"] == "move":
        places.append(str(operation.get("from")))
    return places


def _added(operation: Json, order: Json) -> Any:
    """The value that an operation adds to the order."""
    match operation["op"]:
        case "add" | "replace":
            return operation.get("value")
        case "copy":
            return jsonpatch.JsonPointer(operation["from"]).resolve(order)  # pyright: ignore
        case _:
            return None


def _size(value: Any, enough: int) -> int:
    """The approximate size in bytes of JSON; counting stops beyond `enough`."""
    size = 0
    waiting: list[Any] = [value]
    while waiting and size <= enough:
        one = waiting.pop()
        if isinstance(one, dict):
            members = cast("Json", one)
            size += 2 + sum(len(name) + 4 for name in members)
            waiting.extend(members.values())
        elif isinstance(one, list):
            size += 2
            waiting.extend(one)  # pyright: ignore[reportUnknownArgumentType]
        else:
            size += len(one) + 2 if isinstance(one, str) else 8
    return size
