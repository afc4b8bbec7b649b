"""A job in a database has at most one sample of its load a second, for all its runs together, and never too many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from anyio import to_thread

from norce_order_async import Fixed
from norce_order_async.bulk import PostgresJournal, actions, html_report, read_journal
from norce_order_async.bulk.journal import curves
from norce_order_async.bulk.journal.curves import Curve
from norce_order_async.bulk.journal.postgres import PostgresStore
from norce_order_async.sandbox import Sandbox
from tests.bulk.journal.test_stores import listed
from tests.bulk.support import client_of, new_orders
from tests.support.waiting import until

from .made import Load

pytestmark = [pytest.mark.anyio, pytest.mark.slow(group="postgres")]


MOST = 64


class Seconds:
    """The clocks of the database and of this process, which a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_800_000_000.0
        self._monkeypatch = monkeypatch
        self._query = curves.ADD
        monkeypatch.setattr(curves, "boottime", lambda: self.now)
        self.move(0.0)

    def move(self, seconds: float) -> None:
        self.now += seconds
        moved = self._query.replace("extract(epoch FROM clock_timestamp())::float8", f"{self.now}::float8")
        assert moved != self._query
        self._monkeypatch.setattr(curves, "ADD", moved)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    return Seconds(monkeypatch)


@pytest.fixture
def journal(postgres: str) -> PostgresJournal:
    """The journal of a job that is listed."""
    journal = PostgresJournal(postgres, "close")
    store = PostgresStore(journal)
    store.take()
    listed(store, 1)
    store.release()
    return journal


@pytest.fixture
def connection(journal: PostgresJournal) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(journal.dsn, autocommit=True) as connection:
        yield connection


def job_of(connection: psycopg.Connection[Any]) -> int:
    ((job,),) = connection.execute("SELECT id FROM norce_job").fetchall()
    return int(job)


def test_a_sample_is_the_sum_of_all_runs(
    journal: PostgresJournal, connection: psycopg.Connection[Any], seconds: Seconds
) -> None:
    """Each run adds to a second once. It adds nothing to the second in which it begins."""
    one, other = Load(limit=5, in_flight=3), Load(limit=2**63 - 1, in_flight=4)
    curves_of_both = [Curve(one), Curve(other)]
    job = job_of(connection)
    for _ in range(2):
        for curve in curves_of_both:
            curve.take(connection, job)
    assert read_journal(journal).samples == ()
    for _ in range(3):
        seconds.move(1.0)
        one.throttled_seconds += 0.5
        for curve in curves_of_both:
            curve.take(connection, job)
    samples = read_journal(journal).samples
    assert [sample.at for sample in samples] == [1_800_000_001.0, 1_800_000_002.0, 1_800_000_003.0]
    assert {sample.in_flight for sample in samples} == {7}
    assert {sample.limit for sample in samples} == {10**12 + 5}
    # One of the two runs was held back for half of the time.
    assert [sample.throttled for sample in samples] == [0.0, 0.25, 0.5]


def test_there_are_never_too_many(
    journal: PostgresJournal,
    connection: psycopg.Connection[Any],
    seconds: Seconds,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When every other sample was dropped, all runs take samples half as often."""
    monkeypatch.setattr(curves, "SLOTS", MOST)
    both = [Curve(Load()), Curve(Load())]
    job = job_of(connection)
    most, asked = 0, 0
    while seconds.now < 1_800_000_000.0 + 4 * MOST:
        for curve in both:
            if curve.due_in <= 0:
                curve.take(connection, job)
                asked += 1
        (count,) = connection.execute("SELECT count(*) FROM norce_job_sample").fetchone() or (0,)
        most = max(most, count)
        seconds.move(max(0.01, min(curve.due_in for curve in both)))
    assert MOST - 4 < most <= MOST
    assert asked < 2 * 3 * MOST
    samples = read_journal(journal).samples
    assert MOST / 3 < len(samples) < MOST
    assert {sample.in_flight for sample in samples[:-1]} == {4}
    assert samples[-1].at - samples[0].at >= 4 * MOST - 16


def test_a_sample_that_can_not_be_added_harms_nobody(
    journal: PostgresJournal, connection: psycopg.Connection[Any], seconds: Seconds
) -> None:
    """Another run may freeze while it adds to the same second. The thread that adds samples also renews the lease,
    so it must not wait."""
    job = job_of(connection)
    mine = Curve(Load())
    mine.take(connection, job)
    seconds.move(1.0)
    with psycopg.connect(journal.dsn) as frozen:
        frozen.execute("INSERT INTO norce_job_sample VALUES (%s, 1800000001, 1, 1, 1, 0)", (job,))
        mine.take(connection, job)
        assert mine.due_in > 1.0
        frozen.rollback()
    seconds.move(mine.due_in)
    mine.take(connection, job)
    assert len(read_journal(journal).samples) == 1
    connection.execute("DROP TABLE norce_job_sample")
    seconds.move(mine.due_in)
    mine.take(connection, job)
    assert not connection.closed


async def test_a_job_in_a_database_has_curves(sandbox: Sandbox, postgres: str) -> None:
    """Its report shows the limit and the time it was held back, as that of a job in a file does."""
    journal = PostgresJournal(postgres, "curves")
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 6)
        async with norce.bulk(journal, load=Fixed(in_flight=2)) as job:
            run = job.run(ids, actions.remove())
            await anext(run)
            await until(lambda: len(read_journal(journal, reasons=False).samples) > 1)
            assert len([outcome async for outcome in run]) == 5
    samples = read_journal(journal).samples
    assert {sample.limit for sample in samples} == {2}
    page = (await to_thread.run_sync(html_report, journal)).html
    assert "Attempts allowed at once" in page
    assert "Held back by the service" in page
