"""A journal in a PostgreSQL database, so that any machine can go on with a job.

A run takes a *shard* of the job: its whole list, or one of the parts it was split into. It has the shard on a lease,
which a thread renews at a third of its life by the database's clock. Taking a shard raises its *epoch*, and every write
asks for the epoch of its run: a run whose lease was taken over can't write any more, so it can't mark an item as sent.

Writes are single statements. A process that freezes between two statements would hold the lock on its shard's row, and
nobody could take it over. Each write counts up ``written``, so that one whose answer was lost is not done again.

A database that is away is called again for as long as the lease lives. After that the shard may be another's, and the
run ends with ``JournalError``. No error here has psycopg's behind it: its frames hold the address and its password.
"""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar
from urllib.parse import quote, unquote

from norce_order_async.bulk.journal import members, reading
from norce_order_async.bulk.journal.errors import JournalError, JournalLockedError, JournalUnreachableError
from norce_order_async.bulk.journal.reading import LISTED, SPOOLED, STATES, State
from norce_order_async.bulk.journal.store import Change, Difference
from norce_order_async.bulk.load.shared import BEAT, Share
from norce_order_async.bulk.source import Item, as_json
from norce_order_async.checking import check_kind, check_number
from norce_order_async.errors import ConfigurationError
from norce_order_async.runtime.clock import boottime

if TYPE_CHECKING:
    from psycopg import Connection

T = TypeVar("T")

LEASE: Final = 15.0
"""Seconds that a shard stays with a run that is not heard of."""
RENEWALS: Final = 3
"""A lease is renewed so often in its life."""
SENDING: Final = 0.8
"""The part of a lease in which requests may be sent, counted from before its last renewal was asked for."""
FORMAT: Final = 1
WHOLE: Final = 0
"""The shard of a job that is not split, and of the list of one that is."""

_OPTION: Final = re.compile(r"lease=([0-9]{1,9}(?:\.[0-9]{1,9})?)")
_AGAIN_AFTER: Final = 0.2
_CONNECT_WITHIN: Final = 5
_DEFAULTS: Final[Mapping[str, Any]] = {
    "connect_timeout": _CONNECT_WITHIN,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "norce-order",
}
_LOCK: Final = 0x6E6F726365
"""Held while the tables are made: two that make them at once would fail."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS norce_job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    format integer NOT NULL,
    shards integer NOT NULL
);
CREATE TABLE IF NOT EXISTS norce_job_fact (
    job bigint NOT NULL REFERENCES norce_job ON DELETE CASCADE,
    name text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (job, name)
);
CREATE TABLE IF NOT EXISTS norce_job_shard (
    job bigint NOT NULL REFERENCES norce_job ON DELETE CASCADE,
    shard integer NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    owner text NOT NULL DEFAULT '',
    leased_until timestamptz,
    written bigint NOT NULL DEFAULT 0,
    spooled bigint,
    planned bigint NOT NULL DEFAULT 0,
    sent bigint NOT NULL DEFAULT 0,
    confirmed bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    unknown bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (job, shard)
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS norce_job_item (
    job bigint NOT NULL,
    shard integer NOT NULL,
    number bigint NOT NULL,
    key text NOT NULL,
    asked text NOT NULL,
    hash bytea NOT NULL,
    state text NOT NULL DEFAULT 'planned',
    attempts integer NOT NULL DEFAULT 0,
    reason text NOT NULL DEFAULT '',
    code text,
    said text,
    correlation_id text NOT NULL DEFAULT '',
    sent timestamptz,
    changed timestamptz,
    PRIMARY KEY (job, shard, number),
    UNIQUE (job, key)
) WITH (fillfactor = 80);
"""
THERE: Final = "SELECT to_regclass('norce_job_member')"
"""Whether the tables are there: the last one that is made."""
_GIVEN: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS norce_job_given (number bigint, shard integer, key text, asked text, hash bytea) "
    "ON COMMIT DELETE ROWS"
)
_INSERT: Final = (
    "INSERT INTO norce_job_item (job, shard, number, key, asked, hash) "
    "SELECT %s, shard, number, key, asked, hash FROM norce_job_given ORDER BY number"
)
_COMPARED: Final = "CREATE TEMP TABLE norce_job_compared (key text PRIMARY KEY, hash bytea)"
_HOLD: Final = (
    "UPDATE norce_job_shard SET written = %(written)s WHERE job = %(job)s AND shard = %(shard)s AND epoch = %(epoch)s "
    "AND written = %(written)s - 1"
)
_RECORD: Final = """
WITH change AS (
    SELECT * FROM unnest(
        %(numbers)s::bigint[], %(states)s::text[], %(attempts)s::integer[], %(reasons)s::text[], %(codes)s::text[],
        %(said)s::text[], %(correlation_ids)s::text[], %(sends)s::text[]
    ) AS change (number, state, attempts, reason, code, said, correlation_id, sends)
), delta AS (
    SELECT
        count(*) FILTER (WHERE change.state = 'planned') - count(*) FILTER (WHERE item.state = 'planned') AS planned,
        count(*) FILTER (WHERE change.state = 'sent') - count(*) FILTER (WHERE item.state = 'sent') AS sent,
        count(*) FILTER (WHERE change.state = 'confirmed') - count(*) FILTER (WHERE item.state = 'confirmed')
            AS confirmed,
        count(*) FILTER (WHERE change.state = 'refused') - count(*) FILTER (WHERE item.state = 'refused') AS refused,
        count(*) FILTER (WHERE change.state = 'unknown') - count(*) FILTER (WHERE item.state = 'unknown') AS unknown
    FROM change JOIN norce_job_item item
        ON item.job = %(job)s AND item.shard = %(shard)s AND item.number = change.number
), held AS (
    UPDATE norce_job_shard shard SET
        written = %(written)s,
        spooled = coalesce(%(spooled)s::bigint, shard.spooled),
        planned = shard.planned + delta.planned,
        sent = shard.sent + delta.sent,
        confirmed = shard.confirmed + delta.confirmed,
        refused = shard.refused + delta.refused,
        unknown = shard.unknown + delta.unknown
    FROM delta
    WHERE shard.job = %(job)s AND shard.shard = %(shard)s AND shard.epoch = %(epoch)s
        AND shard.written = %(written)s - 1
    RETURNING shard.job, shard.shard
), done AS (
    UPDATE norce_job_item item SET
        state = change.state,
        changed = clock_timestamp(),
        attempts = item.attempts + change.attempts,
        reason = change.reason,
        code = change.code,
        said = change.said,
        correlation_id = change.correlation_id,
        sent = CASE change.sends WHEN 'now' THEN clock_timestamp() WHEN 'never' THEN NULL ELSE item.sent END
    FROM change, held
    WHERE item.job = held.job AND item.shard = held.shard AND item.number = change.number
)
SELECT count(*) FROM held
"""
_COUNT: Final = """
UPDATE norce_job_shard shard SET
    planned = found.planned, sent = found.sent, confirmed = found.confirmed, refused = found.refused,
    unknown = found.unknown
FROM (
    SELECT
        shard,
        count(*) FILTER (WHERE state = 'planned') AS planned,
        count(*) FILTER (WHERE state = 'sent') AS sent,
        count(*) FILTER (WHERE state = 'confirmed') AS confirmed,
        count(*) FILTER (WHERE state = 'refused') AS refused,
        count(*) FILTER (WHERE state = 'unknown') AS unknown
    FROM norce_job_item WHERE job = %(job)s GROUP BY shard
) found
WHERE shard.job = %(job)s AND shard.shard = found.shard
"""
ROW: Final = (
    "number, key, asked, hash, state, attempts, reason, code, said, correlation_id, "
    "extract(epoch FROM sent)::float8, extract(epoch FROM changed)::float8"
)
"""The columns of a :class:`~norce_order_async.bulk.journal.reading.Row`."""


class _LandedError(Exception):
    """A write whose answer was lost had taken effect."""


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


class PostgresStore:
    """One shard of a job in a database."""

    def __init__(
        self, journal: PostgresJob, shard: int = WHOLE, *, shards: int = 0, share: Share | None = None
    ) -> None:
        self._journal = journal
        self._shard = shard
        self._shards = shards
        """Into how many shards the job is split; 0 for one run at a time."""
        self._job = 0
        self._epoch = 0
        self._written = 0
        self._connection: Connection[Any] | None = None
        self._renewed_at = 0.0
        self._is_lost = ""
        self._ended_late: float | None = None
        self._share = share
        """The part of a shared rate that this run has."""
        self._is_ending = False
        self._bell = threading.Event()
        """Rung when the thread of the lease is to look at once."""
        self._heart: threading.Thread | None = None

    @property
    def name(self) -> str:
        """The job's name, and its shard."""
        return str(self._journal) if self._shard == WHOLE else f"{self._journal}, shard {self._shard}"

    # Who has it

    def take(self) -> None:
        """Take the shard on a lease, and renew that from now on."""
        try:
            self._call(self._take, until=0.0)
        except BaseException:
            self._drop()
            raise
        self._is_ending = False
        self._bell.clear()
        if self._share is not None:
            self._share.ring = self._bell.set
        self._heart = threading.Thread(target=self._keep_renewing, name="norce-order lease", daemon=True)
        self._heart.start()

    def renew(self) -> None:
        """Renew the lease."""
        self._call(self._renew)

    def stop_renewing(self) -> None:
        """Let the lease end by itself; nothing renews it any more when this returns."""
        self._is_ending = True
        self._bell.set()
        if self._heart is not None:
            self._heart.join()
            self._heart = None

    def release(self) -> None:
        """Give the shard back, so that another run may take it at once."""
        self.stop_renewing()
        if self._connection is not None and not self._is_lost:
            # A lease that can't be given back ends by itself.
            with suppress(JournalError):
                self._call(self._give_back, until=0.0)
        self._drop()
        self._epoch = 0

    def abandon(self) -> None:
        """The connection is the parent's: psycopg closes none that another process has opened."""

    @property
    def kept_back(self) -> Callable[[], str | None]:
        """Says why no request may leave now: another run may have taken the shard by then."""
        return self._why_kept_back

    def _why_kept_back(self) -> str | None:
        if self._is_lost:
            return "another run has its journal"
        if boottime() >= self._renewed_at + SENDING * self._journal.lease:
            return "another run may have its journal"
        return None

    def since_late(self) -> float | None:
        """Seconds between the end of the lease of a run that never gave it back and now; None if it gave it back."""
        return None if self._ended_late is None else boottime() - self._ended_late

    def _take(self, connection: Connection[Any]) -> None:
        if connection.execute(THERE).fetchone() == (None,):
            _make_tables(connection)
        self._find_job(connection)
        began = boottime()
        took = connection.execute(
            "WITH was AS (SELECT job, shard, leased_until FROM norce_job_shard "
            "WHERE job = %s AND shard = %s AND (leased_until IS NULL OR leased_until <= clock_timestamp()) FOR UPDATE) "
            "UPDATE norce_job_shard shard SET epoch = epoch + 1, owner = %s, "
            "leased_until = clock_timestamp() + make_interval(secs => %s) FROM was "
            "WHERE shard.job = was.job AND shard.shard = was.shard "
            "RETURNING epoch, written, extract(epoch FROM clock_timestamp() - was.leased_until)::float8",
            (self._job, self._shard, _owner(), self._journal.lease),
        ).fetchone()
        if took is None:
            found = connection.execute(
                "SELECT owner FROM norce_job_shard WHERE job = %s AND shard = %s", (self._job, self._shard)
            ).fetchone()
            by = f": it is {found[0]}" if found is not None and found[0] else ""
            raise JournalLockedError(f"another run is using journal {self.name}{by}")
        self._epoch, self._written, late = took
        self._ended_late = None if late is None else began - late
        self._renewed_at, self._is_lost = began, ""
        if self._share is not None:
            members.join(connection, self._job, self._share, _owner())

    def _find_job(self, connection: Connection[Any]) -> None:
        if self._shard == WHOLE:
            connection.execute(
                "INSERT INTO norce_job (name, format, shards) VALUES (%s, %s, %s) ON CONFLICT (name) DO NOTHING",
                (self._journal.job, FORMAT, self._shards),
            )
        found = connection.execute(
            "SELECT id, format, shards FROM norce_job WHERE name = %s", (self._journal.job,)
        ).fetchone()
        if found is None:
            raise JournalError(f"there is no journal {self._journal}")
        self._job, version, shards = found
        if version != FORMAT:
            raise JournalError(f"journal {self.name} is of format {version}, and this version knows {FORMAT}")
        if self._shard == WHOLE and shards != self._shards:
            split = (
                f"is split into {shards} shards, whose outcomes come in no order and are not handed over: go on "
                f"with spread(..., shards={shards}) or norce-order bulk work, read them with read_results(...)"
                if shards
                else "is not split into shards: go on with it as it was begun"
            )
            raise JournalError(f"journal {self.name} {split}; or name another job")
        if self._shard == WHOLE:
            connection.execute(
                "INSERT INTO norce_job_shard (job, shard) VALUES (%s, %s) ON CONFLICT DO NOTHING", (self._job, WHOLE)
            )

    def _renew(self, connection: Connection[Any]) -> None:
        began = boottime()
        renewed = connection.execute(
            "UPDATE norce_job_shard SET leased_until = clock_timestamp() + make_interval(secs => %s) "
            "WHERE job = %s AND shard = %s AND epoch = %s",
            (self._journal.lease, self._job, self._shard, self._epoch),
        )
        if not renewed.rowcount:
            raise self._taken_over()
        self._renewed_at = began

    def _give_back(self, connection: Connection[Any]) -> None:
        connection.execute(
            "UPDATE norce_job_shard SET leased_until = NULL, owner = '' WHERE job = %s AND shard = %s AND epoch = %s",
            (self._job, self._shard, self._epoch),
        )

    def _keep_renewing(self) -> None:
        """In a thread and on a connection of its own, so that neither a busy loop nor a long statement ends a lease.

        The beats of a shared rate are made here too.
        """
        connection: Connection[Any] | None = None
        every = self._journal.lease / RENEWALS
        while True:
            wait = _AGAIN_AFTER if connection is None else self._renewed_at + every - boottime()
            self._bell.wait(max(0.0, wait if self._share is None else min(wait, BEAT)))
            self._bell.clear()
            if self._is_ending:
                break
            try:
                if connection is None:
                    connection = _connect(self._journal)
                if self._is_lost:
                    break
                if self._share is not None:
                    members.beat(connection, self._job, self._share, _owner())
                if boottime() >= self._renewed_at + every:
                    self._renew(connection)
            except JournalError:
                break
            except Exception:  # noqa: BLE001 - it is away, or was: the next connection shows
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _taken_over(self) -> JournalError:
        self._is_lost = self._is_lost or "another run has taken it over, because this one was not heard of for too long"
        return JournalLockedError(f"journal {self.name}: {self._is_lost}")

    def _is_over(self) -> bool:
        return boottime() >= self._renewed_at + self._journal.lease

    # Calling the database

    def _call(self, work: Callable[[Connection[Any]], T], *, until: float | None = None) -> T:
        """Do something with the connection, again on a new one if the database goes away, for as long as the lease
        lives."""
        while True:
            try:
                if self._connection is None:
                    if until is None and not self._epoch:
                        raise JournalError(f"journal {self.name} is closed")
                    if self._is_lost:
                        raise JournalError(f"journal {self.name}: {self._is_lost}")
                    self._connection = _connect(self._journal)
                return work(self._connection)
            except _psycopg().Error as error:
                why = _in_words(error)
                is_away = self._connection is None or self._connection.closed
                if self._connection is None and isinstance(error, _psycopg().ProgrammingError):
                    why, is_away = "its address can't be read", False
            if not is_away:
                raise JournalError(f"journal {self.name}: {why}")
            self._drop()
            if boottime() >= until if until is not None else self._is_over():
                if until is None:
                    # Nobody uses it any more, so the thread of the lease may not have it back from a database that
                    # is there again: others could take it only when that lease is over.
                    self._is_lost = self._is_lost or "its database was away for longer than its lease"
                raise JournalUnreachableError(f"journal {self.name}: its database can't be reached ({why})")
            time.sleep(_AGAIN_AFTER)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def _mine(self) -> dict[str, Any]:
        return {"job": self._job, "shard": self._shard, "epoch": self._epoch, "written": self._written + 1}

    def _check_held(self, connection: Connection[Any], held: int) -> None:
        """Look why a write did not find its shard as it left it.

        Raises:
            JournalLockedError: it was taken over.
            _LandedError: it had taken effect before.
        """
        if held:
            return
        found = connection.execute(
            "SELECT written FROM norce_job_shard WHERE job = %(job)s AND shard = %(shard)s AND epoch = %(epoch)s",
            self._mine,
        ).fetchone()
        if found != (self._written + 1,):
            raise self._taken_over()
        raise _LandedError

    def _write(self, work: Callable[[Connection[Any]], T]) -> T:
        """Do a write in a transaction that holds the shard, once."""
        came: list[T] = []

        def once(connection: Connection[Any]) -> None:
            with connection.transaction():
                came[:] = [work(connection)]

        with suppress(_LandedError):
            self._call(once)
        self._written += 1
        return came[-1]

    def _hold(self, connection: Connection[Any]) -> None:
        self._check_held(connection, connection.execute(_HOLD, self._mine).rowcount)

    # What the job is about

    def facts(self) -> dict[str, Any]:
        """What is known of the job as a whole, and the length of this shard's file."""

        def read(connection: Connection[Any]) -> dict[str, Any]:
            found = connection.execute("SELECT name, value FROM norce_job_fact WHERE job = %s", (self._job,)).fetchall()
            (spooled,) = connection.execute(
                "SELECT spooled FROM norce_job_shard WHERE job = %s AND shard = %s", (self._job, self._shard)
            ).fetchone() or (None,)
            facts = reading.facts(self.name, found)
            return facts if spooled is None else {**facts, SPOOLED: spooled}

        return self._call(read)

    def begin(self, facts: Mapping[str, Any]) -> None:
        """A new listing, in place of one that was not finished."""

        def work(connection: Connection[Any]) -> None:
            self._hold(connection)
            begun = connection.execute(
                "SELECT number FROM norce_job_item WHERE job = %s AND state <> 'planned' LIMIT 1", (self._job,)
            ).fetchone()
            if begun is not None:
                raise JournalError(
                    f"journal {self.name}, row {begun[0]}: it was acted on, and the journal does not say that its "
                    "list is whole; it is damaged and was left as it is"
                )
            connection.execute("DELETE FROM norce_job_item WHERE job = %s", (self._job,))
            connection.execute("DELETE FROM norce_job_fact WHERE job = %s", (self._job,))
            self._put_facts(connection, facts)

        self._write(work)

    def put_facts(self, facts: Mapping[str, Any]) -> None:
        """Write facts about the job; with the one that its list is whole, what each shard holds."""

        def work(connection: Connection[Any]) -> None:
            self._hold(connection)
            self._put_facts(connection, facts)
            if facts.get(LISTED):
                connection.execute(
                    "INSERT INTO norce_job_shard (job, shard) SELECT %s, shard FROM generate_series(1, %s) AS shard "
                    "ON CONFLICT DO NOTHING",
                    (self._job, self._shards),
                )
                connection.execute(_COUNT, {"job": self._job})

        self._write(work)

    def add(self, items: Sequence[Item]) -> tuple[int, str | None]:
        """Plan items, each in its shard."""

        def work(connection: Connection[Any]) -> tuple[int, str | None]:
            connection.execute(_GIVEN)
            with connection.cursor().copy(
                "COPY norce_job_given (number, shard, key, asked, hash) FROM STDIN (FORMAT BINARY)"
            ) as copy:
                copy.set_types(["int8", "int4", "text", "text", "bytea"])
                for item in items:
                    hashed = item.hash
                    copy.write_row((item.number, self._shard_of(hashed), item.key, as_json(item.row), hashed))
            # What is sent from here on is short, so that a process that freezes holds up nobody.
            self._hold(connection)
            try:
                # To look for each order first takes twice as long, and few sources name one twice.
                with connection.transaction():
                    connection.execute(_INSERT, (self._job,))
                return 0, None
            except _psycopg().errors.UniqueViolation:
                added = connection.execute(_INSERT + " ON CONFLICT (job, key) DO NOTHING", (self._job,)).rowcount
            other = connection.execute(
                "SELECT given.key FROM norce_job_given given JOIN norce_job_item item "
                "ON item.job = %s AND item.key = given.key WHERE item.hash <> given.hash ORDER BY given.number LIMIT 1",
                (self._job,),
            ).fetchone()
            return len(items) - added, None if other is None else other[0]

        return self._write(work)

    def _shard_of(self, hashed: bytes) -> int:
        return 1 + int.from_bytes(hashed[:8], "big") % self._shards if self._shards else WHOLE

    def begin_comparison(self) -> None:
        """Start a list of keys to compare the source with."""

        def work(connection: Connection[Any]) -> None:
            connection.execute("DROP TABLE IF EXISTS norce_job_compared")
            connection.execute(_COMPARED)

        self._call(work)

    def compare(self, items: Sequence[Item]) -> None:
        """Add items to those given this time."""
        # Of an order that comes twice the first counts, as when it was listed.
        given = {item.key: item.hash for item in reversed(items)}

        def work(connection: Connection[Any]) -> None:
            connection.execute(
                "INSERT INTO norce_job_compared SELECT * FROM unnest(%s::text[], %s::bytea[]) ON CONFLICT DO NOTHING",
                (list(given), list(given.values())),
            )

        self._call(work)

    def difference(self) -> Difference:
        """How what was given this time differs from what is planned."""

        def counted(connection: Connection[Any], found: str) -> tuple[int, tuple[str, ...]]:
            query = f"SELECT key, count(*) OVER () FROM ({found}) AS found LIMIT {Difference.EXAMPLES}"  # noqa: S608
            rows = connection.execute(query.encode(), {"job": self._job}).fetchall()
            return (rows[0][1] if rows else 0), tuple(key for key, _ in rows)

        def work(connection: Connection[Any]) -> Difference:
            planned = "(SELECT key, hash FROM norce_job_item WHERE job = %(job)s) item"
            return Difference(
                counted(
                    connection,
                    f"SELECT given.key FROM norce_job_compared given LEFT JOIN {planned} USING (key) "  # noqa: S608
                    "WHERE item.key IS NULL",
                ),
                counted(
                    connection,
                    f"SELECT item.key FROM {planned} LEFT JOIN norce_job_compared given USING (key) "  # noqa: S608
                    "WHERE given.key IS NULL",
                ),
                counted(
                    connection,
                    f"SELECT item.key FROM {planned} JOIN norce_job_compared given USING (key) "  # noqa: S608
                    "WHERE given.hash <> item.hash",
                ),
            )

        return self._call(work)

    def counts(self) -> dict[str, int]:
        """Items of this shard by state."""
        found = self._row("SELECT planned, sent, confirmed, refused, unknown FROM norce_job_shard")
        return {state: count for state, count in zip(STATES, found or (), strict=False) if count}

    def since_sent(self) -> float | None:
        """Seconds since the latest of the items in flight was sent, by the database's clock."""
        found = self._row(
            "SELECT extract(epoch FROM clock_timestamp() - max(changed))::float8 FROM norce_job_item", "state = 'sent'"
        )
        return None if found is None else found[0]

    def last_change(self) -> float | None:
        """When an item changed its state last, by the database's clock."""
        found = self._row("SELECT extract(epoch FROM max(changed))::float8 FROM norce_job_item")
        return None if found is None else found[0]

    def _row(self, query: str, where: str = "true") -> tuple[Any, ...] | None:
        whole = f"{query} WHERE job = %s AND shard = %s AND {where}".encode()
        return self._call(lambda connection: connection.execute(whole, (self._job, self._shard)).fetchone())

    def some(self, state: State, after: int, count: int) -> list[Item]:
        """The next items in a state, in the order of the source."""
        query = (
            f"SELECT {ROW} FROM norce_job_item "  # noqa: S608
            "WHERE job = %s AND shard = %s AND state = %s AND number > %s ORDER BY number LIMIT %s"
        ).encode()
        given = (self._job, self._shard, state, after, count)
        found = self._call(lambda connection: connection.execute(query, given).fetchall())
        rows = (reading.row(self.name, values) for values in found)
        return [Item(row.number, row.key, row.asked, was_sent=row.sent is not None) for row in rows]

    # What comes of it

    def record(self, changes: Sequence[Change], facts: Mapping[str, Any]) -> None:
        """Write down what became of items, with the length of this shard's file, in one statement."""
        folded = _folded(changes)
        given = {
            **self._mine,
            "spooled": facts.get(SPOOLED),
            "numbers": list(folded),
            "states": [change.state for change, _, _ in folded.values()],
            "attempts": [attempts for _, attempts, _ in folded.values()],
            "reasons": [_text(change.reason) for change, _, _ in folded.values()],
            "codes": [_text(change.code) for change, _, _ in folded.values()],
            "said": [_text(change.said) for change, _, _ in folded.values()],
            "correlation_ids": [_text(change.correlation_id) for change, _, _ in folded.values()],
            "sends": [sends for _, _, sends in folded.values()],
        }

        def work(connection: Connection[Any]) -> None:
            (held,) = connection.execute(_RECORD, given).fetchone() or (0,)
            self._check_held(connection, held)

        with suppress(_LandedError):
            self._call(work)
        self._written += 1

    def move(self, state: State, to: State) -> int:
        """Put all items of this shard that are in a state into another; how many."""

        def work(connection: Connection[Any]) -> int:
            self._hold(connection)
            moved = connection.execute(
                # What was refused took no effect, so it counts as not sent.
                "UPDATE norce_job_item "
                "SET state = %(to)s, sent = CASE %(state)s WHEN 'refused' THEN NULL ELSE sent END "
                "WHERE job = %(job)s AND shard = %(shard)s AND state = %(state)s",
                {**self._mine, "state": state, "to": to},
            ).rowcount
            count = (
                f"UPDATE norce_job_shard SET {state} = {state} - %s, {to} = {to} + %s "  # noqa: S608 - words of ours
                "WHERE job = %s AND shard = %s"
            )
            connection.execute(count.encode(), (moved, moved, self._job, self._shard))
            return moved

        return self._write(work)

    def _put_facts(self, connection: Connection[Any], facts: Mapping[str, Any]) -> None:
        connection.cursor().executemany(
            "INSERT INTO norce_job_fact (job, name, value) VALUES (%s, %s, %s) "
            "ON CONFLICT (job, name) DO UPDATE SET value = EXCLUDED.value",
            [(self._job, name, json.dumps(value)) for name, value in facts.items()],
        )


def read(job: PostgresJob, work: Callable[[Connection[Any]], T]) -> T:
    """What ``work`` reads from the database, on a connection of its own.

    Raises:
        JournalError: the database can't be reached, or what was asked for can't be read.
    """
    connection: Connection[Any] | None = None
    away: JournalUnreachableError | None = None
    try:
        connection = _connect(job)
        return work(connection)
    except _psycopg().Error as error:
        why = _in_words(error)
        if connection is None and isinstance(error, _psycopg().ProgrammingError):
            why = "its address can't be read"
        elif connection is None or connection.closed:
            away = JournalUnreachableError(f"journal {job}: its database can't be reached ({why})")
    finally:
        if connection is not None:
            connection.close()
    raise away or JournalError(f"journal {job}: {why}")


def _connect(job: PostgresJob) -> Connection[Any]:
    psycopg = _psycopg()
    from psycopg.conninfo import conninfo_to_dict

    given = {**_DEFAULTS, **conninfo_to_dict(job.dsn)}
    connection: Connection[Any] = psycopg.connect(**given, autocommit=True)
    try:
        # A process that freezes inside a transaction may not keep its locks beyond its lease.
        connection.execute(
            "SELECT set_config('idle_in_transaction_session_timeout', %s, false)", (f"{int(job.lease * 1000)}ms",)
        )
        # What counts as written is on disk, also where the server's default is that it need not be.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
    except BaseException:
        connection.close()
        raise
    return connection


def _folded(changes: Sequence[Change]) -> dict[int, tuple[Change, int, str]]:
    """The last change of each item, with the attempts of all, and when the item counts as sent: ``now``, ``never`` or
    as it was. A worker that is cancelled while it marks its item as sent puts it back at once."""
    folded: dict[int, tuple[Change, int, str]] = {}
    for change in changes:
        _, attempts, sends = folded.get(change.number, (change, 0, ""))
        if change.state == "sent":
            sends = "now"
        elif change.state == "planned" and not change.was_sent:
            sends = "never"
        folded[change.number] = change, attempts + change.attempts, sends
    return folded


def _text(given: str | None) -> str | None:
    """A text that a database can hold."""
    return None if given is None else given.replace("\0", "\ufffd").encode(errors="replace").decode()


def _owner() -> str:
    """This process, for people."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def _make_tables(connection: Connection[Any]) -> None:
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        # Whether they are there is asked here: to_regclass does not see a table that another process has just made.
        connection.execute((_SCHEMA + members.TABLE).encode())


def _psycopg() -> Any:
    try:
        import psycopg
    except ImportError:
        raise ConfigurationError(
            "a journal in PostgreSQL needs the extra 'postgres': install norce-order-async with [postgres]"
        ) from None
    return psycopg


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


def _in_words(error: Any) -> str:
    """What is wrong, without what psycopg says: that may hold parts of an address or of a row."""
    code = error.sqlstate
    if code is None:
        return "the connection failed"
    return _WHY.get(code, f"{type(error).__name__}, code {code}")
