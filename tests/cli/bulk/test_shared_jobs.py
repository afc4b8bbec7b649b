"""``norce-order bulk`` with a journal in PostgreSQL, and workers on a job that several machines share."""

from __future__ import annotations

import json
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import pytest

from norce_order_async import JournalError
from norce_order_async.bulk import PostgresJournal, Recipe, actions, spread
from norce_order_async.cli.bulk.running import again
from tests.bulk.shards.exports import ids_in
from tests.cli.inside import inside
from tests.cli.shop import Shop, shop
from tests.support.postgres import PASSWORD

pytestmark = pytest.mark.slow(group="postgres")


@pytest.fixture(scope="module")
def here() -> Generator[Shop]:
    with shop(2000) as opened:
        yield opened


def test_a_job_with_a_journal_in_a_database(here: Shop, postgres: str, tmp_path: Path) -> None:
    """A journal in a database works as one in a file, and no output shows its address."""
    ids = here.ids(6)
    listed = tmp_path / "ids"
    listed.write_text("\n".join([*ids, "o-missing"]))
    journal = f"{postgres}#close"
    arguments = ("bulk", "remove", "--from-file", str(listed), "--journal", journal)
    ran = inside(*arguments, env=here.env)
    assert ran.code == 3, ran.err
    assert inside(*arguments, env=here.env).code == 3
    seen = inside("bulk", "status", journal)
    assert (seen.code, "confirmed" in seen.out) == (3, True)
    results = inside("bulk", "results", journal, "--verdict", "refused", "--jsonl")
    assert [json.loads(line)["order_id"] for line in results.out.splitlines()] == ["o-missing"]
    assert PASSWORD not in ran.out + ran.err + seen.out + seen.err + results.err


def test_a_worker_takes_free_shards(here: Shop, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker takes the free shards of a job, and is refused for another channel. The status shows the shards."""
    ids = here.ids(20)
    journal = PostgresJournal(postgres, "close #2")

    class Gone(ThreadPoolExecutor):
        def submit(self, *_: Any, **__: Any) -> Future[Any]:
            raise KeyError("the driver is gone")

    async def list_only() -> None:
        with Gone() as gone, pytest.raises(JournalError, match="takes no shards"):
            await spread(recipe, ids, actions.remove(), journal=journal, shards=4, on=gone)

    merchant, channel = here.env["NORCE_MERCHANT"], here.env["NORCE_CHANNEL"]
    recipe = Recipe(base_url=here.sandbox.base_url, merchant=merchant, channel=channel)
    monkeypatch.setenv("NORCE_TOKEN", here.sandbox.token)
    anyio.run(list_only)
    before = json.loads(inside("bulk", "status", journal.url, "--json").out)
    assert (before["left"], len(before["shards"])) == (20, 4)
    wrong = inside("bulk", "work", journal.url, "--channel", "elsewhere", env=here.env)
    assert (wrong.code, "journal is of channel" in wrong.err) == (2, True)
    ran = inside("bulk", "work", journal.url, env=here.env)
    assert (ran.code, "0 of 4 left" in ran.out) == (0, True), ran.err
    watched = inside("bulk", "status", journal.url, "--watch")
    assert (watched.code, "confirmed" in watched.out) == (0, True)
    assert {here.status(each) for each in ids} == {"removed"}
    assert PASSWORD not in ran.out + ran.err + wrong.err + watched.out + watched.err


def test_a_split_job(here: Shop, postgres: str, tmp_path: Path) -> None:
    """Processes of this machine do the job, and a second run finds nothing to do."""
    ids = here.ids(12)
    listed = tmp_path / "ids"
    listed.write_text("\n".join(ids))
    arguments = ("bulk", "remove", "--from-file", str(listed), "--shards", "3", "--journal")
    for ran in [inside(*arguments, f"{postgres}#split", env=here.env) for _ in range(2)]:
        assert (ran.code, "confirmed" in ran.out) == (0, True), ran.err
        assert PASSWORD not in ran.out + ran.err
    assert {here.status(each) for each in ids} == {"removed"}
    file = inside(*arguments, str(tmp_path / "a.journal"), env=here.env)
    assert (file.code, "--shards needs --journal postgresql://" in file.err) == (2, True)
    dry = inside(*arguments, f"{postgres}#split", "--dry-run", env=here.env)
    assert (dry.code, "--dry-run can't be used with --shards" in dry.err) == (2, True)
    assert PASSWORD not in file.err + dry.err


def test_the_refused_orders_of_a_split_job_are_tried_again(here: Shop, postgres: str, tmp_path: Path) -> None:
    """``bulk retry`` tries the refused order again, and refuses options that only a single process can follow."""
    ids = here.ids(6)
    listed = tmp_path / "ids"
    listed.write_text("\n".join([*ids, "o-missing"]))
    journal = f"{postgres}#retried"
    arguments = ("bulk", "remove", "--from-file", str(listed), "--shards", "2", "--journal", journal)
    assert inside(*arguments, env=here.env).code == 3
    again = inside("bulk", "retry", journal, "--only", "refused", "--max-in-flight", "2", env=here.env)
    assert (again.code, again.err) == (3, "")
    (missing,) = inside("bulk", "results", journal, "--verdict", "refused", "--jsonl").out.splitlines()
    assert json.loads(missing)["attempts"] == 2
    failing = inside("bulk", "retry", journal, "--only", "refused", "--failure-limit", "1", env=here.env)
    assert (failing.code, "--failure-limit can't be used with" in failing.err) == (2, True)
    assert PASSWORD not in again.out + failing.err


def test_journals_that_can_not_be_worked_on(here: Shop, postgres: str, tmp_path: Path) -> None:
    file = inside("bulk", "work", str(tmp_path / "a.journal"), env=here.env)
    assert (file.code, "belongs to one machine" in file.err) == (2, True)
    nameless = inside("bulk", "status", postgres)
    assert (nameless.code, "#JOB" in nameless.err) == (2, True)
    missing = inside("bulk", "status", f"{postgres}#none")
    assert (missing.code, "there is no journal 'none'" in missing.err) == (2, True)
    assert PASSWORD not in nameless.err + missing.err


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("postgresql://app:secret@db/jobs#close", "'postgresql://...@db/jobs#close'"),
        ("--journal=postgresql://app:secret@db/jobs#close", "'--journal=postgresql://...@db/jobs#close'"),
        ("postgresql://db/jobs?user=app&password=secret#close", "'postgresql://db/jobs?user=app&password=...#close'"),
        ("a@b", "a@b"),
    ],
)
def test_the_command_to_continue_shows_no_password(word: str, shown: str) -> None:
    assert again(["bulk", word]) == f"norce-order bulk {shown}"


def test_an_export_that_is_split(here: Shop, postgres: str, tmp_path: Path) -> None:
    """A split export writes a folder of parts with a manifest, which the other commands name."""
    ids, folder = here.ids(5, "completed"), tmp_path / "orders"
    listed = tmp_path / "ids"
    listed.write_text("\n".join([*ids, "o-missing"]))
    journal = f"{postgres}#orders"
    arguments = ["bulk", "export", "--from-file", str(listed), "--shards", "2", "--journal", journal, "--out"]
    file = inside(*arguments, str(tmp_path / "orders.csv"), env=here.env)
    assert (file.code, "orders.csv names a file" in file.err) == (2, True)
    no_format = inside(*arguments, str(folder), env=here.env)
    assert (no_format.code, "no format for orders" in no_format.err) == (2, True)
    ran = inside(*arguments, str(folder), "--format", "csv", env=here.env)
    assert (ran.code, f"{folder}/_manifest.json" in ran.out) == (3, True), ran.err
    seen = json.loads(inside("bulk", "status", journal, "--json").out)
    assert seen["manifest"] == f"{folder}/_manifest.json"
    assert all(shard["finished"] for shard in seen["shards"])
    assert f"{folder}/_manifest.json" in inside("bulk", "status", journal).out
    retried = inside("bulk", "retry", journal, "--only", "refused", env=here.env)
    assert (retried.code, "_manifest.json" in retried.out) == (3, True), retried.err
    assert ids_in(folder) == sorted(ids)
    arguments[arguments.index(journal)] = f"{postgres}#another"
    held = inside(*arguments, str(folder), "--format", "csv", env=here.env)
    assert (held.code, "holds an export: name another --out, or give --force" in held.err) == (2, True)
    alone = inside("bulk", "export", "--from-file", str(listed), "--out", str(folder), "--format", "csv", env=here.env)
    assert (alone.code, "is a directory" in alone.err) == (2, True)
