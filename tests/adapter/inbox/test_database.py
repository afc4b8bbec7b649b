"""Several processes work on an inbox in PostgreSQL, and the database may be away."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from norce_order_async.adapter import InboxError, PostgresInbox
from norce_order_async.errors import ConfigurationError
from tests.adapter.deliveries import delivery
from tests.adapter.inbox.places import Inbox, InPostgres, Worker, column, work_until
from tests.support.postgres import PASSWORD, PostgresServer
from tests.support.waiting import until

pytestmark = [pytest.mark.slow(group="postgres"), pytest.mark.anyio]


@pytest.fixture
def place(postgres: str) -> InPostgres:
    return InPostgres(postgres)


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


async def test_several_open_an_empty_database_at_once(place: InPostgres) -> None:
    """All of them can use the table."""

    async def opens() -> None:
        async with place.inbox() as inbox:
            await inbox.counts()

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(opens)


async def test_several_work_on_one_inbox(place: InPostgres) -> None:
    """Each entry is handled by one of them, and each of them handles some."""
    workers = [Worker(), Worker(), Worker()]
    async with place.inbox() as first, place.inbox() as second, place.inbox() as third:
        async with anyio.create_task_group() as group:
            for number in range(120):
                group.start_soon(first.store, delivery(order_id=f"o_{number}"))
        async with anyio.create_task_group() as group:
            for inbox, worker in zip((first, second, third), workers, strict=True):
                group.start_soon(lambda inbox=inbox, worker=worker: inbox.work(worker, workers=2))  # type: ignore[misc]
            await until(lambda: sum(len(worker.handled) for worker in workers) == 120)
            group.cancel_scope.cancel()
    orders = [order for worker in workers for order in worker.orders]
    assert sorted(orders) == sorted(f"o_{number}" for number in range(120))
    assert all(worker.handled for worker in workers)


async def test_twins_that_several_processes_store_at_once_are_stored_once(place: InPostgres) -> None:
    """They arrive in opposite orders, which must not lead to a deadlock."""
    stored: list[bool] = []
    async with place.inbox() as first, place.inbox() as second:

        async def stores(inbox: Inbox, number: int) -> None:
            stored.append(await inbox.store(delivery(order_id=f"o_{number}")))

        for _ in range(5):
            async with anyio.create_task_group() as group:
                for number in range(40):
                    group.start_soon(stores, first, number)
                    group.start_soon(stores, second, 39 - number)
    assert stored.count(True) == 40


async def test_an_entry_that_a_dead_process_had_taken_is_handled_when_its_lease_is_over(place: InPostgres) -> None:
    """The attempt of the dead process counts."""
    worker = Worker()
    async with place.inbox(lease=0.5) as inbox:
        await inbox.store(delivery())
        now = "extract(epoch FROM clock_timestamp())"
        place.query(f"UPDATE norce_inbox SET state = 'working', attempts = 1, epoch = 1, due = {now} + 0.5")
        (before,) = place.query(f"SELECT {now}")
        await work_until(inbox, worker, lambda: worker.handled)
        (after,) = place.query(f"SELECT {now}")
        assert after[0] - before[0] >= 0.4
    assert [taken.attempt for taken in worker.taken] == [2]


async def test_a_handler_that_takes_longer_than_the_lease_keeps_its_entry(place: InPostgres) -> None:
    """The process renews its lease for as long as it lives."""
    worker, other, go = Worker(), Worker(), anyio.Event()
    worker.gate = lambda taken: go
    async with place.inbox(lease=1.0) as inbox, place.inbox() as second, anyio.create_task_group() as group:
        await inbox.store(delivery())
        group.start_soon(inbox.work, worker)
        await until(lambda: worker.running)
        group.start_soon(second.work, other)
        due = set[float]()
        while len(due) < 6:
            due.update(column(place, "due"))
            await anyio.sleep(0.05)
        go.set()
        await until(lambda: column(place, "state") == ["handled"])
        group.cancel_scope.cancel()
    assert (len(worker.handled), len(other.taken)) == (1, 0)


async def test_the_database_is_restarted_while_a_handler_runs(server: PostgresServer) -> None:
    """Nothing is stored or taken meanwhile. The handler continues, and its end is recorded afterwards."""
    place = InPostgres(server.dsn())
    worker, go = Worker(), anyio.Event()
    worker.gate = lambda taken: go
    async with place.inbox(lease=600.0) as inbox, anyio.create_task_group() as group:
        await inbox.store(delivery())
        group.start_soon(inbox.work, worker)
        await until(lambda: worker.running)
        await anyio.to_thread.run_sync(server.kill)
        with pytest.raises(InboxError, match="the database can't be reached") as caught:
            await inbox.store(delivery(order_id="o_2"))
        assert PASSWORD not in told(caught.value)
        go.set()
        await until(lambda: worker.handled)
        await anyio.to_thread.run_sync(server.start)
        await until(lambda: column(place, "state") == ["handled"])
        assert await inbox.store(delivery(order_id="o_2"))
        await until(lambda: column(place, "state") == ["handled", "handled"])
        group.cancel_scope.cancel()
    assert [taken.attempt for taken in worker.taken] == [1, 1]


@pytest.mark.every_loop
async def test_a_handler_is_cancelled_before_its_entry_may_be_taken(server: PostgresServer) -> None:
    """The database is away for longer than the lease. The entry is handled when it is back."""
    place = InPostgres(server.dsn())
    worker, never = Worker(), anyio.Event()
    worker.gate = lambda taken: never if taken.attempt == 1 else None
    async with place.inbox(lease=1.0) as inbox, anyio.create_task_group() as group:
        await inbox.store(delivery())
        group.start_soon(inbox.work, worker)
        await until(lambda: worker.running)
        await anyio.to_thread.run_sync(server.kill)
        await until(lambda: not worker.running)
        assert not worker.handled
        await anyio.to_thread.run_sync(server.start)
        await until(lambda: worker.handled)
        group.cancel_scope.cancel()
    assert worker.most == 1


async def test_connections_that_are_cut_are_opened_again(place: InPostgres) -> None:
    """There is no error, because the inbox sends the statement again."""
    async with place.inbox() as inbox:
        for number in range(3):
            place.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'norce-order-async' "
                "AND datname = current_database()"
            )
            assert await inbox.store(delivery(order_id=f"o_{number}"))
        assert (await inbox.counts()).depth == 3


@pytest.mark.parametrize("comment", ["'Notifications of adapters, norce-order-async, format 9'", "NULL"])
async def test_another_table_of_this_name_is_left_as_it_is(place: InPostgres, comment: str) -> None:
    """The table has another version of the format, or belongs to another program."""
    place.query("CREATE TABLE norce_inbox (mine text)")
    place.query(f"COMMENT ON TABLE norce_inbox IS {comment}")
    with pytest.raises(InboxError, match=r"format 9, and|of something else"):
        await place.inbox().__aenter__()
    assert place.query("SELECT * FROM norce_inbox") == []


async def test_a_role_that_may_create_nothing_uses_an_existing_table(place: InPostgres) -> None:
    """The rights to read and write are enough."""
    async with place.inbox():
        pass
    name = conninfo_to_dict(place.address)["dbname"]
    place.query(f"CREATE ROLE r_{name} LOGIN PASSWORD '{PASSWORD}'")
    place.query(f"GRANT SELECT, INSERT, UPDATE, DELETE ON norce_inbox TO r_{name}")
    try:
        async with PostgresInbox(place.address.replace("//tests:", f"//r_{name}:")) as inbox:
            assert await inbox.store(delivery())
    finally:
        place.query(f"DROP OWNED BY r_{name}")
        place.query(f"DROP ROLE r_{name}")


async def test_an_entry_is_on_disk_even_if_the_database_would_not_wait(
    place: InPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database can be configured to answer before data is on disk. The inbox sets its own connections to wait."""
    name = conninfo_to_dict(place.address)["dbname"]
    place.query(f"ALTER DATABASE {name} SET synchronous_commit = off")
    connect, made = psycopg.connect, list[psycopg.Connection[Any]]()

    def kept(**settings: Any) -> psycopg.Connection[Any]:
        made.append(connect(**settings))
        return made[-1]

    with monkeypatch.context() as patch:
        patch.setattr(psycopg, "connect", kept)
        async with place.inbox():
            assert [each.execute("SHOW synchronous_commit").fetchone() for each in made] == [("on",)]


def told(error: BaseException) -> str:
    """Everything that a thorough log writes about an error: the values in all frames except those of tests."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    trace.stack[:] = [frame for frame in trace.stack if "tests" not in Path(frame.filename).parts]
    assert len(trace.stack) > 3
    return "".join(trace.format())


@pytest.mark.parametrize(
    ("before", "after"),
    [(PASSWORD, f"{PASSWORD}x"), ("/test_", "/none_"), ("host=", "host=%2Fnowhere"), ("?host", "?port=1&host")],
    ids=["password", "database", "folder", "port"],
)
async def test_the_password_is_in_no_text(
    place: InPostgres, before: str, after: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The texts are the error, its traceback with all locals, the repr and the log."""
    caplog.set_level(logging.DEBUG)
    inbox = PostgresInbox(place.address.replace(before, after))
    with pytest.raises(InboxError, match="the database can't be reached") as caught:
        await inbox.__aenter__()
    assert PASSWORD not in told(caught.value)
    assert PASSWORD not in repr(inbox) + repr(vars(inbox)) + str(caught.value)
    assert PASSWORD not in caplog.text
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("dsn", [f"postgresql://u:{PASSWORD}@[h/db", f"password={PASSWORD} nonsense", f"{PASSWORD}"])
async def test_an_invalid_address_is_refused(dsn: str) -> None:
    """The error does not show the password in it."""
    with pytest.raises(ConfigurationError, match="dsn must be an address such as") as caught:
        PostgresInbox(dsn)
    assert PASSWORD not in str(caught.value)
    assert caught.value.__context__ is None


async def test_impossible_settings_are_refused_by_name(place: InPostgres) -> None:
    with pytest.raises(ConfigurationError, match="lease must be seconds, more than 0"):
        PostgresInbox(place.address, lease=0)
    with pytest.raises(ConfigurationError, match="dsn must be a string, not int"):
        PostgresInbox(5)  # type: ignore[arg-type]


async def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"install norce-order-async with \[postgres\]"):
        PostgresInbox("postgresql://h/db")
