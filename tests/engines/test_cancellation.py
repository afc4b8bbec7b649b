"""Cancelled callers, cancelled sends and small pools lose nothing, leak nothing and leave the engine working."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable

import anyio
import pytest

from norce_order_async.engines.base import Engine, UnsentError, WireResponse
from norce_order_async.engines.httpx import HttpxEngine
from norce_order_async.engines.select import ENGINES
from norce_order_async.pipeline.tasks import SendTasks
from tests.support.patience import Patience
from tests.support.waiting import until

from .conftest import EngineFactory
from .faultserver import FaultServer
from .wire import wire

pytestmark = pytest.mark.anyio

PERMITS = 8


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class Permits:
    """Permits as the limiter uses them: the caller takes one, and it comes back when the send has ended."""

    def __init__(self, count: int) -> None:
        self.free = count
        self._changed = anyio.Event()

    async def take(self) -> None:
        while not self.free:
            await self._changed.wait()
        self.free -= 1

    def give_back(self) -> None:
        self.free += 1
        self._changed.set()
        self._changed = anyio.Event()


def small(engine: Engine) -> Engine:
    """Make pools of three for engines with pools, so that sends share and change pools all the time."""
    return HttpxEngine(pool_size=3) if isinstance(engine, HttpxEngine) else engine


async def fuzz(make_engine: EngineFactory, server: FaultServer, cancels: int) -> None:
    patience = Patience(cancels)
    server.latency = 0.002
    engine = small(make_engine())
    owned = SendTasks()
    permits = Permits(PERMITS)
    numbers = itertools.count()
    cancelled = left_in_flight = 0

    async def call(number: int) -> WireResponse:
        await permits.take()
        request = wire(f"{server.url}/good/{number}", "POST", body=b"{}")
        return await owned.run(lambda: engine.send(request), permits.give_back)

    async def caller() -> None:
        nonlocal cancelled, left_in_flight
        while cancelled < cancels or left_in_flight < cancels / 10:
            number = next(numbers)
            with anyio.move_on_after(patience.draw()) as scope:
                assert (await call(number)).status == 200
                patience.answered()
            if scope.cancelled_caught:
                patience.left()
                cancelled += 1
                left_in_flight += server.has_received(f"/good/{number}")

    async with anyio.create_task_group() as group:
        for _ in range(2 * PERMITS):
            group.start_soon(caller)

    async def hundred() -> None:
        for _ in range(25):
            assert (await call(next(numbers))).status == 200

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(hundred)

    await until(lambda: not owned.in_flight)
    assert permits.free == PERMITS
    await engine.aclose()
    assert server.settle() == 0
    assert server.accepted <= PERMITS + 3, "sends whose callers left must leave their connections usable"


async def test_after_many_cancelled_callers_the_engine_works(make_engine: EngineFactory, server: FaultServer) -> None:
    """Four hundred callers are cancelled at random moments, a tenth of them while the server has their request. A
    hundred calls then succeed and every permit is back."""
    before = descriptors()
    await fuzz(make_engine, server, 400)
    assert descriptors() <= before + PERMITS, "server threads aside, nothing stays open"


@pytest.mark.soak
async def test_after_ten_thousand_cancelled_callers_the_engine_works(
    make_engine: EngineFactory, server: FaultServer
) -> None:
    await fuzz(make_engine, server, 10_000)


async def fuzz_unowned(make_engine: EngineFactory, server: FaultServer, cancels: int) -> None:
    """Cancel the sends themselves, as an event loop does at its end. The engine drops their pools and still works."""
    patience = Patience(cancels)
    server.latency = 0.002
    engine = small(make_engine())
    cancelled = 0

    async def sender() -> None:
        nonlocal cancelled
        while cancelled < cancels:
            with anyio.move_on_after(patience.draw()) as scope:
                assert (await engine.send(wire(f"{server.url}/good"))).status == 200
                patience.answered()
            if scope.cancelled_caught:
                patience.left()
                cancelled += 1

    async with anyio.create_task_group() as group:
        for _ in range(PERMITS):
            group.start_soon(sender)

    for _ in range(100):
        assert (await engine.send(wire(f"{server.url}/good"))).status == 200
    await engine.aclose()
    assert server.settle() == 0


@pytest.mark.parametrize("cancels", [100, pytest.param(3_000, marks=pytest.mark.soak)])
async def test_sends_cancelled_from_outside_damage_nothing(
    make_engine: EngineFactory, server: FaultServer, cancels: int
) -> None:
    """After a hundred sends are cancelled, or 3,000 in a soak, the engine still works and closes everything."""
    await fuzz_unowned(make_engine, server, cancels)


async def test_a_drain_ends_sends_that_hang(make_engine: EngineFactory, server: FaultServer) -> None:
    """A drain cancels them after its grace, and closing leaves no connection."""
    engine = make_engine()
    owned = SendTasks()
    ended: list[int] = []

    async def leave_one_behind() -> None:
        with anyio.move_on_after(0.05):
            await owned.run(lambda: engine.send(wire(f"{server.url}/hang")), lambda: ended.append(1))

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(leave_one_behind)
    assert (owned.in_flight, ended) == (3, [])

    assert not await owned.drain(0.05)

    assert (owned.in_flight, ended) == (0, [1, 1, 1])
    await engine.aclose()
    assert server.settle() == 0
    with pytest.raises(UnsentError):
        await owned.run(lambda: engine.send(wire(f"{server.url}/good")), lambda: ended.append(1))
    assert len(ended) == 4


@pytest.mark.parametrize("name", [name for name in ENGINES if "asyncio" in ENGINES[name].loops])
def test_asyncio_run_ends_cleanly_with_sends_in_flight(
    name: str, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    """When the main task returns, ``asyncio.run`` cancels the sends. No connection is left, and nothing is logged."""
    ended: list[int] = []
    engine = ENGINES[name].make()

    async def main() -> int:
        owned = SendTasks()
        for _ in range(3):
            with anyio.move_on_after(0.05):
                await owned.run(lambda: engine.send(wire(f"{server.url}/hang")), lambda: ended.append(1))
        return owned.in_flight

    assert asyncio.run(main()) == 3
    assert ended == [1, 1, 1]
    assert server.settle() == 0
    assert not caplog.records
    asyncio.run(engine.aclose())


def test_trio_run_ends_cleanly_with_sends_in_flight(server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    """When the main task returns, trio cancels the sends. No connection is left, and nothing is logged."""
    import trio

    ended: list[int] = []

    async def main() -> int:
        engine = HttpxEngine()
        owned = SendTasks()
        for _ in range(3):
            with trio.move_on_after(0.05):
                await owned.run(lambda: engine.send(wire(f"{server.url}/hang")), lambda: ended.append(1))
        return owned.in_flight

    run: Callable[[Callable[[], Awaitable[int]]], int] = trio.run
    assert run(main) == 3
    assert ended == [1, 1, 1]
    assert server.settle() == 0
    assert not caplog.records
