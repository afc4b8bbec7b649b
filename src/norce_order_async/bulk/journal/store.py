"""The protocol of a store, which keeps a journal. Blocking; the journal calls it in a worker thread, one at a time.

A store is taken before it is used and released afterwards. While it is taken, no other run may write to it. Times are
by the store's own clock, so that runs on several machines agree on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from norce_order_async.bulk.journal.reading import State
from norce_order_async.bulk.journal.samples import Load
from norce_order_async.bulk.source import Item


@dataclass(frozen=True, slots=True)
class Change:
    """A new state of one item, with its result."""

    number: int
    state: State
    attempts: int = 0
    reason: str = ""
    code: str | None = None
    """The service's code, if it refused."""
    said: str | None = None
    """The service's message, if it refused."""
    correlation_id: str = ""
    was_sent: bool = False
    """For an item that is planned again: whether an earlier request may have arrived."""
    line: bytes = b""
    """The line that it adds to the file that the job makes."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The differences between a list of items and the list in the journal: their number, and the first few keys."""

    added: tuple[int, tuple[str, ...]]
    gone: tuple[int, tuple[str, ...]]
    changed: tuple[int, tuple[str, ...]]

    EXAMPLES = 3
    """Keys that are named of each kind."""

    def __bool__(self) -> bool:
        return any(count for count, _ in (self.added, self.gone, self.changed))

    def __str__(self) -> str:
        parts = (("new", self.added), ("missing", self.gone), ("with different rows", self.changed))
        return ", ".join(f"{count} {what}: {_some(keys, count)}" for what, (count, keys) in parts if count)


class Store(Protocol):
    """Keeps a journal. Every method may raise ``JournalError``."""

    @property
    def name(self) -> str:
        """The journal's name in texts, without a password."""
        ...

    def take(self) -> None:
        """Open the journal for this run alone; it is made if it does not exist. This does not wait for another run.

        Raises:
            JournalLockedError: another run has it.
            JournalError: it can't be opened, is damaged, or is not a journal.
        """
        ...

    def renew(self) -> None:
        """Renew the lease, if the store has one.

        Raises:
            JournalLockedError: another run has the journal now.
        """
        ...

    def release(self) -> None:
        """Close the journal, so that another run may take it. Does nothing if it is not taken."""
        ...

    def abandon(self) -> None:
        """In a forked child, drop the child's copy without touching the parent's."""
        ...

    @property
    def kept_back(self) -> Callable[[], str | None] | None:
        """Returns the reason if no request may be sent now, because another run may have the journal; otherwise None.

        It never blocks. None for a store that no other run can take while this process lives.
        """
        ...

    def since_late(self) -> float | None:
        """Seconds since the lease of an earlier run ended without a release. It may have sent until then.

        None if the earlier run released it, or has certainly ended.
        """
        ...

    def facts(self) -> dict[str, Any]:
        """The facts about the job as a whole."""
        ...

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Begin a new listing, which replaces one that was not finished.

        Raises:
            JournalError: the journal is damaged: an item was acted on, although the listing was not finished.
        """
        ...

    def prepared(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return items in the form in which they are added or compared sooner. Called while other items are written."""
        ...

    def add(self, items: Sequence[Item]) -> tuple[int, str | None]:
        """Plan items whose numbers follow one another. Returns how many were listed before, and the key of one that was
        listed with a different row."""
        ...

    def put_facts(self, facts: Mapping[str, Any]) -> None:
        """Write facts about the job, replacing those of the same names."""
        ...

    def begin_comparison(self) -> None:
        """Start a list of keys to compare the source with."""
        ...

    def compare(self, items: Sequence[Item]) -> None:
        """Add items to the list that is compared."""
        ...

    def difference(self) -> Difference:
        """The differences between the compared list and the journal's."""
        ...

    def counts(self) -> dict[str, int]:
        """The number of items by state."""
        ...

    def since_sent(self) -> float | None:
        """Seconds since the latest item in flight was sent; None if none is in flight."""
        ...

    def last_change(self) -> float | None:
        """When an item last changed its state, in seconds since 1970; None if none has."""
        ...

    def some(self, state: State, after: int, count: int) -> list[Item]:
        """The next items in a state, in the order of the source."""
        ...

    def take_samples(self, load: Load) -> bool:
        """Take samples of the load until the store is released, and return True. It never blocks.

        False if the store does not: the journal then takes them, and records them with its changes.
        """
        ...

    def record(self, changes: Sequence[Change], facts: Mapping[str, Any]) -> None:
        """Record changes of items together with facts, all or nothing. When it returns, they are on disk."""
        ...

    def move(self, state: State, to: State) -> int:
        """Move all items in a state to another state, and return how many."""
        ...


def _some(keys: Sequence[str], count: int) -> str:
    return ", ".join(keys) + (", ..." if count > len(keys) else "")
