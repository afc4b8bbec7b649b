"""What a journal needs of the place where it is kept. Blocking; the journal calls it in a worker thread, one call at a
time.

A store is taken before it is used and released afterwards; while it is taken, nobody else may write to it. Moments are
the store's own, so that runs on several machines agree on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from norce_order_async.bulk.journal.reading import State
from norce_order_async.bulk.source import Item


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one item."""

    number: int
    state: State
    attempts: int = 0
    reason: str = ""
    code: str | None = None
    """The service's, when it refused."""
    said: str | None = None
    """The service's own words, when it refused."""
    correlation_id: str = ""
    was_sent: bool = False
    """For one that is planned again: whether it may have arrived when it was sent before."""
    line: bytes = b""
    """What it adds to the file the job makes."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How a list of items differs from the one in the journal: how many, and the first few keys."""

    added: tuple[int, tuple[str, ...]]
    gone: tuple[int, tuple[str, ...]]
    changed: tuple[int, tuple[str, ...]]

    EXAMPLES = 3
    """Keys of each that are named."""

    def __bool__(self) -> bool:
        return any(count for count, _ in (self.added, self.gone, self.changed))

    def __str__(self) -> str:
        parts = (("new", self.added), ("missing", self.gone), ("asked for differently", self.changed))
        return ", ".join(f"{count} {what}: {_some(keys, count)}" for what, (count, keys) in parts if count)


class Store(Protocol):
    """Where a journal is kept. Every method may raise ``JournalError``."""

    @property
    def name(self) -> str:
        """The journal's name for people; without passwords."""
        ...

    def take(self) -> None:
        """Open it, made if it is not there, for this run alone, without waiting for another to end.

        Raises:
            JournalLockedError: another run has it.
            JournalError: it can't be opened, is damaged, or is no journal.
        """
        ...

    def renew(self) -> None:
        """Say that this run still has it, where that is not known otherwise.

        Raises:
            JournalLockedError: another run has it now.
        """
        ...

    def release(self) -> None:
        """Close it, so that another run may take it. A store that is not taken stays as it is."""
        ...

    def abandon(self) -> None:
        """In a forked child: drop the child's copy, and leave what is the parent's alone."""
        ...

    @property
    def kept_back(self) -> Callable[[], str | None] | None:
        """Says why no request of this run may leave now: another run may have the journal by then. Never blocks. None
        where that can't be while this process lives."""
        ...

    def since_late(self) -> float | None:
        """Seconds since an earlier run lost the journal without a word: it may have sent until then. None when the
        earlier run released it, or has ended for certain."""
        ...

    def facts(self) -> dict[str, Any]:
        """What is known of the job as a whole."""
        ...

    def begin(self, facts: Mapping[str, Any]) -> None:
        """A new listing, in place of one that was not finished.

        Raises:
            JournalError: something was acted on already, which is never before the listing is whole.
        """
        ...

    def add(self, items: Sequence[Item]) -> tuple[int, str | None]:
        """Plan items: how many were there already, asked for in the same way; and the key of one asked otherwise."""
        ...

    def put_facts(self, facts: Mapping[str, Any]) -> None:
        """Write facts about the job, replacing those of the same names."""
        ...

    def begin_comparison(self) -> None:
        """Start a list of keys to compare the source with."""
        ...

    def compare(self, items: Sequence[Item]) -> None:
        """Add items to those given this time."""
        ...

    def difference(self) -> Difference:
        """How what was given this time differs from what is planned."""
        ...

    def counts(self) -> dict[str, int]:
        """Items by state."""
        ...

    def since_sent(self) -> float | None:
        """Seconds since the latest of the items in flight was sent; None when there are none."""
        ...

    def last_change(self) -> float | None:
        """When an item changed its state last, in seconds since 1970."""
        ...

    def some(self, state: State, after: int, count: int) -> list[Item]:
        """The next items in a state, in the order of the source."""
        ...

    def record(self, changes: Sequence[Change], facts: Mapping[str, Any]) -> None:
        """Write down what became of items, with facts; in effect wholly or not at all, and lasting when it returns."""
        ...

    def move(self, state: State, to: State) -> int:
        """Put all items of a state into another; how many."""
        ...


def _some(keys: Sequence[str], count: int) -> str:
    return ", ".join(keys) + (", ..." if count > len(keys) else "")
