"""Addresses with placeholders: `{order_id}`, `{order.…}`, `{config.…}` and `{configuration.…}`.

The words after the dot lead through the order, or through the configuration of the adapter that registered the
address. What comes from the order is percent-encoded, so that no reference can lead to another address; what comes
from the configuration is taken as it is, since it holds whole base addresses.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeAlias, cast
from urllib.parse import quote

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.outgoing import CallFailedError

Configuration: TypeAlias = Mapping[str, Mapping[str, Any]]
"""By adapter id; what stands under "*" is for every adapter that has none of its own."""

EVERY_ADAPTER = "*"

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def filled(template: str, order: Json, configuration: Mapping[str, Any]) -> str:
    """The address to call.

    Raises:
        CallFailedError: A placeholder names nothing.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1]
        root, _, path = name.partition(".")
        if name == "order_id":
            return quote(str(order["id"]), safe="")
        if root == "order" and path:
            return quote(_text(order, path, name), safe="")
        if root in ("config", "configuration") and path:
            return _text(configuration, path, name)
        raise _unknown(name)

    return _PLACEHOLDER.sub(value, template)


def _text(holder: Mapping[str, Any], path: str, name: str) -> str:
    value: Any = holder
    for step in path.split("."):
        if not isinstance(value, Mapping) or step not in value:
            raise _unknown(name)
        value = cast("Mapping[str, Any]", value)[step]
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise _unknown(name)
    return str(value)


def _unknown(name: str) -> CallFailedError:
    return CallFailedError(f"has the placeholder {{{name}}} in its address, which names nothing")
