"""The buffer of outcomes that the caller iterates: as they come, or in the order in which their items were taken."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

from norce_order_async.bulk.outcome import ItemOutcome
from norce_order_async.bulk.source import Item

T = TypeVar("T")


class ResultBuffer(Generic[T]):
    """Outcomes that the caller has not taken yet."""

    def __init__(self, *, ordered: bool) -> None:
        self._ordered = ordered
        self._ready: deque[ItemOutcome[T]] = deque()
        self._places: OrderedDict[int, ItemOutcome[T] | None] = OrderedDict()
        """By number of the item, in the order they were taken: outcomes that wait for one before them, and None for
        those still to come. Only where the order matters."""
        self._closed = False

    def __len__(self) -> int:
        """How many outcomes the work is ahead of the caller."""
        return len(self._ready) + len(self._places)

    def expect(self, item: Item) -> None:
        """An item was taken. One that is taken again keeps its place."""
        if self._ordered:
            self._places.setdefault(item.number)

    def forget(self, item: Item) -> None:
        """No outcome will come for it before it is taken again, as if for the first time."""
        self._places.pop(item.number, None)
        self._move_on()

    def put(self, item: Item, outcome: ItemOutcome[T]) -> None:
        """Add the outcome of an item."""
        if self._closed:
            return
        if not self._ordered:
            self._ready.append(outcome)
            return
        self._places[item.number] = outcome
        self._move_on()

    def take(self) -> ItemOutcome[T] | None:
        """The next outcome, if it is there."""
        return self._ready.popleft() if self._ready else None

    def end(self) -> None:
        """Nothing more will come: what waited for outcomes that are missing waits no longer."""
        self._ready.extend(outcome for outcome in self._places.values() if outcome is not None)
        self._places.clear()

    def close(self) -> None:
        """The caller takes no more outcomes: drop them from now on."""
        self._closed = True
        self._ready.clear()
        self._places.clear()

    def _move_on(self) -> None:
        while self._places and (first := next(iter(self._places.values()))) is not None:
            self._ready.append(first)
            self._places.popitem(last=False)
