"""JSON Patch (RFC 6902) operations from a hook, applied to a proposed order."""

from typing import Any, TypeGuard, cast

import jsonpatch

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.rules import PARTS

from .pointers import lies_in

_CHANGING = frozenset({"add", "remove", "replace", "move", "copy"})


class PatchError(Exception):
    """The operations can't or may not be applied; the text says which and why, without any value."""


def patched(order: Json, operations: list[Any], target: str | None) -> Json:
    """A changed copy of the order; only what lies under the target may be changed, when there is one."""
    allowed = [target] if target is not None else [f"/{part}" for part in PARTS]
    result = order
    for index, operation in enumerate(operations):
        if not _is_operation(operation):
            raise PatchError(f"operation {index} is not an object with a path and one of the ops of JSON Patch")
        name = f"operation {index} ({operation['op']} {operation['path']})"
        for place in _changed_places(operation):
            if not any(lies_in(place, root) for root in allowed):
                raise PatchError(f"{name} changes what does not lie under {' or '.join(allowed)}")
        try:
            result = cast("Json", jsonpatch.JsonPatch([operation]).apply(result))  # pyright: ignore
        except Exception:  # noqa: BLE001 - for a wrong operation the library raises whatever it stumbles over
            raise PatchError(f"{name} can't be applied to the order") from None
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
