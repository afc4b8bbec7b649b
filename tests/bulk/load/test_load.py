"""Loads compute the numbers that were worked out by hand, and a call reports to its limiter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from norce_order_async.bulk.load.cubic import Cubic
from norce_order_async.bulk.load.limiters import Adaptive, Fixed, PacedLimiter
from norce_order_async.bulk.load.rates import Meter, TokenBucket
from norce_order_async.bulk.load.vegas import Vegas
from norce_order_async.errors import CallError, ConfigurationError
from norce_order_async.orders.collection import OrderCollection
from norce_order_async.pipeline.home import Permits
from norce_order_async.pipeline.limiter import Limiter, Pause
from norce_order_async.pipeline.retry import Outcome, RetryBudget
from norce_order_async.pipeline.session import Session
from tests.support.clock import FakeClock
from tests.support.engine import Step, answer, lost
from tests.support.pipeline import Stand, stand

# The rate


def cut(measured: float, ceiling: float | None = None) -> Cubic:
    """A rate that was throttled at the moment 0."""
    cubic = Cubic(ceiling)
    cubic.throttled(0.0, sent=-0.05, measured=measured)
    return cubic


def used(cubic: Cubic, until: float, begin: float = 0.0) -> float:
    """Use the whole rate until a moment, and return what it is then."""
    steps = round((until - begin) * 100)
    for step in range(1, steps + 1):
        cubic.admitted(begin + step / 100, measured=cubic.rate or 0.0)
    return cubic.rate or 0.0


def test_there_is_no_rate_before_the_first_throttling() -> None:
    """Until then the rate is the ceiling, if there is one."""
    free, capped = Cubic(), Cubic(50)
    for cubic in (free, capped):
        cubic.admitted(1.0, measured=1000)
    assert (free.rate, capped.rate) == (None, 50)


@pytest.mark.parametrize(
    ("seconds", "rate"),
    # Peak 100, scale 0.5, k = cbrt(100 * 0.15 / 0.5) = 3.1072.
    [(0.0, 85.0), (1.0, 95.322), (2.0, 99.321), (3.1, 100.0), (5.1, 103.957), (8.1, 162.23)],
)
def test_the_curve_from_a_peak_of_100(seconds: float, rate: float) -> None:
    """The rate falls to 0.85 of the peak, rises steeply, is flat around the peak, and then rises steeply again."""
    assert used(cut(100), seconds) == pytest.approx(rate, abs=0.02)


def test_every_peak_is_reached_again_after_the_same_time() -> None:
    """The rate passes a small peak faster than its size would suggest."""
    assert used(cut(2000), 3.1072) == pytest.approx(2000, abs=0.1)
    assert used(cut(10), 3.1072) == pytest.approx(10, abs=0.01)
    # 10 + 0.4 * 2 ** 3
    assert used(cut(10), 5.1072) == pytest.approx(13.2, abs=0.1)


def test_requests_in_flight_at_a_cut_do_not_cut_again() -> None:
    """A request that was sent after the cut does."""
    cubic = cut(100)
    cubic.throttled(0.04, sent=-0.01, measured=85)
    assert cubic.rate == pytest.approx(85)
    cubic.throttled(0.06, sent=0.01, measured=85)
    assert cubic.rate == pytest.approx(72.25)


def test_a_rate_that_is_hardly_used_is_not_the_peak() -> None:
    """With a rate of 85 and 10 requests a second, half the rate counts as the peak. With 60 requests a second, the
    whole rate does."""
    cubic = cut(100)
    cubic.throttled(1.0, sent=0.5, measured=10)
    assert cubic.rate == pytest.approx(36.125)
    other = cut(100)
    other.throttled(1.0, sent=0.5, measured=60)
    assert other.rate == pytest.approx(72.25)


def test_time_in_which_the_rate_is_not_used_does_not_count() -> None:
    """A pause of a minute does not change the rate, and the rate grows to twice what is sent and no further."""
    cubic = cut(100)
    before = used(cubic, 2.0)
    cubic.admitted(62.0, measured=1)
    assert cubic.rate == before
    for step in range(1, 2001):
        cubic.admitted(62.0 + step / 100, measured=60)
    assert cubic.rate == pytest.approx(120)


def test_the_rate_keeps_between_floor_and_ceiling() -> None:
    """Many cuts in a row stop at the floor, and a long growth stops at the ceiling."""
    cubic = cut(100, ceiling=90)
    for second in range(1, 200):
        cubic.throttled(float(second), sent=second - 0.5, measured=0.1)
    assert cubic.rate == 0.5
    assert used(cubic, 260, 200) == 90


# Tokens and the meter


def test_the_bucket_spreads_requests_evenly() -> None:
    """At 100 a second it admits one each 10 ms. After a rest it admits five at once, which is the share of 50 ms."""
    bucket = TokenBucket(100, 0.0)
    bucket.take(0.0)
    assert bucket.wait(0.0) == pytest.approx(0.01)
    assert bucket.wait(0.004) == pytest.approx(0.006)
    assert bucket.wait(0.01) == 0
    assert bucket.wait(5.0) == 0
    for _ in range(5):
        assert bucket.wait(5.0) == 0
        bucket.take(5.0)
    assert bucket.wait(5.0) == pytest.approx(0.01)


def test_the_bucket_changes_its_rate_in_the_middle() -> None:
    """The time before the change counts at the old rate."""
    bucket = TokenBucket(None, 0.0)
    bucket.take(1.0)
    assert bucket.wait(1.0) == 0
    bucket.change(10, 1.0)
    bucket.take(1.0)
    bucket.change(1, 1.05)
    assert bucket.wait(1.05) == pytest.approx(0.5)


def test_the_meter_shows_the_last_second() -> None:
    """It is right for a meter that is younger than a second, and older requests don't count."""
    meter = Meter()
    for step in range(1, 26):
        meter.count(step / 50)
    assert meter.rate(0.5) == pytest.approx(52, abs=1)
    for step in range(26, 501):
        meter.count(step / 50)
    assert meter.rate(10.0) == pytest.approx(50, abs=2)
    assert meter.rate(10.5) == pytest.approx(50 * 0.4 / 0.9, abs=2)
    assert meter.rate(12.0) == 0
    meter.count(20.0)
    assert meter.rate(20.0) == pytest.approx(20)


# The number in flight


def windows(vegas: Vegas, seconds: float, count: int = 1, begin: float = 0.0, busy: int | None = None) -> float:
    """Report a number of windows of answers that each took ``seconds``, and return the moment of the last."""
    now = begin
    for _ in range(count):
        for _ in range(max(30, 4 * vegas.limit)):
            now += 0.001
            vegas.answered(now, sent=now - seconds, in_flight=vegas.limit if busy is None else busy)
    return now


def test_it_starts_small_and_grows_fast_while_nothing_queues() -> None:
    """The first window only measures. Later windows add six each, or twelve once the limit is over a hundred, up to
    the ceiling."""
    vegas = Vegas(200)
    assert vegas.limit == 4
    limits: list[int] = []
    now = 0.0
    for _ in range(19):
        now = windows(vegas, 0.05, begin=now)
        limits.append(vegas.limit)
    assert limits[:4] == [4, 10, 16, 23]
    assert 100 < limits[-2] < limits[-1] <= limits[-2] + 13
    windows(vegas, 0.05, 30, begin=now)
    assert vegas.limit == 200


@pytest.mark.parametrize(
    ("seconds", "limit"),
    # The limit is 23.22 and a unit log10 of it, 1.366: few 1.37, some 4.10, many 8.20.
    [
        (0.05, 31.4),  # none waiting
        (0.055, 24.59),  # 2.1 waiting
        (0.065, 23.22),  # 5.4 waiting
        (0.1, 21.86),  # 11.6 waiting
    ],
)
def test_a_window_moves_the_limit_by_the_number_that_wait(seconds: float, limit: float) -> None:
    """By Little's law, ``23.22 * (1 - 0.05 / seconds)`` of 23.22 requests wait."""
    vegas = Vegas(100)
    now = windows(vegas, 0.05, 4)
    assert vegas.limit == 23
    windows(vegas, seconds, begin=now)
    assert vegas.limit == int(limit)


def test_a_limit_that_is_not_used_does_not_grow() -> None:
    """If less than half of it is in flight, short answer times say nothing about the limit."""
    vegas = Vegas(100)
    now = windows(vegas, 0.05, 4)
    windows(vegas, 0.05, 5, begin=now, busy=10)
    assert vegas.limit == 23


def test_a_lost_request_takes_a_tenth_once_for_those_in_flight() -> None:
    """The limit falls to one and no further."""
    vegas = Vegas(100)
    now = windows(vegas, 0.05, 4)
    vegas.lost(now + 1.0, sent=now)
    vegas.lost(now + 1.1, sent=now + 0.5)
    assert vegas.limit == 20  # 23.22 * 0.9 = 20.9
    for step in range(100):
        vegas.lost(now + 10 + step, sent=now + 9.5 + step)
    assert vegas.limit == 1


def test_the_base_is_measured_anew_at_half_the_limit() -> None:
    """That begins after half a minute. Requests that were sent before it don't count in the measurement."""
    vegas = Vegas(100)
    now = windows(vegas, 0.05, 4)
    now = windows(vegas, 0.1, begin=now + 31)
    assert vegas.limit == 11
    vegas.answered(now + 0.1, sent=now - 0.1, in_flight=23)
    for step in range(60):
        vegas.answered(now + 1 + step, sent=now + 0.92 + step, in_flight=11)
    assert vegas.limit == 23
    windows(vegas, 0.08, begin=now + 61)
    assert vegas.limit == 31


# The first seconds


def after(count: int, load: Adaptive, seconds: Callable[[int], float] = lambda _: 1.5) -> tuple[Limiter, FakeClock]:
    """Make a limiter and report answers that each took this many seconds, with all permits in flight."""
    clock = FakeClock()
    limiter = load.limiter(clock, Pause(clock))
    for number in range(count):
        clock.now += 1.5 / limiter.limit
        heard(limiter, seconds(number))
    return limiter, clock


def heard(limiter: Limiter, seconds: float, outcome: Outcome = Outcome.SUCCEEDED, *, throttled: bool = False) -> None:
    while limiter.take():
        pass
    limiter.release()
    limiter.learned(outcome, seconds=seconds, throttled=throttled, status=None)


def test_a_fast_start_adds_one_for_every_answer() -> None:
    """The limit grows up to the ceiling. A refusal is an answer too."""
    assert after(36, Adaptive())[0].limit == 40
    assert after(200, Adaptive())[0].limit == 100
    limiter, _ = after(0, Adaptive())
    heard(limiter, 0.1, Outcome.REFUSED)
    assert limiter.limit == 5


@pytest.mark.parametrize(
    ("outcome", "throttled", "limit"),
    # A rejection concerns the rate. A request without an answer halves the limit, which had doubled, and takes a tenth.
    [(Outcome.REJECTED, True, 64), (Outcome.UNKNOWN, False, 28), (Outcome.NOT_SENT, False, 28)],
)
def test_the_first_sign_of_pressure_ends_the_fast_start(outcome: Outcome, throttled: bool, limit: int) -> None:
    """From then on the limit grows by windows of 30 or more answers."""
    limiter, clock = after(60, Adaptive())
    assert limiter.limit == 64
    heard(limiter, 1.5, outcome, throttled=throttled)
    ends_at = limiter.limit
    for _ in range(20):
        clock.now += 0.1
        heard(limiter, 1.5)
    # The limit is halved for a window, which measures how long an answer takes when nothing waits.
    assert (ends_at, limiter.limit) == (limit // 2, limit // 2)


def test_answers_that_take_longer_end_the_fast_start() -> None:
    """With 40 or more in flight each answer takes longer, in proportion to the queue, so more than a few are
    waiting."""
    limiter, _ = after(400, Adaptive(), lambda number: 1.5 * max(1.0, (number + 4) / 40))
    assert limiter.limit < 40


@pytest.mark.anyio
async def test_a_rate_that_rises_wakes_waiting_callers() -> None:
    """A caller that would have waited for ten seconds does not do so at a hundred a second. A rate that falls lets
    no caller go early."""
    clock = FakeClock()
    limiter = PacedLimiter(50, 0.1, clock, Pause(clock))
    served: list[float] = []

    async def ask() -> None:
        await limiter.acquire(None)
        served.append(round(clock.passed, 6))

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(ask)
        await clock.wait(1.0)
        limiter.change_rate(100)
        await clock.wait(0.02)
        limiter.change_rate(0.5)
    assert served == [0.0, 1.009, 1.019, 2.82]


# What a call reports


NEW_ORDER = {"id": "o1", "cart": {"reference": "c1"}}


class HookRound(Limiter):
    """A limiter that records what is reported to it."""

    def __init__(self, clock: FakeClock, pause: Pause) -> None:
        super().__init__(5, clock, pause)
        self.heard: list[tuple[Outcome, float, bool, int | None]] = []

    def learned(self, outcome: Outcome, *, seconds: float, throttled: bool, status: int | None) -> None:
        self.heard.append((outcome, round(seconds, 6), throttled, status))


def with_limiter(stand_: Stand, limiter: Limiter) -> OrderCollection:
    """A collection of orders whose calls use this limiter."""
    session = stand_.session
    return OrderCollection(
        Session(session.core, session.context, session.settings, Permits(lambda _: limiter), RetryBudget())
    )


@pytest.mark.anyio
async def test_a_call_reports_every_attempt_to_its_limiter() -> None:
    """Each attempt is reported once, with its duration and its outcome."""
    steps: list[Step] = [
        answer(429, {}, takes=0.01, retry_after="2"),
        lost("read", takes=0.3),
        answer(200, {"id": "o1"}, takes=0.05),
    ]
    stand_ = stand(steps)
    limiter = HookRound(stand_.clock, stand_.session.core.pause)
    await with_limiter(stand_, limiter).get("o1")
    assert limiter.heard == [
        (Outcome.REJECTED, 0.01, True, 429),
        (Outcome.UNKNOWN, 0.3, False, None),
        (Outcome.SUCCEEDED, 0.05, False, 200),
    ]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("overloaded", "throttled"), [(answer(503, retry_after="0", takes=0.01), True), (answer(503, takes=0.01), False)]
)
async def test_a_503_with_retry_after_slows_a_job_down_whatever_the_kind(overloaded: Step, throttled: bool) -> None:
    """A 503 leaves the outcome of a write unknown. With Retry-After it also says that the service is overloaded."""
    stand_ = stand([overloaded, answer(200, {"data": [NEW_ORDER]})])
    limiter = HookRound(stand_.clock, stand_.session.core.pause)
    await with_limiter(stand_, limiter).create(cart={"reference": "c1"})
    assert limiter.heard[0] == (Outcome.UNKNOWN, 0.01, throttled, 503)


@pytest.mark.anyio
async def test_a_refused_call_is_reported_too() -> None:
    """A 404 is an answer, so it counts for the load."""
    stand_ = stand([answer(404, {}, takes=0.02)])
    limiter = HookRound(stand_.clock, stand_.session.core.pause)
    with pytest.raises(CallError):
        await with_limiter(stand_, limiter).get("o1")
    assert limiter.heard == [(Outcome.REFUSED, 0.02, False, 404)]


@pytest.mark.anyio
async def test_calls_under_an_adaptive_load_learn_its_rate() -> None:
    """The service rejects one of a hundred calls. From then on there is a rate."""
    turned_away = iter([False] * 20 + [True])
    stand_ = stand(lambda _: answer(429 if next(turned_away, False) else 200, {"id": "o1"}, takes=0.05))
    limiter = Adaptive(max_in_flight=8).limiter(stand_.clock, stand_.session.core.pause)
    assert (limiter.limit, limiter.rate) == (4, None)
    orders = with_limiter(stand_, limiter)
    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(orders.get, "o1")
    assert limiter.rate is not None
    assert 40 <= limiter.rate <= 200
    assert limiter.limit == 8
    assert (limiter.in_flight, limiter.waiting) == (0, 0)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("outcome", "status", "throttled", "limit"),
    [
        (Outcome.UNKNOWN, None, False, 3),
        (Outcome.UNKNOWN, 503, False, 3),
        (Outcome.NOT_SENT, None, False, 3),
        (Outcome.UNKNOWN, 500, False, 4),
        (Outcome.REJECTED, 429, True, 4),
        # A 503 with Retry-After means too many a second, whatever became of the write.
        (Outcome.UNKNOWN, 503, True, 4),
    ],
)
async def test_which_outcomes_mean_too_many_at_once(
    outcome: Outcome, status: int | None, throttled: bool, limit: int
) -> None:
    """The limit falls if there is no answer, or if a gateway could not reach the service. A fault in the service
    itself says nothing about load."""
    clock = FakeClock()
    limiter = Adaptive().limiter(clock, Pause(clock))
    limiter.learned(outcome, seconds=0.1, throttled=throttled, status=status)
    assert limiter.limit == limit
    assert (limiter.rate is not None) == throttled


@pytest.mark.parametrize(
    ("load", "wrong", "named"),
    [
        (Fixed, {"in_flight": 0}, "in_flight must be at least 1; got 0"),
        (Fixed, {"in_flight": 1, "rate": 0.0}, "rate must be a finite number above 0; got 0.0"),
        (Adaptive, {"max_in_flight": -1}, "max_in_flight must be at least 1; got -1"),
        (Adaptive, {"max_rate": float("nan")}, "max_rate must be a finite number above 0; got nan"),
        (Adaptive, {"max_rate": float("inf")}, "max_rate must be a finite number above 0; got inf"),
    ],
)
def test_impossible_numbers_are_refused(load: Any, wrong: dict[str, Any], named: str) -> None:
    """The error names the parameter, and it comes before any job begins."""
    with pytest.raises(ConfigurationError, match=named):
        load(**wrong)
