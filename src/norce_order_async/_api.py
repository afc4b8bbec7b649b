"""Everything that this package uses of the generated package, except its models, which are in ``models.py``.

No other module names the generated package. If a new version of the API comes with a generated package of its own, only
this file and ``models.py`` change. Calls reach it through the ``Api`` in ``pipeline/operations.py``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from norce_order_api import Client as Client
    from norce_order_api.types import DRIFT as DRIFT
    from norce_order_api.types import NULL as NULL
    from norce_order_api.types import Model as Model
    from norce_order_api.types import path_segment as path_segment
    from norce_order_api.types import plain as plain
    from norce_order_api.types import read_model as read_model
    from norce_order_api.types import without_nulls as without_nulls

PACKAGE: Final = "norce_order_api"
"""Its endpoints and its client are imported by this name when they are first used."""


def __getattr__(name: str) -> Any:
    # attrs, which the generated package is made with, costs a tenth of a client's start. The first call needs it.
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(f"{PACKAGE}.types"), name)
    return value
