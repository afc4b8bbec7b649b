"""The models of the API, generated from its description. Each is imported when it is first used.

``OrderData`` is an order's body; the handle is :class:`norce_order_async.Order`.

What is sent has a type as a dict, too: ``CartDict`` for ``Cart``, in the API's spelling, with every member that a
caller can give. Type checkers reject a name that the API does not know, and editors complete the others. A dict type is
loaded when it is first imported, and otherwise costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import norce_order_api.models as _generated

if TYPE_CHECKING:
    from norce_order_api.dicts import *  # noqa: F403
    from norce_order_api.models import *  # noqa: F403

__all__ = _generated.__all__  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in __all__:
        value = getattr(_generated, name)
    elif name.endswith("Dict") and name in _dicts():
        value = getattr(import_module("norce_order_api.dicts"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *_dicts()})


def _dicts() -> tuple[str, ...]:
    names: tuple[str, ...] = import_module("norce_order_api.dicts").__all__
    return names
