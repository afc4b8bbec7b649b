"""The journal: how a run continues, what it settles first, and when a journal can't be used."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from norce_order_async import (
    ConfigurationError,
    Fixed,
    InvalidRequestError,
    JournalError,
    JournalLockedError,
    JournalMismatchError,
    Order,
    OrderFilter,
)
from norce_order_async.bulk import actions
from norce_order_async.bulk.actions.base import Action, Row, Settlement
from norce_order_async.bulk.journal.inspect import read_journal
from norce_order_async.bulk.journal.lock import RunLock
from norce_order_async.bulk.journal.results import plan_again
from norce_order_async.bulk.journal.sqlite import SqliteStore
from norce_order_async.sandbox import Sandbox
from tests.bulk.support import AT_ONCE, client_of, content, effects, list_only, new_orders, write
from tests.bulk.test_job import all_of

pytestmark = pytest.mark.anyio

FEW = Fixed(in_flight=5)
ROOT = Path(__file__).parents[3]
SET_REFERENCE = "UpdateCheckoutOrderReference"


def mark(journal: Path, state: str, count: int) -> None:
    """Give items the state in which a killed run leaves them."""
    connection = sqlite3.connect(journal)
    with connection:
        connection.execute("UPDATE item SET state = ?, changed = 0 WHERE number <= ?", (state, count))
    connection.close()


async def planned(sandbox: Sandbox, journal: Path, ids: list[str], action: Any) -> None:
    """Make a journal that has its list, of a job that has not sent anything."""
    async with client_of(sandbox) as norce, norce.bulk(journal) as job:
        await list_only(job, ids, action)


async def test_a_second_run_repeats_nothing(sandbox: Sandbox, journal: Path) -> None:
    """Its summary and the report count what the first run did."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 5)
        for outcomes_expected in (6, 0):
            async with norce.bulk(journal, load=FEW) as job:
                outcomes = await all_of(job.run([*ids, "o-missing"], actions.remove()))
            assert len(outcomes) == outcomes_expected
    assert job.summary.before == {"done": 5, "refused": 1}
    assert job.summary.left == 0
    report = read_journal(journal)
    assert (report.action, report.parameters, report.left, report.running) == (
        "transition",
        {"to": "removed"},
        0,
        False,
    )
    assert report.counts == {"confirmed": 5, "refused": 1}
    assert sum(report.reasons.values()) == 1


async def test_the_rest_is_done_by_the_next_run(sandbox: Sandbox, journal: Path) -> None:
    """A run with ``None`` as its source does the items that the first run left."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 30)
        async with norce.bulk(journal, load=Fixed(in_flight=2)) as job:
            async for _ in job.run(ids, actions.remove()):
                job.stop()
        left = job.summary.left
        assert left
        assert read_journal(journal).left == left
        async with norce.bulk(journal, load=FEW) as job:
            outcomes = await all_of(job.run(None, actions.remove()))
        assert len(outcomes) == left
        assert job.summary.complete
    assert set(effects(sandbox).values()) == {1}


async def test_items_in_flight_are_settled_first(sandbox: Sandbox, journal: Path) -> None:
    """All of them are read before anything is sent. Items that took effect are not sent again; the others are."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 6)
        await planned(sandbox, journal, ids, actions.remove())
        mark(journal, "sent", 4)
        for key in ids[:2]:
            await norce.orders(key).remove()
        async with norce.bulk(journal, load=FEW) as job:
            outcomes = await all_of(job.run(ids, actions.remove()))
    assert {outcome.verdict for outcome in outcomes.values()} == {"done"}
    assert "in flight" in outcomes[ids[0]].note
    assert set(effects(sandbox).values()) == {1}
    methods = [request.method for request in sandbox.requests if request.method in ("GET", "PUT")]
    assert methods[-8:] == ["GET"] * 4 + ["PUT"] * 4


async def test_a_service_that_is_away_while_settling(sandbox: Sandbox, journal: Path) -> None:
    """The probe's answer says that its order was not changed. The job then reads and sends the others as well."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 12)
        await planned(sandbox, journal, ids, actions.remove())
        mark(journal, "sent", 12)
        sandbox.faults.play({"rules": [{"fault": {"answer": 429}, "operations": ["reads"], "first": 12}]})
        async with norce.bulk(journal, load=FEW, options=replace(AT_ONCE, max_attempts=1)) as job:
            outcomes = await all_of(job.run(ids, actions.remove()))
    assert {outcome.verdict for outcome in outcomes.values()} == {"done"}
    assert set(effects(sandbox).values()) == {1}
    assert job.summary.failed_probes


async def test_items_of_a_function_that_were_in_flight_are_unknown(sandbox: Sandbox, journal: Path) -> None:
    """The job can't check the effect of a function, so it sends again only if the user asks for it."""

    async def remove(order: Order) -> str:
        await order.remove()
        return order.id

    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 4)
        action = actions.plain("my removing", remove)
        await planned(sandbox, journal, ids, action)
        mark(journal, "sent", 1)
        async with norce.bulk(journal, load=FEW) as job:
            outcomes = await all_of(job.run(ids, action))
        assert outcomes[ids[0]].verdict == "unknown"
        assert outcomes[ids[1]].value == ids[1]
        assert len(effects(sandbox)) == 3
        with pytest.raises(ConfigurationError, match=r"'my removing' can't read .* its 1 unknown items .*send_again"):
            plan_again(journal, ["unknown"])
        assert read_journal(journal).counts["unknown"] == 1
        assert plan_again(journal, ["unknown"], send_again=True) == 1
        async with norce.bulk(journal, load=FEW) as job:
            await all_of(job.run(None, action))
    assert len(effects(sandbox)) == 4
    with pytest.raises(ConfigurationError, match="not a ready action"):
        actions.from_journal(read_journal(journal).action, {})


@pytest.mark.parametrize("send_again", [False, True])
async def test_unknown_items_that_are_planned_again_are_read_first(
    sandbox: Sandbox, journal: Path, send_again: bool
) -> None:
    """The job sends only those that were not done, unless the user asks for a second send of all."""
    async with client_of(sandbox) as norce:
        rows = [{"order_id": key, "erp": f"erp-{key}"} for key in await new_orders(norce, 4)]
        action = actions.set_reference(column="erp")
        async with norce.bulk(journal, load=FEW) as job:
            await all_of(job.run(rows, action))
        await norce.orders(rows[0]["order_id"]).set_reference("by somebody else")
        mark(journal, "unknown", 2)
        mark(journal, "refused", 1)
        before = effects(sandbox, SET_REFERENCE)
        assert plan_again(journal, ["unknown", "refused"], send_again=send_again) == 2
        assert read_journal(journal).left == 2
        async with norce.bulk(journal, load=FEW) as job:
            outcomes = await all_of(job.run(None, action))
        assert job.summary.complete
    assert {outcome.verdict for outcome in outcomes.values()} == {"done"}
    sent = {key for key, count in effects(sandbox, SET_REFERENCE).items() if count > before[key]}
    assert sent == {row["order_id"] for row in rows[: 2 if send_again else 1]}


async def test_an_action_may_get_a_settle_later(sandbox: Sandbox, journal: Path) -> None:
    """The journal records whether the action of its latest run can settle."""

    class Silent(Action[None]):
        name = "note"

        def __init__(self) -> None:
            self.parameters = {}

        async def apply(self, order: Order, row: Row) -> None:
            pass

    class Reporter(Silent):
        async def settle(self, order: Order, row: Row) -> Settlement:
            return "not done"

    async with client_of(sandbox) as norce:
        for action, settles in ((Silent(), False), (Reporter(), True), (actions.plain("note", ignore), False)):
            async with norce.bulk(journal) as job:
                await all_of(job.run(["o1"], action))
            assert read_journal(journal).settles is settles


async def ignore(order: Order) -> None:
    del order


@pytest.mark.parametrize("name", ["transition", "validate", "export", "set reference", "patch attributes", "delete"])
def test_a_function_is_not_mistaken_for_an_action_of_the_package(name: str) -> None:
    """If a function could have such a name, retrying its journal from the command line would run another action."""
    with pytest.raises(ConfigurationError, match="give the function another"):
        actions.plain(name, ignore)


def test_an_own_action_with_the_name_of_a_ready_one_is_distinguished() -> None:
    """A ready action does not have these parameters."""
    with pytest.raises(ConfigurationError, match="not a ready action"):
        actions.from_journal("transition", {"status": "removed"})


async def test_a_function_without_a_name_is_not_journaled(sandbox: Sandbox, journal: Path) -> None:
    """The text of the error shows how to name it."""

    async def nothing(order: Order) -> None:
        del order

    async with client_of(sandbox) as norce, norce.bulk(journal) as job:
        with pytest.raises(ConfigurationError, match=r"actions\.plain"):
            job.run([], nothing)


async def test_a_filter_is_listed_before_anything_is_done(sandbox: Sandbox, journal: Path) -> None:
    """A later run does not list it again, because the filter matches other orders by then."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 8)
        where = OrderFilter(status="checkout")
        async with norce.bulk(journal, load=Fixed(in_flight=1)) as job:
            async for _ in job.run(where, actions.remove()):
                job.stop()
        assert job.summary.total == 8
        await new_orders(norce, 0)
        async with norce.bulk(journal, load=FEW) as job:
            await all_of(job.run(where, actions.remove()))
        with pytest.raises(JournalMismatchError, match=r"its filter had another status\. Name another journal"):
            async with norce.bulk(journal, load=FEW) as job:
                await all_of(job.run(OrderFilter(status="accepted"), actions.remove()))
    assert effects(sandbox) == dict.fromkeys(ids, 1)


async def test_another_job_or_other_items_are_refused(sandbox: Sandbox, journal: Path) -> None:
    """The text names what differs. Nothing is sent."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 3)
        await planned(sandbox, journal, ids, actions.remove())
        others: list[tuple[list[str], Any, str]] = [
            (ids, actions.transition("completed"), "it had other parameters"),
            (ids, actions.delete(), "its action was transition and is delete now"),
            (ids[1:], actions.remove(), r"begun with other items \(1 missing: o\w+\)"),
            ([*ids, "o-new"], actions.remove(), r"\(1 new: o-new\): give the same items, or None to continue"),
        ]
        for source, action, text in others:
            async with norce.bulk(journal) as job:
                with pytest.raises(JournalMismatchError, match=text):
                    await all_of(job.run(source, action))
        async with norce.scoped(channel="no").bulk(journal) as job:
            with pytest.raises(JournalMismatchError, match="its channel was se and is no now"):
                await all_of(job.run(ids, actions.remove()))
    assert not effects(sandbox)


async def test_rows_with_other_values_are_refused(sandbox: Sandbox, journal: Path) -> None:
    """The journal compares and keeps only the column that the action uses."""
    rows = [{"order_id": "o1", "erp": "a", "name": "Kim"}]
    action = actions.set_reference(column="erp")
    async with client_of(sandbox) as norce:
        async with norce.bulk(journal, load=FEW) as job:
            await all_of(job.run(rows, action))
        async with norce.bulk(journal) as job:
            await all_of(job.run([{**rows[0], "name": "Sam"}], action))
        async with norce.bulk(journal) as job:
            with pytest.raises(JournalMismatchError, match="1 with different rows: o1"):
                await all_of(job.run([{**rows[0], "erp": "b"}], action))
        async with norce.bulk(journal.with_name("other")) as job:
            with pytest.raises(InvalidRequestError, match="order o1 is in the source twice"):
                await all_of(job.run([*rows, {**rows[0], "erp": "b"}], action))
    assert b"Kim" not in content(journal)
    assert actions.from_journal("set reference", read_journal(journal).parameters).columns == ("erp",)


async def test_an_order_named_twice_is_done_once(sandbox: Sandbox, journal: Path) -> None:
    async with client_of(sandbox) as norce:
        (key,) = await new_orders(norce, 1)
        async with norce.bulk(journal) as job:
            assert len([outcome async for outcome in job.run([key, key], actions.remove())]) == 1


async def test_an_interrupted_list_is_made_again(sandbox: Sandbox, journal: Path) -> None:
    """No item of an incomplete list was sent, so another list may replace it."""
    async with client_of(sandbox) as norce:
        (key,) = await new_orders(norce, 1)
        async with norce.bulk(journal) as job:
            with pytest.raises(InvalidRequestError):
                await all_of(job.run([key, ""], actions.remove()))
        async with norce.bulk(journal) as job:
            with pytest.raises(JournalMismatchError, match="no list"):
                await all_of(job.run(None, actions.remove()))
        async with norce.bulk(journal) as job:
            assert set(await all_of(job.run([key], actions.remove()))) == {key}


async def test_two_runs_exclude_each_other(sandbox: Sandbox, journal: Path) -> None:
    """A second run is refused while the first one has the journal. The report says that a run is going on."""
    async with client_of(sandbox) as norce, norce.bulk(journal) as job:
        await all_of(job.run([], actions.remove()))
        with pytest.raises(JournalLockedError):
            await norce.bulk(journal).__aenter__()
        with pytest.raises(JournalLockedError):
            plan_again(journal, ["refused"])
        assert read_journal(journal).running


@pytest.mark.parametrize("kind", ["text", "empty", "other database", "newer"])
async def test_a_foreign_file_is_left_as_it_is(sandbox: Sandbox, journal: Path, kind: str) -> None:
    """Each byte stays as it was, and the error says what the file is."""
    if kind == "other database":
        sqlite3.connect(journal).execute("CREATE TABLE t (x)").connection.close()
    elif kind == "newer":
        new = SqliteStore(journal)
        new.take()
        new.release()
        written = bytearray(content(journal))
        written[60:64] = (9).to_bytes(4, "big")
        write(journal, bytes(written))
    else:
        write(journal, b"order ids\n" * 50 if kind == "text" else b"")
    before = content(journal)
    async with client_of(sandbox) as norce:
        with pytest.raises(JournalError, match=r"is not the journal|another program|format 9"):
            await norce.bulk(journal).__aenter__()
    assert content(journal) == before


async def test_a_damaged_journal_is_refused(sandbox: Sandbox, journal: Path) -> None:
    """The file is not repaired, because its information about the orders is lost."""
    await planned(sandbox, journal, [f"o{n:05}" for n in range(2000)], actions.remove())
    damaged = bytearray(content(journal))
    for page in range(4096, len(damaged), 4096):
        damaged[page : page + 64] = b"\xff" * 64
    write(journal, bytes(damaged))
    async with client_of(sandbox) as norce:
        with pytest.raises(JournalError, match="damaged"):
            await norce.bulk(journal).__aenter__()
    assert content(journal) == damaged


async def test_an_interrupted_write_counts_as_failed(
    sandbox: Sandbox, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any error in a write, the job does not continue as if the data were on disk."""

    def broken(*_: Any) -> None:
        raise RuntimeError("nobody thought of this")

    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 3)
        async with norce.bulk(journal, load=FEW) as job:
            monkeypatch.setattr(SqliteStore, "record", broken)
            with pytest.raises(JournalError, match="writing was cut off"):
                await all_of(job.run(ids, actions.remove()))
    assert not effects(sandbox)


async def test_an_export_continues_where_it_was(sandbox: Sandbox, tmp_path: Path, journal: Path) -> None:
    """The next run cuts off lines that a killed run wrote and did not commit. Each order is in the file once."""
    out = tmp_path / "out.jsonl"
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 10)
        async with norce.bulk(journal, load=Fixed(in_flight=1)) as job:
            async for _ in job.run(ids, actions.export(out, fields={"key": "id"})):
                job.stop()
        part = out.with_name("out.jsonl.part")
        write(part, content(part) + b'{"key": "o-half')
        async with norce.bulk(journal, load=FEW) as job:
            await all_of(job.run(ids, actions.export(out, fields={"key": "id"})))
        assert sorted(json.loads(line)["key"] for line in content(out).splitlines()) == sorted(ids)
        async with norce.bulk(journal, load=FEW) as job:
            assert not await all_of(job.run(ids, actions.export(out, fields={"key": "id"})))


async def test_an_own_action(sandbox: Sandbox, journal: Path) -> None:
    """An action of the user's own gets its columns and returns a result."""

    class Note(Action[str]):
        name = "note"
        columns = ("text",)

        def __init__(self) -> None:
            self.parameters = {"version": 1}

        async def apply(self, order: Order, row: Row) -> str:
            await order.attributes.update({"note": row["text"]})
            return str(row["text"])

    async with client_of(sandbox) as norce:
        (key,) = await new_orders(norce, 1)
        async with norce.bulk(journal) as job:
            outcomes = await all_of(job.run([{"order_id": key, "text": "hello"}], Note()))
        assert outcomes[key].value == "hello"
        assert (await norce.orders.get(key)).attributes["note"] == "hello"


def test_a_lock_that_is_removed_keeps_others_out_as_well(tmp_path: Path) -> None:
    """A process may open the lock file just before another removes it. It then does not hold a lock that others
    can't see."""
    inside, most, taken = 0, 0, 0
    counting = threading.Lock()

    def run() -> None:
        nonlocal inside, most, taken
        for _ in range(300):
            lock = RunLock(tmp_path / "journal")
            try:
                lock.take()
            except JournalLockedError:
                continue
            with counting:
                inside, taken = inside + 1, taken + 1
                most = max(most, inside)
            time.sleep(0)
            with counting:
                inside -= 1
            lock.release(remove=True)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, taken > 1) == (1, True)
    assert list(tmp_path.iterdir()) == []
