"""Makes the JSON Patch that turns the proposed order into the edited one.

The `jsonpatch` library finds the operations. `move` and `copy`, which the service's description does not have, become
`remove` and `add`. Every patch is checked by applying it. If the library's patch is wrong, a plain comparison makes
another.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from typing import Any, Final, cast

from norce_order_async._json import is_list, is_mapping
from norce_order_async.errors import ConfigurationError, NorceError

PARTS: Final = ("state", "consents", "customer", "cart", "shippings", "payments", "reference", "attributes")
"""The parts of an order that hooks may listen to and change, in the order in which the service calls them."""

Operation = dict[str, Any]
"""One operation of the documented form: ``op`` (``add``, ``replace`` or ``remove``), ``path``, ``value``."""

_MISSING: Final = object()


class DraftError(NorceError):
    """The edits made to a draft can't be sent. The text names the place, and no value.

    Edits are checked when the handler has returned, and the change is denied then. Within the handler, only
    ``call.operations()`` raises it. Example::

        [denial.order_id for denial in adapter.denials if denial.cause == "edit"]
    """


def needs(module: str) -> Any:
    """Import a library of the extra ``adapter``.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as missing:
        raise ConfigurationError(
            f"adapters need {module}, of the extra 'adapter': install norce-order-async with [adapter]"
        ) from missing


def operations(before: Mapping[str, Any], after: Mapping[str, Any], target: str | None) -> list[Operation]:
    """Return the operations that turn ``before`` into ``after``; empty if they are the same.

    Raises:
        DraftError: an edit lies outside of the target, or of the parts that hooks may change; or no operations were
            found that give ``after``.
    """
    changed = [name for name in {**before, **after} if not same(before.get(name, _MISSING), after.get(name, _MISSING))]
    if not changed:
        return []
    old = {name: before[name] for name in changed if name in before}
    new = {name: after[name] for name in changed if name in after}
    found = by_library(old, new)
    if found is None or not same(applied(found, old), new):
        found = list(_compared(old, new, ""))
        if not same(applied(found, old), new):
            raise DraftError("the edits of the draft can't be expressed as JSON Patch")
    _check_places(found, target)
    return found


def applied(found: Collection[Operation], order: Any) -> Any:
    """Return a copy of an order with the operations applied."""
    patch: Any = needs("jsonpatch").JsonPatch(list(found))
    return patch.apply(deepcopy(order))


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same in JSON: 125 and 125.0 are, true and 1 are not."""
    if one is other:
        return True
    if is_mapping(one):
        return (
            is_mapping(other)
            and one.keys() == other.keys()
            and all(same(value, other[name]) for name, value in one.items())
        )
    if is_list(one):
        return is_list(other) and len(one) == len(other) and all(map(same, one, other))
    return bool(isinstance(one, bool) is isinstance(other, bool) and one == other)


def by_library(old: dict[str, Any], new: dict[str, Any]) -> list[Operation] | None:
    """The library's operations in the documented form; None if it fails."""
    library = needs("jsonpatch")
    running: Any = deepcopy(old)
    found: list[Operation] = []
    try:
        for operation in library.make_patch(old, new).patch:
            for one in _documented(operation, running, library):
                was = _at(running, one["path"], library)
                running = library.JsonPatch([one]).apply(running, in_place=True)
                # To the library, 125 and 125.0 differ. In JSON they are the same number.
                if one["op"] != "replace" or not same(was, one["value"]):
                    found.append(deepcopy(one))
    except Exception:  # noqa: BLE001 - the library raises errors of many kinds, and the comparison does not need it
        return None
    return found


def _documented(operation: Mapping[str, Any], running: Any, library: Any) -> list[Operation]:
    """Convert an operation to those that the description has; ``running`` is the order just before it."""
    op, path = operation["op"], operation["path"]
    if op == "remove":
        return [{"op": op, "path": path}]
    if op in ("add", "replace"):
        return [{"op": op, "path": path, "value": operation["value"]}]
    value = deepcopy(_at(running, operation["from"], library))
    put = {"op": "add", "path": path, "value": value}
    return [{"op": "remove", "path": operation["from"]}, put] if op == "move" else [put]


def _at(document: Any, path: str, library: Any) -> Any:
    return library.JsonPointer(path).resolve(document, _MISSING)


def _compared(old: Any, new: Any, path: str) -> Iterator[Operation]:
    """Operations by a plain comparison: members by name, entries of lists by place."""
    if same(old, new):
        return
    if is_mapping(old) and is_mapping(new):
        for name in old:
            if name not in new:
                yield {"op": "remove", "path": _below(path, name)}
        for name, value in new.items():
            if name not in old:
                yield {"op": "add", "path": _below(path, name), "value": value}
            else:
                yield from _compared(old[name], value, _below(path, name))
    elif is_list(old) and is_list(new):
        for index in range(min(len(old), len(new))):
            yield from _compared(old[index], new[index], f"{path}/{index}")
        for index in reversed(range(len(new), len(old))):
            yield {"op": "remove", "path": f"{path}/{index}"}
        for index in range(len(old), len(new)):
            yield {"op": "add", "path": f"{path}/{index}", "value": new[index]}
    else:
        yield {"op": "replace", "path": path, "value": new}


def _below(path: str, name: str) -> str:
    return f"{path}/{name.replace('~', '~0').replace('/', '~1')}"


def _check_places(found: list[Operation], target: str | None) -> None:
    allowed = [target] if target is not None else [f"/{part}" for part in PARTS]
    for operation in found:
        path = cast("str", operation["path"])
        if not any(path == root or path.startswith(f"{root}/") for root in allowed):
            part = path.split("/")[1]
            why = f"its target is {target}" if target is not None else "hooks may change " + ", ".join(allowed)
            raise DraftError(f"the draft was edited in /{part}, which this hook may not change: {why}")
