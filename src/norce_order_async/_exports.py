"""Public names that are imported when they are first used (PEP 562), so that importing a module loads little."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def on_first_use(module: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` for a package.

    Args:
        module: the package's ``__name__``.
        homes: for each public name, the module below the package that defines it.
    """
    names = vars(sys.modules[module])

    def getattr_(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        names[name] = value = getattr(import_module(f"{module}.{homes[name]}"), name)
        return value

    return getattr_, lambda: sorted(names["__all__"])
