"""JSON pointers (RFC 6901) into an order, as far as the service takes them: not into lists."""

from typing import Any, Final, cast

from norce_order_async.sandbox.json_text import Json

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
