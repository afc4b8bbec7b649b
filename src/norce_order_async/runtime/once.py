"""Things that a process has one of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar, final

P = ParamSpec("P")
T = TypeVar("T")


@final
class OnePerProcess(Generic[P, T]):
    """Like ``functools.cache``, but threads that are the first to ask at the same time get the same object, too.

    Each of them may make one then, and all are given the one that was finished first: ``make`` must do no harm when it
    is called in vain. There is no lock, because a process can be forked while another thread holds one.

    Args:
        make: takes arguments by position that can be hashed.
    """

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[P, T]) -> None:
        self._make = make
        self._made: dict[object, T] = {}

    def __call__(self, *key: P.args, **named: P.kwargs) -> T:
        """The one for these arguments."""
        found = self._made.get(key)
        # setdefault is atomic: nothing comes between its look and its change.
        return self._made.setdefault(key, self._make(*key, **named)) if found is None else found

    def forget(self) -> None:
        """Make them anew. For tests."""
        self._made.clear()
