"""Sequences that the running sandbox adds to, and that a test may read at any time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TypeVar, overload

T = TypeVar("T")


class LiveSequence(Sequence[T]):
    """A sequence that grows. Every use of it sees what is there by then, a loop what is there at its start.

    The length takes no lock: a sandbox's clock may ask for it while the sandbox holds one.
    """

    @abstractmethod
    def _kept(self) -> Sequence[T]:
        """A copy that nothing is added to."""

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self._kept()[index]

    def __iter__(self) -> Iterator[T]:
        return iter(self._kept())
