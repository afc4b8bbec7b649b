"""Several tasks take the outcomes of one run, and each outcome comes to exactly one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from norce_order_async import ConfigurationError, Fixed, Order
from norce_order_async.bulk import actions
from norce_order_async.engines.base import WireRequest
from tests.support.engine import Step, answer
from tests.support.pipeline import Stand, stand

pytestmark = pytest.mark.anyio

IDS = [f"o{number}" for number in range(60)]


def service() -> Stand:
    """A service that answers every request after a while."""

    def reply(request: WireRequest) -> Step:
        return answer(200, {"id": request.url.rpartition("/")[2]}, takes=0.1)

    return stand(reply)


async def read(order: Order) -> str:
    return (await order.refresh()).id


READING = actions.plain("read", read)


async def late_ids(stand: Stand) -> AsyncIterator[str]:
    """A source that gives an id every 50 ms."""
    for order_id in IDS:
        await stand.clock.wait(0.05)
        yield order_id


async def take(run: AsyncIterator[Any], taken: list[str]) -> None:
    async for outcome in run:
        taken.append(outcome.key)  # noqa: PERF401 - what came before it was cancelled counts


@pytest.mark.parametrize("journaled", [False, True])
@pytest.mark.parametrize("takers", [1, 2, 8])
async def test_each_outcome_comes_once(tmp_path: Path, takers: int, journaled: bool) -> None:
    """That also holds for tasks that ask before the run has begun."""
    stand = service()
    taken: list[str] = []
    journal = tmp_path / "j" if journaled else None
    async with stand.client.bulk(journal, load=Fixed(in_flight=5)) as job:
        run = job.run(late_ids(stand), READING)
        async with anyio.create_task_group() as tasks:
            for _ in range(takers):
                tasks.start_soon(take, run, taken)
    assert sorted(taken) == sorted(IDS)
    assert job.summary.verdicts["done"] == len(IDS)


@pytest.mark.every_loop
@pytest.mark.parametrize("journaled", [False, True])
async def test_a_cancelled_task_takes_no_outcome_with_it(tmp_path: Path, journaled: bool) -> None:
    """The task that began the run is cancelled while it begins, and others are cancelled later."""
    stand = service()
    taken: list[str] = []
    journal = tmp_path / "j" if journaled else None

    async def leaves(run: AsyncIterator[Any], after: float) -> None:
        with stand.clock.move_on_after(after):
            await take(run, taken)

    async with stand.client.bulk(journal, load=Fixed(in_flight=5)) as job:
        run = job.run(late_ids(stand), READING)
        async with anyio.create_task_group() as tasks:
            for after in (0.02, 0.12, 3.05):
                tasks.start_soon(leaves, run, after)
            tasks.start_soon(take, run, taken)
    assert sorted(taken) == sorted(IDS)


async def test_the_error_that_ends_the_run_is_raised_in_each_of_them() -> None:
    """Otherwise a task would take the run for complete."""
    stand = service()
    raised: list[BaseException] = []

    async def fails(order: Order) -> None:
        await order.refresh()
        raise ZeroDivisionError

    async def one(run: AsyncIterator[Any]) -> None:
        try:
            await take(run, [])
        except ZeroDivisionError as error:
            raised.append(error)

    async with stand.client.bulk(load=Fixed(in_flight=2)) as job:
        run = job.run(IDS, fails)
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(one, run)
    assert len(raised) == 3


async def test_a_run_that_can_not_begin_is_reported_to_each_of_them() -> None:
    stand = service()
    told: list[BaseException] = []

    async def one(run: AsyncIterator[Any]) -> None:
        try:
            await take(run, [])
        except ConfigurationError as error:
            told.append(error)

    async with stand.client.bulk() as job:
        run = job.run("o1", read)
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(one, run)
    assert len(told) == 3


async def test_a_run_after_its_job_does_nothing() -> None:
    """The summary has the reason."""
    stand = service()
    async with stand.client.bulk() as job:
        run = job.run(IDS, read)
    assert [outcome async for outcome in run] == []
    assert job.summary.stopped == "left early"
    assert stand.sent == []
