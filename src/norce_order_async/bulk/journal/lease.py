"""Leases: which run has a shard of a job in a PostgreSQL database, and for how long.

A run takes a *shard* of the job: its whole list, or one of the parts into which it was split. It has the shard on a
lease by the database's clock, which a thread renews after each third of it. Taking a shard raises its *epoch*, and
every write is for the epoch of its run. So a run whose lease was taken over can't write any more, and can't mark an
item as sent.

If the database is away, it is called again until the lease ends. After that, another run may have the shard, and this
one ends with ``JournalError``. No error here has psycopg's as its cause, whose frames hold the address and password.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from norce_order_async.bulk.journal import members
from norce_order_async.bulk.journal.curves import Curve
from norce_order_async.bulk.journal.errors import JournalError, JournalLockedError, JournalUnreachableError
from norce_order_async.bulk.journal.place import PostgresJob, connect, in_words
from norce_order_async.bulk.journal.samples import Load
from norce_order_async.bulk.journal.tables import ALL_THERE, FORMAT, WHOLE, make_tables
from norce_order_async.bulk.load.shared import BEAT, Share
from norce_order_async.runtime.clock import boottime
from norce_order_async.storage.postgres import driver

if TYPE_CHECKING:
    from psycopg import Connection

T = TypeVar("T")

RENEWALS: Final = 3
"""How often a lease is renewed before it would end."""
SENDING: Final = 0.8
"""The part of a lease in which requests may be sent, counted from the start of its last renewal."""

_AGAIN_AFTER: Final = 0.2
_HOLD: Final = (
    "UPDATE norce_job_shard SET written = %(written)s WHERE job = %(job)s AND shard = %(shard)s AND epoch = %(epoch)s "
    "AND written = %(written)s - 1"
)


class LandedError(Exception):
    """A write whose answer was lost had taken effect."""


class LeasedShard:
    """A shard of a job in a database, which a run has as long as it renews the lease."""

    def __init__(
        self, journal: PostgresJob, shard: int = WHOLE, *, shards: int = 0, share: Share | None = None
    ) -> None:
        self._journal = journal
        self._shard = shard
        self._shards = shards
        """Into how many shards the job is split; 0 for one run at a time."""
        self._job = 0
        self._epoch = 0
        self._written: int = 0
        self._connection: Connection[Any] | None = None
        self._renewed_at = 0.0
        self._is_lost = ""
        self._ended_late: float | None = None
        self._share = share
        """This run's part of a shared rate."""
        self._curve: Curve | None = None
        """The samples of this run's load."""
        self._is_ending = False
        self._wake = threading.Event()
        """Set to wake the thread of the lease at once."""
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """The job's name, and its shard."""
        return str(self._journal) if self._shard == WHOLE else f"{self._journal}, shard {self._shard}"

    # The lease

    def take(self) -> None:
        """Take the shard on a lease, and renew the lease from now on."""
        try:
            self._call(self._take, until=0.0)
        except BaseException:
            self._drop()
            raise
        self._is_ending = False
        self._wake.clear()
        if self._share is not None:
            self._share.wake = self._wake.set
        self._thread = threading.Thread(target=self._keep_renewing, name="norce-order lease", daemon=True)
        self._thread.start()

    def renew(self) -> None:
        """Renew the lease."""
        self._call(self._renew)

    def take_samples(self, load: Load) -> bool:
        """Take samples of a limiter from now on, in the thread of the lease. Returns True."""
        self._curve = Curve(load)
        self._wake.set()
        return True

    def stop_renewing(self) -> None:
        """Stop the thread that renews the lease. When this returns, the lease is not renewed any more."""
        self._is_ending = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def release(self) -> None:
        """Give the shard back, so that another run may take it at once."""
        self.stop_renewing()
        if self._connection is not None and not self._is_lost:
            # A lease that can't be given back ends by itself.
            with suppress(JournalError):
                self._call(self._give_back, until=0.0)
        self._drop()
        self._curve = None
        self._epoch = 0

    def abandon(self) -> None:
        """Do nothing: psycopg does not close a connection that another process has opened."""

    @property
    def kept_back(self) -> Callable[[], str | None]:
        """Returns the reason if no request may be sent now, because another run may have the shard; otherwise None."""
        return self._why_kept_back

    def _why_kept_back(self) -> str | None:
        if self._is_lost:
            return "another run has its journal"
        if boottime() >= self._renewed_at + SENDING * self._journal.lease:
            return "another run may have its journal"
        return None

    def since_late(self) -> float | None:
        """Seconds since the lease of an earlier run ended that did not give it back; None if it did."""
        return None if self._ended_late is None else boottime() - self._ended_late

    def _take(self, connection: Connection[Any]) -> None:
        if connection.execute(ALL_THERE).fetchone() == (None,):
            make_tables(connection)
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
                f"with spread(..., shards={shards}) or norce-order bulk work, and read them with read_results(...)"
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
        """Renew the lease, and make the beats of a shared rate.

        It runs in a thread and on a connection of its own, so that neither a busy loop nor a long statement ends a
        lease.
        """
        connection: Connection[Any] | None = None
        every = self._journal.lease / RENEWALS
        while True:
            wait = _AGAIN_AFTER if connection is None else self._renewed_at + every - boottime()
            if self._share is not None:
                wait = min(wait, BEAT)
            if self._curve is not None and connection is not None:
                wait = min(wait, self._curve.due_in)
            self._wake.wait(max(0.0, wait))
            self._wake.clear()
            if self._is_ending:
                break
            try:
                if connection is None:
                    connection = connect(self._journal)
                if self._is_lost:
                    break
                if self._share is not None:
                    members.beat(connection, self._job, self._share, _owner())
                if boottime() >= self._renewed_at + every:
                    self._renew(connection)
                if self._curve is not None and self._curve.due_in <= 0.0:
                    self._curve.take(connection, self._job)
            except JournalError:
                break
            except Exception:  # noqa: BLE001 - the database is or was away; the next connection shows which
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _taken_over(self) -> JournalError:
        self._is_lost = self._is_lost or "another run has taken it over, because this one did not renew its lease"
        return JournalLockedError(f"journal {self.name}: {self._is_lost}")

    def _is_over(self) -> bool:
        return boottime() >= self._renewed_at + self._journal.lease

    # Calling the database

    def _call(self, work: Callable[[Connection[Any]], T], *, until: float | None = None) -> T:
        """Run ``work`` with a connection; if the database goes away, again with a new one, until the lease ends."""
        while True:
            try:
                if self._connection is None:
                    if until is None and not self._epoch:
                        raise JournalError(f"journal {self.name} is closed")
                    if self._is_lost:
                        raise JournalError(f"journal {self.name}: {self._is_lost}")
                    self._connection = connect(self._journal)
                return work(self._connection)
            except driver().Error as error:
                why = in_words(error)
                is_away = self._connection is None or self._connection.closed
                if self._connection is None and isinstance(error, driver().ProgrammingError):
                    why, is_away = "its address can't be read", False
            if not is_away:
                raise JournalError(f"journal {self.name}: {why}")
            self._drop()
            if boottime() >= until if until is not None else self._is_over():
                if until is None:
                    # This run has ended. If its thread renewed the lease of a database that is back, other runs would
                    # wait for that lease for nothing.
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
        """Find out why a write did not find its shard as the last one left it; ``held`` is 0 then.

        Raises:
            JournalLockedError: the shard was taken over.
            LandedError: the write had taken effect before.
        """
        if held:
            return
        found = connection.execute(
            "SELECT written FROM norce_job_shard WHERE job = %(job)s AND shard = %(shard)s AND epoch = %(epoch)s",
            self._mine,
        ).fetchone()
        if found != (self._written + 1,):
            raise self._taken_over()
        raise LandedError

    def _write(self, work: Callable[[Connection[Any]], T]) -> T:
        """Do a write once, in a transaction that holds the shard."""
        results: list[T] = []

        def once(connection: Connection[Any]) -> None:
            with connection.transaction():
                results[:] = [work(connection)]

        with suppress(LandedError):
            self._call(once)
        self._written += 1
        return results[-1]

    def _write_statement(self, query: str, given: Mapping[str, Any]) -> None:
        """Do a write once that is one statement: it holds the shard, and returns the number of rows that it held."""

        def work(connection: Connection[Any]) -> None:
            (held,) = connection.execute(query.encode(), given).fetchone() or (0,)
            self._check_held(connection, held)

        with suppress(LandedError):
            self._call(work)
        self._written += 1

    def _hold(self, connection: Connection[Any]) -> None:
        self._check_held(connection, connection.execute(_HOLD, self._mine).rowcount)


def _owner() -> str:
    """The name of this process in texts."""
    return f"process {os.getpid()} on {socket.gethostname()}"
