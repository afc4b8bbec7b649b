"""A journal in a SQLite file, in WAL mode. Blocking; the journal calls it in a worker thread, one call at a time.

Every commit is on disk before it counts (``synchronous=FULL``), so that neither ``kill -9`` nor a power cut can undo
the mark that an item was sent. Without that mark, the item would be sent again without a read before. Commits are made
in groups, so all changes that wait share one write to disk. A new file is built aside and moved into place whole. A
file that is not a journal is left untouched.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from norce_order_async.bulk.journal import reading
from norce_order_async.bulk.journal.errors import JournalError
from norce_order_async.bulk.journal.lock import RunLock
from norce_order_async.bulk.journal.reading import State
from norce_order_async.bulk.journal.samples import Load
from norce_order_async.bulk.journal.store import Change, Difference
from norce_order_async.bulk.source import Item, hash_of
from norce_order_async.storage.files import FileKind, transaction

_SCHEMA = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE item (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    asked TEXT NOT NULL,
    hash BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'planned',
    attempts INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    code TEXT,
    said TEXT,
    correlation_id TEXT NOT NULL DEFAULT '',
    sent REAL,
    changed REAL
);
"""

KIND: Final = FileKind(
    name="journal",
    of="a bulk job",
    application_id=0x4E6F4A6C,
    version=2,
    schema=_SCHEMA,
    error=JournalError,
    on_full="free some space and run it again",
)
file_errors: Final = KIND.errors
"""Turns errors of SQLite and of the operating system into a ``JournalError`` in words."""
check_header: Final = KIND.check_header
"""Checks a file's first bytes without changing it; raises ``JournalError`` if it is not a journal."""


class SqliteStore:
    """A journal in a file of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = RunLock(path)
        self._open: sqlite3.Connection | None = None

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self._path)

    def take(self) -> None:
        """Open the file and take its lock; the file is made if it does not exist."""
        with file_errors(self._path):
            self._lock.take()
        try:
            self._open = KIND.connect(self._path, self._check)
        except BaseException:
            self._lock.release()
            raise

    def _check(self, connection: sqlite3.Connection) -> None:
        reading.reads_as_text(connection)
        reading.check_items(self._path, connection, one_by_one=True)

    def renew(self) -> None:
        """Do nothing: the operating system keeps the lock as long as the process lives."""

    def release(self) -> None:
        """Close the file and drop the lock."""
        if self._open is not None:
            self._open.close()
            self._open = None
        self._lock.release()

    def abandon(self) -> None:
        """Release the child's copy of the lock. The open file belongs to the parent."""
        self._lock.release()

    @property
    def kept_back(self) -> None:
        """None: no other run can take the lock while this process lives."""
        return

    def since_late(self) -> float | None:
        """None: a lock ends with its process, not before."""
        return None

    def facts(self) -> dict[str, Any]:
        """The facts about the job as a whole."""
        with file_errors(self._path):
            return reading.facts(self._path, self._connection.execute("SELECT name, value FROM fact").fetchall())

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Begin a new listing, which replaces one that was not finished.

        Raises:
            JournalError: the file is damaged: an item was acted on, although the listing was not finished.
        """
        with self._transaction():
            begun = self._connection.execute("SELECT number FROM item WHERE state <> 'planned' LIMIT 1").fetchone()
            if begun is not None:
                raise JournalError(
                    f"journal {self._path}, row {begun[0]}: it was acted on, and the journal does not say that its "
                    "list is whole; it is damaged and was left as it is"
                )
            self._connection.execute("DELETE FROM item")
            self._connection.execute("DELETE FROM fact")
            self._put_facts(facts)

    def put_facts(self, facts: Mapping[str, Any]) -> None:
        """Write facts about the job, replacing those of the same names."""
        with self._transaction():
            self._put_facts(facts)

    def prepared(self, items: Sequence[Item]) -> Sequence[Item]:
        """The same items."""
        return items

    def add(self, items: Sequence[Item]) -> tuple[int, str | None]:
        """Plan items. Returns how many were listed before, and the key of one that was listed with a different row."""
        with self._transaction():
            before = self._connection.total_changes
            self._connection.executemany(
                "INSERT OR IGNORE INTO item (number, key, asked, hash) VALUES (?, ?, ?, ?)", _rows(items)
            )
            ignored = len(items) - (self._connection.total_changes - before)
            if not ignored:
                return 0, None
            for item in items:
                (found,) = self._connection.execute("SELECT hash FROM item WHERE key = ?", (item.key,)).fetchone()
                if found != item.hash:
                    return ignored, item.key
            return ignored, None

    def begin_comparison(self) -> None:
        """Start a list of keys to compare the source with."""
        with file_errors(self._path):
            self._connection.execute("DROP TABLE IF EXISTS temp.given")
            self._connection.execute(
                "CREATE TEMP TABLE given (number INTEGER, key TEXT PRIMARY KEY, asked TEXT, hash BLOB) WITHOUT ROWID"
            )

    def compare(self, items: Sequence[Item]) -> None:
        """Add items to the list that is compared."""
        with self._transaction():
            self._connection.executemany("INSERT OR IGNORE INTO temp.given VALUES (?, ?, ?, ?)", _rows(items))

    def difference(self) -> Difference:
        """The differences between the compared list and the journal's."""
        added = "FROM temp.given g LEFT JOIN item i USING (key) WHERE i.key IS NULL"
        gone = "FROM item i LEFT JOIN temp.given g USING (key) WHERE g.key IS NULL"
        changed = "FROM item i JOIN temp.given g USING (key) WHERE g.hash <> i.hash"
        with file_errors(self._path):
            difference = Difference(*(self._counted(part) for part in (added, gone, changed)))
            self._connection.execute("DROP TABLE temp.given")
        return difference

    def counts(self) -> dict[str, int]:
        """The number of items by state."""
        with file_errors(self._path):
            return dict(self._connection.execute("SELECT state, count(*) FROM item GROUP BY state").fetchall())

    def since_sent(self) -> float | None:
        """Seconds since the latest item in flight was sent, by the machine's clock; None if none is in flight."""
        with file_errors(self._path):
            (found,) = self._connection.execute("SELECT max(changed) FROM item WHERE state = 'sent'").fetchone()
        return None if found is None else time.time() - float(found)

    def last_change(self) -> float | None:
        """When an item last changed its state, in seconds since 1970 by the machine's clock; None if none has."""
        with file_errors(self._path):
            (found,) = self._connection.execute("SELECT max(changed) FROM item").fetchone()
        return None if found is None else float(found)

    def some(self, state: State, after: int, count: int) -> list[Item]:
        """The next items in a state, in the order of the source."""
        with file_errors(self._path):
            found = self._connection.execute(
                f"SELECT {reading.ROW} FROM item WHERE state = ? AND number > ? ORDER BY number LIMIT ?",  # noqa: S608
                (state, after, count),
            ).fetchall()
        rows = (reading.row(self._path, values) for values in found)
        return [Item(row.number, row.key, row.asked, was_sent=row.sent is not None) for row in rows]

    def take_samples(self, load: Load) -> bool:  # noqa: ARG002 - as the journal asks every store
        """False: the journal records samples with its changes, because a separate write would wait for the disk."""
        return False

    def record(self, changes: Sequence[Change], facts: Mapping[str, Any]) -> None:
        """Record changes of items together with facts."""
        now = time.time()
        with self._transaction():
            self._connection.executemany(
                "UPDATE item SET state = ?1, changed = ?2, attempts = attempts + ?3, reason = ?4, code = ?5, "
                "said = ?6, correlation_id = ?7, sent = CASE WHEN ?1 = 'sent' THEN ?2 WHEN ?1 = 'planned' AND NOT ?8 "
                "THEN NULL ELSE sent END WHERE number = ?9",
                [
                    (c.state, now, c.attempts, c.reason, c.code, c.said, c.correlation_id, c.was_sent, c.number)
                    for c in changes
                ],
            )
            self._put_facts(facts)

    def move(self, state: State, to: State) -> int:
        """Move all items in a state to another state, and return how many."""
        with self._transaction():
            # A refused item took no effect, so it counts as not sent.
            moved = "UPDATE item SET state = ?1, sent = CASE ?2 WHEN 'refused' THEN NULL ELSE sent END WHERE state = ?2"
            return self._connection.execute(moved, (to, state)).rowcount

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._open is None:
            raise JournalError(f"journal {self._path} is closed")
        return self._open

    def _put_facts(self, facts: Mapping[str, Any]) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO fact VALUES (?, ?)", [(name, json.dumps(value)) for name, value in facts.items()]
        )

    def _counted(self, part: str) -> tuple[int, tuple[str, ...]]:
        count = int(self._connection.execute(f"SELECT count(*) {part}").fetchone()[0])
        return count, tuple(
            str(key) for (key,) in self._connection.execute(f"SELECT key {part} LIMIT {Difference.EXAMPLES}")
        )

    @contextmanager
    def _transaction(self) -> Generator[None]:
        with file_errors(self._path), transaction(self._connection):
            yield


def _rows(items: Sequence[Item]) -> list[tuple[int, str, str, bytes]]:
    return [(item.number, item.key, asked := item.asked, hash_of(item.key, asked)) for item in items]
