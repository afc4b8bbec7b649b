"""Loads against a simulated service in virtual time. Its capacity changes, and the loads converge to it without
starving or flooding it."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import pytest

from norce_order_async.bulk.load.limiters import Adaptive, Fixed, Load
from norce_order_async.pipeline.limiter import Limiter, Pause
from norce_order_async.pipeline.retry import Outcome
from tests.support.clock import START, FakeClock

pytestmark = pytest.mark.anyio

Answer = tuple[Outcome, int | None]
DONE: Answer = (Outcome.SUCCEEDED, 200)
TOO_MANY: Answer = (Outcome.REJECTED, 429)
NO_ANSWER: Answer = (Outcome.UNKNOWN, None)


@pytest.fixture
def anyio_backend() -> str:
    """One loop is enough: these are hundreds of thousands of steps, and their results don't depend on the loop."""
    return "asyncio"


@dataclass
class Admitting:
    """A service that takes 50 ms, admits ``capacity`` requests a second and rejects the others after 5 ms."""

    clock: FakeClock
    capacity: float
    latency: Callable[[], float] = lambda: 0.05
    burst_seconds: float = 0.05
    tokens: float = math.inf
    filled_at: float = START

    async def serve(self) -> Answer:
        now = self.clock.monotonic()
        burst = max(1.0, self.capacity * self.burst_seconds)
        self.tokens = min(burst, self.tokens + (now - self.filled_at) * self.capacity)
        self.filled_at = now
        if self.tokens < 1:
            await self.clock.wait(0.005)
            return TOO_MANY
        self.tokens -= 1
        await self.clock.wait(self.latency())
        return DONE


@dataclass
class Queueing:
    """A service with ``places`` that take 50 ms a request. It lets every caller wait for a place and never rejects."""

    clock: FakeClock
    places: int
    busy: int = 0
    queue: deque[anyio.Event] = field(default_factory=deque[anyio.Event])

    async def serve(self) -> Answer:
        if self.busy >= self.places:
            turn = anyio.Event()
            self.queue.append(turn)
            await turn.wait()
        self.busy += 1
        await self.clock.wait(self.clock.uniform(0.03, 0.07))
        self.busy -= 1
        if self.queue and self.busy < self.places:
            self.queue.popleft().set()
        return DONE


@dataclass
class Run:
    """A job's calls against a service, and their results second by second."""

    clock: FakeClock
    limiter: Limiter
    pause: Pause
    done: Counter[int] = field(default_factory=Counter[int])
    throttled: Counter[int] = field(default_factory=Counter[int])
    most: Counter[int] = field(default_factory=Counter[int])
    """In flight at once, at most."""

    def rate(self, begin: int, end: int) -> float:
        """Requests done a second between two moments."""
        return sum(self.done[second] for second in range(begin, end)) / (end - begin)

    def share_throttled(self, begin: int, end: int) -> float:
        """The share of the requests that was rejected."""
        away = sum(self.throttled[second] for second in range(begin, end))
        return away / max(1, away + sum(self.done[second] for second in range(begin, end)))

    async def worker(self, serve: Callable[[], Awaitable[Answer]], until: float) -> None:
        clock = self.clock
        while clock.passed < until:
            assert await self.limiter.acquire(None)
            second = int(clock.passed)
            self.most[second] = max(self.most[second], self.limiter.in_flight)
            began = clock.monotonic()
            outcome, status = await serve()
            self.limiter.release()
            throttled = outcome is Outcome.REJECTED
            self.limiter.learned(outcome, seconds=clock.monotonic() - began, throttled=throttled, status=status)
            if outcome is Outcome.SUCCEEDED:
                self.done[int(clock.passed)] += 1
            elif outcome is Outcome.REJECTED:
                self.throttled[int(clock.passed)] += 1
                await clock.wait(clock.uniform(0.0, 1.0))


async def play(
    load: Load,
    make: Callable[[FakeClock], Admitting | Queueing],
    until: int,
    changes: dict[int, float] | None = None,
    workers: int = 120,
) -> Run:
    """Run for a number of seconds. At the moments in ``changes`` the capacity changes to the values there."""
    clock = FakeClock(seed=7)
    pause = Pause(clock)
    run = Run(clock, load.limiter(clock, pause), pause)
    service = make(clock)

    async def change() -> None:
        for moment, capacity in sorted((changes or {}).items()):
            await clock.wait(moment - clock.passed)
            if isinstance(service, Admitting):
                service.capacity = capacity
            else:
                service.places = int(capacity)

    async with anyio.create_task_group() as group:
        group.start_soon(change)
        for _ in range(workers):
            group.start_soon(run.worker, service.serve, float(until))
    return run


@pytest.mark.parametrize(
    ("capacity", "at_least", "away"),
    [
        (5, 0.8, 0.1),
        pytest.param(20, 0.9, 0.03, marks=pytest.mark.soak),
        (200, 0.95, 0.01),
        pytest.param(600, 0.9, 0.01, marks=pytest.mark.soak),
    ],
)
async def test_uses_the_capacity_and_hardly_more(capacity: float, at_least: float, away: float) -> None:
    """That holds for capacities from five requests a second to six hundred, from the tenth second on."""
    run = await play(Adaptive(), lambda clock: Admitting(clock, capacity), 60)
    assert at_least * capacity <= run.rate(10, 60) <= 1.05 * capacity
    assert run.share_throttled(10, 60) < away


@pytest.mark.parametrize(
    "burst_seconds", [0.0, *(pytest.param(between, marks=pytest.mark.soak) for between in (0.05, 0.25)), 1.0]
)
async def test_uses_the_capacity_however_the_service_counts(burst_seconds: float) -> None:
    """The service may count single requests or whole seconds."""
    run = await play(Adaptive(), lambda clock: Admitting(clock, 200, burst_seconds=burst_seconds), 60)
    assert run.rate(10, 60) >= 0.93 * 200
    assert run.share_throttled(10, 60) < 0.01


async def test_follows_a_capacity_that_halves_and_doubles() -> None:
    """The load reaches the new level within ten seconds and causes few rejections on the way."""
    changes: dict[int, float] = {30: 100, 60: 200, 90: 400, 120: 200}
    run = await play(Adaptive(), lambda clock: Admitting(clock, 200), 150, changes)
    for begin, capacity in changes.items():
        assert 0.9 * capacity <= run.rate(begin + 10, begin + 30) <= 1.03 * capacity, begin
        assert run.share_throttled(begin + 10, begin + 30) < 0.01
    assert run.share_throttled(10, 150) < 0.01
    assert max(run.throttled[second] for second in range(10, 150)) <= 20


async def test_recovers_from_a_minute_without_capacity() -> None:
    """While nothing is admitted the load sends little. Fifteen seconds after the end it has its rate again."""
    run = await play(Adaptive(), lambda clock: Admitting(clock, 200), 120, {30: 1e-9, 90: 200})
    asked = sum(run.throttled[second] for second in range(40, 90))
    assert asked <= 50
    assert run.rate(105, 120) >= 0.9 * 200


async def test_a_job_that_comes_late_gets_its_half() -> None:
    """Another job had the service to itself. The late job gets its half within twenty seconds, and few requests are
    rejected."""
    clock = FakeClock(seed=11)
    pause = Pause(clock)
    service = Admitting(clock, 200)
    first, second = (Run(clock, Adaptive().limiter(clock, pause), pause) for _ in range(2))
    async with anyio.create_task_group() as group:
        for run in (first, second):
            for _ in range(50):
                group.start_soon(run.worker, service.serve, 90.0)
            await clock.wait(20.0)
    for run in (first, second):
        assert 0.4 * 200 <= run.rate(40, 90) <= 0.6 * 200
        assert run.share_throttled(20, 90) < 0.02
    assert 0.93 * 200 <= first.rate(20, 90) + second.rate(20, 90) <= 1.03 * 200


async def test_finds_how_many_work_at_once_and_keeps_the_queue_short() -> None:
    """A service that never rejects gets few more requests than it has places, before and after their number changes."""
    changes: dict[int, float] = {60: 5, 120: 20}
    run = await play(Adaptive(), lambda clock: Queueing(clock, 10), 180, changes)
    for begin, end, places in ((10, 60, 10), (70, 120, 5), (130, 180, 20)):
        assert run.rate(begin, end) >= 0.95 * places / 0.05
        assert max(run.most[second] for second in range(begin, end)) <= places + 10
    assert not run.throttled


async def test_varying_times_do_not_look_like_a_queue() -> None:
    """Nothing queues and latency is very uneven. The limit rises to the ceiling."""

    def make(clock: FakeClock) -> Admitting:
        return Admitting(clock, 1e6, latency=lambda: clock.uniform(0.001, 0.4) ** 2 * 3)

    run = await play(Adaptive(max_in_flight=40), make, 90)
    assert run.limiter.limit >= 36
    assert max(run.most.values()) == 40


async def test_a_service_that_stops_answering_is_left_with_few() -> None:
    """Every request times out after 2 s. The number in flight shrinks, and grows again afterwards."""
    clock = FakeClock(seed=3)
    pause = Pause(clock)
    run = Run(clock, Adaptive().limiter(clock, pause), pause)
    service = Queueing(clock, 30)

    async def serve() -> Answer:
        if 30 <= clock.passed < 90:
            await clock.wait(2.0)
            return NO_ANSWER
        return await service.serve()

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(run.worker, serve, 150.0)
    before = max(run.most[second] for second in range(20, 30))
    during = max(run.most[second] for second in range(85, 90))
    assert before >= 30
    assert during <= 4
    assert run.rate(120, 150) >= 0.9 * 30 / 0.05


async def test_after_a_pause_it_continues_where_it_was() -> None:
    """It neither sends everything at once nor starts from the beginning."""
    clock = FakeClock(seed=5)
    pause = Pause(clock)
    run = Run(clock, Adaptive().limiter(clock, pause), pause)
    service = Admitting(clock, 200)

    async def ask_to_wait() -> None:
        await clock.wait(30.0)
        pause.extend(20.0)

    async with anyio.create_task_group() as group:
        group.start_soon(ask_to_wait)
        for _ in range(100):
            group.start_soon(run.worker, service.serve, 70.0)
    assert run.rate(31, 50) == 0
    assert run.rate(51, 53) >= 0.8 * 200
    assert run.share_throttled(50, 70) < 0.01
    assert run.limiter.throttled_seconds >= 20


async def test_fixed_keeps_its_numbers_whatever_the_service_answers() -> None:
    """It sends at an even rate and never has more in flight."""
    run = await play(Fixed(in_flight=3, rate=40), lambda clock: Admitting(clock, 1000), 20)
    assert run.rate(0, 20) == pytest.approx(40, abs=0.5)
    assert max(run.done.values()) <= 41
    assert run.limiter.throttled_seconds == 0
    slow = await play(Fixed(in_flight=3), lambda clock: Admitting(clock, 1000), 20)
    assert slow.rate(0, 20) == pytest.approx(3 / 0.05, abs=1)
    assert max(slow.most.values()) == 3
    away = await play(Fixed(in_flight=3, rate=40), lambda clock: Admitting(clock, 20, burst_seconds=0.25), 20)
    assert away.share_throttled(5, 20) == pytest.approx(0.5, abs=0.05)


async def test_ceilings_hold() -> None:
    """Neither the rate nor the number in flight passes what the user allows."""
    run = await play(Adaptive(max_in_flight=6, max_rate=30), lambda clock: Admitting(clock, 1000), 20)
    assert max(run.done.values()) <= 31
    assert run.rate(2, 20) == pytest.approx(30, abs=0.5)
    assert run.limiter.throttled_seconds == 0
    narrow = await play(Adaptive(max_in_flight=6), lambda clock: Admitting(clock, 1000), 20)
    assert max(narrow.most.values()) == 6
    assert narrow.rate(5, 20) == pytest.approx(6 / 0.05, abs=2)


@dataclass
class Slow:
    """A service that takes 1.5 s a request, for any number of requests. From ``bears`` on it rejects, queues or does
    not answer."""

    clock: FakeClock
    bears: float = math.inf
    answer: Answer = DONE
    busy: int = 0

    async def serve(self) -> Answer:
        self.busy += 1
        over = self.busy > self.bears
        await self.clock.wait(1.5 if not over or self.answer is not DONE else 1.5 * self.busy / self.bears)
        self.busy -= 1
        return self.answer if over else DONE


async def orders_through(load: Load, service: Slow, orders: int) -> Run:
    """Process a number of orders, as a job does."""
    clock = service.clock
    pause = Pause(clock)
    run = Run(clock, load.limiter(clock, pause), pause)
    left = orders

    async def serve() -> Answer:
        nonlocal left
        left -= 1
        return await service.serve()

    async def worker() -> None:
        while left > 0:
            await run.worker(serve, clock.passed + 1e-9)

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(worker)
    return run


async def test_a_slow_service_with_much_capacity_is_used_fast() -> None:
    """For 600 orders at 1.5 s, 4, 8, 16, 32, 64 and then 100 are in flight. A fixed 50 would take 18 s. A limit that
    grows by windows from the start takes a minute."""
    run = await orders_through(Adaptive(), Slow(FakeClock()), 600)
    assert [run.most[second] for second in (0, 1, 3, 4, 6, 7)] == [4, 8, 16, 32, 64, 100]
    assert run.clock.passed <= 11 * 1.5


@pytest.mark.parametrize("answer", [NO_ANSWER, DONE])
async def test_a_service_under_pressure_gets_what_it_can_handle(answer: Answer) -> None:
    """Some requests are not answered, or all take longer than before. The next answers bring the number in flight
    down."""
    service = Slow(FakeClock(seed=5), bears=40, answer=answer)
    run = await orders_through(Adaptive(), service, 2000)
    too_many = [second for second, most in run.most.items() if most > 70]
    assert len(too_many) <= 8
    assert max(most for second, most in run.most.items() if second > 20) <= 60
    assert run.rate(20, 60) >= 0.7 * 40 / 1.5


async def test_a_limit_that_is_not_used_is_not_doubled() -> None:
    """Three requests in flight say nothing about a hundred."""
    run = await play(Adaptive(), lambda clock: Admitting(clock, 1e6), 20, workers=3)
    assert run.limiter.limit <= 7
