"""``norce-order inbox`` shows and changes what an adapter has stored."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from norce_order_async.adapter import PostgresInbox, SqliteInbox
from tests.adapter.deliveries import delivery
from tests.adapter.inbox.places import InFile, InPostgres, Place, Worker, column, work_until
from tests.cli.inside import inside
from tests.support.postgres import PASSWORD


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow(group="postgres"))])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An inbox with a handled, a dead and a waiting notification, in this order."""
    made: Place = (
        InFile(tmp_path / "erp.inbox") if request.param == "sqlite" else InPostgres(request.getfixturevalue("postgres"))
    )
    anyio.run(_fill, made)
    return made


async def _fill(place: Place) -> None:
    secret = {"customer": {"email": "eva@example.com"}}
    async with place.inbox(max_attempts=1) as inbox:
        await inbox.store(delivery(secret, order_id="o_handled"))
        await work_until(inbox, Worker(), lambda: column(place, "state") == ["handled"])
        await inbox.store(delivery(secret, order_id="o_dead"))
        await work_until(inbox, Worker(fails=9), lambda: column(place, "state")[1:] == ["dead"])
        await inbox.store(delivery(secret, order_id="o_waiting"))


def test_it_lists_what_is_not_handled(place: Place) -> None:
    """It prints a table and the counts of all states below, and nothing of the contents."""
    ran = inside("inbox", "list", place.address)
    assert (ran.code, ran.err) == (0, "")
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[0] == ["ID", "STATE", "ADAPTER", "ID", "ROUTE", "ORDER", "ID", "RECEIVED", "ATTEMPTS", "DUE", "ERROR"]
    assert lines[1] == ["2", "dead", "erp", "/cart", "o_dead", "2026-03-01T12:00:00.000Z", "1", "-", "ValueError"]
    assert lines[2][:5] == ["3", "waiting", "erp", "/cart", "o_waiting"]
    assert ran.out.splitlines()[3] == "1 waiting, 0 working, 1 dead, 1 handled"
    assert "eva" not in ran.out


@pytest.mark.parametrize("form", ["--json", "--jsonl"])
def test_for_machines_it_lists_all_members(place: Place, form: str) -> None:
    """It prints one array, or a line for each entry. Members without a value are null."""
    ran = inside("inbox", "list", place.address, form, "--state", "dead")
    found: Any = json.loads(ran.out) if form == "--json" else [json.loads(line) for line in ran.out.splitlines()]
    (entry,) = found
    assert entry.pop("changed")
    assert entry == {
        "id": 2,
        "state": "dead",
        "adapter_id": "erp",
        "route": "/cart",
        "merchant": "acme",
        "channel": "se",
        "order_id": "o_dead",
        "received": "2026-03-01T12:00:00.000Z",
        "attempts": 1,
        "due": None,
        "error": "ValueError",
    }


def test_as_csv_with_the_columns_that_were_asked_for(place: Place) -> None:
    ran = inside("inbox", "list", place.address, "--csv")
    first, *rows = csv.reader(io.StringIO(ran.out))
    assert first == ["id", "state", "adapter_id", "route", "order_id", "received", "attempts", "due", "error"]
    assert [row[:5] for row in rows] == [
        ["2", "dead", "erp", "/cart", "o_dead"],
        ["3", "waiting", "erp", "/cart", "o_waiting"],
    ]
    ran = inside("inbox", "list", place.address, "--csv", "--columns", "merchant, state")
    assert ran.out == "merchant,state\r\nacme,dead\r\nacme,waiting\r\n"
    ran = inside("inbox", "list", place.address, "--json", "--columns", "merchant,state")
    assert json.loads(ran.out) == [{"merchant": "acme", "state": "dead"}, {"merchant": "acme", "state": "waiting"}]
    ran = inside("inbox", "list", place.address, "--columns", "merchant,state")
    assert ran.out.splitlines()[:2] == ["MERCHANT  STATE", "acme      dead"]
    ran = inside("inbox", "list", place.address, "--columns", "merchnat")
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean merchant?" in ran.err
    ran = inside("inbox", "list", place.address, "--columns", "body")
    assert (ran.code, "the columns are id, state" in ran.err) == (2, True)


def test_an_empty_inbox_is_an_empty_array_and_for_people_the_counts(place: Place) -> None:
    assert inside("inbox", "list", place.address, "--state", "working", "--json").out == "[]\n"
    ran = inside("inbox", "list", place.address, "--state", "working")
    assert ran.out == "1 waiting, 0 working, 1 dead, 1 handled\n"


def test_a_long_list_is_cut_for_people(tmp_path: Path) -> None:
    """A list for machines has all entries."""
    path = tmp_path / "long.inbox"

    async def fill() -> None:
        async with SqliteInbox(path) as inbox, anyio.create_task_group() as group:
            for number in range(101):
                group.start_soon(inbox.store, delivery(order_id=f"o_{number}"))

    anyio.run(fill)
    ran = inside("inbox", "list", str(path))
    assert len(ran.out.splitlines()) == 102
    assert ran.err == "the first 100; --json prints all\n"
    assert len(json.loads(inside("inbox", "list", str(path), "--json").out)) == 101


def test_retry_and_drop(place: Place) -> None:
    """Each prints what it did with each entry. The exit code is 1 if it could not do it with one of them."""
    ran = inside("inbox", "retry", place.address, "1", "2", "9")
    assert (ran.code, ran.out.splitlines()) == (
        1,
        ["1  forgotten: it is handled when the service sends it again", "2  due now", "9  not there"],
    )
    assert column(place, "state") == ["waiting", "waiting"]
    ran = inside("inbox", "drop", place.address, "2", "--json")
    assert (ran.code, json.loads(ran.out)) == (0, {"id": 2, "was": "waiting", "done": True})
    place.query("UPDATE norce_inbox SET state = 'working'")
    ran = inside("inbox", "drop", place.address, "3")
    assert (ran.code, ran.out) == (1, "3  being handled, so it was left alone\n")


def test_a_file_that_is_not_an_inbox(tmp_path: Path) -> None:
    """The command leaves it as it is, and creates no inbox."""
    missing, other = tmp_path / "missing", tmp_path / "other"
    other.write_text("notes")
    assert inside("inbox", "list", str(missing)).code == 2
    assert not missing.exists()
    ran = inside("inbox", "list", str(other))
    assert ran.code == 2
    assert "is not the inbox of an adapter: it was left as it is" in ran.err
    assert other.read_text() == "notes"
    assert inside("inbox", "retry", str(missing), "0").code == 2


@pytest.mark.slow(group="postgres")
def test_a_database_that_is_away_is_a_line_without_the_password(postgres: str) -> None:
    for address in (postgres.replace("test_", "none_"), postgres.replace(PASSWORD, f"{PASSWORD}x")):
        ran = inside("inbox", "list", address)
        assert ran.code == 2
        assert "the database can't be reached" in ran.err
        assert PASSWORD not in ran.err + ran.out
    assert PASSWORD not in repr(PostgresInbox(postgres))
