"""Cancelled callers, owned sends and a small pool: nothing may be lost, leaked or dead afterwards."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable

import anyio
import pytest

from norce_order_async.engines.aiohttp import AiohttpEngine
from norce_order_async.engines.base import Engine, NotSentError, WireResponse
from norce_order_async.engines.httpx import HttpxEngine
from norce_order_async.pipeline.ownership import OwnedSends

from .conftest import EngineFactory
from .faultserver import FaultServer
from .wire import wire

pytestmark = pytest.mark.anyio

PERMITS = 8


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class Permits:
    """As the limiter uses them: taken by the caller, given back when the send has ended."""

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
    """Pools of three for the engine that has them, so that sends share and change pools all the time."""
    return HttpxEngine(pool_size=3) if isinstance(engine, HttpxEngine) else engine


async def fuzz(make_engine: EngineFactory, server: FaultServer, cancels: int) -> None:
    chance = random.Random(cancels)
    server.latency = 0.002
    engine = small(make_engine())
    owned = OwnedSends()
    permits = Permits(PERMITS)
    cancelled = answered = 0

    async def call() -> WireResponse:
        await permits.take()
        return await owned.run(lambda: engine.send(wire(f"{server.url}/good", "POST", body=b"{}")), permits.give_back)

    async def caller() -> None:
        nonlocal answered, cancelled
        while cancelled < cancels:
            with anyio.move_on_after(chance.uniform(0, 0.008)) as scope:
                assert (await call()).status == 200
                answered += 1
            cancelled += scope.cancelled_caught

    async with anyio.create_task_group() as group:
        for _ in range(2 * PERMITS):
            group.start_soon(caller)
    assert cancelled >= cancels
    assert server.counts["good"] > answered + cancels / 10, "many callers must have left while their send was out"

    async def hundred() -> None:
        for _ in range(25):
            assert (await call()).status == 200

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(hundred)

    assert await owned.drain(5.0)
    assert owned.in_flight == 0
    assert permits.free == PERMITS
    await engine.aclose()
    assert server.settle() == 0
    assert server.accepted <= PERMITS + 3, "sends whose callers left must leave their connections usable"


async def test_after_many_cancelled_callers_the_engine_serves(make_engine: EngineFactory, server: FaultServer) -> None:
    """A thousand callers leave at random moments; a hundred calls then succeed and every permit is back."""
    before = descriptors()
    await fuzz(make_engine, server, 1_000)
    assert descriptors() <= before + PERMITS, "server threads aside, nothing stays open"


@pytest.mark.soak
async def test_after_ten_thousand_cancelled_callers_the_engine_serves(
    make_engine: EngineFactory, server: FaultServer
) -> None:
    """The same at length."""
    await fuzz(make_engine, server, 10_000)


async def fuzz_unowned(make_engine: EngineFactory, server: FaultServer, cancels: int) -> None:
    """Sends themselves cancelled, as a loop does at its end: the pools that were hit are dropped, none is dead."""
    chance = random.Random(cancels)
    server.latency = 0.002
    engine = small(make_engine())
    cancelled = 0

    async def sender() -> None:
        nonlocal cancelled
        while cancelled < cancels:
            with anyio.move_on_after(chance.uniform(0, 0.008)) as scope:
                assert (await engine.send(wire(f"{server.url}/good"))).status == 200
            cancelled += scope.cancelled_caught

    async with anyio.create_task_group() as group:
        for _ in range(PERMITS):
            group.start_soon(sender)

    with anyio.fail_after(20):
        for _ in range(100):
            assert (await engine.send(wire(f"{server.url}/good"))).status == 200
    await engine.aclose()
    assert server.settle() == 0


async def test_sends_cancelled_from_outside_poison_nothing(make_engine: EngineFactory, server: FaultServer) -> None:
    """Three hundred sends torn in half; the engine still serves and closes everything."""
    await fuzz_unowned(make_engine, server, 300)


async def test_draining_ends_sends_that_never_would(make_engine: EngineFactory, server: FaultServer) -> None:
    """After its grace a drain cancels what hangs, and closing leaves no connection."""
    engine = make_engine()
    owned = OwnedSends()
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
    with pytest.raises(NotSentError):
        await owned.run(lambda: engine.send(wire(f"{server.url}/good")), lambda: ended.append(1))
    assert len(ended) == 4


@pytest.mark.parametrize("make", [HttpxEngine, AiohttpEngine])
def test_asyncio_run_ends_cleanly_with_sends_in_the_air(
    make: EngineFactory, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The main task returns, asyncio.run cancels the rest: no connection left, and nobody complains of the sends."""
    ended: list[int] = []
    engine = make()

    async def main() -> int:
        owned = OwnedSends()
        for _ in range(3):
            with anyio.move_on_after(0.05):
                await owned.run(lambda: engine.send(wire(f"{server.url}/hang")), lambda: ended.append(1))
        return owned.in_flight

    assert asyncio.run(main()) == 3
    assert ended == [1, 1, 1]
    assert server.settle() == 0
    assert not caplog.records
    asyncio.run(engine.aclose())


def test_trio_run_ends_cleanly_with_sends_in_the_air(server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    """The same for trio, which cancels its system tasks."""
    import trio

    ended: list[int] = []

    async def main() -> int:
        engine = HttpxEngine()
        owned = OwnedSends()
        for _ in range(3):
            with trio.move_on_after(0.05):
                await owned.run(lambda: engine.send(wire(f"{server.url}/hang")), lambda: ended.append(1))
        return owned.in_flight

    run: Callable[[Callable[[], Awaitable[int]]], int] = trio.run
    assert run(main) == 3
    assert ended == [1, 1, 1]
    assert server.settle() == 0
    assert not caplog.records
