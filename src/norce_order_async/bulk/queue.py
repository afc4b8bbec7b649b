"""The queues of a run: items for the workers, outcomes for the caller, and the notifier that wakes both."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

import anyio

from norce_order_async.bulk.journal.journal import Journal
from norce_order_async.bulk.outcome import ItemOutcome
from norce_order_async.bulk.source import Item
from norce_order_async.runtime.loop import Wake, wake

T = TypeVar("T")


class Notifier:
    """Wakes workers and the iteration when something has changed."""

    def __init__(self) -> None:
        self._idle: deque[Wake] = deque()
        # Several changes happen for each item, and usually no task waits for them. So a task that waits makes an event,
        # rather than every change.
        self._waiting: list[Wake] = []

    async def wait_for_work(self) -> None:
        """Wait until there may be something to do for one more worker."""
        turn = wake()
        self._idle.append(turn)
        await turn.wait()

    async def wait_for_change(self) -> None:
        """Wait until anything has changed."""
        changed = wake()
        self._waiting.append(changed)
        await changed.wait()

    def notify(self) -> None:
        """Wake one worker and the iteration."""
        if self._idle:
            self._idle.popleft().set()
        self._announce()

    def notify_all(self) -> None:
        """Wake all workers and the iteration."""
        while self._idle:
            self._idle.popleft().set()
        self._announce()

    def _announce(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for changed in waiting:
                changed.set()


class WorkQueue:
    """The items that are to be worked on, and how many are being worked on."""

    def __init__(self, items: AsyncIterator[Item] | Journal, notifier: Notifier, *, settling: bool) -> None:
        self._items = items
        self._notifier = notifier
        self._reading = anyio.Lock(fast_acquire=True)
        self._back: deque[Item] = deque()
        self._read: deque[Item] = deque()
        self._read_up_to = 0
        self._is_read = False
        """Whether all planned items of the journal were read."""
        self.settling = settling
        """Whether the items handed out are those that were in flight when an earlier run ended."""
        self.is_exhausted = False
        """Whether the source was read to its end."""
        self.busy = 0
        """Items that are being worked on."""

    @property
    def is_over(self) -> bool:
        """Whether no item will come any more, after :meth:`next` has returned None."""
        return not self.busy and not self.settling

    @property
    def has_returned(self) -> bool:
        """Whether there are items that were put back."""
        return bool(self._back)

    async def next(self) -> Item | None:
        """Return an item to work on; None if there is none now."""
        item = self._at_hand()
        if item is None:
            # Only a worker that must read on takes the lock: taking it costs a turn of the event loop for each item.
            async with self._reading:
                item = self._at_hand() or await self._first_time()
        if item is not None:
            self.busy += 1
        return item

    def put_back(self, item: Item) -> None:
        """Put an item back, to be handed out again."""
        self._back.append(item)
        self.ended()

    def ended(self) -> None:
        """Note that an item is not being worked on any more."""
        self.busy -= 1
        if self.busy:
            self._notifier.notify()
        else:
            self._notifier.notify_all()

    def left_over(self) -> list[Item]:
        """Remove and return the items that were put back and not handed out again."""
        left = list(self._back)
        self._back.clear()
        return left

    def _at_hand(self) -> Item | None:
        """An item that was put back or read before; None if there is none."""
        return self._back.popleft() if self._back else self._read.popleft() if self._read else None

    async def _first_time(self) -> Item | None:
        if not isinstance(self._items, Journal):
            item = await anext(self._items, None)
            self.is_exhausted = item is None
            return item
        if not self._is_read:
            await self._read_on(self._items)
        return self._read.popleft() if self._read else None

    async def _read_on(self, journal: Journal) -> None:
        for item in await journal.some("sent" if self.settling else "planned", self._read_up_to):
            item.in_flight = self.settling
            self._read.append(item)
        # An item may have been put back while the journal was read.
        if not self._read and self.settling and not self.busy and not self._back:
            # Everything that was in flight is settled; only now is anything sent.
            self.settling = False
            self._read.extend(await journal.some("planned", 0))
            self._notifier.notify_all()
        if self._read:
            self._read_up_to = self._read[-1].number
        else:
            # Nothing is added to a whole list: without this, each worker would read the journal once more at the end.
            self._is_read = not self.settling


class ResultBuffer(Generic[T]):
    """Outcomes that the caller has not taken yet, as they come or in the order in which their items were taken."""

    def __init__(self, *, ordered: bool) -> None:
        self._ordered = ordered
        self._ready: deque[ItemOutcome[T]] = deque()
        self._places: OrderedDict[int, ItemOutcome[T] | None] = OrderedDict()
        """Only if ``ordered``: the outcomes that wait for an earlier one, and None for each that is still to come. By
        number of the item, in the order in which the items were taken."""
        self._closed = False

    def __len__(self) -> int:
        """How many outcomes the work is ahead of the caller."""
        return len(self._ready) + len(self._places)

    def expect(self, item: Item) -> None:
        """Reserve the place of an item that was taken. An item that is taken again keeps its place."""
        if self._ordered:
            self._places.setdefault(item.number)

    def forget(self, item: Item) -> None:
        """Give up the place of an item. If it is taken again, it gets a new place."""
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
        """Remove and return the next outcome; None if there is none yet."""
        return self._ready.popleft() if self._ready else None

    def end(self) -> None:
        """Release the outcomes that wait for missing ones: no more will come."""
        self._ready.extend(outcome for outcome in self._places.values() if outcome is not None)
        self._places.clear()

    def close(self) -> None:
        """Drop all outcomes, now and later: the caller takes no more."""
        self._closed = True
        self._ready.clear()
        self._places.clear()

    def _move_on(self) -> None:
        while self._places and (first := next(iter(self._places.values()))) is not None:
            self._ready.append(first)
            self._places.popitem(last=False)
