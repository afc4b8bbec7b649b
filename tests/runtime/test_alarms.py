"""Timeouts: alarms ring in time and never early, and a scope keeps its cancellation to itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from norce_order_async.runtime.timers import Alarms, Watch
from tests.support.virtual import in_virtual_time

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, Mapping[str, Any]]:
    return in_virtual_time("asyncio")


class Timers:
    """A loop with the methods that alarms use, whose time the test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.waiting: list[tuple[float, Callable[..., object], tuple[Any, ...]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[..., object], *arguments: Any, context: object) -> None:
        self.waiting.append((when, call, arguments))

    def pass_to(self, now: float) -> None:
        self.now = now
        due = sorted((one for one in self.waiting if one[0] <= now), key=lambda one: one[0])
        self.waiting = [one for one in self.waiting if one[0] > now]
        for _, call, arguments in due:
            call(*arguments)


def far_alarms() -> tuple[Alarms, Timers]:
    timers: Any = Timers()
    return Alarms(timers), timers


def test_a_far_alarm_rings_within_a_tenth_and_never_early() -> None:
    """A far alarm is at most a tenth of a second late, at whatever hundredth of a second it is due."""
    for hundredths in range(100):
        alarms, timers = far_alarms()
        rung: list[float] = []
        alarms.after(30.0 + hundredths / 100, lambda timers=timers, rung=rung: rung.append(timers.now))  # type: ignore[misc]
        due = 1_030.0 + hundredths / 100
        timers.pass_to(due - 0.001)
        assert rung == []
        timers.pass_to(due + 0.1001)
        assert len(rung) == 1


def test_a_thousand_far_alarms_share_their_timers() -> None:
    """One timer serves all. Cancelled alarms do not ring, and all others do."""
    alarms, timers = far_alarms()
    rung: list[int] = []
    made = [alarms.after(30.0, lambda number=number: rung.append(number)) for number in range(1_000)]  # type: ignore[misc]
    assert len(timers.waiting) == 1
    for alarm in made[::2]:
        alarm.cancel()
        alarm.cancel()
    timers.pass_to(1_031.0)
    assert sorted(rung) == list(range(1, 1_000, 2))
    assert timers.waiting == []
    made[1].cancel()


async def test_a_near_alarm_has_a_timer_of_its_own() -> None:
    """For a near alarm a tenth of a second would be too much."""
    loop = asyncio.get_running_loop()
    rung = asyncio.Event()
    began = loop.time()
    Alarms(loop).after(0.02, rung.set)
    Alarms(loop).after(0.01, pytest.fail).cancel()
    await rung.wait()
    assert loop.time() - began == pytest.approx(0.02)


def watch(total: float | None, silence: float) -> Watch:
    return Watch(Alarms(asyncio.get_running_loop()), total, silence)


async def test_the_whole_has_a_timeout() -> None:
    """The timeout ends the block despite signs of life, without an exception, and the task stays uncancelled."""
    bounded = watch(0.05, 10.0)
    began = asyncio.get_running_loop().time()
    with bounded:
        for _ in range(1_000):
            bounded.heard()
            await asyncio.sleep(0.001)
        pytest.fail("never ended")
    assert (bounded.over, bounded.silent) == (True, False)
    assert asyncio.get_running_loop().time() - began == pytest.approx(0.05)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


@pytest.mark.parametrize("total", [None, 5.0])
async def test_silence_has_a_timeout(total: float | None) -> None:
    """The silence counts from each sign of life, of which the first may come late."""
    bounded = watch(total, 0.04)
    loop = asyncio.get_running_loop()
    last = 0.0
    with bounded:
        await asyncio.sleep(0.1)
        for _ in range(5):
            bounded.heard()
            await asyncio.sleep(0.02)
        last = loop.time()
        bounded.heard()
        await asyncio.sleep(5.0)
        pytest.fail("never ended")
    assert (bounded.over, bounded.silent) == (True, True)
    assert loop.time() - last == pytest.approx(0.04)


@pytest.mark.parametrize("silence", [0.0, 1e-9])
async def test_a_timeout_of_zero_is_not_endless(silence: float) -> None:
    """The first check comes at once."""
    bounded = watch(None, silence)
    with bounded:
        bounded.heard()
        await asyncio.sleep(5.0)
    assert bounded.silent


async def test_a_block_that_ends_in_time_is_left_alone() -> None:
    """The block ends with its own result or exception, and no alarm is left."""
    with watch(0.01, 0.01) as _:
        pass
    with pytest.raises(ValueError, match="own"), watch(0.01, 0.01):
        raise ValueError("own")
    await asyncio.sleep(0.03)


async def test_a_cancellation_from_outside_is_passed_on() -> None:
    """A cancellation is passed on, also if it comes together with the watch's own."""

    async def watched() -> None:
        bounded = watch(0.01, 10.0)
        with bounded:
            try:
                await asyncio.sleep(5.0)
            except asyncio.CancelledError:
                current = asyncio.current_task()
                assert current is not None
                current.cancel()
                raise

    for wait in (0.0, 0.05):
        task = asyncio.ensure_future(watched())
        await asyncio.sleep(wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_it_nests_in_a_timeout_of_asyncios() -> None:
    """The watch does not take the cancellation of asyncio's timeout for its own."""

    async def watched() -> None:
        async with asyncio.timeout(0.01):
            with watch(5.0, 5.0):
                await asyncio.sleep(5.0)

    with pytest.raises(TimeoutError):
        await watched()
