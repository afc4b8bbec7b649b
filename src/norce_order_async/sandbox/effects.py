"""The log of changes that took effect, to assert "exactly once" on."""

from collections.abc import Iterator, Sequence
from typing import overload

from .store import Effect, Store


class Effects(Sequence[Effect]):
    """A live view: each look reads what has been committed by then."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, order_id: str | None = None, operation: str | None = None) -> Sequence[Effect]:
        """The effects on one order, of one operation (by its operationId), or both."""
        return self._store.effects(order_id, operation)

    @overload
    def __getitem__(self, index: int) -> Effect: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Effect]: ...
    def __getitem__(self, index: int | slice) -> Effect | Sequence[Effect]:
        return self.of()[index]

    def __iter__(self) -> Iterator[Effect]:
        return iter(self.of())

    def __len__(self) -> int:
        return len(self.of())
