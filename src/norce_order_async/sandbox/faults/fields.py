"""Checks the fields of plans, rules and faults against their annotations: the same for Python, YAML and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, cast, get_args, get_origin, get_type_hints

from norce_order_async.sandbox.arguments import shown

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class FaultPlanError(ValueError):
    """The plan can't be played; the text names the place in it, and what may stand there.

    Example::

        try:
            sandbox.faults.play("no-such-plan")
        except FaultPlanError as error:
            print(error)
    """


def check_fields(record: DataclassInstance) -> None:
    """Check that each field has its annotated type.

    Raises:
        FaultPlanError: A field does not.
    """
    for name, wanted in _types(type(record)).items():
        value = getattr(record, name)
        if not fits(value, wanted):
            raise FaultPlanError(f"{name}: must be {_named(wanted)}, not {shown(value)}")


def within(name: str, value: float, low: float, high: float) -> None:
    """Check that a number is between two bounds; NaN never is.

    Raises:
        FaultPlanError: It is not.
    """
    if not low <= value <= high:
        raise FaultPlanError(f"{name}: must be between {low:g} and {high:g}, not {shown(value)}")


def fits(value: object, wanted: Any) -> bool:
    """Whether a value has an annotated type; knows only the types that fields of plans have."""
    if get_origin(wanted) is Literal:
        return isinstance(value, str) and value in get_args(wanted)
    if isinstance(wanted, UnionType) or (get_args(wanted) and NoneType in get_args(wanted)):
        return any(fits(value, one) for one in get_args(wanted))
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    origin = get_origin(wanted)
    if origin is None:
        return isinstance(value, wanted)
    if not isinstance(value, tuple):
        return False
    items, parts = cast("tuple[object, ...]", value), get_args(wanted)
    if origin is tuple and parts[-1] is not Ellipsis:
        return len(items) == len(parts) and all(fits(one, part) for one, part in zip(items, parts, strict=True))
    return all(fits(one, parts[0]) for one in items)


@cache
def _types(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


_NAMES = {float: "a number", int: "a whole number", bool: "true or false", str: "a word"}


def _named(wanted: Any) -> str:
    if wanted in _NAMES:
        return _NAMES[wanted]
    if get_origin(wanted) is Literal:
        return " or ".join(str(word) for word in get_args(wanted))
    if get_origin(wanted) is tuple:
        return "a list of pairs [seconds, limit]"
    if get_origin(wanted) is not None and NoneType not in get_args(wanted) and not isinstance(wanted, UnionType):
        return "a list of words"
    if isinstance(wanted, type):
        return "a mapping" if wanted.__name__ == "Window" else f"a {wanted.__name__}"
    return " or ".join(_named(part) for part in get_args(wanted) if part is not NoneType)
