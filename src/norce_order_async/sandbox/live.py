"""Sequences that a running sandbox adds to, and that a test can read at any time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TypeVar, overload

T = TypeVar("T")


class LiveSequence(Sequence[T]):
    """A sequence that grows. Every use sees the entries of that moment; a loop sees those at its start.

    The length takes no lock, because a clock given to the sandbox may ask for it while the sandbox holds the lock.
    """

    @abstractmethod
    def _kept(self) -> Sequence[T]:
        """A copy that does not grow."""

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self._kept()[index]

    def __iter__(self) -> Iterator[T]:
        return iter(self._kept())
