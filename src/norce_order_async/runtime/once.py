"""Objects of which a process has one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar, final

P = ParamSpec("P")
T = TypeVar("T")


@final
class OnePerProcess(Generic[P, T]):
    """Like ``functools.cache``, but threads that call it for the first time at the same moment get the same object.

    Each of these threads may call ``make``; all get the object that was finished first, and the others are dropped. So
    a call of ``make`` must do no harm. There is no lock, because a process can be forked while another thread holds it.

    Args:
        make: makes the object. Its arguments are positional and hashable.
    """

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[P, T]) -> None:
        self._make = make
        self._made: dict[object, T] = {}

    def __call__(self, *key: P.args, **named: P.kwargs) -> T:
        """The object for these arguments."""
        found = self._made.get(key)
        # setdefault is atomic: no other thread runs between its look-up and its change.
        return self._made.setdefault(key, self._make(*key, **named)) if found is None else found

    def forget(self) -> None:
        """Forget the objects, so that they are made again. For tests."""
        self._made.clear()
