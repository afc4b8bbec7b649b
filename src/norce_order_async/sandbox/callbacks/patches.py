"""JSON Patch (RFC 6902) operations from a hook, applied to a proposed order, and their JSON pointers (RFC 6901)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final, TypeGuard, cast

import jsonpatch

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.policy import HOOK_GROWTH, HOOK_OPERATIONS, PARTS

MISSING: Final = object()
"""What lies at a pointer that leads nowhere; equal to nothing but itself."""


def value_at(order: Json, pointer: str) -> Any:
    """The value, or MISSING; the whole order is no part of it, and a text without a slash no pointer."""
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
    """The part of the order that a pointer leads into: `cart` for `/cart/items`."""
    return pointer.removeprefix("/").partition("/")[0]


def lies_in(pointer: str, target: str) -> bool:
    """Whether one pointer leads to another's place or beneath it."""
    return pointer == target or pointer.startswith(target + "/")


_CHANGING = frozenset({"add", "remove", "replace", "move", "copy"})


class PatchError(Exception):
    """The operations can't or may not be applied; the text says which and why, without any value."""


def patched(order: Json, operations: list[Any], target: str | None) -> Json:
    """A changed copy of the order; only what lies under the target may be changed, when there is one."""
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
                raise PatchError(f"{name} changes what does not lie under {' or '.join(allowed)}")
        try:
            # Before it is carried out: copies of what was copied double an order at every step.
            room -= _size(_added(operation, result), room)
            if room >= 0:
                result = cast("Json", jsonpatch.JsonPatch([operation]).apply(result, in_place=True))  # pyright: ignore
        except Exception:  # noqa: BLE001 - for a wrong operation the library raises whatever it stumbles over
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
    """What an operation puts into the order beside what is in it."""
    match operation["op"]:
        case "add" | "replace":
            return operation.get("value")
        case "copy":
            return jsonpatch.JsonPointer(operation["from"]).resolve(order)  # pyright: ignore
        case _:
            return None


def _size(value: Any, enough: int) -> int:
    """Bytes of JSON, roughly; beyond `enough` it is not counted further."""
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
