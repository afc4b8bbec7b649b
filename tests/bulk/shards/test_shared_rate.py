"""All workers of a job share one rate through a real database, although they join, die and freeze."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import anyio
import psycopg
import pytest
from anyio import to_thread

from norce_order_async import ConfigurationError, JournalError
from norce_order_async.bulk import PostgresJournal, Shared, read_journal, run_shard
from norce_order_async.bulk.journal.members import beat, join, rate_of
from norce_order_async.bulk.journal.postgres import PostgresStore
from norce_order_async.bulk.load.shared import Share
from norce_order_async.sandbox import FaultPlan, FaultRule, Respond, Sandbox
from tests.bulk.journal.test_stores import FACTS, items
from tests.bulk.support import SET_STATE, client_of, effects
from tests.support.waiting import wait_until
from tests.support.warm import Program

from .support import Place, end, listed, orders, worker

pytestmark = [pytest.mark.anyio, pytest.mark.slow(group="postgres"), pytest.mark.timeout(600)]

RATE = 100.0
logger = logging.getLogger(__name__)


class Table:
    """The members of a job, whose beats a test makes by hand."""

    def __init__(self, connection: psycopg.Connection[Any], job: int) -> None:
        self.connection = connection
        self.job = job

    def new(self, max_rate: float | None = RATE) -> Share:
        return Share(max_rate)

    def join(self, share: Share) -> None:
        join(self.connection, self.job, share, "a test")

    def beat(self, share: Share) -> float:
        """Make a beat. Returns the member's part afterwards."""
        beat(self.connection, self.job, share, "a test")
        return share.rate

    def ages(self, share: Share, seconds: float) -> None:
        """Make the last beat of a member this much older, as if all had joined before that."""
        self.connection.execute(
            "UPDATE norce_job_member SET announced = announced - make_interval(secs => %s)", (seconds,)
        )
        self.connection.execute(
            "UPDATE norce_job_member SET seen = seen - make_interval(secs => %s) WHERE member = %s",
            (seconds, share.name),
        )


@pytest.fixture
def table(postgres: str) -> Iterator[Table]:
    store = PostgresStore(PostgresJournal(postgres, "a job"))
    store.take()
    store.begin(FACTS)
    store.add(items(1, 1))
    store.put_facts({"listed": True})
    store.release()
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield Table(connection, 1)


def test_a_single_member_may_send_at_once(table: Table) -> None:
    alone = table.new()
    table.join(alone)
    assert alone.rate == RATE
    assert rate_of(table.connection, table.job) == (RATE, 1)


def test_one_that_joins_waits_until_all_have_counted_it(table: Table) -> None:
    """The parts never add up to more than the rate."""
    first, second, third = (table.new() for _ in range(3))
    table.join(first)
    table.join(second)
    assert (first.rate, second.rate) == (RATE, 0.0)
    assert table.beat(second) == 0.0
    assert table.beat(first) == RATE / 2
    assert table.beat(second) == RATE / 2
    table.join(third)
    assert table.beat(first) == pytest.approx(RATE / 3)
    assert table.beat(third) == 0.0
    assert table.beat(second) == pytest.approx(RATE / 3)
    assert table.beat(third) == pytest.approx(RATE / 3)


def test_two_that_join_at_once(table: Table) -> None:
    """Each waits until the other has counted it."""
    first, second = table.new(), table.new()
    assert [table.beat(share) for share in (first, second)] == [0.0, 0.0]
    parts = [table.beat(share) for share in (first, second, first, second, first, second)]
    assert parts[-2:] == [RATE / 2, RATE / 2]
    assert parts[0] in (0.0, RATE / 2)


def test_a_dead_one_counts_until_its_beat_is_old(table: Table) -> None:
    first, dead = table.new(), table.new()
    table.join(first)
    table.join(dead)
    table.beat(first)
    assert table.beat(dead) == RATE / 2
    table.ages(dead, 3.0)
    assert table.beat(first) == RATE / 2
    table.ages(dead, 1.5)
    assert table.beat(first) == RATE
    # A member that was frozen and wakes joins again.
    assert table.beat(dead) == 0.0
    assert table.beat(dead) == 0.0
    assert table.beat(first) == RATE / 2
    assert table.beat(dead) == RATE / 2


def test_a_member_that_continues_keeps_its_part(table: Table) -> None:
    """A worker does that when it takes its next shard."""
    first, other = table.new(), table.new()
    table.join(first)
    table.join(other)
    table.beat(first)
    assert table.beat(other) == RATE / 2
    table.join(other)
    assert other.rate == RATE / 2


def test_the_lowest_rate_counts(table: Table) -> None:
    """It is the lowest of the rates given to the members and of the job's own."""
    first, second, without = table.new(100.0), table.new(40.0), table.new(None)
    for share in (first, second, without):
        table.join(share)
    for share in (first, second, without) * 2:
        table.beat(share)
    assert first.rate == second.rate == without.rate == pytest.approx(40 / 3)
    table.connection.execute("INSERT INTO norce_job_fact VALUES (1, 'max_rate', '6.0')")
    assert table.beat(first) == 2.0
    assert rate_of(table.connection, table.job) == (6.0, 3)
    table.connection.execute("UPDATE norce_job_fact SET value = 'null' WHERE name = 'max_rate'")
    table.ages(second, 60.0)
    assert table.beat(first) == 50.0


def test_a_pause_reaches_all_and_outlives_its_member(table: Table) -> None:
    """The others learn of it with their next beat. A shorter pause does not cut it short."""
    first, second, third = table.new(), table.new(), table.new()
    table.join(first)
    table.join(second)
    second.asked = lambda: 30.0
    table.beat(second)
    assert first.paused == 0.0
    table.beat(first)
    assert 29.0 < first.paused <= 30.0
    second.asked = lambda: 1.0
    table.beat(second)
    table.ages(second, 300.0)
    table.join(third)
    assert 28.0 < third.paused <= 30.0
    # A pause that another member reported is not reported again.
    assert (first.own_pause, third.own_pause) == (0.0, 0.0)


def busiest(sandbox: Sandbox) -> int:
    """The largest number of changes that took effect within any second."""
    moments = sorted(datetime.fromisoformat(effect.at) for effect in sandbox.effects.of(None, SET_STATE))
    most = first = 0
    for last, moment in enumerate(moments):
        while (moment - moments[first]).total_seconds() >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(("count", "kills"), [(400, 1), pytest.param(6000, 6, marks=pytest.mark.soak)])
async def test_members_that_join_die_and_restart(place: Place, count: int, kills: int) -> None:
    """By the service's log no second has more than 110 changes, and each order is changed once."""
    ids = await orders(place.sandbox, count)
    await listed(place, ids, load=Shared(max_rate=RATE), shards=12)
    assert read_journal(place.journal).max_rate == RATE

    def run() -> set[int]:
        """Run three workers that join one after the other, and replace each that is killed."""
        running: list[Program] = []
        together: set[int] = set()
        killed = 0
        try:
            while (report := read_journal(place.journal, reasons=False)).left:
                together.add(report.members)
                done = report.counts["confirmed"] / count
                if killed < kills and done > (killed + 1) / (kills + 1) and running[0].pid in place.busy():
                    end([running.pop(0)])
                    killed += 1
                if len(running) < min(3, 1 + 10 * done):
                    running.append(worker(place, None))
                time.sleep(0.05)
            assert [one.wait() for one in running] == [0] * 3
        finally:
            end(running)
        assert killed == kills
        return together

    together = await to_thread.run_sync(run)
    assert effects(place.sandbox) == dict.fromkeys(ids, 1)
    most = busiest(place.sandbox)
    logger.info("%s orders, %s killed, %s members, busiest second %s", count, kills, max(together), most)
    assert max(together) >= 3
    assert most <= 1.1 * RATE


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_pause_that_one_gets_stops_all(place: Place) -> None:
    """No worker sends from a second later until the pause ends. The rejected requests are done afterwards."""
    ids = await orders(place.sandbox, 200)
    await listed(place, ids, load=Shared(max_rate=RATE), shards=12)
    came: list[float] = []

    def run() -> None:
        with ThreadPoolExecutor(3) as threads:
            done = [threads.submit(lambda: anyio.run(place.journal.work, place.recipe)) for _ in range(3)]
            wait_until(lambda: read_journal(place.journal, reasons=False).members >= 3)
            place.sandbox.faults.play(FaultPlan([FaultRule(Respond(429, retry_after=4.0), first=1)]))
            wait_until(lambda: len(place.sandbox.faults) > 0)
            time.sleep(1.0)
            before = effects(place.sandbox).total()
            time.sleep(2.5)
            came.append(effects(place.sandbox).total() - before)
            for one in done:
                one.result()

    await to_thread.run_sync(run)
    assert came == [0]
    assert effects(place.sandbox) == dict.fromkeys(ids, 1)
    assert busiest(place.sandbox) <= 1.1 * RATE


async def test_a_wrong_load_is_refused_before_anything_is_listed(place: Place) -> None:
    """The driver and each way to work on shards refuse it."""
    for load in ("fast", Shared, 100):
        with pytest.raises(ConfigurationError, match="load must be Shared, Adaptive or Fixed"):
            await place.spread(["o1"], load=load)
        with pytest.raises(ConfigurationError, match="load must be Shared, Adaptive or Fixed"):
            await place.journal.work(place.recipe, load=load)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="load must be Shared, Adaptive or Fixed"):
            run_shard(place.recipe.to_json(), place.journal.url, 1, load=load)  # type: ignore[arg-type]
    with pytest.raises(JournalError, match="there is no journal"):
        read_journal(place.journal)
    async with client_of(place.sandbox) as norce:
        with pytest.raises(ConfigurationError, match="Shared is for spread"):
            norce.bulk(place.journal, load=Shared(max_rate=1.0))
