"""The models of the API, generated from its description. Each is imported when it is first used.

``OrderData`` is an order's body; the handle is :class:`norce_order_async.Order`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import norce_order_api.models as _generated

if TYPE_CHECKING:
    from norce_order_api.models import *  # noqa: F403

__all__ = _generated.__all__  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(_generated, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
