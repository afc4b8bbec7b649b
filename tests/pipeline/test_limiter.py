"""Permits: first come, first served, none lost, none too many; and what calls do with them."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import anyio
import anyio.lowlevel
import pytest

from norce_order_async import CallOptions
from norce_order_async.engines.base import WireRequest
from norce_order_async.errors import ConfigurationError, NorceError
from norce_order_async.pipeline.limiter import Limiter, Pause
from norce_order_async.pipeline.operations import CREATE_ORDER, CREATE_PAYMENT, GET_ORDER
from norce_order_async.pipeline.settle import Before
from tests.support.clock import FakeClock, highest
from tests.support.engine import Step, answer, lost
from tests.support.pipeline import stand

pytestmark = pytest.mark.anyio


def limiter(limit: int, clock: FakeClock) -> tuple[Limiter, Pause]:
    pause = Pause(clock)
    return Limiter(limit, clock, pause), pause


class Ticking(FakeClock):
    """A millisecond passes with every look at it."""

    def monotonic(self) -> float:
        self.now += 0.001
        return super().monotonic()


@pytest.mark.parametrize("milliseconds", range(1, 12))
@pytest.mark.parametrize("waits", [1, 2])
async def test_a_pause_that_ends_while_somebody_looks(milliseconds: int, waits: int) -> None:
    """Whoever looked first when it was on, and then when it was over, gets the permit all the same."""
    clock = Ticking()
    permits, pause = limiter(1, clock)
    pause.extend(milliseconds / 1000)
    granted: list[bool] = []

    async def ask() -> None:
        granted.append(await permits.acquire(1.0))
        pause.extend(milliseconds / 1000)
        permits.release()

    async with anyio.create_task_group() as group:
        for _ in range(waits):
            group.start_soon(ask)
    assert granted == [True] * waits
    assert (permits.in_flight, permits.waiting) == (0, 0)


async def test_first_come_first_served() -> None:
    """Also when some leave the queue, by cancellation or because their time is up."""
    clock = FakeClock()
    # One permit: tasks that become ready in the same moment run in any order.
    permits, _ = limiter(1, clock)
    served: list[int] = []

    async def worker(number: int) -> None:
        if number in (5, 12):
            assert not await permits.acquire(0.5)
            return
        with anyio.CancelScope() as scope:
            if number in (3, 8, 9):
                scopes.append(scope)
            await permits.acquire(None)
            served.append(number)
            await clock.sleep(1.0)
            permits.release()

    scopes: list[anyio.CancelScope] = []
    async with anyio.create_task_group() as group:
        for number in range(15):
            group.start_soon(worker, number)
            await anyio.lowlevel.checkpoint()
        await clock.wait(0.25)
        for scope in scopes:
            scope.cancel()
    assert served == [0, 1, 2, 4, 6, 7, 10, 11, 13, 14]
    assert (permits.in_flight, permits.waiting, clock.passed) == (0, 0, 10.0)


async def test_a_newcomer_does_not_overtake() -> None:
    """A permit that comes free belongs to the queue, even before its first has woken."""
    clock = FakeClock()
    permits, _ = limiter(1, clock)
    order: list[str] = []

    async def waiter() -> None:
        await permits.acquire(None)
        order.append("waiter")
        permits.release()

    await permits.acquire(None)
    async with anyio.create_task_group() as group:
        group.start_soon(waiter)
        await anyio.wait_all_tasks_blocked()
        permits.release()
        await permits.acquire(None)
        order.append("newcomer")
        permits.release()
    assert order == ["waiter", "newcomer"]


async def test_a_pause_holds_everybody_and_then_serves_in_order() -> None:
    """Nobody before its end; a shorter pause does not cut a longer one, a longer one stretches it."""
    clock = FakeClock()
    permits, pause = limiter(2, clock)
    served: list[tuple[int, float]] = []

    async def worker(number: int) -> None:
        await permits.acquire(None)
        served.append((number, clock.passed))
        await clock.sleep(1.0)
        permits.release()

    pause.extend(10.0)
    pause.extend(3.0)
    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(worker, number)
            await anyio.lowlevel.checkpoint()
        await clock.wait(5.0)
        pause.extend(7.0)
    assert sorted(served) == [(0, 12.0), (1, 12.0), (2, 13.0), (3, 13.0)]


async def test_the_one_who_waits_out_a_pause_may_leave() -> None:
    """The next in the queue takes over."""
    clock = FakeClock()
    permits, pause = limiter(1, clock)
    pause.extend(10.0)
    async with anyio.create_task_group() as group:

        async def impatient() -> None:
            assert not await permits.acquire(2.0)

        group.start_soon(impatient)
        await anyio.lowlevel.checkpoint()
        assert await permits.acquire(None)
    assert clock.passed == 10.0


async def test_a_pause_that_outlasts_the_patience() -> None:
    """No permit, and nothing held."""
    clock = FakeClock()
    permits, pause = limiter(1, clock)
    pause.extend(10.0)
    assert not await permits.acquire(9.0)
    assert (permits.in_flight, permits.waiting, clock.passed) == (0, 0, 9.0)


@pytest.mark.parametrize("seed", [*range(20), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(20, 400))])
async def test_nothing_is_lost_whoever_is_cancelled_when(seed: int) -> None:
    """Cancels, time-outs, pauses and releases at random: permits back at their start, the limit never passed."""
    clock, random = FakeClock(), Random(seed)
    permits, pause = limiter(3, clock)
    held = peak = served = 0

    async def worker() -> None:
        nonlocal held, peak, served
        await clock.wait(random.choice([0.0, 0.1, random.random()]))
        if not await permits.acquire(random.choice([None, 0.0, 0.1, random.random()])):
            return
        held += 1
        peak = max(peak, held)
        try:
            await clock.wait(random.choice([0.0, 0.1, random.random()]))
            served += 1
        finally:
            held -= 1
            permits.release()

    async def cancelled() -> None:
        with clock.move_on_after(random.choice([0.0, 0.1, random.random()])):
            await worker()

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(random.choice([worker, cancelled]))
            if random.random() < 0.05:
                pause.extend(random.random())
    assert (permits.in_flight, permits.waiting, held) == (0, 0, 0)
    assert (peak, served > 0) == (3, True)
    assert await permits.acquire(60.0)


# What calls do with their permits


@pytest.mark.parametrize("limit", [1, 3])
async def test_no_more_sends_in_the_air_than_permits(limit: int) -> None:
    """A hundred calls at once."""
    stand_ = stand(lambda _: answer(200, {}, takes=1.0), max_in_flight=limit)
    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(stand_.call, GET_ORDER)
    assert stand_.engine.peak == limit
    assert stand_.clock.passed == pytest.approx({1: 100.0, 3: 34.0}[limit])


async def test_a_sleeping_call_holds_no_permit() -> None:
    """While one backs off, the only permit serves others."""
    steps = iter([answer(500), answer(200, {}, takes=0.1), answer(200, {}, takes=0.1)])
    stand_ = stand(lambda _: next(steps), max_in_flight=1, uniform=highest)
    ends: dict[str, float] = {}

    async def call(name: str) -> None:
        await stand_.call(GET_ORDER)
        ends[name] = round(stand_.clock.passed, 6)

    async with anyio.create_task_group() as group:
        group.start_soon(call, "backs off")
        await anyio.lowlevel.checkpoint()
        group.start_soon(call, "other")
    assert ends == {"other": 0.1, "backs off": 0.35}


async def test_with_one_permit_a_read_back_does_not_deadlock() -> None:
    """The lost attempt's permit is back before the reading asks for one."""
    order = {"payments": [{"id": "p9", "reference": "p-ref"}]}
    stand_ = stand([lost("read"), answer(200, order)], max_in_flight=1)
    done = await stand_.call(CREATE_PAYMENT, before=Before(ids=frozenset()))
    assert done.id == "p9"

    created = stand(
        [lost("read"), answer(200, {"data": []}), answer(200, {"data": []}), answer(201, {"id": "o7"})], max_in_flight=1
    )
    assert (await created.call(CREATE_ORDER)).id == "o7"


async def test_a_limit_below_one_is_refused() -> None:
    """Nothing could ever be sent."""
    with pytest.raises(ConfigurationError, match="max_in_flight must be at least 1"):
        stand([], max_in_flight=0)


@pytest.mark.parametrize("seed", [*range(10), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(10, 200))])
async def test_callers_cancelled_anywhere_leave_nothing_behind(seed: int) -> None:
    """Queueing, asking for a token, in the air, backing off, reading back: permits come back, and the client serves."""
    random = Random(seed)

    def service(request: WireRequest) -> Step:
        takes = random.choice([0.0, 0.05, random.random()])
        if request.method == "GET":
            body: dict[str, object] = {"data": [], "payments": [], "state": {"currentStatus": "checkout"}}
            return random.choice([answer(200, body, takes=takes), answer(500, takes=takes)])
        failing = [answer(500, takes=takes), answer(429, retry_after="0.2"), lost("connect"), lost("read", takes=takes)]
        return random.choice([*failing, answer(401), answer(201, {"id": "x1"}, takes=takes)])

    async def token() -> str:
        await stand_.clock.wait(random.choice([0.0, 0.02]))
        return "t0ken"

    stand_ = stand(service, seed=seed, max_in_flight=5, token=token, retry_budget=100_000)
    endings = {"cancelled": 0, "ended": 0}

    async def caller() -> None:
        operation = random.choice([GET_ORDER, CREATE_ORDER, CREATE_PAYMENT])
        patience = random.choice([0.0, 0.05, random.random(), 4 * random.random()])
        with stand_.clock.move_on_after(patience) as scope, suppress(NorceError):
            await stand_.call(operation, before=Before(ids=frozenset()), options=CallOptions(deadline=5.0))
        endings["cancelled" if scope.cancelled_caught else "ended"] += 1

    async with anyio.create_task_group() as group:
        for _ in range(60):
            group.start_soon(caller)
    assert sum(endings.values()) == 60
    assert endings["cancelled"] > 0
    # What was in the air ends by its own timeouts, and then everything is as at the start.
    await stand_.clock.wait(25.0)
    session = stand_.session
    assert (session.limiter.in_flight, session.limiter.waiting, session.core.owned.in_flight) == (0, 0, 0)
    assert stand_.engine.in_air == 0
    assert stand_.engine.peak <= 5


async def test_a_cancelled_caller_leaves_at_once_and_is_told_nothing_else() -> None:
    """In the air: the caller is gone in the same moment, the send goes on, its answer is dropped."""
    stand_ = stand([answer(200, {}, takes=3.0)])
    with stand_.clock.move_on_after(1.0) as scope:
        await stand_.call(GET_ORDER)
    assert (scope.cancelled_caught, stand_.clock.passed, stand_.session.limiter.in_flight) == (True, 1.0, 1)
    await stand_.clock.wait(2.5)
    assert (stand_.session.limiter.in_flight, stand_.engine.in_air) == (0, 0)


async def test_a_closed_client_sends_nothing_more() -> None:
    """Its calls end at once with a reason, and no permit is gone."""
    stand_ = stand([answer(200, {})])
    await stand_.call(GET_ORDER)
    await stand_.client.aclose()
    await stand_.client.aclose()
    with pytest.raises(Exception, match="closed"):
        await stand_.call(GET_ORDER)
    assert (stand_.engine.closed, len(stand_.sent), stand_.session.limiter.in_flight) == (True, 1, 0)
