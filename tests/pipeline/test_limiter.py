"""Permits are granted in the order of arrival, none is lost and none is granted too many. Calls use them."""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections import Counter
from contextlib import suppress
from random import Random
from urllib.parse import parse_qs, urlsplit

import anyio
import anyio.lowlevel
import pytest

from norce_order_async import CallOptions
from norce_order_async.engines.base import WireRequest
from norce_order_async.errors import ConfigurationError, NorceError
from norce_order_async.pipeline.limiter import MAX_IN_FLIGHT, Limiter, Pause
from norce_order_async.pipeline.operations import CREATE_ORDER, CREATE_PAYMENT, GET_ORDER, SET_CART
from norce_order_async.pipeline.readback import Baseline
from norce_order_async.runtime.clock import SystemClock
from tests.support.clock import FakeClock, highest
from tests.support.engine import Step, answer, lost
from tests.support.pipeline import stand
from tests.support.turns import for_soak

pytestmark = pytest.mark.anyio


def limiter(limit: int, clock: FakeClock) -> tuple[Limiter, Pause]:
    pause = Pause(clock)
    return Limiter(limit, clock, pause), pause


class Ticking(FakeClock):
    """A clock that advances by a millisecond with every read."""

    def monotonic(self) -> float:
        self.now += 0.001
        return super().monotonic()


@pytest.mark.parametrize("milliseconds", range(1, 12))
@pytest.mark.parametrize("waits", [1, 2])
async def test_a_pause_that_ends_between_two_reads_of_the_clock(milliseconds: int, waits: int) -> None:
    """A caller that reads the clock before and after the end of a pause gets its permit."""
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
    """The order of arrival holds even if callers leave the queue by cancellation or timeout."""
    clock = FakeClock()
    # One permit only, because tasks that become ready in the same moment run in any order.
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
    """A permit that becomes free belongs to the first in the queue, even before its task has woken."""
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


async def test_a_pause_holds_all_callers_and_then_serves_in_order() -> None:
    """No permit is granted before the end of a pause. A shorter pause does not cut a longer one, and a longer one
    extends it."""
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


async def test_the_caller_that_waits_out_a_pause_may_be_cancelled() -> None:
    """If the caller that waits for the end of a pause leaves, the next in the queue takes over."""
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


async def test_a_pause_longer_than_the_timeout() -> None:
    """The caller gets no permit, and nothing stays held or waiting."""
    clock = FakeClock()
    permits, pause = limiter(1, clock)
    pause.extend(10.0)
    assert not await permits.acquire(9.0)
    assert (permits.in_flight, permits.waiting, clock.passed) == (0, 0, 9.0)


@pytest.mark.parametrize("seed", [*range(20), *for_soak(range(20, 400))])
async def test_nothing_is_lost_no_matter_which_is_cancelled(seed: int) -> None:
    """After random cancels, timeouts, pauses and releases all permits are back, and the limit was never passed."""
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


# The order of permits


async def test_begun_calls_go_before_new_ones() -> None:
    """While both kinds wait, every tenth permit goes to a new call. Within each kind the order of arrival holds."""
    clock = FakeClock()
    permits, _ = limiter(1, clock)
    served: list[str] = []

    async def worker(name: str, *, begun: bool) -> None:
        await permits.acquire(None, begun=begun)
        served.append(name)
        await clock.sleep(1.0)
        permits.release()

    await permits.acquire(None)
    async with anyio.create_task_group() as group:
        for number in range(12):
            for kind in ("fresh", "begun", "begun"):
                group.start_soon(functools.partial(worker, f"{kind} {number}", begun=kind == "begun"))
                await anyio.wait_all_tasks_blocked()
        permits.release()
    kinds = "".join(name[0] for name in served)
    assert kinds == 2 * (9 * "b" + "f") + 6 * "b" + 10 * "f"
    for kind in ("fresh", "begun"):
        numbers = [int(name.split()[1]) for name in served if name.startswith(kind)]
        assert numbers == sorted(numbers)
    assert (permits.in_flight, permits.waiting) == (0, 0)


async def test_a_begun_call_overtakes_also_while_the_queue_waits_out_a_pause() -> None:
    """The first permit after a pause belongs to the begun call, although a new call waited first."""
    clock = FakeClock()
    permits, pause = limiter(1, clock)
    pause.extend(10.0)
    served: list[tuple[str, float]] = []

    async def worker(name: str, *, begun: bool) -> None:
        assert await permits.acquire(None, begun=begun)
        served.append((name, clock.passed))
        await clock.sleep(1.0)
        permits.release()

    async with anyio.create_task_group() as group:
        group.start_soon(functools.partial(worker, "fresh", begun=False))
        await clock.wait(5.0)
        group.start_soon(functools.partial(worker, "begun", begun=True))
    assert served == [("begun", 10.0), ("fresh", 11.0)]


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_leaving_the_queue_costs_the_same_at_any_place(begun: bool) -> None:
    """Leaving a queue of 20,000 costs each caller about as much as leaving one of 500. A search through the queue would
    cost twenty times as much."""
    shares: list[float] = []
    for _ in range(5):
        few = min(_leaving(500, begun=begun) for _ in range(10))
        shares.append(_leaving(20_000, begun=begun) / few)
        if shares[-1] < 8:
            return
    pytest.fail(f"times what it costs among few: {shares}")


def _leaving(count: int, *, begun: bool) -> float:
    """Return the processor seconds that each of so many callers takes to leave the queue."""
    clock = SystemClock()
    permits = Limiter(1, clock, Pause(clock))
    assert permits.take()
    waiting = [permits.acquire(None, begun=begun) for _ in range(count)]
    for each in waiting:
        each.send(None)
    assert permits.waiting == count
    Random(1).shuffle(waiting)
    started = time.process_time()
    for each in waiting:
        with suppress(asyncio.CancelledError):
            each.throw(asyncio.CancelledError())
    taken = time.process_time() - started
    assert (permits.in_flight, permits.waiting) == (1, 0)
    return taken / count


@pytest.mark.parametrize(("count", "limit"), [(750, 5), pytest.param(7_500, MAX_IN_FLIGHT, marks=pytest.mark.soak)])
async def test_no_call_becomes_unknown_by_waiting_behind_new_ones(count: int, limit: int) -> None:
    """Many creations at once, 150 for each permit, make a queue longer than the deadline, and one answer in twenty is
    lost. Lost creations are still looked for and lost reads repeated in time, so every call succeeds."""
    random = Random(5)
    there: set[str] = set()
    seen: set[tuple[str, str]] = set()

    def service(request: WireRequest) -> Step:
        # The same call does not fail three times, because that would be another reason to end.
        what = request.method, request.headers["x-correlation-id"]
        lost_now = what not in seen and random.random() < 0.05
        seen.add(what)
        if request.method == "POST":
            reference = json.loads(request.body or b"{}")["cart"]["reference"]
            there.add(reference)
            return lost("read", takes=0.3) if lost_now else answer(201, {"id": f"o-{reference}"}, takes=0.3)
        reference = parse_qs(urlsplit(request.url).query).get("cart_reference", [""])[0]
        if not reference:
            return lost("read", takes=0.3) if lost_now else answer(200, {"id": "o1"}, takes=0.3)
        found = [{"id": f"o-{reference}", "cart": {"reference": reference}}] if reference in there else []
        return answer(200, {"data": found}, takes=0.3)

    stand_ = stand(service, seed=5, max_in_flight=limit)
    ended: Counter[str] = Counter()

    async def create(number: int) -> None:
        try:
            await stand_.call(CREATE_ORDER, body={"cart": {"reference": f"c{number}"}})
            await stand_.call(GET_ORDER)
        except NorceError as error:
            ended[type(error).__name__] += 1
        else:
            ended["done"] += 1

    async with anyio.create_task_group() as group:
        for number in range(count):
            group.start_soon(create, number)
    assert ended == {"done": count}
    assert len(there) == count
    assert stand_.engine.peak == limit


# How calls use their permits


@pytest.mark.parametrize("limit", [1, 3])
async def test_no_more_sends_in_flight_than_permits(limit: int) -> None:
    """A hundred calls at once have at most as many sends in flight as there are permits."""
    stand_ = stand(lambda _: answer(200, {}, takes=1.0), max_in_flight=limit)
    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(stand_.call, GET_ORDER)
    assert stand_.engine.peak == limit
    assert stand_.clock.passed == pytest.approx({1: 100.0, 3: 34.0}[limit])


async def test_a_sleeping_call_holds_no_permit() -> None:
    """While one call backs off, the only permit serves another."""
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
    """The lost attempt gives its permit back before the read asks for one."""
    order = {"payments": [{"id": "p9", "reference": "p-ref"}]}
    stand_ = stand([lost("read"), answer(200, order)], max_in_flight=1)
    done = await stand_.call(CREATE_PAYMENT, before=Baseline(ids=frozenset()))
    assert done.id == "p9"

    looks = [answer(200, {"data": []})] * 4
    alone = [answer(200, {"data": [{"id": "o7", "cart": {"reference": "c1"}}]}), answer(200, {"data": []})]
    created = stand([lost("read"), *looks, answer(201, {"id": "o7"}), *alone], max_in_flight=1)
    assert (await created.call(CREATE_ORDER)).id == "o7"


async def test_a_limit_below_one_is_refused() -> None:
    """With a limit of 0 nothing could ever be sent."""
    with pytest.raises(ConfigurationError, match="max_in_flight must be a whole number, 1 or more"):
        stand([], max_in_flight=0)


@pytest.mark.parametrize("seed", [*range(10), *for_soak(range(10, 200))])
async def test_callers_cancelled_anywhere_leave_nothing_behind(seed: int) -> None:
    """Wherever callers are cancelled, in the queue, in flight, in a pause or in a read, all permits come back."""
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
            await stand_.call(operation, before=Baseline(ids=frozenset()), options=CallOptions(deadline=5.0))
        endings["cancelled" if scope.cancelled_caught else "ended"] += 1

    async with anyio.create_task_group() as group:
        for _ in range(60):
            group.start_soon(caller)
    assert sum(endings.values()) == 60
    assert endings["cancelled"] > 0
    # Requests in flight end by their own timeouts, and then everything is as at the start.
    await stand_.clock.wait(25.0)
    session = stand_.session
    assert (session.limiter.in_flight, session.limiter.waiting, session.core.sends.in_flight) == (0, 0, 0)
    assert stand_.engine.in_flight == 0
    # A read without a caller gives its permit back at once, as long as no more than five of them are open.
    assert stand_.engine.peak <= 2 * 5


async def test_a_cancelled_caller_leaves_at_once_and_gets_nothing_else() -> None:
    """A caller that is cancelled in flight returns at once. A read gives its permit back at once, a write when its send
    has ended."""
    stand_ = stand(lambda _: answer(200, {}, takes=3.0))
    for operation, held in ((GET_ORDER, 0), (SET_CART, 1)):
        begun = stand_.clock.passed
        with stand_.clock.move_on_after(1.0) as scope:
            await stand_.call(operation)
        assert (scope.cancelled_caught, stand_.clock.passed - begun) == (True, 1.0)
        assert (stand_.session.limiter.in_flight, stand_.engine.in_flight) == (held, 1)
        await stand_.clock.wait(2.5)
        assert (stand_.session.limiter.in_flight, stand_.engine.in_flight) == (0, 0)


async def test_a_closed_client_sends_nothing_more() -> None:
    """A call of a closed client ends at once with a reason, and no permit is lost."""
    stand_ = stand([answer(200, {})])
    await stand_.call(GET_ORDER)
    await stand_.client.aclose()
    await stand_.client.aclose()
    with pytest.raises(Exception, match="closed"):
        await stand_.call(GET_ORDER)
    assert (stand_.engine.closed, len(stand_.sent), stand_.session.limiter.in_flight) == (True, 1, 0)
