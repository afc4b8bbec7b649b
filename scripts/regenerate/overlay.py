"""Applies an OpenAPI Overlay 1.0.0.

A library finds the targets by JSONPath; this module applies the actions itself. The library oas-patch 0.6.0 was tried
for that: it fails to update an element of a list, removes on `remove: false`, shares one object between all matches of
an action, so that a later change to one changes all, and does not report a target that matches nothing.
"""

from copy import deepcopy
from typing import Any, TypeGuard

import jsonpath

from regenerate.document import Document
from regenerate.failure import RegenerationError

Part = str | int


def apply(document: Document, overlay: Document, *, stale: list[str] | None = None) -> Document:
    """The corrected document. Actions run in order, each on the result of the one before.

    An action whose target matches nothing is an error, which names all such actions. If a list is given, they are added
    to it instead: with a new description, the vendor may have made the correction himself.
    """
    if overlay.get("overlay") != "1.0.0" or not isinstance(overlay.get("actions"), list):
        raise RegenerationError("the overlay is no OpenAPI Overlay 1.0.0 with actions")
    corrected = deepcopy(document)
    unmatched: list[str] = [] if stale is None else stale
    for number, action in enumerate(overlay["actions"], start=1):
        _apply_action(corrected, action, f"overlay action {number}", unmatched)
    if stale is None and unmatched:
        raise RegenerationError("\n".join(unmatched))
    return corrected


def _apply_action(document: Document, action: Any, which: str, unmatched: list[str]) -> None:
    if not _is_object(action) or not isinstance(action.get("target"), str):
        raise RegenerationError(f"{which} has no target")
    if not action.get("description"):
        raise RegenerationError(f"{which} says no reason in a description")
    target: str = action["target"]
    try:
        places = [match.parts for match in jsonpath.finditer(target, document)]
    except jsonpath.JSONPathError as error:
        raise RegenerationError(f"{which} has a target that is no JSONPath: {target}") from error
    if not places:
        unmatched.append(f"{which} matches nothing: {target}")
        return
    if action.get("remove") is True:
        # From the back, so that a removal does not move the elements that are removed next.
        for place in sorted(places, key=_from_the_back, reverse=True):
            _remove(document, place, which)
    elif "update" in action:
        for place in places:
            _update(document, place, action["update"], which)
    else:
        raise RegenerationError(f"{which} neither updates nor removes")


def _from_the_back(place: tuple[Part, ...]) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, part) for part in place]


def _at(document: Document, place: tuple[Part, ...]) -> Any:
    value: Any = document
    for part in place:
        value = value[part]
    return value


def _remove(document: Document, place: tuple[Part, ...], which: str) -> None:
    if not place:
        raise RegenerationError(f"{which} would remove the whole document")
    del _at(document, place[:-1])[place[-1]]


def _update(document: Document, place: tuple[Part, ...], update: Any, which: str) -> None:
    value = _at(document, place)
    if _is_object(value) and _is_object(update):
        _merge(value, update)
    elif _is_list(value):
        value.append(deepcopy(update))
    else:
        raise RegenerationError(f"{which} must target an object and bring one, or target a list")


def _merge(value: dict[str, Any], update: dict[str, Any]) -> None:
    """Objects merge, lists grow, everything else is replaced: the overlay specification's rule."""
    for name, new in update.items():
        old = value.get(name)
        if _is_object(old) and _is_object(new):
            _merge(old, new)
        elif _is_list(old) and _is_list(new):
            old.extend(deepcopy(new))
        else:
            value[name] = deepcopy(new)


def _is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
