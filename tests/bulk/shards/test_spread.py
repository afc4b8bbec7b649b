"""One job on several workers: listed once, each order once, one report, whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import pytest
from anyio import to_thread

from norce_order_async import ConfigurationError, Fixed, JournalError, JournalMismatchError
from norce_order_async.bulk import (
    JournalReport,
    PostgresJournal,
    Recipe,
    actions,
    plan_again,
    read_journal,
    read_results,
    run_shard,
    spread,
)
from norce_order_async.sandbox import READY, Sandbox
from tests.bulk.support import client_of, effects, new_orders

pytestmark = [pytest.mark.anyio, pytest.mark.slow(group="postgres"), pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[3]
FEW = Fixed(in_flight=3)


@dataclass(frozen=True)
class Place:
    """Where a test's job is, and how its workers call the service."""

    sandbox: Sandbox
    recipe: Recipe
    journal: PostgresJournal

    async def spread(self, ids: Any, action: Any = None, **changes: Any) -> JournalReport:
        given: dict[str, Any] = {"journal": self.journal, "shards": 8, "load": FEW, **changes}
        return await spread(self.recipe, ids, action or actions.remove(), **given)


@pytest.fixture
def place(sandbox: Sandbox, postgres: str, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("NORCE_TOKEN", sandbox.token)
    recipe = Recipe(base_url=sandbox.base_url, merchant="acme", channel="se")
    return Place(sandbox, recipe, PostgresJournal(postgres, uuid4().hex, lease=2.0))


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """The cheapest executor: workers are threads, with a loop and a client each."""
    with ThreadPoolExecutor(3) as executor:
        yield executor


async def orders(sandbox: Sandbox, count: int) -> list[str]:
    async with client_of(sandbox) as norce:
        return await new_orders(norce, count)


async def test_every_order_once_and_one_report(place: Place, threads: ThreadPoolExecutor) -> None:
    ids = await orders(place.sandbox, 60)
    report = await place.spread([*ids, "o-missing", ids[0]], on=threads)
    assert effects(place.sandbox) == dict.fromkeys(ids, 1)
    assert (report.counts, report.left, report.running) == ({"confirmed": 60, "refused": 1}, 0, False)
    assert [shard.number for shard in report.shards] == list(range(1, 9))
    assert sum(shard.counts["confirmed"] for shard in report.shards) == 60
    assert sum(report.reasons.values()) == 1
    assert {result.key: result.verdict for result in read_results(place.journal)} == {
        **dict.fromkeys(ids, "done"),
        "o-missing": "refused",
    }
    assert [result.key for result in read_results(place.journal, ["refused"])] == ["o-missing"]
    assert plan_again(place.journal, ["refused"]) == 1
    assert read_journal(place.journal).counts == {"confirmed": 60, "planned": 1}


async def test_the_same_program_again_does_nothing_twice(place: Place, threads: ThreadPoolExecutor) -> None:
    """And other orders, another action or another number of shards are refused."""
    ids = await orders(place.sandbox, 20)
    for _ in range(2):
        assert (await place.spread(ids, on=threads)).counts == {"confirmed": 20}
    assert effects(place.sandbox) == dict.fromkeys(ids, 1)
    with pytest.raises(JournalMismatchError, match="1 missing"):
        await place.spread(ids[1:], on=threads)
    with pytest.raises(JournalMismatchError, match="another job"):
        await place.spread(ids, actions.validate(), on=threads)
    with pytest.raises(JournalError, match="is split into 8 shards"):
        await place.spread(ids, on=threads, shards=9)
    async with client_of(place.sandbox) as norce:
        with pytest.raises(JournalError, match="is split into 8 shards"):
            await norce.bulk(place.journal).__aenter__()


async def test_processes_of_this_machine(place: Place) -> None:
    """What it does without an executor; nothing of them is left."""
    ids = await orders(place.sandbox, 30)
    report = await place.spread(ids, shards=4)
    assert report.counts == {"confirmed": 30}
    assert effects(place.sandbox) == dict.fromkeys(ids, 1)


async def test_workers_that_take_shards_by_themselves(place: Place) -> None:
    """Each takes what is free, and all of them return when nothing is left."""
    ids = await orders(place.sandbox, 60)
    await listed(place, ids)
    reports: list[JournalReport] = []

    async def work() -> None:
        reports.append(await place.journal.work(place.recipe, load=FEW))

    async with anyio.create_task_group() as workers:
        for _ in range(3):
            workers.start_soon(work)
    assert [report.counts for report in reports] == [{"confirmed": 60}] * 3
    assert effects(place.sandbox) == dict.fromkeys(ids, 1)


async def test_the_plain_function_underneath(place: Place) -> None:
    """By texts alone, as often as one likes."""
    ids = await orders(place.sandbox, 20)
    await listed(place, ids)
    url = place.journal.url
    assert PostgresJournal.from_url(url).job == place.journal.job
    for shard in [*range(1, 9), 1]:
        await to_thread.run_sync(run_shard, place.recipe.to_json(), url, shard)
    assert effects(place.sandbox) == dict.fromkeys(ids, 1)


async def listed(place: Place, ids: list[str]) -> None:
    """The job is listed, and its driver gone."""

    class Gone(ThreadPoolExecutor):
        def submit(self, *_: Any, **__: Any) -> Future[Any]:
            raise KeyError("gone")

    with Gone() as gone, suppress(KeyError):
        await place.spread(ids, on=gone)
    assert read_journal(place.journal).counts == {"planned": len(ids)}


async def test_workers_that_can_not_begin(place: Place, threads: ThreadPoolExecutor) -> None:
    ids = await orders(place.sandbox, 5)
    with pytest.raises(JournalError, match=r"is not listed yet|there is no journal"):
        await place.journal.work(place.recipe)
    async with client_of(place.sandbox) as norce, norce.bulk(place.journal) as job:
        async for _ in job.run(ids[:1], actions.remove()):
            pass
    with pytest.raises(JournalError, match="is not split"):
        await place.journal.work(place.recipe)
    with pytest.raises(ConfigurationError, match="makes one file"):
        await place.spread(ids, actions.export("out.csv"), on=threads)
    with pytest.raises(ConfigurationError, match="PostgresJournal"):
        await place.spread(ids, on=threads, journal="some.journal")
    for shards in (0, 1.5, True):
        with pytest.raises(ConfigurationError, match="shards"):
            await place.spread(ids, on=threads, shards=shards)
    with pytest.raises(ConfigurationError, match="on must be an executor, not str"):
        await place.spread(ids, on="threads")
    wrong: list[tuple[Any, Any]] = [(7, 1), (place.journal.url, "1"), (place.journal.url, 0)]
    for url, shard in wrong:
        with pytest.raises(ConfigurationError, match=r"journal_url|shard must be"):
            run_shard(place.recipe.to_json(), url, shard)
    with pytest.raises(ConfigurationError, match="in async code, call it in a thread"):
        run_shard(place.recipe.to_json(), place.journal.url, 1)


async def test_production_needs_permission(place: Place, threads: ThreadPoolExecutor) -> None:
    """Before anything is listed."""
    recipe = Recipe(base_url="https://acme.api-se.norce.tech/checkout/order", merchant="acme", channel="se")
    with pytest.raises(ConfigurationError, match=r"would change 1 orders .* in production"):
        await spread(recipe, ["o1"], actions.remove(), journal=place.journal, shards=2, on=threads)
    with pytest.raises(JournalError, match="there is no journal"):
        read_journal(place.journal)


async def test_a_worker_whose_executor_lost_it(place: Place) -> None:
    """Its driver says so, and what it holds is as it was."""
    ids = await orders(place.sandbox, 10)

    class Broken(ThreadPoolExecutor):
        def submit(self, *_: Any, **__: Any) -> Future[Any]:
            lost: Future[Any] = Future()
            lost.set_exception(OSError("worker is gone"))
            return lost

    again = r"\d of \d shards ended early \(OSError\): run the same program again"
    with Broken() as broken, pytest.raises(JournalError, match=again):
        await place.spread(ids, on=broken)
    assert read_journal(place.journal).left == 10


async def test_a_token_that_is_refused_ends_it(
    place: Place, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the error itself."""
    ids = await orders(place.sandbox, 10)
    await listed(place, ids)
    monkeypatch.setenv("NORCE_TOKEN", "another")
    with pytest.raises(Exception, match="401"):
        await place.spread(ids, on=threads)
    assert read_journal(place.journal).counts == {"planned": 10}


WORKER = """
import sys
import anyio
from norce_order_async import Fixed
from norce_order_async.bulk import PostgresJournal, Recipe

async def main(recipe, dsn, job):
    journal = PostgresJournal(dsn, job, lease=2.0)
    await journal.work(Recipe.from_json(recipe), load=Fixed(in_flight=3))

anyio.run(main, *sys.argv[1:])
"""


def worker(place: Place) -> subprocess.Popen[bytes]:
    arguments = [place.recipe.to_json(), place.journal.dsn, place.journal.job]
    return subprocess.Popen([sys.executable, "-c", WORKER, *arguments], stderr=subprocess.PIPE, cwd=ROOT)


def sends(one: subprocess.Popen[bytes], place: Place) -> bool:
    """Whether this worker has a shard with requests in flight."""
    shards = read_journal(place.journal, reasons=False).shards
    return any(shard.owner.startswith(f"process {one.pid} ") and shard.counts["sent"] for shard in shards)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_workers_that_are_killed_and_frozen(place: Place) -> None:
    """One is killed in the middle; another is stopped past its lease, and goes on when its shard was taken over.
    Answers are lost besides: by the service's log each order is changed once."""
    ids = await orders(place.sandbox, 160)
    await listed(place, ids)
    place.sandbox.faults.play(READY["lost-answers"])

    def run() -> None:
        workers = [worker(place) for _ in range(3)]
        try:
            while len(busy := [one for one in workers if sends(one, place)]) < 2:
                time.sleep(0.01)
            killed, stopped = busy[:2]
            killed.kill()
            os.kill(stopped.pid, signal.SIGSTOP)
            while sends(stopped, place):
                # It has a shard until its lease is over, and another may take it then.
                time.sleep(0.05)
            while sends(killed, place) or not read_journal(place.journal, reasons=False).running:
                time.sleep(0.05)
            os.kill(stopped.pid, signal.SIGCONT)
            for one in workers:
                if one is killed:
                    continue
                _, errors = one.communicate()
                assert one.returncode == 0, errors.decode()
        finally:
            for one in workers:
                one.kill()
                one.wait()
                if one.stderr is not None:
                    one.stderr.close()

    await to_thread.run_sync(run)
    assert read_journal(place.journal).counts == {"confirmed": 160}
    assert effects(place.sandbox) == dict.fromkeys(ids, 1)
