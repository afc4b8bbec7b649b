"""The journal's file: SQLite in WAL mode. Blocking; the journal calls it in a worker thread, one call at a time.

Every commit is brought to disk before it counts (``synchronous=FULL``), so that neither ``kill -9`` nor a power cut
can take back that an item was sent: without that mark it would be sent again without a look. Commits are made in
groups, so one such write is shared by all that were waiting for it. A new file is built aside and moved into place
whole; a file that is not a journal of ours is left untouched.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from norce_order_async.bulk.journal import reading
from norce_order_async.bulk.journal.errors import JournalError
from norce_order_async.bulk.journal.lock import RunLock
from norce_order_async.bulk.journal.reading import State
from norce_order_async.bulk.journal.store import Change, Difference
from norce_order_async.bulk.source import Item, as_json

APPLICATION_ID = 0x4E6F4A6C
VERSION = 2
_MAGIC = b"SQLite format 3\x00"
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
        """Open the file, made if it is not there, and hold its lock."""
        with file_errors(self._path):
            self._lock.take()
        try:
            self._open = _opened(self._path)
        except BaseException:
            self._lock.release()
            raise

    def renew(self) -> None:
        """The operating system keeps the lock for as long as the process lives."""

    def release(self) -> None:
        """Close the file and drop the lock."""
        if self._open is not None:
            self._open.close()
            self._open = None
        self._lock.release()

    def abandon(self) -> None:
        """The open file is the parent's. Only the child's copy of the lock is released."""
        self._lock.release()

    @property
    def kept_back(self) -> None:
        """Nobody else has the lock while this process lives."""
        return

    def since_late(self) -> float | None:
        """A lock ends with its process, not before."""
        return None

    def facts(self) -> dict[str, Any]:
        """What is known of the job as a whole."""
        with file_errors(self._path):
            return reading.facts(self._path, self._connection.execute("SELECT name, value FROM fact").fetchall())

    def begin(self, facts: Mapping[str, Any]) -> None:
        """A new listing, in place of one that was not finished.

        Raises:
            JournalError: something was acted on already, which is never before the listing is whole.
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

    def add(self, items: Sequence[Item]) -> tuple[int, str | None]:
        """Plan items: how many were there already, asked for in the same way; and the key of one asked otherwise."""
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
        """Add items to those given this time."""
        with self._transaction():
            self._connection.executemany("INSERT OR IGNORE INTO temp.given VALUES (?, ?, ?, ?)", _rows(items))

    def difference(self) -> Difference:
        """How what was given this time differs from what is planned."""
        added = "FROM temp.given g LEFT JOIN item i USING (key) WHERE i.key IS NULL"
        gone = "FROM item i LEFT JOIN temp.given g USING (key) WHERE g.key IS NULL"
        changed = "FROM item i JOIN temp.given g USING (key) WHERE g.hash <> i.hash"
        with file_errors(self._path):
            difference = Difference(*(self._counted(part) for part in (added, gone, changed)))
            self._connection.execute("DROP TABLE temp.given")
        return difference

    def counts(self) -> dict[str, int]:
        """Items by state."""
        with file_errors(self._path):
            return dict(self._connection.execute("SELECT state, count(*) FROM item GROUP BY state").fetchall())

    def since_sent(self) -> float | None:
        """Seconds since the latest of the items in flight was sent, by the machine's clock."""
        with file_errors(self._path):
            (found,) = self._connection.execute("SELECT max(changed) FROM item WHERE state = 'sent'").fetchone()
        return None if found is None else time.time() - float(found)

    def last_change(self) -> float | None:
        """When an item changed its state last, by the machine's clock."""
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

    def record(self, changes: Sequence[Change], facts: Mapping[str, Any]) -> None:
        """Write down what became of items."""
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
        """Put all items of a state into another; how many."""
        with self._transaction():
            # What was refused took no effect, so it counts as not sent.
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
        with file_errors(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk may have ended it already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def check_header(path: Path) -> None:
    """Look at a file's first bytes without touching it.

    Raises:
        JournalError: it is no journal of ours.
    """
    with file_errors(path), path.open("rb") as file:
        header = file.read(100)
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise JournalError(f"{path} is no journal of a bulk job: it was left as it is; name another file")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise JournalError(f"{path} is a database of something else: it was left as it is; name another file")
    if (version := int.from_bytes(header[60:64], "big")) != VERSION:
        raise JournalError(f"{path} is a journal of format {version}, and this version knows {VERSION}")


@contextmanager
def file_errors(path: Path) -> Generator[None]:
    """Failures of the file in words.

    Raises:
        JournalError: instead of what SQLite or the operating system raised.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorname", "")
        why = {
            "SQLITE_FULL": "the disk is full; free some space and run it again",
            "SQLITE_READONLY": "it can't be written to",
            "SQLITE_BUSY": "another program has locked it",
            "SQLITE_CANTOPEN": "it can't be opened; check the folder and its rights",
        }.get(code)
        if why is None:
            damaged = code in ("SQLITE_CORRUPT", "SQLITE_NOTADB") or not isinstance(error, sqlite3.OperationalError)
            why = f"it is damaged and was left as it is ({error})" if damaged else f"it can't be written ({error})"
        raise JournalError(f"journal {path}: {why}") from error
    except OSError as error:
        raise JournalError(f"journal {path}: {error.strerror or error}") from error


def _opened(path: Path) -> sqlite3.Connection:
    with file_errors(path):
        if not path.exists():
            _build(path)
        check_header(path)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    try:
        with file_errors(path):
            _check_pages(connection)
            reading.reads_as_text(connection)
            reading.check_items(path, connection, one_by_one=True)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA fullfsync=ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_pages(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise sqlite3.DatabaseError("its pages do not fit together")


def _build(path: Path) -> None:
    aside = path.with_name(f"{path.name}.new")
    aside.unlink(missing_ok=True)
    os.close(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    connection = sqlite3.connect(aside, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript(
            f"BEGIN; PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={VERSION}; {_SCHEMA} COMMIT;"
        )
    finally:
        connection.close()
    aside.rename(path)


def _rows(items: Sequence[Item]) -> list[tuple[int, str, str, bytes]]:
    return [(item.number, item.key, as_json(item.row), item.hash) for item in items]
