"""Workers, drivers and the database of a split job die or freeze. The service's log shows one change for each order."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import anyio
import pytest
from anyio import to_thread

from norce_order_async import JournalLockedError
from norce_order_async.bulk import JournalReport, PostgresJournal, read_journal
from norce_order_async.sandbox import READY, FaultPlan, FaultRule
from norce_order_async.sandbox.faults.kinds import Delay
from tests.bulk.support import effects
from tests.support.postgres import PostgresServer
from tests.support.waiting import until, wait_until
from tests.support.warm import Program

from .support import Place, end, listed, orders, worker

pytestmark = [pytest.mark.anyio, pytest.mark.slow(group="postgres"), pytest.mark.timeout(1800)]
ROUNDS = [1, pytest.param(10, marks=pytest.mark.soak)]


def sends(one: Program, place: Place) -> bool:
    return one.pid in place.busy()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("rounds", ROUNDS)
async def test_workers_that_are_killed_and_frozen(place: Place, rounds: int) -> None:
    """One worker is killed in the middle. Another is frozen past its lease, and continues when its shard has been
    taken over. The service loses answers meanwhile."""

    def run(place: Place) -> None:
        # At first the service is so slow that two are seen at work before one has done everything.
        place.sandbox.faults.play(FaultPlan([FaultRule(Delay(0.5))]))
        workers = [worker(place) for _ in range(3)]
        try:
            # Use what was found at once, because a worker may be between two shards a moment later.
            while len(busy := place.busy()) < 2:
                time.sleep(0.01)
            killed, stopped = [one for one in workers if one.pid in busy][:2]
            killed.kill()
            os.kill(stopped.pid, signal.SIGSTOP)
            place.sandbox.faults.play(READY["lost-answers"])
            # Both keep their shards until their leases end. Then another worker may take them.
            wait_until(lambda: not sends(stopped, place) and not sends(killed, place))
            # On a busy machine it may have done all of them before it is seen with one.
            wait_until(lambda: (found := read_journal(place.journal, reasons=False)).running or not found.left)
            os.kill(stopped.pid, signal.SIGCONT)
            for one in workers:
                if one is not killed:
                    _, errors = one.communicate()
                    assert one.returncode == 0, errors
        finally:
            end(workers)

    for number in range(rounds):
        here = replace(place, journal=replace(place.journal, job=f"round {number}"))
        ids = await orders(place.sandbox, 160)
        await listed(here, ids)
        await to_thread.run_sync(run, here)
        assert read_journal(here.journal).counts == {"confirmed": 160}
        took = effects(place.sandbox)
        assert {each: took[each] for each in ids} == dict.fromkeys(ids, 1)


@pytest.mark.in_turn("anyio_backend")
async def test_a_database_that_restarts_in_the_middle(place: Place, threads: ThreadPoolExecutor) -> None:
    """It restarts twice, the second time after a crash. Workers continue by themselves within the lease. The loop
    makes no difference to a store, which has a thread of its own."""
    ids = await orders(place.sandbox, 300)
    with PostgresServer() as server:
        there = replace(place, journal=PostgresJournal(server.dsn(), "restarted", lease=30.0))

        async def restart() -> None:
            for count, down in ((30, server.stop), (120, server.kill)):
                await until(lambda count=count: effects(place.sandbox).total() >= count)  # type: ignore[misc]
                await to_thread.run_sync(down)
                await to_thread.run_sync(server.start)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(restart)
            await there.spread(ids, on=threads)
        assert read_journal(there.journal).counts == {"confirmed": 300}
    assert effects(place.sandbox) == dict.fromkeys(ids, 1)


@pytest.mark.in_turn("anyio_backend")
async def test_two_drivers_at_once(place: Place, threads: ThreadPoolExecutor) -> None:
    """One driver lists the job, and the other gets an error that another run has it. When it runs again, both run
    the shards. The loop makes no difference, because the drivers meet in the database."""
    ids = await orders(place.sandbox, 60)
    reports: list[JournalReport] = []

    async def drive(workers: ThreadPoolExecutor) -> None:
        while True:
            with suppress(JournalLockedError):
                reports.append(await place.spread(ids, on=workers))
                return

    with ThreadPoolExecutor(3) as others:
        async with anyio.create_task_group() as drivers:
            drivers.start_soon(drive, threads)
            drivers.start_soon(drive, others)
    assert [report.counts for report in reports] == [{"confirmed": 60}] * 2
    assert effects(place.sandbox) == dict.fromkeys(ids, 1)
