"""A connection to PostgreSQL that reconnects when it was lost. It blocks, and is for one thread at a time.

The password in the address appears in no text, repr or traceback of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar, final

from norce_order_async.display import printable
from norce_order_async.errors import ConfigurationError, NorceError

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")

_DEFAULTS: Final[Mapping[str, str]] = {
    "connect_timeout": "5",
    # A lost peer is noticed within about ten seconds.
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "application_name": "norce-order-async",
}
"""Settings of the connection, unless the address has its own."""


@final
class PostgresConnection:
    """One connection, opened when it is needed.

    Args:
        dsn: the address, ``postgresql://user:password@host/database`` or ``key=value`` pairs.
        name: the name of what is kept there, for texts.
        error: the class of errors. It takes the text as its only argument.

    Raises:
        ConfigurationError: the extra ``postgres`` is not installed, or the address can't be read.
    """

    __slots__ = ("_connection", "_error", "_name", "_prepare", "_settings", "where")

    def __init__(self, dsn: str, name: str, error: type[NorceError]) -> None:
        self._settings: Callable[[], dict[str, Any]] = _settings(dsn)
        given = self._settings()
        self.where = f"postgresql://{given.get('host') or given.get('hostaddr') or ''}/{given.get('dbname') or ''}"
        """Host and database."""
        self._name = name
        self._error = error
        self._connection: psycopg.Connection[Any] | None = None
        self._prepare: Callable[[psycopg.Connection[Any]], None] = _nothing

    def __repr__(self) -> str:
        return f"<PostgresConnection {printable(self.where)}>"

    def open(self, prepare: Callable[[psycopg.Connection[Any]], None]) -> None:
        """Connect.

        Args:
            prepare: called with each new connection.
        """
        self._prepare = prepare
        self.run(_nothing)

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def run(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        """Call ``work`` with the connection, and return its result. If the connection was lost, ``work`` runs a second
        time on a new one.

        Raises:
            NorceError: the class given as ``error``: the database can't be reached, or refuses the work.
        """
        import psycopg

        fresh = self._connection is None
        while True:
            try:
                return work(self._connected())
            except psycopg.Error as error:
                connection = self._connection
                lost = connection is None or connection.closed or connection.broken
                why = self._in_words(error, away=lost and isinstance(error, psycopg.OperationalError))
            except OSError as error:
                lost, why = True, f"the database can't be reached ({error.strerror or type(error).__name__})"
            # Outside of the handlers: the driver's error has the password in the frames of its traceback.
            if lost:
                self.close()
            if fresh or not lost:
                raise self._error(f"{self._name} {self.where}: {why}")
            fresh = True

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            # No prepared statements: a pooler in front of the database may give each transaction another session.
            connection = connected(self._settings(), prepare_threshold=None)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _in_words(self, error: psycopg.Error, *, away: bool) -> str:
        text = " ".join(str(error).split())
        for secret in ("password", "sslpassword"):
            if value := self._settings().get(secret):
                text = text.replace(str(value), "***")
        what = "the database can't be reached" if away else "the database refused it"
        return f"{what} ({printable(text[:200]) or type(error).__name__})"


def driver() -> Any:
    """The module ``psycopg``.

    Raises:
        ConfigurationError: the extra ``postgres`` is not installed.
    """
    try:
        import psycopg
    except ImportError as error:
        raise ConfigurationError(
            "PostgreSQL needs the extra 'postgres': install norce-order-async with [postgres]"
        ) from error
    return psycopg


def connected(settings: Mapping[str, Any], **named: Any) -> psycopg.Connection[Any]:
    """A new connection, whose commits wait for the disk.

    Args:
        settings: settings of the connection. Ours apply where it has none.
        named: further arguments for ``psycopg.connect``.

    Raises:
        psycopg.Error: the database can't be reached, or a setting can't be used.
    """
    connection: psycopg.Connection[Any] = driver().connect(**{**_DEFAULTS, **settings}, autocommit=True, **named)
    try:
        # What we report as stored must be on disk, also if the server's default is to commit before that.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
    except BaseException:
        connection.close()
        raise
    return connection


def _settings(dsn: str) -> Callable[[], dict[str, Any]]:
    """The settings of a connection. They are in a function so that neither a repr nor attributes show the password."""
    driver()
    from psycopg import Error
    from psycopg.conninfo import conninfo_to_dict

    if not isinstance(dsn, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(f"dsn must be a string, not {type(dsn).__name__}")
    given: dict[str, Any] | None
    try:
        given = conninfo_to_dict(dsn)
    except Error:
        given = None
    if given is None:
        # Raised without the driver's error as its cause, because that quotes the address.
        raise ConfigurationError("dsn must be an address such as postgresql://user:password@host/database")
    settings = given
    return lambda: settings


def _nothing(connection: object) -> None:
    del connection
