"""An inbox in a SQLite file, for the processes of one machine. All may store into it, and one handles the entries."""

from __future__ import annotations

import math
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar, final

from norce_order_async.adapter.inbox.protocol import InboxError, InboxLockedError
from norce_order_async.adapter.inbox.sql import COLUMNS, INDEXES, Statements
from norce_order_async.adapter.inbox.stored import StoredInbox
from norce_order_async.checking import path_of
from norce_order_async.runtime.clock import Clock, SystemClock
from norce_order_async.storage.files import FileKind, FileLock, transaction

T = TypeVar("T")

# AUTOINCREMENT: an id is never used again, so a noted id never means another entry.
_SCHEMA: Final = f"""
CREATE TABLE norce_inbox (id INTEGER PRIMARY KEY AUTOINCREMENT, {COLUMNS.format(real="REAL", bytes="BLOB")});
{INDEXES}
"""
KIND: Final = FileKind(
    name="inbox", of="an adapter", application_id=0x4E6F4962, version=1, schema=_SCHEMA, error=InboxError
)


class SqliteInbox(StoredInbox):
    """An inbox in a file of its own, for an adapter that runs as one process.

    Other processes of the machine may store into it and read it, but only one at a time handles its entries. Several
    processes or machines that handle the entries of one inbox need a :class:`PostgresInbox`.

    For example::

        inbox = SqliteInbox("erp.inbox")
        adapter = norce.adapter("erp", secret=os.environ["ERP_PATH_SECRET"], inbox=inbox)

    Args:
        path: the file, made if it does not exist. Only its owner can read it, because it holds orders until they are
            handled. It must be on a local disk.
        max_attempts: how often a handler is started for an entry before the entry is dead.
        backoff_base: seconds; the pause before the second attempt is at most this, and the bound doubles each time.
        backoff_cap: seconds; no pause is longer.
        clock: the source of time, for tests.

    Raises:
        ConfigurationError: an argument can't be used.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_attempts: int = 20,
        backoff_base: float = 1.0,
        backoff_cap: float = 900.0,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(
            _SqliteStore(path_of("path", path), SystemClock() if clock is None else clock),
            max_attempts=max_attempts,
            backoff_base=backoff_base,
            backoff_cap=backoff_cap,
            clock=clock,
        )


@final
class _SqliteStore:
    """Entries in a file."""

    skip: ClassVar[str] = ""
    lock: ClassVar[str] = ""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = FileLock(path)
        self._connection: sqlite3.Connection | None = None

    @property
    def lease(self) -> float:
        # The process that handles entries holds a lock, so no other process can take them.
        return math.inf

    @property
    def name(self) -> str:
        return str(self._path)

    def open(self) -> None:
        self._connection = KIND.connect(self._path)

    def close(self) -> None:
        self._lock.release()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def begin_work(self) -> None:
        with KIND.errors(self._path):
            free = self._lock.take()
        if not free:
            raise InboxLockedError(
                f"another process works on inbox {self._path}: run the adapter as one process, or use a PostgresInbox"
            )
        try:
            # Entries that an earlier process left when it ended.
            left = "UPDATE norce_inbox SET due = :now WHERE state = 'working'"
            self.run(lambda statements: statements.change([(left, {})]))
        except BaseException:
            self._lock.release()
            raise

    def end_work(self) -> None:
        self._lock.release()

    def run(self, work: Callable[[Statements], T]) -> T:
        if self._connection is None:
            raise InboxError(f"inbox {self._path} is closed")
        with KIND.errors(self._path), transaction(self._connection):
            return work(_SqliteStatements(self._connection, self._clock.wall()))


class _SqliteStatements:
    def __init__(self, connection: sqlite3.Connection, now: float) -> None:
        self._connection = connection
        self._now = now

    def change(self, each: Sequence[tuple[str, Mapping[str, Any]]]) -> list[int]:
        execute = self._connection.execute
        return [execute(statement, {**parameters, "now": self._now}).rowcount for statement, parameters in each]

    def rows(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, {**parameters, "now": self._now}).fetchall()
