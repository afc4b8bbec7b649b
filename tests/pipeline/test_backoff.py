"""The exact waits: full jitter, throttling, the cap, Retry-After in its three forms."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from norce_order_async import CallOptions
from norce_order_async.errors import RejectedError, UnavailableError
from norce_order_async.pipeline import retry as backoff
from norce_order_async.pipeline.operations import GET_ORDER, Kind
from norce_order_async.pipeline.retry import Decision, Outcome, decide
from norce_order_async.pipeline.retry import Step as Follows
from tests.support.clock import START, WALL_AHEAD, Uniform, highest, lowest
from tests.support.engine import Step, answer, lost
from tests.support.pipeline import Stand, stand

pytestmark = pytest.mark.anyio


async def sleeps(stand_: Stand, options: CallOptions) -> list[float]:
    """Return the sleeps between attempts that all fail."""
    with pytest.raises((UnavailableError, RejectedError)):
        await stand_.call(GET_ORDER, options=options)
    return stand_.clock.sleeps


@pytest.mark.parametrize(
    ("step", "uniform", "expected"),
    [
        # The bound is 0.25 doubled each time, cut at 8.
        (answer(500), highest, [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]),
        (lost("read"), highest, [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]),
        # Throttled calls start at 1.
        (answer(429), highest, [1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0]),
        (answer(425), highest, [1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0]),
        # Full jitter reaches down to zero.
        (answer(500), lowest, [0.0] * 8),
        (answer(429), lowest, [0.0] * 8),
    ],
)
async def test_full_jitter(step: Step, uniform: Uniform, expected: list[float]) -> None:
    """Each delay is drawn between 0 and a bound that doubles up to the cap."""
    stand_ = stand(lambda _: step, uniform=uniform)
    assert await sleeps(stand_, CallOptions(max_attempts=9, deadline=None)) == expected
    assert stand_.clock.passed == sum(expected)


async def test_every_number_can_be_set() -> None:
    """Base delays, cap and attempts can be set for one call."""
    options = CallOptions(max_attempts=5, base_delay=1.5, max_delay=5.0, deadline=None)
    assert await sleeps(stand(lambda _: answer(500), uniform=highest), options) == [1.5, 3.0, 5.0, 5.0]
    throttled = CallOptions(max_attempts=4, throttled_base_delay=2.0, deadline=None)
    assert await sleeps(stand(lambda _: answer(429), uniform=highest), throttled) == [2.0, 4.0, 8.0]
    assert await sleeps(stand(lambda _: answer(500)), CallOptions(max_attempts=1)) == []


def test_the_jitter_lies_between_its_bounds() -> None:
    """The random source is asked for a value from 0 to min(cap, base * 2 ** (n - 1)), and huge counts do not
    overflow."""
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return 0.1

    assert backoff.jittered(1, base=0.25, cap=8.0, uniform=uniform) == 0.1
    backoff.jittered(4, base=0.25, cap=8.0, uniform=uniform)
    backoff.jittered(10_000, base=0.25, cap=8.0, uniform=uniform)
    assert asked == [(0.0, 0.25), (0.0, 2.0), (0.0, 8.0)]


# 1_700_001_000 s after 1970, when the fake clock starts.
NOW = datetime.fromtimestamp(START + WALL_AHEAD, UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:30:07 GMT"}, 7.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:30:07 -0000"}, 7.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:30:07"}, 7.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:00:00 GMT"}, 0.0),
    ],
)
def test_retry_after_is_read_in_three_forms(headers: dict[str, str], seconds: float) -> None:
    """The header is seconds, milliseconds or a date, which is UTC if it has no zone. A date that has passed means 0."""
    assert format_datetime(NOW, usegmt=True) == "Tue, 14 Nov 2023 22:30:00 GMT"
    assert backoff.retry_after(headers, lambda: START + WALL_AHEAD) == seconds


BEYOND = [
    "Wed, 21 Oct 99999999999999999999 07:28:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 -2359000000",
    "9" * 400,
    "-99999999999999999999",
]
"""Dates and numbers beyond Python's range, and negative ones."""


@pytest.mark.parametrize(
    "text", ["", "soon", "-1", "+1", "1e3", "nan", "inf", "1, 1", "٣", "Tue, 99 Nov 2023", "\n", *BEYOND]
)
def test_nonsense_is_ignored(text: str) -> None:
    """A header that is none of the forms gives no wait."""
    assert backoff.retry_after({"retry-after": text}, lambda: 0.0) is None


@given(st.text(max_size=40))
def test_no_text_raises(text: str) -> None:
    """No text that a proxy sends raises, and no wait is negative."""
    found = backoff.retry_after({"retry-after": text, "retry-after-ms": text}, lambda: 0.0)
    assert found is None or found >= 0.0


@pytest.mark.parametrize(
    ("headers", "uniform", "slept"),
    [
        ({"retry-after": "10"}, lowest, 10.0),
        ({"retry-after": "10"}, highest, 11.0),
        ({"retry-after-ms": "2500"}, highest, 2.75),
        ({"retry-after": "Tue, 14 Nov 2023 22:30:20 GMT"}, highest, 22.0),
        # Retry-After is a lower bound, and the jitter of 0 to 1 s after throttling may be more.
        ({"retry-after-ms": "100"}, highest, 1.0),
        ({"retry-after": "0"}, highest, 1.0),
    ],
)
@pytest.mark.parametrize("status", [429, 425, 503])
async def test_retry_after_is_a_lower_bound_stretched_a_little(
    headers: dict[str, str], uniform: Uniform, slept: float, status: int
) -> None:
    """The wait is between the requested one and 10 % more."""
    steps = [Step(status, headers=headers), answer(200, {})]
    stand_ = stand(steps, uniform=uniform)
    await stand_.call(GET_ORDER)
    assert stand_.clock.sleeps[0] == pytest.approx(slept)
    assert stand_.clock.passed == pytest.approx(slept)


async def test_a_retry_after_of_a_500_is_kept_too() -> None:
    """A 500 has an unknown outcome, and its Retry-After is waited for all the same."""
    stand_ = stand([answer(500, retry_after="3"), answer(200, {})])
    await stand_.call(GET_ORDER)
    assert stand_.clock.sleeps == [3.0]


@pytest.mark.parametrize("seconds", ["60.001", "61", "3600"])
async def test_more_than_a_minute_is_reported_and_not_waited_for(seconds: str) -> None:
    """The error comes at once, with the seconds in its text and as an attribute."""
    stand_ = stand([answer(429, retry_after=seconds)])
    with pytest.raises(RejectedError, match=f"asked to wait {float(seconds):g} s") as caught:
        await stand_.call(GET_ORDER, options=CallOptions(deadline=None))
    assert (caught.value.gave_up, caught.value.retry_after) == ("retry-after", float(seconds))
    assert stand_.clock.passed == 0.0
    assert stand_.session.budget.tokens == 500


async def test_a_minute_is_waited_for() -> None:
    """The limit of 60 s itself is still waited for."""
    stand_ = stand([answer(429, retry_after="60"), answer(200, {})])
    await stand_.call(GET_ORDER, options=CallOptions(deadline=None))
    assert stand_.clock.passed == 60.0


async def test_a_wait_past_the_deadline_is_reported_and_not_begun() -> None:
    """The error comes at once with the reason "retry-after", also after a 500."""
    stand_ = stand([answer(429, retry_after="30")])
    with pytest.raises(RejectedError, match="asked to wait 30 s") as caught:
        await stand_.call(GET_ORDER)
    assert (caught.value.gave_up, stand_.clock.passed) == ("retry-after", 0.0)

    failing = stand([answer(500, retry_after="61")])
    with pytest.raises(UnavailableError, match="answered 500, asked to wait 61 s") as lost_:
        await failing.call(GET_ORDER)
    assert (lost_.value.gave_up, failing.clock.passed) == ("retry-after", 0.0)


async def test_a_jitter_past_the_deadline_is_not_begun() -> None:
    """If the back-off would pass the deadline, the reason is the deadline and not the service's wait."""
    stand_ = stand([answer(500, takes=9.9)], uniform=highest)
    with pytest.raises(UnavailableError) as caught:
        await stand_.call(GET_ORDER, options=CallOptions(deadline=10.0))
    assert caught.value.gave_up == "deadline"
    assert stand_.clock.passed == pytest.approx(9.9)


async def test_a_pause_is_for_all_calls() -> None:
    """If the service asked one call to wait, the others wait before their next attempt too."""
    steps = iter([answer(429, retry_after="10"), answer(200, {}), answer(200, {})])
    stand_ = stand(lambda _: next(steps))
    async with anyio.create_task_group() as group:
        group.start_soon(stand_.call, GET_ORDER)
        await stand_.clock.wait(1.0)
        group.start_soon(stand_.call, GET_ORDER)
    assert [moment - START for moment in stand_.engine.times] == [0.0, 10.0, 10.0]


@pytest.mark.parametrize(
    ("outcome", "status", "asked", "throttled", "expected"),
    [
        pytest.param(Outcome.UNKNOWN, None, None, False, Decision(Follows.REPEAT, 0.0, 0.0), id="nothing asked"),
        pytest.param(Outcome.REJECTED, 429, None, True, Decision(Follows.REPEAT, 0.0, 0.0), id="throttled only"),
        pytest.param(Outcome.REJECTED, 429, 10.0, True, Decision(Follows.REPEAT, 11.0, 11.0), id="both"),
        pytest.param(Outcome.UNKNOWN, 500, 10.0, False, Decision(Follows.REPEAT, 11.0, 0.0), id="no throttling"),
        pytest.param(Outcome.REJECTED, 429, 60.0, True, Decision(Follows.REPEAT, 66.0, 66.0), id="as long as may be"),
        pytest.param(Outcome.REJECTED, 429, 60.1, True, Decision(Follows.REPEAT, 60.1 * 1.1, 0.0), id="too long"),
    ],
)
def test_one_decision_holds_step_wait_and_pause(
    outcome: Outcome, status: int | None, asked: float | None, throttled: bool, expected: Decision
) -> None:
    """The client pauses for a wait that came with throttling, and only if the call accepts that wait."""
    decision = decide(
        Kind.SAFE,
        outcome,
        status,
        maybe_done=False,
        asked=asked,
        throttled=throttled,
        max_retry_after=60.0,
        uniform=highest,
    )
    assert decision.step is expected.step
    assert (decision.wait, decision.pause) == pytest.approx((expected.wait, expected.pause))


@pytest.mark.parametrize(
    ("kind", "outcome", "status", "first", "after_a_lost_one"),
    [
        (Kind.STATE, Outcome.NOT_SENT, None, Follows.REPEAT, Follows.SETTLE),
        (Kind.STATE, Outcome.REJECTED, 429, Follows.REPEAT, Follows.SETTLE),
        (Kind.STATE, Outcome.REFUSED, 400, Follows.REFUSE, Follows.SETTLE),
        (Kind.CREATE_ORDER, Outcome.REFUSED, 409, Follows.REFUSE, Follows.SETTLE),
        (Kind.CREATE_ORDER, Outcome.REFUSED, 400, Follows.REFUSE, Follows.REFUSE),
        (Kind.CREATE_ORDER, Outcome.NOT_SENT, None, Follows.REPEAT, Follows.REPEAT),
        (Kind.CREATE, Outcome.REFUSED, 409, Follows.REFUSE, Follows.REFUSE),
        (Kind.EXECUTE, Outcome.UNKNOWN, 500, Follows.STOP, Follows.STOP),
    ],
)
def test_the_step_after_an_attempt_that_may_have_taken_effect(
    kind: Kind, outcome: Outcome, status: int | None, first: Follows, after_a_lost_one: Follows
) -> None:
    """The order is read before a change of status is sent again. A refusal may only mean that the lost attempt took
    effect."""
    for maybe_done, expected in ((False, first), (True, after_a_lost_one)):
        decision = decide(
            kind,
            outcome,
            status,
            maybe_done=maybe_done,
            asked=None,
            throttled=False,
            max_retry_after=60.0,
            uniform=highest,
        )
        assert decision.step is expected
