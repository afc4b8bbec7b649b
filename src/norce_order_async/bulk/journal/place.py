"""Which job in which PostgreSQL database, and how it is reached.

No error here has psycopg's behind it: its frames hold the address and its password.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar
from urllib.parse import quote, unquote

from norce_order_async.bulk.journal.errors import JournalError, JournalUnreachableError
from norce_order_async.checking import check_kind, check_number
from norce_order_async.errors import ConfigurationError
from norce_order_async.storage.postgres import connected, driver

if TYPE_CHECKING:
    from psycopg import Connection

T = TypeVar("T")

LEASE: Final = 15.0
"""Seconds that a shard stays with a run that is not heard of."""

_OPTION: Final = re.compile(r"lease=([0-9]{1,9}(?:\.[0-9]{1,9})?)")
_WHY: Final[Mapping[str, str]] = {
    "53100": "its disk is full; free some space and run it again",
    "25006": "it can't be written to",
    "42501": "this role may not do that",
    "3D000": "there is no such database",
    "28P01": "it refuses this role or its password",
    "28000": "it refuses this role",
    "57P03": "it is starting or stopping",
    "57P01": "it was stopped",
}


@dataclass(frozen=True, slots=True)
class PostgresJob:
    """Names a job in a database. Users make :class:`~norce_order_async.bulk.shards.journal.PostgresJournal`."""

    dsn: str = field(repr=False)
    """The address of the database, which may hold a password."""
    job: str
    """The name of the job in the database."""
    lease: float = field(default=LEASE, kw_only=True)
    """Seconds until another run may take a shard of one that is not heard of."""

    def __post_init__(self) -> None:
        check_kind("dsn", self.dsn, str, "a string", ConfigurationError)
        if not self.dsn.startswith(("postgresql://", "postgres://")) or "\0" in self.dsn or "#" in self.dsn:
            raise ConfigurationError("dsn must be an address that begins with postgresql://")
        check_kind("job", self.job, str, "a string", ConfigurationError)
        if not self.job or not self.job.isprintable():
            raise ConfigurationError("job must be a name of letters that can be shown")
        check_number("lease", self.lease, "seconds above 0", ConfigurationError, above=True)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """The journal of a :attr:`url`: an address with the job's name behind a ``#``, and ``?lease=SECONDS`` behind
        that if it is another than 15.

        Raises:
            ConfigurationError: it is none. It is not shown.
        """
        check_kind("url", url, str, "a string", ConfigurationError)
        dsn, parted, rest = url.partition("#")
        if not parted:
            raise ConfigurationError("the address of a journal must end with #JOB, the job's name")
        job, more, option = rest.partition("?")
        if not more:
            return cls(dsn, unquote(job))
        given = _OPTION.fullmatch(option)
        if given is None:
            raise ConfigurationError("what follows #JOB? in the address of a journal must be lease=SECONDS")
        return cls(dsn, unquote(job), lease=float(given[1]))

    @property
    def url(self) -> str:
        """The address with the job's name and its lease, for ``run_shard`` and the command line. Holds what the address
        holds."""
        lease = "" if self.lease == LEASE else f"?lease={self.lease:f}"
        return f"{self.dsn}#{quote(self.job, safe='')}{lease}"

    def __str__(self) -> str:
        """The name without the address."""
        return f"{self.job!r} in PostgreSQL"


def read(job: PostgresJob, work: Callable[[Connection[Any]], T]) -> T:
    """What ``work`` reads from the database, on a connection of its own.

    Raises:
        JournalError: the database can't be reached, or what was asked for can't be read.
    """
    connection: Connection[Any] | None = None
    away: JournalUnreachableError | None = None
    try:
        connection = connect(job)
        return work(connection)
    except driver().Error as error:
        why = in_words(error)
        if connection is None and isinstance(error, driver().ProgrammingError):
            why = "its address can't be read"
        elif connection is None or connection.closed:
            away = JournalUnreachableError(f"journal {job}: its database can't be reached ({why})")
    finally:
        if connection is not None:
            connection.close()
    raise away or JournalError(f"journal {job}: {why}")


def connect(job: PostgresJob) -> Connection[Any]:
    """A new connection."""
    connection = connected(driver().conninfo.conninfo_to_dict(job.dsn))
    try:
        # A process that freezes inside a transaction may not keep its locks beyond its lease.
        connection.execute(
            "SELECT set_config('idle_in_transaction_session_timeout', %s, false)", (f"{int(job.lease * 1000)}ms",)
        )
    except BaseException:
        connection.close()
        raise
    return connection


def in_words(error: Any) -> str:
    """What is wrong, without what psycopg says: that may hold parts of an address or of a row."""
    code = error.sqlstate
    if code is None:
        return "the connection failed"
    return _WHY.get(code, f"{type(error).__name__}, code {code}")
