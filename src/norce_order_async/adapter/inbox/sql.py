"""The entries of an inbox in SQL, for SQLite and PostgreSQL alike. Blocking; the inbox calls it in a worker thread.

Every entry has a time at which it is due: a waiting one when it is to be handled, a working one when its lease is over
and its process counts as gone. So both are taken by the same query. Taking an entry raises its epoch, and its end is
recorded only for that epoch: an end that comes too late changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Protocol, TypeVar, final

from norce_order_async.adapter.deliveries import WINDOW, Delivery
from norce_order_async.adapter.inbox.protocol import STATES, InboxCounts, InboxEntry, State, Taken

T = TypeVar("T")

PAGE: Final = 500
"""Entries that are read in one query."""

COLUMNS: Final = """
    adapter_id TEXT NOT NULL,
    route TEXT NOT NULL,
    merchant TEXT NOT NULL,
    channel TEXT NOT NULL,
    order_id TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    received {real} NOT NULL,
    modified {real},
    body {bytes} NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    due {real} NOT NULL,
    changed {real} NOT NULL,
    error TEXT NOT NULL
"""
INDEXES: Final = """
CREATE INDEX norce_inbox_due ON norce_inbox (due, id) WHERE state IN ('waiting', 'working');
CREATE INDEX norce_inbox_state ON norce_inbox (state, changed);
CREATE INDEX norce_inbox_order ON norce_inbox (order_id, modified) WHERE state = 'handled' AND modified IS NOT NULL;
"""

_STORE: Final = """
    INSERT INTO norce_inbox (adapter_id, route, merchant, channel, order_id, key, received, modified, body, state,
        attempts, epoch, due, changed, error)
    VALUES (:adapter_id, :route, :merchant, :channel, :order_id, :key, :received, :modified, :body, 'waiting',
        0, 0, :now, :now, '')
    ON CONFLICT (key) DO UPDATE SET received = excluded.received, body = excluded.body, state = 'waiting',
        attempts = 0, due = excluded.due, changed = excluded.changed, error = ''
    WHERE norce_inbox.state = 'dead' OR (norce_inbox.state = 'handled' AND norce_inbox.changed <= :now - :window)
"""
_END: Final = """
    UPDATE norce_inbox SET state = CAST(:state AS TEXT), due = :now + :pause, changed = :now, error = :error,
        attempts = attempts - :unused, body = CASE CAST(:state AS TEXT) WHEN 'handled' THEN :empty ELSE body END
    WHERE id = :id AND epoch = :epoch AND state = 'working'
"""
_FORGET: Final = """
    DELETE FROM norce_inbox WHERE id IN (
        SELECT id FROM norce_inbox WHERE state = 'handled' AND changed <= :now - :window
        ORDER BY changed LIMIT :count {skip})
"""
_DUE: Final = """
    SELECT id, epoch + 1, attempts + 1, adapter_id, route, merchant, channel, order_id, key, received, modified, body,
        EXISTS (SELECT 1 FROM norce_inbox newer WHERE newer.state = 'handled' AND newer.order_id = entry.order_id
            AND newer.adapter_id = entry.adapter_id AND newer.merchant = entry.merchant
            AND newer.channel = entry.channel AND newer.modified > entry.modified)
    FROM norce_inbox entry
    WHERE state IN ('waiting', 'working') AND due <= :now AND (CAST(:adapter_id AS TEXT) IS NULL
        OR adapter_id = :adapter_id)
    ORDER BY due, id LIMIT :count {skip}
"""
_TAKE: Final = """
    UPDATE norce_inbox SET state = 'working', epoch = epoch + 1, attempts = attempts + 1, due = :now + :lease,
        changed = :now
    WHERE id = :id
"""
_RENEW: Final = """
    UPDATE norce_inbox SET due = :now + :lease WHERE id = :id AND epoch = :epoch AND state = 'working'
"""
_NEXT: Final = """
    SELECT min(due) - :now FROM norce_inbox WHERE state IN ('waiting', 'working')
        AND (CAST(:adapter_id AS TEXT) IS NULL OR adapter_id = :adapter_id)
"""
_ENTRIES: Final = """
    SELECT id, state, adapter_id, route, merchant, channel, order_id, received, attempts, due, changed, error
    FROM norce_inbox WHERE id > :after AND (CAST(:state AS TEXT) IS NULL OR state = :state) ORDER BY id LIMIT :count
"""
_STATE: Final = "SELECT state FROM norce_inbox WHERE id = :id {lock}"
_AGAIN: Final = """
    UPDATE norce_inbox SET state = 'waiting', attempts = 0, due = :now, changed = :now, error = '' WHERE id = :id
"""
_DROP: Final = "DELETE FROM norce_inbox WHERE id = :id"
_COUNTS: Final = "SELECT state, count(*) FROM norce_inbox GROUP BY state"
_OLDEST: Final = "SELECT min(received), :now FROM norce_inbox WHERE state IN ('waiting', 'working')"


@dataclass(frozen=True, slots=True)
class Held:
    """An entry that this process has taken."""

    id: int
    epoch: int
    taken: Taken


@dataclass(frozen=True, slots=True)
class End:
    """The end of an entry's handling, and its new state."""

    held: Held
    state: State
    pause: float = 0.0
    """Seconds before a waiting entry is due."""
    error: str = ""
    unused: int = 0
    """Attempts that do not count."""


Change = Delivery | End


class Statements(Protocol):
    """Runs statements in one transaction. Parameters are named, as in ``:id``; ``:now`` is always there."""

    def change(self, each: Sequence[tuple[str, Mapping[str, Any]]]) -> list[int]:
        """Run statements with their parameters, and return how many rows each has changed."""
        ...

    def rows(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        ...


class Store(Protocol):
    """Keeps entries. Every method raises an ``InboxError`` if it fails."""

    skip: ClassVar[str]
    """The clause with which a query skips rows that others have locked."""
    lock: ClassVar[str]
    """The clause with which a query locks its rows."""

    @property
    def lease(self) -> float:
        """Seconds after which an entry is taken from a process that has not renewed it."""
        ...

    @property
    def name(self) -> str:
        """The inbox's name in texts, without a password."""
        ...

    def open(self) -> None:
        """Open the store; it is made if it does not exist."""
        ...

    def close(self) -> None:
        """Close it."""
        ...

    def begin_work(self) -> None:
        """Called before this process takes entries."""
        ...

    def end_work(self) -> None:
        """Called when this process takes no more entries."""
        ...

    def run(self, work: Callable[[Statements], T]) -> T:
        """Return the result of ``work``. Its statements take effect together, and are on disk afterwards."""
        ...


@final
class Entries:
    """The entries in a store."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    def write(self, changes: Sequence[Change]) -> list[bool]:
        """Store deliveries and end entries; return for each whether it changed something."""
        # In the order of the keys, so that two processes that write the same entries can't deadlock.
        order = sorted(range(len(changes)), key=lambda place: _key(changes[place]))

        each = [_written(changes[place]) for place in order]
        each.append((_FORGET.format(skip=self._store.skip), {"window": WINDOW, "count": 2 * len(changes) + 10}))
        counts = self._store.run(lambda statements: statements.change(each))
        changed = [False] * len(changes)
        for place, count in zip(order, counts, strict=False):
            changed[place] = count > 0
        return changed

    def take(self, count: int, adapter_id: str | None) -> list[Held]:
        """Take entries that are due, the longest due first."""

        def work(statements: Statements) -> list[Held]:
            asked = {"count": count, "adapter_id": adapter_id}
            skip = self._store.skip.replace("UPDATE", "UPDATE OF entry")
            held = [_held(row) for row in statements.rows(_DUE.format(skip=skip), asked)]
            if held:
                statements.change([(_TAKE, {"id": each.id, "lease": self._store.lease}) for each in held])
            return held

        return self._store.run(work)

    def renew(self, held: Sequence[Held]) -> list[bool]:
        """Keep entries for another lease; return for each whether this process still has it."""
        each = sorted(held, key=lambda one: one.taken.delivery.key)
        given = [(_RENEW, {"id": one.id, "epoch": one.epoch, "lease": self._store.lease}) for one in each]
        counts = self._store.run(lambda statements: statements.change(given))
        kept = {one.id for one, count in zip(each, counts, strict=True) if count}
        return [one.id in kept for one in held]

    def next_due(self, adapter_id: str | None) -> float | None:
        """Seconds until the next entry is due; None if there is none."""
        asked = {"adapter_id": adapter_id}
        ((seconds,),) = self._store.run(lambda statements: statements.rows(_NEXT, asked))
        return None if seconds is None else float(seconds)

    def page(self, state: State | None, after: int) -> list[InboxEntry]:
        """The next entries, by their ids."""
        asked = {"state": state, "after": after, "count": PAGE}
        return [_entry(row) for row in self._store.run(lambda statements: statements.rows(_ENTRIES, asked))]

    def retry(self, id: int) -> State | None:
        """Have an entry handled again; a handled one is forgotten."""
        return self._change(id, {"waiting": _AGAIN, "dead": _AGAIN, "handled": _DROP})

    def drop(self, id: int) -> State | None:
        """Remove an entry."""
        return self._change(id, {"waiting": _DROP, "dead": _DROP, "handled": _DROP})

    def counts(self) -> InboxCounts:
        """Count the entries by state, with the age of the oldest."""

        def work(statements: Statements) -> InboxCounts:
            found = dict(statements.rows(_COUNTS, {}))
            ((received, now),) = statements.rows(_OLDEST, {})
            oldest = 0.0 if received is None else max(0.0, now - received)
            return InboxCounts(counts={state: int(found.get(state, 0)) for state in STATES}, oldest=oldest)

        return self._store.run(work)

    def _change(self, id: int, by_state: Mapping[State, str]) -> State | None:
        def work(statements: Statements) -> State | None:
            found = statements.rows(_STATE.format(lock=self._store.lock), {"id": id})
            if not found:
                return None
            state: State = found[0][0]
            if state in by_state:
                statements.change([(by_state[state], {"id": id})])
            return state

        return self._store.run(work)


def _key(change: Change) -> str:
    return change.key if isinstance(change, Delivery) else change.held.taken.delivery.key


def _written(change: Change) -> tuple[str, Mapping[str, Any]]:
    return (_STORE, _stored(change)) if isinstance(change, Delivery) else (_END, _ended(change))


def _stored(delivery: Delivery) -> Mapping[str, Any]:
    return {
        "adapter_id": delivery.adapter_id,
        "route": delivery.route,
        "merchant": delivery.merchant,
        "channel": delivery.channel,
        "order_id": delivery.order_id,
        "key": delivery.key,
        "received": delivery.received_at.timestamp(),
        "modified": None if delivery.modified is None else delivery.modified.timestamp(),
        "body": delivery.body,
        "window": WINDOW,
    }


def _ended(end: End) -> Mapping[str, Any]:
    return {
        "id": end.held.id,
        "epoch": end.held.epoch,
        "state": end.state,
        "pause": end.pause,
        "error": end.error,
        "unused": end.unused,
        "empty": b"",
    }


def _held(row: tuple[Any, ...]) -> Held:
    number, epoch, attempt, adapter_id, route, merchant, channel, order_id, key, received, modified, body, stale = row
    delivery = Delivery(
        adapter_id=adapter_id,
        route=route,
        merchant=merchant,
        channel=channel,
        order_id=order_id,
        body=bytes(body),
        received_at=_moment(received),
        modified=None if modified is None else _moment(modified),
        key=key,
    )
    return Held(number, epoch, Taken(delivery, attempt, bool(stale)))


def _entry(row: tuple[Any, ...]) -> InboxEntry:
    number, state, adapter_id, route, merchant, channel, order_id, received, attempts, due, changed, error = row
    return InboxEntry(
        id=number,
        state=state,
        adapter_id=adapter_id,
        route=route,
        merchant=merchant,
        channel=channel,
        order_id=order_id,
        received_at=_moment(received),
        attempts=attempts,
        due=_moment(due) if state == "waiting" else None,
        changed=_moment(changed),
        error=error,
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
