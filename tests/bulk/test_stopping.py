"""Signals while a job runs."""

from __future__ import annotations

import os
import signal
from typing import Any

import anyio
import pytest

from norce_order_async import Fixed, Order
from norce_order_async.bulk.stopping import stopped_by_signals
from norce_order_async.sandbox import Sandbox

from .support import client_of
from .test_job import all_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_once_lets_what_is_in_the_air_finish(sandbox: Sandbox, number: signal.Signals) -> None:
    """And begins nothing new."""
    told: list[Any] = []

    async def slow(order: Order) -> str:
        os.kill(os.getpid(), number)
        await anyio.sleep(0.1)
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


async def test_twice_stops_now(sandbox: Sandbox) -> None:
    """Without waiting for the grace time."""

    async def endless(order: Order) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await anyio.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)
        await anyio.sleep_forever()

    async with client_of(sandbox) as norce, norce.bulk(load=Fixed(in_flight=1)) as job:
        with anyio.fail_after(5):
            async with stopped_by_signals(job):
                outcomes = await all_of(job.run(["o1", "o2"], endless))
    assert [outcome.verdict for outcome in outcomes.values()] == ["unknown"]
