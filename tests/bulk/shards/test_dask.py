"""Dask runs shards on a real cluster of processes, whose workers and schedulers are killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from norce_order_async import ConfigurationError, Fixed, JournalError, UnauthorizedError
from norce_order_async.bulk import actions, plan_again, read_journal, read_results
from norce_order_async.bulk.shards import driver
from norce_order_async.sandbox import READY
from tests.bulk.support import effects
from tests.cli.inside import inside
from tests.cli.terminal import Ran
from tests.support.waiting import until

from . import clusters
from .exports import ids_in
from .support import Place, orders

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow(group="dask"),
    pytest.mark.timeout(900),
    # The cluster and the client of Dask close their sockets in threads of their own, after the test.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]

ONE = Fixed(in_flight=1)


def untyped(module: str) -> Any:
    """Import a module of Dask, which has types for only some of its names."""
    return import_module(module)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    if not clusters.is_available():
        pytest.fail(clusters.MISSING)
    tokens = {"NORCE_TOKEN": "sandbox-token", "WRONG_TOKEN": "another"}
    with untyped("distributed").LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50, env=tokens
    ) as made:
        yield made


@pytest.fixture
def workers(cluster: Any) -> Iterator[Executor]:
    with cluster.get_client() as client:
        yield client.get_executor(retries=10)


@pytest.mark.parametrize(("count", "kills"), [(160, 1), pytest.param(1600, 4, marks=pytest.mark.soak)])
async def test_workers_that_are_killed(place: Place, workers: Executor, count: int, kills: int) -> None:
    """They are killed while they send, and the service loses answers. Each order is done once, and none is left
    unknown."""
    ids = await orders(place.sandbox, count)
    place.sandbox.faults.play(READY["lost-answers"])
    killed = set[int]()

    async def kill() -> None:
        for number in range(kills):
            await until(lambda number=number: effects(place.sandbox).total() >= count * (number + 1) / (kills + 2))  # type: ignore[misc]
            while len(killed) == number:
                for process in await to_thread.run_sync(place.busy) - killed:
                    os.kill(process, signal.SIGKILL)
                    killed.add(process)
                    break

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(kill)
        await place.spread(ids, on=workers, shards=16)
    assert len(killed) == kills
    assert read_journal(place.journal).counts == {"confirmed": count}
    assert effects(place.sandbox) == dict.fromkeys(ids, 1)


@pytest.mark.parametrize("when", ["while shards run", "while a result is fetched"])
async def test_a_scheduler_that_is_killed(
    place: Place, workers: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Its driver gets a ``JournalError``. The same program finishes on a second cluster, and each order is done
    once."""
    client_of = untyped("distributed").Client
    monkeypatch.setattr(driver, "JOURNAL_READ_EVERY", 0.5)
    ids = await orders(place.sandbox, 160)
    env = {"NORCE_TOKEN": place.sandbox.token}
    with (
        untyped("dask.config").set({"distributed.comm.timeouts.connect": "2s"}),
        clusters.cluster(tmp_path / "first", workers=2, env=env) as first,
    ):
        with client_of(first.address, set_as_default=False) as client:

            async def kill() -> None:
                await until(lambda: effects(place.sandbox).total() >= 40)
                first.scheduler.kill()

            async def fetch(fetches: Any = client.scheduler.gather, **what: Any) -> Any:
                first.scheduler.kill()
                first.scheduler.wait()
                return await fetches(**what)

            async with anyio.create_task_group() as tasks:
                if when == "while shards run":
                    tasks.start_soon(kill)
                else:
                    monkeypatch.setattr(client.scheduler, "gather", fetch)
                with pytest.raises(JournalError, match="run the same program again"):
                    await place.spread(ids, on=client.get_executor(retries=10), load=ONE)
        assert effects(place.sandbox).total() < 160
        report = await place.spread(ids, on=workers)
    assert report.counts == {"confirmed": 160}
    assert effects(place.sandbox) == dict.fromkeys(ids, 1)


async def test_equal_shards_run_again(place: Place, workers: Executor) -> None:
    """Dask returns the old result for a task that it has run before. A job that is spread again runs all the same."""
    ids = await orders(place.sandbox, 5)
    kept: list[Future[Any]] = []

    class Keeping(Executor):
        def submit(self, fn: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
            kept.append(workers.submit(fn, *arguments, **named))
            return kept[-1]

    for _ in range(2):
        report = await place.spread([*ids, "o-missing"], on=Keeping())
        assert (report.left, report.counts["refused"]) == (0, 1)
        assert plan_again(place.journal, ["refused"]) == 1
    (result,) = [each for each in read_results(place.journal) if each.key == "o-missing"]
    assert result.attempts == 2


async def test_an_error_that_would_repeat_is_tried_once(
    place: Place, workers: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask would run a task that raises ten more times."""
    ids = await orders(place.sandbox, 5)
    calls = len(place.sandbox.requests)
    monkeypatch.setenv("WRONG_TOKEN", "another")
    monkeypatch.setenv("MISSING_TOKEN", "another")
    recipe = replace(place.recipe, token="env:WRONG_TOKEN")
    with pytest.raises(UnauthorizedError):
        await replace(place, recipe=recipe).spread(ids, on=workers, shards=1, load=ONE)
    assert len(place.sandbox.requests) - calls <= 2
    with pytest.raises(ConfigurationError, match="set MISSING_TOKEN"):
        await replace(place, recipe=replace(place.recipe, token="env:MISSING_TOKEN")).spread(ids, on=workers, shards=1)
    assert read_journal(place.journal).left == 5


async def test_an_export(place: Place, workers: Executor, tmp_path: Path) -> None:
    """The driver and all workers see its folder."""
    ids, folder = await orders(place.sandbox, 12), tmp_path / "orders"
    report = await place.spread(ids, actions.export(folder, format="parquet"), on=workers, shards=3)
    assert (report.manifest, ids_in(folder)) == (folder / "_manifest.json", sorted(ids))


async def test_the_command(place: Place, cluster: Any, tmp_path: Path) -> None:
    """``--dask`` hands the shards to the scheduler's workers."""
    ids = await orders(place.sandbox, 12)
    listed = tmp_path / "ids"
    listed.write_text("\n".join(ids))
    env = {"NORCE_BASE_URL": place.sandbox.base_url, "NORCE_MERCHANT": "acme", "NORCE_CHANNEL": "se"}
    env["NORCE_TOKEN"] = place.sandbox.token
    arguments = ["bulk", "remove", "--from-file", str(listed), "--journal", place.journal.url]

    def run(*more: str) -> Ran:
        return inside(*arguments, *more, env=env)

    alone = await to_thread.run_sync(run, "--dask", "tcp://127.0.0.1:9")
    assert (alone.code, "--dask needs --shards" in alone.err) == (2, True)
    ran = await to_thread.run_sync(run, "--shards", "3", "--dask", cluster.scheduler_address)
    assert (ran.code, "confirmed" in ran.out) == (0, True), ran.err
    assert effects(place.sandbox) == dict.fromkeys(ids, 1)
