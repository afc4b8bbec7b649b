"""An inbox in PostgreSQL, for several processes and machines."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, final

from norce_order_async.adapter.inbox.protocol import InboxError
from norce_order_async.adapter.inbox.sql import COLUMNS, INDEXES, Statements
from norce_order_async.adapter.inbox.stored import StoredInbox
from norce_order_async.checking import check_number
from norce_order_async.errors import ConfigurationError
from norce_order_async.runtime.clock import Clock
from norce_order_async.storage.postgres import PostgresConnection

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")

_COLUMNS: Final = COLUMNS.format(real="DOUBLE PRECISION", bytes="BYTEA")
_COMMENT: Final = "Notifications of adapters, norce-order-async, format "
_VERSION: Final = "1"
_SCHEMA: Final = f"""
CREATE TABLE norce_inbox (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {_COLUMNS});
{INDEXES}
COMMENT ON TABLE norce_inbox IS '{_COMMENT}{_VERSION}';
"""
_MAKING: Final = 0x4E6F4962
"""The key of the advisory lock under which the table is made."""

_PARAMETER: Final = re.compile(r"(?<!:):([a-z_]+)")
_NOW: Final = "EXTRACT(EPOCH FROM CLOCK_TIMESTAMP())::FLOAT8"
"""The database's clock: processes on several machines agree on it."""


class PostgresInbox(StoredInbox):
    """An inbox in a table of a PostgreSQL database, for an adapter that runs as several processes or on several
    machines.

    The table ``norce_inbox`` is made in the first schema of the search path. A process that handles an entry has it on
    a lease, which it renews. If the process ends, or can't reach the database for that long, another one takes the
    entry; a handler that still runs is cancelled before that.

    For example::

        inbox = PostgresInbox(os.environ["INBOX_URL"])
        adapter = norce.adapter("erp", secret=os.environ["ERP_PATH_SECRET"], inbox=inbox)

    Needs the extra ``postgres``.

    Args:
        dsn: the address, ``postgresql://user:password@host/database``.
        max_attempts: how often a handler is started for an entry before the entry is dead.
        backoff_base: seconds; the pause before the second attempt is at most this, and the bound doubles each time.
        backoff_cap: seconds; no pause is longer.
        lease: seconds after which an entry whose process has ended is taken by another.
        clock: the source of time for pauses in this process, for tests.

    Raises:
        ConfigurationError: an argument can't be used, or the extra is not installed.
    """

    def __init__(
        self,
        dsn: str,
        *,
        max_attempts: int = 20,
        backoff_base: float = 1.0,
        backoff_cap: float = 900.0,
        lease: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        check_number("lease", lease, "seconds, more than 0", ConfigurationError, above=True)
        super().__init__(
            _PostgresStore(PostgresConnection(dsn, "inbox", InboxError), lease),
            max_attempts=max_attempts,
            backoff_base=backoff_base,
            backoff_cap=backoff_cap,
            clock=clock,
        )


@final
class _PostgresStore:
    """Entries in a table."""

    skip: ClassVar[str] = "FOR UPDATE SKIP LOCKED"
    lock: ClassVar[str] = "FOR UPDATE"

    def __init__(self, connection: PostgresConnection, lease: float) -> None:
        self._connection = connection
        self._lease = lease

    @property
    def lease(self) -> float:
        return self._lease

    @property
    def name(self) -> str:
        return self._connection.where

    def open(self) -> None:
        self._connection.open(_prepare)

    def close(self) -> None:
        self._connection.close()

    def begin_work(self) -> None:
        pass

    def end_work(self) -> None:
        pass

    def run(self, work: Callable[[Statements], T]) -> T:
        def in_transaction(connection: psycopg.Connection[Any]) -> T:
            with connection.transaction():
                return work(_PostgresStatements(connection))

        return self._connection.run(in_transaction)


def _prepare(connection: psycopg.Connection[Any]) -> None:
    """Make the table if it does not exist.

    Raises:
        InboxError: there is a table of that name with another format.
    """
    if _comment(connection) is None:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
            if _comment(connection) is None:
                connection.execute(_SCHEMA.encode())
    comment = _comment(connection)
    if comment != f"{_COMMENT}{_VERSION}":
        known = comment is not None and comment.startswith(_COMMENT)
        what = f"of format {comment.removeprefix(_COMMENT)}" if comment and known else "of something else"
        raise InboxError(
            f"the table norce_inbox of this database is {what}, and this version reads format {_VERSION}: it was left "
            "as it is; name another database or schema"
        )


def _comment(connection: psycopg.Connection[Any]) -> str | None:
    """The comment of the table: empty if it has none, None if there is no table."""
    # Not to_regclass, which does not see a table that another process has made since this session looked last.
    found = connection.execute(
        "SELECT coalesce(obj_description(oid, 'pg_class'), '') FROM pg_class "
        "WHERE relname = 'norce_inbox' AND pg_table_is_visible(oid)"
    ).fetchone()
    return None if found is None else str(found[0])


class _PostgresStatements:
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def change(self, each: Sequence[tuple[str, Mapping[str, Any]]]) -> list[int]:
        # Sent together, for one wait.
        with self._connection.pipeline():
            cursors = [self._connection.execute(_query(statement), parameters) for statement, parameters in each]
        return [cursor.rowcount for cursor in cursors]

    def rows(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return self._connection.execute(_query(statement), parameters).fetchall()


@lru_cache
def _query(statement: str) -> bytes:
    """A statement in the form of the driver."""
    named = _PARAMETER.sub(lambda found: _NOW if found[1] == "now" else f"%({found[1]})s", statement)
    return named.encode()
