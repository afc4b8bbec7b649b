"""A journal in PostgreSQL: any machine can continue a job, and a run that lost it writes and sends nothing more."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from anyio import to_thread

from norce_order_async import (
    ConfigurationError,
    Fixed,
    JournalError,
    JournalLockedError,
    JournalMismatchError,
    Settings,
)
from norce_order_async.bulk import PostgresJournal, actions, read_journal
from norce_order_async.bulk.journal.place import read
from norce_order_async.bulk.journal.postgres import PostgresStore
from norce_order_async.bulk.journal.reading import DUPLICATES, LISTED
from norce_order_async.bulk.journal.store import Change
from norce_order_async.bulk.prepare import wait_for_late_requests
from norce_order_async.bulk.source import Item
from norce_order_async.runtime.clock import boottime
from norce_order_async.sandbox import Sandbox
from tests.bulk.journal.test_stores import items, listed
from tests.bulk.support import client_of, effects, new_orders
from tests.bulk.test_job import all_of
from tests.security.test_locals import chain, shown
from tests.support.postgres import PASSWORD, PostgresServer
from tests.support.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.slow(group="postgres")]

FEW = Fixed(in_flight=5)
JOB = "close-2026-11"


@pytest.fixture
def journal(postgres: str) -> PostgresJournal:
    return PostgresJournal(postgres, JOB)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that these tests may stop."""
    with PostgresServer() as server:
        yield server


async def test_another_machine_continues_a_job(sandbox: Sandbox, journal: PostgresJournal) -> None:
    """A second client with the same address and job name does only the orders that are left."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 30)
        async with norce.bulk(journal, load=Fixed(in_flight=2)) as job:
            assert job.journal == journal
            async for _ in job.run(ids, actions.remove()):
                job.stop()
        assert job.summary.left
    async with client_of(sandbox) as norce, norce.bulk(journal, load=FEW) as job:
        await all_of(job.run(ids, actions.remove()))
        assert job.summary.complete
    assert effects(sandbox) == dict.fromkeys(ids, 1)


async def test_two_jobs_in_one_database_are_independent(sandbox: Sandbox, postgres: str) -> None:
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 4)
        for name in ("one", "two"):
            async with norce.bulk(PostgresJournal(postgres, name), load=FEW) as job:
                assert len(await all_of(job.run(ids, actions.remove()))) == 4


async def test_a_journal_of_another_job(sandbox: Sandbox, journal: PostgresJournal) -> None:
    """The error names the job. It does not show the address of the database."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 2)
        async with norce.bulk(journal, load=FEW) as job:
            await all_of(job.run(ids, actions.remove()))
        with pytest.raises(JournalMismatchError, match=r"journal 'close-2026-11' in PostgreSQL belongs to another job"):
            async with norce.bulk(journal, load=FEW) as job:
                await all_of(job.run(ids, actions.validate()))


async def test_two_runs_exclude_each_other(sandbox: Sandbox, journal: PostgresJournal) -> None:
    async with client_of(sandbox) as norce, norce.bulk(journal) as job:
        await all_of(job.run([], actions.remove()))
        with pytest.raises(JournalLockedError, match=r"another run is using .*: it is process \d+ on "):
            await norce.bulk(journal).__aenter__()


def test_a_run_that_was_taken_over_writes_nothing(postgres: str) -> None:
    """The first run can't mark an item as sent, so it sends nothing. The second run sees the item that was in flight
    and when the first lease ended."""
    journal = PostgresJournal(postgres, JOB, lease=1.0)
    first, second = PostgresStore(journal), PostgresStore(journal)
    first.take()
    listed(first, 3)
    first.record([Change(1, "sent")], {})
    assert first.kept_back() is None
    assert first.since_late() is None
    # Nothing renews the lease, as if the process had stopped.
    first.stop_renewing()
    while True:
        with suppress(JournalLockedError):
            second.take()
            break
        time.sleep(0.02)
    assert first.kept_back()
    late = second.since_late()
    assert late is not None
    assert late >= 0
    for _ in range(2):
        with pytest.raises(JournalLockedError, match="another run has taken it over"):
            first.record([Change(2, "sent")], {})
    with pytest.raises(JournalLockedError):
        first.renew()
    first.release()
    assert second.counts() == {"planned": 2, "sent": 1}
    second.record([Change(2, "sent")], {})
    second.release()
    third = PostgresStore(journal)
    third.take()
    assert third.since_late() is None
    third.release()


def test_a_lease_is_renewed_while_the_run_lives(postgres: str) -> None:
    journal = PostgresJournal(postgres, JOB, lease=0.6)
    store, other = PostgresStore(journal), PostgresStore(journal)
    store.take()
    until = boottime() + 2.0
    while boottime() < until:
        with pytest.raises(JournalLockedError):
            other.take()
        time.sleep(0.05)
    store.release()


def test_nothing_is_sent_in_the_last_fifth_of_a_lease(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time counts by a clock that goes on while the machine sleeps. A renewal begins the lease anew."""
    store = PostgresStore(PostgresJournal(postgres, JOB, lease=100.0))
    now = boottime()
    monkeypatch.setattr("norce_order_async.bulk.journal.lease.boottime", lambda: now)
    store.take()
    now += 79.9
    assert store.kept_back() is None
    now += 0.2
    assert store.kept_back()
    store.renew()
    assert store.kept_back() is None
    store.release()


def test_a_connection_that_is_lost_while_lists_are_compared(journal: PostgresJournal) -> None:
    """The database forgets the part of the list that it had received, so the run ends. The next run compares again."""
    store = PostgresStore(journal)
    store.take()
    listed(store, 3)
    store.begin_comparison()
    store.compare(items(1, 2))
    with pytest.raises(JournalError, match="was lost while its list was compared with the source: run it again"):
        lose_connections(journal, lambda: store.compare(items(3, 3)))
    store.begin_comparison()
    store.compare(items(1, 3))
    with pytest.raises(JournalError, match="was lost while its list was compared with the source: run it again"):
        lose_connections(journal, store.difference)
    store.begin_comparison()
    store.compare(items(1, 3))
    assert not store.difference()
    store.release()


def lose_connections(journal: PostgresJournal, then: Callable[[], object]) -> None:
    import psycopg

    with psycopg.connect(journal.dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    then()


def test_an_id_that_is_too_long(journal: PostgresJournal) -> None:
    """The index of the database can't hold the id. The error says so, and no item is listed."""
    store = PostgresStore(journal)
    store.take()
    store.begin({})
    with pytest.raises(JournalError, match=r"in PostgreSQL: the id of an order is too long for it$"):
        store.add([Item(1, "".join(map(chr, range(0x4E00, 0x4E00 + 1000))))])
    assert store.counts() == {}
    store.release()


@pytest.mark.parametrize("again", [False, True], ids=["each-once", "one-again"])
@pytest.mark.parametrize("shards", [0, 7])
def test_the_counts_of_a_list_are_those_of_its_rows(journal: PostgresJournal, shards: int, *, again: bool) -> None:
    """The run counts the items by shard as it lists them. If an order came again, the database counts them."""
    import psycopg

    store = PostgresStore(journal, shards=shards)
    store.take()
    store.begin({**FACTS_OF_A_JOB})
    store.add(store.prepared(items(1, 60)))
    more = [Item(number + 20, f"o{number}") for number in range(41, 101)] if again else items(61, 100)
    assert store.add(more) == (20 if again else 0, None)
    store.put_facts({LISTED: True, DUPLICATES: 20 if again else 0})
    store.release()
    with psycopg.connect(journal.dsn) as connection:
        rows = connection.execute("SELECT shard, count(*) FROM norce_job_item GROUP BY shard ORDER BY shard").fetchall()
        counted = connection.execute(
            "SELECT shard, planned FROM norce_job_shard WHERE planned > 0 ORDER BY shard"
        ).fetchall()
    assert counted == rows
    assert sum(count for _, count in rows) == 100
    assert len(rows) == (shards or 1)


def test_a_write_whose_answer_was_lost_is_done_once(journal: PostgresJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repeated write does not add attempts twice, and it does not count the orders of its own batch as duplicates."""
    import psycopg
    from psycopg.pq import TransactionStatus

    lost: list[str] = ["not yet"]

    class LosesOne(psycopg.Connection[Any]):
        """A connection that breaks after its first write has taken effect and before the answer."""

        def lose(self) -> None:
            if not lost:
                lost.append("answer")
                self.close()
                raise psycopg.OperationalError("the connection is gone")

        @contextmanager
        def transaction(self, *given: Any, **named: Any) -> Generator[Any]:
            is_outer = self.info.transaction_status == TransactionStatus.IDLE
            with super().transaction(*given, **named) as transaction:
                yield transaction
            if is_outer:
                self.lose()

        def execute(self, query: Any, *given: Any, **named: Any) -> Any:
            came = super().execute(query, *given, **named)
            writes = "UPDATE norce_job_item" in str(query) or "INSERT INTO norce_job_item" in str(query)
            if writes and self.info.transaction_status == TransactionStatus.IDLE:
                self.lose()
            return came

    monkeypatch.setattr(psycopg, "connect", LosesOne.connect)
    store = PostgresStore(journal)
    store.take()
    store.begin({**FACTS_OF_A_JOB})
    lost.clear()
    assert store.add(items(1, 5)) == (0, None)
    assert lost
    lost.clear()
    assert store.add([Item(6, "o2"), Item(7, "o1", {"erp": "e"}), Item(8, "o3")]) == (3, "o1")
    assert lost
    store.put_facts({"listed": True, "duplicates": 0})
    lost.clear()
    store.record([Change(1, "confirmed", 2)], {"spooled": 7})
    assert lost
    assert store.counts() == {"planned": 4, "confirmed": 1}
    assert store.some("confirmed", 0, 9)[0].key == "o1"
    assert store.facts()["spooled"] == 7
    with psycopg.connect(journal.dsn) as connection:
        assert connection.execute("SELECT attempts FROM norce_job_item WHERE number = 1").fetchone() == (2,)
    store.release()


FACTS_OF_A_JOB: dict[str, Any] = {
    "action": "delete",
    "parameters": {},
    "columns": [],
    "merchant": "acme",
    "channel": "se",
    "service": "https://orders.example",
    "partition": [1, 1],
    "source": "items",
    "dates": {},
    "settles": True,
}


@pytest.mark.parametrize(
    ("passed", "late", "waited"),
    [
        (None, None, None),
        (0.25, None, 0.75),
        (2.0, None, None),
        (-5.0, None, 1.0),
        (10.0, 0.5, 24.5),
        (None, 3.0, 22.0),
        (30.0, 30.0, None),
    ],
)
async def test_how_long_late_requests_are_waited_for(
    passed: float | None, late: float | None, waited: float | None
) -> None:
    """After a run that ended, the next one waits for the settling pause since the last send. After a run that lost
    its lease, it waits for a whole attempt since the end of the lease, because an attempt may have begun just
    before."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def since_sent() -> float | None:
        return passed

    core = SimpleNamespace(clock=SimpleNamespace(sleep=sleep))
    plan = SimpleNamespace(session=SimpleNamespace(core=core, settings=Settings()))
    journal = SimpleNamespace(since_sent=since_sent, since_late=late)
    await wait_for_late_requests(cast("Any", plan), cast("Any", journal))
    assert pauses == ([] if waited is None else [waited])


async def test_a_database_that_restarts_in_the_middle(sandbox: Sandbox, server: PostgresServer) -> None:
    """If the database returns within the lease, the job waits and continues. Each order is changed once."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 60)
        async with norce.bulk(PostgresJournal(server.dsn(), uuid4().hex), load=Fixed(in_flight=2)) as job:
            run = job.run(ids, actions.remove())
            for _ in range(5):
                await anext(run)
            await to_thread.run_sync(server.stop)
            assert len(effects(sandbox)) < 60
            await to_thread.run_sync(server.start)
            await all_of(run)
            assert job.summary.complete
    assert effects(sandbox) == dict.fromkeys(ids, 1)


async def test_a_database_that_stays_away(sandbox: Sandbox, server: PostgresServer) -> None:
    """The run ends when its lease does. Items that could not be marked as sent were not sent, and another run
    continues."""
    journal = PostgresJournal(server.dsn(), uuid4().hex, lease=2.0)
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 60)
        async with norce.bulk(journal, load=Fixed(in_flight=2)) as job:
            run = job.run(ids, actions.remove())
            for _ in range(5):
                await anext(run)
            await to_thread.run_sync(server.stop)
            try:
                sent = len(effects(sandbox))
                with pytest.raises(JournalError, match="its database can't be reached") as raised:
                    await all_of(run)
                assert len(effects(sandbox)) <= sent + 2
            finally:
                await to_thread.run_sync(server.start)
            # The run does not renew its lease when the database is back, which would keep others out.
            await until(lambda: not any("lease" in thread.name for thread in threading.enumerate()))
            assert not read_journal(journal).running
        assert_hides_the_password(raised.value)
        async with norce.bulk(journal, load=FEW) as job:
            await all_of(job.run(ids, actions.remove()))
    assert effects(sandbox) == dict.fromkeys(ids, 1)


def test_texts_of_a_journal_show_no_password(postgres: str) -> None:
    """A pickled journal keeps the password, because it is used on another machine."""
    journal = PostgresJournal(postgres, JOB)
    assert PASSWORD in postgres
    for text in (repr(journal), str(journal), f"{PostgresStore(journal).name}"):
        assert JOB in text
        assert "postgresql://" not in text
        assert PASSWORD not in text
    assert pickle.loads(pickle.dumps(journal)) == journal


@pytest.mark.parametrize(
    ("dsn", "why"),
    [
        (f"postgresql://tests:{PASSWORD}@localhost:1/jobs", "can't be reached"),
        (f"postgresql://tests:{PASSWORD}@/jobs?{PASSWORD}=1", "address can't be read"),
        (f"postgresql://tests:{PASSWORD}@[::1/jobs", "address can't be read"),
    ],
)
def test_an_error_shows_no_password(dsn: str, why: str) -> None:
    with pytest.raises(JournalError, match=why) as raised:
        PostgresStore(PostgresJournal(dsn, JOB)).take()
    assert_hides_the_password(raised.value)


async def test_impossible_arguments_are_refused(sandbox: Sandbox) -> None:
    """No error shows the password of the address."""
    for dsn, job in (("mysql://x:secret@y/z", JOB), (f"postgresql://x:{PASSWORD}@y/z", ""), (b"postgresql://", JOB)):
        with pytest.raises(ConfigurationError) as raised:
            PostgresJournal(dsn, job)  # type: ignore[arg-type]
        assert "secret" not in str(raised.value)
        assert PASSWORD not in str(raised.value)
    async with client_of(sandbox) as norce:
        with pytest.raises(ConfigurationError, match="PostgresJournal") as raised:
            norce.bulk(f"postgresql://x:{PASSWORD}@y/z")
        assert PASSWORD not in str(raised.value)


def test_the_lease_is_part_of_the_url(postgres: str) -> None:
    """A program that gets only the URL of a shard uses the chosen lease too."""
    usual = PostgresJournal(postgres, "close #2? or not")
    assert "lease" not in usual.url
    assert PostgresJournal.from_url(usual.url) == usual
    for lease in (60.0, 2.5, 86400.0, 0.25):
        journal = PostgresJournal(postgres, JOB, lease=lease)
        assert PostgresJournal.from_url(journal.url) == journal
    assert PostgresJournal.from_url(f"{postgres}#{JOB}?lease=60").lease == 60.0
    for option in ("", "lease", "lease=", "lease=-1", "lease=1e3", "lease=nan", "shards=3", "lease=5&x=1", "lease=0"):
        with pytest.raises(ConfigurationError, match="lease") as raised:
            PostgresJournal.from_url(f"{postgres}#{JOB}?{option}")
        assert PASSWORD not in str(raised.value)


def test_a_lease_lasts_as_long_as_was_chosen(postgres: str) -> None:
    """The end of the lease is a moment of the database's clock."""
    store = PostgresStore(PostgresJournal.from_url(f"{postgres}#{JOB}?lease=90"))
    store.take()
    left = "SELECT extract(epoch FROM leased_until - clock_timestamp())::float8 FROM norce_job_shard"
    (seconds,) = read(PostgresJournal(postgres, JOB), lambda connection: connection.execute(left).fetchone()) or (0.0,)
    assert 60 < seconds <= 90
    store.release()


def test_no_thread_is_left(journal: PostgresJournal) -> None:
    store = PostgresStore(journal)
    store.take()
    assert any("lease" in thread.name for thread in threading.enumerate())
    store.release()
    assert not any("lease" in thread.name for thread in threading.enumerate())


def assert_hides_the_password(error: BaseException) -> None:
    """Look for the password in the texts of an error and in the locals of its traceback, except those of the test
    itself."""
    for one in chain(error):
        assert PASSWORD not in str(one)
        for function, name, text in shown(one.__traceback__):
            assert PASSWORD not in text or function.startswith("test_"), (function, name)


async def test_a_run_whose_lease_ended_sends_nothing(
    sandbox: Sandbox, journal: PostgresJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frozen process wakes after another run has taken the job. It does not send the requests that were about to
    leave, and it ends."""
    taken: list[PostgresStore] = []
    real = PostgresStore.take

    def take(self: PostgresStore) -> None:
        real(self)
        taken.append(self)

    monkeypatch.setattr(PostgresStore, "take", take)
    passed = 0.0
    monkeypatch.setattr("norce_order_async.bulk.journal.lease.boottime", lambda: boottime() + passed)
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 40)
        async with norce.bulk(journal, load=Fixed(in_flight=2)) as job:
            run = job.run(ids, actions.remove())
            for _ in range(4):
                await anext(run)
            (mine,) = taken
            # Another run takes the job. Half a minute has passed when the first run wakes.
            await to_thread.run_sync(mine.stop_renewing)
            over = "UPDATE norce_job_shard SET leased_until = clock_timestamp() - interval '15 s'"
            await to_thread.run_sync(lambda: read(journal, lambda connection: connection.execute(over)))
            other = PostgresStore(journal)
            await to_thread.run_sync(other.take)
            passed = 30.0
            sent = len(effects(sandbox))
            with pytest.raises(JournalLockedError, match="another run has taken it over"):
                await all_of(run)
        assert len(effects(sandbox)) <= sent + 2
        await to_thread.run_sync(other.release)
        monkeypatch.undo()
        async with norce.bulk(journal, load=FEW) as job:
            await all_of(job.run(ids, actions.remove()))
    assert effects(sandbox) == dict.fromkeys(ids, 1)


async def test_a_lease_that_is_renewed_late_lets_the_job_continue(
    sandbox: Sandbox, journal: PostgresJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine may sleep past the time for renewal. If no other run has taken the job, the requests that were held
    back are then sent, once each."""
    late = 0

    def why() -> str | None:
        nonlocal late
        late += 1
        return "another run may have its journal" if late % 7 == 0 else None

    monkeypatch.setattr(PostgresStore, "kept_back", staticmethod(why))
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 40)
        async with norce.bulk(journal, load=Fixed(in_flight=2)) as job:
            outcomes = await all_of(job.run(ids, actions.remove()))
    assert {outcome.verdict for outcome in outcomes.values()} == {"done"}
    assert job.summary.complete
    assert late > 40
    assert effects(sandbox) == dict.fromkeys(ids, 1)
