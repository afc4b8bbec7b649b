"""A client library for accessing Norce Checkout - Order Management API.

Generated: no file in this package is edited by hand. STAMP says from what; scripts/regenerate.sh makes it anew.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client import AuthenticatedClient, Client

__all__ = ("AuthenticatedClient", "Client")


def __getattr__(name: str) -> object:
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value: object = getattr(import_module(".client", __name__), name)
    globals()[name] = value
    return value
