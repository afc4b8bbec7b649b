"""Where something is in an order: ``total.includingVat``, ``cart.items.0.sku``, ``payments[*].amount``.

A path is checked against the members in the API description, so a misspelt path is an error before the first read and
not a column of empty cells. Below free-form data (``attributes``) every name is allowed.
"""

from __future__ import annotations

import difflib
import re
from typing import Any, get_origin

import attrs

from norce_order_async import models
from norce_order_async._json import is_list, is_mapping
from norce_order_async.errors import ConfigurationError

ALL = "*"
_LIST = re.compile(r"list\[(.*)\]")


def parts_of(path: str) -> tuple[str, ...]:
    """The steps of a path.

    Raises:
        ConfigurationError: no order has that; the text names the nearest path that exists.
    """
    parts = tuple(re.sub(r"\[(\*|[0-9]+)\]", r".\1", path).split("."))
    kind = "OrderData"
    for place, name in enumerate(parts):
        said = ".".join(parts[:place])
        found = _LIST.fullmatch(kind)
        if found is not None:
            if name != ALL and not re.fullmatch("[0-9]+", name):
                raise ConfigurationError(
                    f"no field {path!r}: {said} is a list; say {said}[*] for all, {said}.0 for one"
                )
            kind = found.group(1)
            continue
        model: Any = getattr(models, kind, None)
        members: frozenset[str] = getattr(model, "MEMBERS", frozenset())
        if not members:
            if get_origin(model) is dict:
                # Free-form data.
                return parts
            raise ConfigurationError(f"no field {path!r}: there is nothing below {said}")
        if name not in members:
            raise ConfigurationError(f"no field {path!r}{_nearest(parts, place, members)}")
        kind = _types(model)[name]
    return parts


def found(value: Any, parts: tuple[str, ...]) -> Any:
    """What is there in an order as JSON; None where there is nothing, and a list for ``*``."""
    for place, name in enumerate(parts):
        if name == ALL and is_list(value):
            return [found(each, parts[place + 1 :]) for each in value]
        if is_list(value):
            value = value[int(name)] if name.isdecimal() and int(name) < len(value) else None
        else:
            value = value.get(name) if is_mapping(value) else None
    return value


def _nearest(parts: tuple[str, ...], place: int, members: frozenset[str]) -> str:
    by_lower = {member.lower(): member for member in members}
    near = difflib.get_close_matches(parts[place].lower(), by_lower, n=1)
    return f": did you mean {'.'.join((*parts[:place], by_lower[near[0]]))!r}?" if near else ""


def _types(model: Any) -> dict[str, str]:
    """The types of a model's members as it writes them, without null, by name in JSON."""
    declared = {field.name.replace("_", ""): str(field.type) for field in attrs.fields(model)}
    return {member: re.sub(r"( \| (str|None))+$", "", declared[member.lower()]) for member in model.MEMBERS}
