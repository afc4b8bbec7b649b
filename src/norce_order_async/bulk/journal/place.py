"""The address of a job in a PostgreSQL database, and connections to it.

No error here has psycopg's as its cause, whose frames hold the address and its password.
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
"""Seconds for which a run has a shard without renewing its lease."""

_OPTION: Final = re.compile(r"lease=([0-9]{1,9}(?:\.[0-9]{1,9})?)")
_WHY: Final[Mapping[str, str]] = {
    "53100": "its disk is full; free some space and run it again",
    "54000": "the id of an order is too long for it",
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
    """Names a job in a database. Users make :class:`~norce_order_async.bulk.shards.work.PostgresJournal`."""

    dsn: str = field(repr=False)
    """The address of the database, which may hold a password."""
    job: str
    """The name of the job in the database."""
    lease: float = field(default=LEASE, kw_only=True)
    """Seconds after which another run may take a shard, if this one does not renew its lease."""

    def __post_init__(self) -> None:
        check_kind("dsn", self.dsn, str, "a string", ConfigurationError)
        if not self.dsn.startswith(("postgresql://", "postgres://")) or "\0" in self.dsn or "#" in self.dsn:
            raise ConfigurationError("dsn must be an address that begins with postgresql://")
        check_kind("job", self.job, str, "a string", ConfigurationError)
        if not self.job or not self.job.isprintable():
            raise ConfigurationError("job must be a name of printable characters")
        check_number("lease", self.lease, "seconds above 0", ConfigurationError, above=True)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make a journal of its :attr:`url`: an address, ``#`` and the job's name, and ``?lease=SECONDS`` if not 15 s.

        Raises:
            ConfigurationError: it is not such an address. The text does not show it.
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
            raise ConfigurationError("after #JOB?, the address of a journal must have lease=SECONDS")
        return cls(dsn, unquote(job), lease=float(given[1]))

    @property
    def url(self) -> str:
        """The address with the job's name and its lease, for ``run_shard`` and the command line.

        It holds the password, if the address has one.
        """
        lease = "" if self.lease == LEASE else f"?lease={self.lease:f}"
        return f"{self.dsn}#{quote(self.job, safe='')}{lease}"

    def __str__(self) -> str:
        """The name without the address."""
        return f"{self.job!r} in PostgreSQL"


def read(job: PostgresJob, work: Callable[[Connection[Any]], T]) -> T:
    """Return the result of ``work``, which reads from the database on a connection of its own.

    Raises:
        JournalError: the database can't be reached or read.
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
    """Open a connection to the database of a job."""
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
    """Describe an error of psycopg without its text, which may hold parts of an address or of a row."""
    code = error.sqlstate
    if code is None:
        return "the connection failed"
    return _WHY.get(code, f"{type(error).__name__}, code {code}")
