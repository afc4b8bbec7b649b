"""A member of a shared rate never sends more than its part, and nothing once the part is old."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from norce_order_async import Adaptive, ConfigurationError, Fixed
from norce_order_async.bulk import Shared
from norce_order_async.bulk.load.shared import BEAT, HOLDS, OLD, Beat, Part, Share, SharedLimiter, check_load
from norce_order_async.pipeline.limiter import Pause
from norce_order_async.pipeline.retry import Outcome
from tests.support.clock import FakeClock

pytestmark = pytest.mark.anyio


class Member:
    """A member whose beats a test makes by hand."""

    def __init__(self, clock: FakeClock, max_in_flight: int = 100) -> None:
        self.clock = clock
        self.pause = Pause(clock)
        self.share = Share(100.0, now=clock.monotonic)
        limiter = Part(max_in_flight, self.share).limiter(clock, self.pause)
        assert isinstance(limiter, SharedLimiter)
        self.limiter = limiter
        self.woken = 0
        self.share.wake = self.wake
        self.served: list[float] = []

    def wake(self) -> None:
        self.woken += 1

    def beat(self, *, rate: float | None = 100.0, others: int = 0, counts: bool = True, paused: float = 0.0) -> None:
        self.share.heard(Beat(rate, others, counts, paused), self.clock.monotonic())

    async def send(self, until: float) -> None:
        """Send as fast as it may, with answers at once."""
        with self.clock.move_on_after(until - self.clock.passed):
            while True:
                await self.limiter.acquire(None)
                self.served.append(self.clock.passed)
                self.limiter.release()
                self.limiter.learned(Outcome.SUCCEEDED, seconds=0.001, throttled=False, status=200)

    def within(self, begin: float, end: float) -> int:
        return sum(begin <= moment < end for moment in self.served)


async def test_nothing_is_sent_before_a_beat_that_counts() -> None:
    """From that beat on all members share the rate."""
    clock = FakeClock()
    member = Member(clock)
    async with anyio.create_task_group() as group:
        group.start_soon(member.send, 10.0)
        await clock.wait(1.0)
        member.beat(others=3, counts=False)
        await clock.wait(1.0)
        assert member.served == []
        for _ in range(10):
            member.beat(others=3)
            await clock.wait(0.4)
        group.cancel_scope.cancel()
    assert 2.0 <= member.served[0] < 2.5
    assert member.within(3.0, 6.0) == pytest.approx(75, abs=1)
    assert member.limiter.rate == 25.0


async def test_a_part_that_got_no_beat_is_not_used() -> None:
    """A part ends before the others stop counting this member."""
    clock = FakeClock()
    member = Member(clock)
    member.beat()
    await member.send(10.0)
    assert member.served[-1] == pytest.approx(HOLDS, abs=0.02)
    assert BEAT < HOLDS < OLD
    assert not member.limiter.take()
    member.beat()
    assert member.limiter.take()


async def test_a_part_that_grows_wakes_waiting_callers() -> None:
    """A caller that would have waited for ten seconds is woken too."""
    clock = FakeClock()
    member = Member(clock)
    async with anyio.create_task_group() as group:
        member.beat(others=999)
        group.start_soon(member.send, 3.0)
        await clock.wait(1.0)
        assert len(member.served) <= 1
        member.beat()
    assert member.within(1.3, 2.3) == pytest.approx(100, abs=1)


async def test_the_burst_is_divided_too() -> None:
    """A rested member sends at once what its part allows in 50 ms, and at least one request."""
    clock = FakeClock()
    for others, at_once in ((0, 5), (1, 2), (9, 1), (99, 1)):
        member = Member(clock)
        member.beat(others=others)
        assert member.share.wait() <= 0.25
        await clock.wait(2.0)
        member.beat(others=others)
        count = 0
        while member.limiter.take():
            member.limiter.release()
            count += 1
        assert count == at_once


async def test_those_that_begin_together_do_not_send_together() -> None:
    clock = FakeClock()
    first: set[float] = set()
    for _ in range(20):
        member = Member(clock)
        member.beat(others=999)
        first.add(member.share.wait())
        member.beat(others=19)
        first.add(member.share.wait())
    assert len(first) > 15


async def test_a_pause_of_another_member() -> None:
    """Nothing is sent, and the time counts as held back by the service."""
    clock = FakeClock()
    member = Member(clock)
    async with anyio.create_task_group() as group:
        member.beat()
        group.start_soon(member.send, 4.0)
        await clock.wait(1.0)
        member.beat(paused=2.0)
        await clock.wait(1.0)
        member.beat(paused=1.0)
        await clock.wait(1.0)
        member.beat()
    assert member.within(1.01, 3.0) == 0
    assert member.within(3.0, 4.0) > 70
    assert member.limiter.throttled_seconds == pytest.approx(2.0, abs=0.3)


async def test_a_pause_is_reported_at_once_and_once() -> None:
    """A pause that is longer than a call would wait is reported too. A pause that others reported is not."""
    clock = FakeClock()
    member = Member(clock)
    member.beat()
    member.pause.extend(3.0)
    for _ in range(5):
        assert not member.limiter.take()
        await clock.wait(0.1)
    assert member.woken == 1
    assert member.share.own_pause == pytest.approx(2.5)
    member.limiter.wanted_nothing(600.0)
    assert member.woken == 2
    assert member.share.own_pause == pytest.approx(600.0)
    other = Member(clock)
    other.beat(paused=5.0)
    assert not other.limiter.take()
    assert (other.woken, other.share.own_pause) == (0, 0.0)


async def test_a_job_that_lost_its_rate_has_none() -> None:
    clock = FakeClock()
    member = Member(clock)
    member.beat(rate=None)
    await clock.wait(0.1)
    assert member.limiter.rate is None
    assert all(member.limiter.take() for _ in range(4))


def test_a_wrong_load_is_refused() -> None:
    wrong: list[Any] = ["fast", 100, Shared, Fixed]
    for load in wrong:
        with pytest.raises(ConfigurationError, match="load must be Shared, Adaptive or Fixed, not"):
            check_load(load)
    for load in (None, Shared(max_rate=5), Adaptive(), Fixed(in_flight=1)):
        check_load(load)
    with pytest.raises(ConfigurationError, match=r"load must be Adaptive or Fixed here: Shared is for spread\(...\)"):
        check_load(Shared(max_rate=5), alone=True)
    for rate in (0, -1, float("inf"), float("nan"), True, "5", None):
        with pytest.raises(ConfigurationError, match="max_rate"):
            Shared(max_rate=rate)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="max_in_flight"):
        Shared(max_rate=5, max_in_flight=0)
