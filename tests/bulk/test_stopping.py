"""A call or a signal stops a job before its work has begun and in the middle."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from norce_order_async import (
    Answer,
    CallInfo,
    CallNext,
    CallOptions,
    Fixed,
    ItemOutcome,
    Job,
    NorceOrderClient,
    Order,
    OrderFilter,
)
from norce_order_async.bulk import actions
from norce_order_async.bulk.signals import stopped_by_signals
from norce_order_async.engines.select import EngineName
from norce_order_async.sandbox import Sandbox
from tests.engines.faultserver import FaultServer
from tests.support.waiting import Ticks, until

from .support import client_of, effects, names_in, new_orders
from .test_job import all_of

pytestmark = [pytest.mark.anyio, pytest.mark.every_loop]

FEW = Fixed(in_flight=5)


async def test_stopping(sandbox: Sandbox) -> None:
    """Requests in flight may finish. Nothing new is begun."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 30)
        outcomes: list[ItemOutcome[Any]] = []
        async with norce.bulk(load=Fixed(in_flight=2)) as job:
            async for outcome in job.run(ids, actions.remove()):
                outcomes.append(outcome)
                job.stop(why="enough")
    assert len(outcomes) < 10
    verdicts = Counter(outcome.verdict for outcome in outcomes)
    # An item that was begun and not sent yet goes back.
    assert set(verdicts) <= {"done", "not tried"}
    assert job.summary.stopped == "enough"
    assert sum(effects(sandbox).values()) == verdicts["done"] > 0


@pytest.mark.parametrize("when", ["before the run", "before its first outcome", "while it lists"])
@pytest.mark.parametrize("source", ["filter", "journal", "export"])
async def test_stopping_before_the_work_has_begun(sandbox: Sandbox, tmp_path: Path, source: str, when: str) -> None:
    """The summary has the reason, and nothing was done."""
    running: list[Job] = []

    async def stops_it(call: CallInfo, proceed: CallNext) -> Answer:
        answer = await proceed()
        if call.operation == "GetCheckoutOrders" and running and when == "while it lists":
            running[0].stop(why="enough")
        return answer

    async with client_of(sandbox, call_middleware=[stops_it]) as norce:
        ids = await new_orders(norce, 5)

        async def listed() -> AsyncIterator[str]:
            for key in ids:
                if when == "while it lists":
                    job.stop(why="enough")
                yield key

        given: Any = OrderFilter(status="checkout") if source == "filter" else listed()
        journal = None if source == "filter" else tmp_path / "j"
        action: Any = actions.export(tmp_path / "out.csv") if source == "export" else actions.remove()
        async with norce.bulk(journal, load=FEW) as job:
            if when == "before the run":
                job.stop(why="enough")
            running.append(job)
            run = job.run(given, action)
            if when == "before its first outcome":
                job.stop(why="enough")
            assert await all_of(run) == {}
        assert job.summary.stopped == "enough"
        assert not job.summary.complete
    assert not effects(sandbox)
    assert "out.csv" not in names_in(tmp_path)


async def test_stopping_now(sandbox: Sandbox) -> None:
    """Requests in flight are reported as unknown."""
    started: list[str] = []

    async def forever(order: Order) -> None:
        started.append(order.id)
        if len(started) < 4:
            return
        if len(started) == 5:
            job.stop(now=True)
        await anyio.sleep_forever()

    async with client_of(sandbox) as norce, norce.bulk(load=Fixed(in_flight=2), grace=3600.0) as job:
        await all_of(job.run([f"o{n}" for n in range(9)], forever))
        assert job.summary.verdicts == {"done": 3, "unknown": 2}
        assert job.summary.left == 4


async def test_a_grace_that_ends(sandbox: Sandbox) -> None:
    """Requests that are still in flight then are cut off."""

    async def forever(order: Order) -> None:
        job.stop()
        await anyio.sleep_forever()

    async with client_of(sandbox) as norce, norce.bulk(load=FEW, grace=0.1) as job, Ticks() as ticks:
        outcomes = await all_of(job.run(["o1"], forever))
    assert outcomes["o1"].verdict == "unknown"
    assert ticks.count < 500


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_one_signal_lets_requests_in_flight_finish(sandbox: Sandbox, number: signal.Signals) -> None:
    """The job begins nothing new."""
    told: list[Any] = []

    async def slow(order: Order) -> str:
        os.kill(os.getpid(), number)
        await until(lambda: told)
        return order.id

    async with (
        client_of(sandbox) as norce,
        norce.bulk(load=Fixed(in_flight=1)) as job,
        stopped_by_signals(job, lambda each, again: told.append((each, again))),
    ):
        outcomes = await all_of(job.run([f"o{n}" for n in range(9)], slow))
    assert [outcome.verdict for outcome in outcomes.values()] == ["done"]
    assert told == [(number, False)]
    assert job.summary.stopped == number.name
    assert job.summary.left == 8


async def test_two_signals_stop_now(sandbox: Sandbox) -> None:
    """The job does not wait for the grace time."""
    told: list[bool] = []

    async def endless(order: Order) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await until(lambda: told)
        os.kill(os.getpid(), signal.SIGINT)
        await anyio.sleep_forever()

    async with (
        client_of(sandbox) as norce,
        norce.bulk(load=Fixed(in_flight=1), grace=3600.0) as job,
        stopped_by_signals(job, lambda _, again: told.append(again)),
    ):
        outcomes = await all_of(job.run(["o1", "o2"], endless))
    assert [outcome.verdict for outcome in outcomes.values()] == ["unknown"]


@pytest.mark.parametrize("engine", ["auto", "httpx"])
async def test_a_program_that_was_stopped_twice_need_not_wait_for_a_silent_write(engine: EngineName) -> None:
    """Neither a timeout nor the service ends the write. Closing the client without grace does, and leaves no
    connection."""
    told: list[bool] = []
    outcomes: dict[str, ItemOutcome[Any]] = {}

    async def pays(order: Order) -> None:
        await order.payments.create({"reference": "p1"})

    with FaultServer() as server:
        server.free.clear()
        norce = NorceOrderClient(
            base_url=f"{server.url}/created",
            merchant="acme",
            channel="se",
            token="t",
            engine=engine,
            options=CallOptions(deadline=None, read_timeout=3_600.0),
        )
        async with (
            norce.bulk(load=Fixed(in_flight=1), grace=3_600.0) as job,
            stopped_by_signals(job, lambda _, again: told.append(again)),
            anyio.create_task_group() as group,
        ):

            async def stops() -> None:
                await until(lambda: server.counts["created"])
                os.kill(os.getpid(), signal.SIGINT)
                await until(lambda: told)
                os.kill(os.getpid(), signal.SIGINT)

            group.start_soon(stops)
            outcomes = await all_of(job.run(["o1", "o2"], actions.plain("pays", pays)))
        assert [outcome.verdict for outcome in outcomes.values()] == ["unknown"]
        await norce.aclose(grace=0)
        assert await anyio.to_thread.run_sync(server.settle) == 0
