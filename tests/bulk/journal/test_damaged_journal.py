"""Every reader reports impossible contents of a journal by file and row, and does nothing with them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from norce_order_async import JournalError
from norce_order_async.bulk import actions, read_results
from norce_order_async.bulk.journal.inspect import read_journal
from norce_order_async.bulk.journal.results import plan_again
from norce_order_async.sandbox import Sandbox
from tests.bulk.support import client_of, content, effects
from tests.bulk.test_job import all_of
from tests.cli.inside import inside

from .test_journal import mark, planned

pytestmark = pytest.mark.anyio

NESTED = '{"a":' * 100_000

ROWS: dict[str, tuple[str, Any]] = {
    "unknown state": ("state", "halfway"),
    "empty state": ("state", ""),
    "state of bytes": ("state", b"planned"),
    "state that is no UTF-8": ("state CAST(? AS TEXT)", b"pl\xffanned"),
    "asked is no JSON": ("asked", "{"),
    "asked is nested without end": ("asked", NESTED),
    "asked is no object": ("asked", "[1]"),
    "asked is no UTF-8": ("asked CAST(? AS TEXT)", b'{"secret \xff": 1}'),
    "asked is something else than was listed": ("asked", '{"a":1}'),
    "key is no UTF-8": ("key CAST(? AS TEXT)", b"o\xff1"),
    "another key": ("key", "o-another"),
    "empty key": ("key", ""),
    "key of bytes": ("key", b"o1"),
    "attempts is a text": ("attempts", "many"),
    "attempts below zero": ("attempts", -1),
    "reason is a number in bytes": ("reason", b"5"),
    "code of bytes": ("code", b"x"),
    "said is no UTF-8": ("said CAST(? AS TEXT)", b"secret\xff"),
    "sent is a text": ("sent", "yesterday"),
    "sent is infinite": ("sent", float("inf")),
    "changed is beyond all dates": ("changed", 1e300),
    "changed before all dates": ("changed", -1e300),
    "hash is gone": ("hash", b""),
    "hash is a text": ("hash", "x"),
    "correlation id of bytes": ("correlation_id", b"x"),
}
FACTS: dict[str, tuple[str, Any]] = {
    "no JSON": ("parameters", "{"),
    "no UTF-8": ("action", b'"\xff"'),
    "bytes": ("merchant", b'"m"'),
    "nested without end": ("parameters", NESTED),
    "half a surrogate pair": ("merchant", r'"\ud800"'),
    "a huge number": ("partition", f"[1, {'9' * 5000}]"),
    "wrong type": ("partition", "5"),
    "wrong types inside": ("partition", '["a", "b"]'),
    "no such part": ("partition", "[3, 2]"),
    "action is a number": ("action", "5"),
    "parameters are a list": ("parameters", "[]"),
    "a flag that is none": ("settles", '"no"'),
    "the service is null": ("service", "null"),
    "a missing fact": ("partition", None),
}


def read(path: Path) -> None:
    read_journal(path)


def results(path: Path) -> None:
    list(read_results(path))


def again(path: Path) -> None:
    plan_again(path, ["refused"])


def damage(path: Path, statement: str, *values: Any) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, values)
    connection.close()


def damage_row(path: Path, what: str) -> None:
    spot, value = ROWS[what]
    column, _, how = spot.partition(" ")
    damage(path, f"UPDATE item SET {column} = {how or '?'} WHERE number = 2", value)


def damage_fact(path: Path, what: str) -> str:
    fact, value = FACTS[what]
    if value is None:
        damage(path, "DELETE FROM fact WHERE name = ?", fact)
    else:
        how = "CAST(? AS TEXT)" if what == "no UTF-8" else "?"
        damage(path, f"UPDATE fact SET value = {how} WHERE name = ?", value, fact)
    return fact


@pytest.fixture
async def three(sandbox: Sandbox, journal: Path) -> Path:
    """A journal of three orders, the second of which was refused."""
    await planned(sandbox, journal, ["o1", "o2", "o3"], actions.remove())
    damage(journal, "UPDATE item SET state = 'refused', changed = 1.0 WHERE number = 2")
    return journal


@pytest.mark.parametrize("reader", [read, results, again])
@pytest.mark.parametrize("what", ROWS)
async def test_a_damaged_item(three: Path, what: str, reader: Callable[[Path], None]) -> None:
    """The error names the row. It does not show the contents, which may be personal data."""
    damage_row(three, what)
    if reader is read and what in SEEN_WHEN_READ:
        return
    before = content(three)
    with pytest.raises(JournalError, match=r"row 2: .* damaged") as caught:
        reader(three)
    assert str(three) in str(caught.value)
    assert "secret" not in f"{caught.value!r}{caught.value.__cause__!r}"
    assert content(three) == before


SEEN_WHEN_READ = {
    "asked is no UTF-8",
    "asked is no object",
    "asked is something else than was listed",
    "key is no UTF-8",
    "another key",
    "said is no UTF-8",
    "hash is gone",
}
"""Damage that shows only when the item is read, and not in a count of states."""


@pytest.mark.parametrize("what", ["unknown state", "empty state", "state of bytes", "state that is no UTF-8"])
async def test_an_item_with_an_unknown_state_is_in_every_listing(three: Path, what: str) -> None:
    """Results report it whichever verdicts are asked for, so that none skips it."""
    damage_row(three, what)
    with pytest.raises(JournalError, match="row 2: its state"):
        list(read_results(three, ["done"]))


@pytest.mark.parametrize("state", ["planned", "sent"])
@pytest.mark.parametrize("what", ROWS)
async def test_a_job_does_not_go_on_past_a_damaged_item(sandbox: Sandbox, journal: Path, what: str, state: str) -> None:
    """It does not do the items before it either: nothing is sent."""
    ids = ["o1", "o2", "o3"]
    await planned(sandbox, journal, ids, actions.remove())
    mark(journal, state, 3)
    damage_row(journal, what)
    for source in (ids, None):
        async with client_of(sandbox) as norce:
            with pytest.raises(JournalError, match="row 2: "):
                async with norce.bulk(journal) as job:
                    await all_of(job.run(source, actions.remove()))
    assert not effects(sandbox)


@pytest.mark.parametrize("reader", [read, again])
@pytest.mark.parametrize("what", FACTS)
async def test_a_damaged_fact(three: Path, what: str, reader: Callable[[Path], None]) -> None:
    """The error names the fact."""
    fact = damage_fact(three, what)
    with pytest.raises(JournalError, match=rf"fact '{fact}': .* damaged") as caught:
        reader(three)
    assert str(three) in str(caught.value)


@pytest.mark.parametrize("what", FACTS)
async def test_a_job_does_not_go_on_with_a_damaged_fact(sandbox: Sandbox, three: Path, what: str) -> None:
    fact = damage_fact(three, what)
    async with client_of(sandbox) as norce:
        with pytest.raises(JournalError, match=rf"fact '{fact}': "):
            async with norce.bulk(three) as job:
                await all_of(job.run(None, actions.remove()))
    assert not effects(sandbox)


async def test_a_journal_that_lost_its_list_does_not_begin_again(sandbox: Sandbox, three: Path) -> None:
    """If it did, it would do everything a second time."""
    damage(three, "DELETE FROM fact WHERE name = 'listed'")
    async with client_of(sandbox) as norce:
        with pytest.raises(JournalError, match="row 2: it was acted on"):
            async with norce.bulk(three) as job:
                await all_of(job.run(["o1", "o2", "o3"], actions.remove()))
    assert not effects(sandbox)
    (found,) = read_results(three, ["refused"])
    assert found.key == "o2"


@pytest.mark.parametrize("command", ["status", "results", "retry"])
@pytest.mark.parametrize("what", ["unknown state", "asked is no JSON", "sent is a text", "state that is no UTF-8"])
async def test_the_commands_report_it(three: Path, what: str, command: str) -> None:
    """They name the row and exit with the code of bad input."""
    damage_row(three, what)
    arguments = ["--only", "refused"] if command == "retry" else []
    done = inside("bulk", command, str(three), *arguments)
    assert done.code == 2, done.err
    assert "row 2: " in done.err
    assert "Traceback" not in done.out + done.err


@pytest.mark.parametrize("parameters", [{}, {"to": 5}, {"to": ["removed"]}, {"to": {}}])
async def test_parameters_of_another_action_are_refused(three: Path, parameters: dict[str, Any]) -> None:
    """The command that would use them reports it."""
    damage(three, "UPDATE fact SET value = ? WHERE name = 'parameters'", json.dumps(parameters))
    done = inside("bulk", "retry", str(three), "--only", "refused")
    assert done.code == 2, done.err
    assert str(three) in done.err.replace("\n", "")
