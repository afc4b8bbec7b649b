"""A job on several workers is listed once, does each order once and has one report, whichever process dies."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import anyio
import httpx
import pytest
from anyio import to_thread

from norce_order_async import ConfigurationError, JournalError, JournalMismatchError
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
from norce_order_async.bulk.shards import driver
from norce_order_async.engines.aiohttp import AiohttpEngine
from norce_order_async.engines.httpx import HttpxEngine
from tests.bulk.support import client_of, effects
from tests.support.plain import NO_TLS

from .support import FEW, Place, listed, orders

pytestmark = [pytest.mark.anyio, pytest.mark.slow(group="postgres"), pytest.mark.timeout(600)]


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
    """Other orders, another action or another number of shards are refused."""
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
        with pytest.raises(
            JournalError, match=r"is split into 8 shards, whose outcomes come in no order.*read_results"
        ):
            await norce.bulk(place.journal).__aenter__()


async def test_processes_of_this_machine(place: Place) -> None:
    """They are the default when no executor is given."""
    ids = await orders(place.sandbox, 30)
    report = await place.spread(ids, shards=4)
    assert report.counts == {"confirmed": 30}
    assert effects(place.sandbox) == dict.fromkeys(ids, 1)


async def test_workers_that_take_shards_by_themselves(place: Place) -> None:
    """Each takes free shards, and all of them return when nothing is left."""
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
    """``run_shard`` takes only texts and a number, and running a shard again does no harm."""
    ids = await orders(place.sandbox, 20)
    await listed(place, ids)
    url = place.journal.url
    assert PostgresJournal.from_url(url).job == place.journal.job
    for shard in [*range(1, 9), 1]:
        await to_thread.run_sync(run_shard, place.recipe.to_json(), url, shard)
    assert effects(place.sandbox) == dict.fromkeys(ids, 1)


async def test_workers_that_can_not_begin(place: Place, threads: ThreadPoolExecutor) -> None:
    ids = await orders(place.sandbox, 5)
    with pytest.raises(JournalError, match=r"is not listed yet|there is no journal"):
        await place.journal.work(place.recipe)
    async with client_of(place.sandbox) as norce, norce.bulk(place.journal) as job:
        async for _ in job.run(ids[:1], actions.remove()):
            pass
    with pytest.raises(JournalError, match="is not split"):
        await place.journal.work(place.recipe)
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


async def test_an_engine_that_does_not_ask_before_the_first_byte_is_refused(
    place: Place, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver refuses it before it lists. A worker refuses it too, and so does a job with such a journal of its
    own."""
    ids = await orders(place.sandbox, 5)
    async with httpx.AsyncClient(verify=NO_TLS) as theirs, client_of(place.sandbox, http_client=theirs) as norce:
        with pytest.raises(ConfigurationError, match="can't be held back right before it sends"):
            await norce.bulk(place.journal).__aenter__()
    monkeypatch.setattr(HttpxEngine, "asks_before_first_byte", False)
    monkeypatch.setattr(AiohttpEngine, "asks_before_first_byte", False)
    with pytest.raises(ConfigurationError, match="can't be held back right before it sends"):
        await place.spread(ids, on=threads)
    with pytest.raises(JournalError, match="there is no journal"):
        read_journal(place.journal)
    monkeypatch.undo()
    monkeypatch.setenv("NORCE_TOKEN", place.sandbox.token)
    await listed(place, ids)
    monkeypatch.setattr(HttpxEngine, "asks_before_first_byte", False)
    monkeypatch.setattr(AiohttpEngine, "asks_before_first_byte", False)
    with pytest.raises(ConfigurationError, match="can't be held back right before it sends"):
        await place.journal.work(place.recipe)
    assert effects(place.sandbox).total() == 0


async def test_production_needs_permission(place: Place, threads: ThreadPoolExecutor) -> None:
    """The error comes before anything is listed."""
    recipe = Recipe(base_url="https://acme.api-se.norce.tech/checkout/order", merchant="acme", channel="se")
    with pytest.raises(ConfigurationError, match=r"would change 1 orders .* in production"):
        await spread(recipe, ["o1"], actions.remove(), journal=place.journal, shards=2, on=threads)
    with pytest.raises(JournalError, match="there is no journal"):
        read_journal(place.journal)


async def test_a_worker_whose_executor_lost_it(place: Place) -> None:
    """The driver reports it, and the orders of its shard are still to do."""
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


class Silent(ThreadPoolExecutor):
    """An executor that loses its scheduler while it fetches the result of its first task, as Dask's does: that future
    never ends, and those of the other tasks are cancelled, if it was to lose them."""

    def __init__(self, lost: Callable[[int], bool]) -> None:
        super().__init__(1)
        self._lost = lost
        self.given: list[Future[Any]] = []

    def submit(self, fn: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        self.given.append(Future())
        number, given = len(self.given), self.given[-1]
        if number > 1 and self._lost(number):
            given.cancel()
            given.set_running_or_notify_cancel()
            return given
        ran = super().submit(fn, *arguments, **named)
        if number > 1:
            ran.add_done_callback(lambda ran: given.set_result(ran.result()))
        return given


async def test_a_shard_whose_end_is_never_reported(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the journal it is finished, so the driver does not wait for it."""
    monkeypatch.setattr(driver, "JOURNAL_READ_EVERY", 0.1)
    ids = await orders(place.sandbox, 20)
    with Silent(lambda _: False) as silent:
        report = await place.spread(ids, on=silent)
    assert (report.left, silent.given[0].cancelled()) == (0, True)
    assert effects(place.sandbox) == dict.fromkeys(ids, 1)


async def test_a_shard_that_ends_early_and_is_never_reported(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process has it, and the executor has lost others: the driver says so."""
    monkeypatch.setattr(driver, "JOURNAL_READ_EVERY", 0.1)
    ids = await orders(place.sandbox, 20)
    monkeypatch.setenv("NORCE_TOKEN", "another")
    again = r"(\d) of \1 shards ended early \(CancelledError\): run the same program again"
    with Silent(lambda _: True) as silent, pytest.raises(JournalError, match=again):
        await place.spread(ids, on=silent)
    assert read_journal(place.journal).left == 20


async def test_a_token_that_is_refused_ends_it(
    place: Place, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver raises the error of the service."""
    ids = await orders(place.sandbox, 10)
    await listed(place, ids)
    monkeypatch.setenv("NORCE_TOKEN", "another")
    with pytest.raises(Exception, match=r"\b401\b"):
        await place.spread(ids, on=threads)
    assert read_journal(place.journal).counts == {"planned": 10}
