"""The retry budget: its arithmetic, its use by calls, and its effect in a storm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import anyio
import pytest

from norce_order_async import CallOptions
from norce_order_async.engines.base import WireRequest
from norce_order_async.errors import OutcomeUnknownError, RejectedError, UnavailableError
from norce_order_async.pipeline.operations import GET_ORDER, SET_CART
from norce_order_async.pipeline.retry import RetryBudget
from tests.support.engine import Step, answer, lost
from tests.support.pipeline import stand


def test_the_costs() -> None:
    """The budget starts with 500 tokens. A repeat costs 14, and a throttled one 5."""
    budget = RetryBudget()
    assert budget.tokens == 500
    assert budget.take(throttled=False) == 14
    assert budget.tokens == 486
    assert budget.take(throttled=True) == 5
    assert budget.tokens == 481


def test_the_refunds() -> None:
    """A first try gives 1 and a repeat what it took, and the bucket never holds more than its capacity."""
    budget = RetryBudget()
    budget.refund(0)
    assert budget.tokens == 500
    taken = [budget.take(throttled=False), budget.take(throttled=True)]
    assert taken == [14, 5]
    budget.refund(0)
    assert budget.tokens == 482
    budget.refund(14 + 5)
    assert budget.tokens == 500
    budget.refund(19)
    assert budget.tokens == 500


def test_a_bucket_too_low_gives_nothing_and_keeps_its_tokens() -> None:
    """35 repeats fit into 500 tokens. The 10 that are left are enough for two throttled ones."""
    budget = RetryBudget()
    assert [budget.take(throttled=False) for _ in range(36)] == [14] * 35 + [None]
    assert budget.tokens == 10
    assert [budget.take(throttled=True) for _ in range(3)] == [5, 5, None]
    assert budget.tokens == 0


@pytest.mark.anyio
async def test_calls_pay_and_get_back() -> None:
    """Calls pay for repeats and get it back after a success, as the attempts' records show."""
    stand_ = stand([answer(500), answer(429), answer(200, {}), answer(500), answer(500), answer(500), answer(200, {})])
    done = await stand_.call(GET_ORDER)
    assert [one.budget for one in done.attempts] == [486, 481, 500]
    assert stand_.session.budget.tokens == 500
    with pytest.raises(UnavailableError):
        await stand_.call(GET_ORDER)
    # Three attempts have two repeats, so two were paid. A failure gives nothing back.
    assert stand_.session.budget.tokens == 472
    await stand_.call(GET_ORDER)
    assert stand_.session.budget.tokens == 473


@pytest.mark.anyio
async def test_a_refusal_gives_nothing_back() -> None:
    """A refusal is no sign that the service can take more load."""
    stand_ = stand([answer(500), answer(404)])
    with pytest.raises(Exception, match=r"\b404\b"):
        await stand_.call(GET_ORDER)
    assert stand_.session.budget.tokens == 486


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("step", "error"), [(lost("read"), OutcomeUnknownError), (answer(429, retry_after="1"), RejectedError)]
)
async def test_an_empty_bucket_fails_at_once(step: Step, error: type[Exception]) -> None:
    """With an empty bucket the call makes one send without a sleep, and the error has the reason."""
    stand_ = stand(lambda _: step, retry_budget=4)
    with pytest.raises(error, match="gave up: budget"):
        await stand_.call(SET_CART)
    assert (len(stand_.sent), stand_.clock.passed, stand_.session.budget.tokens) == (1, 0.0, 4)


@pytest.mark.anyio
async def test_scopes_share_the_bucket() -> None:
    """A scope takes its repeats from the client's bucket."""
    stand_ = stand(lambda _: answer(500))
    with pytest.raises(UnavailableError):
        await stand_.session.scoped(CallOptions(), channel="no").call(GET_ORDER, {"order_id": "o1"})
    assert stand_.session.budget.tokens == 472


STORM = 60.0
"""Seconds for which the service fails everything."""


@pytest.mark.anyio
@pytest.mark.parametrize("calls", [1_000, pytest.param(6_000, marks=pytest.mark.soak)])
async def test_a_storm(calls: int, record_property: Callable[[str, object], None]) -> None:
    """While everything fails, the bucket bounds the repeats; afterwards calls succeed and fill it again.

    Every repeat takes 14 of at most 500 tokens and nothing comes back, so there are at most 500 // 14 = 35 repeats in
    all, whatever the number of calls.
    """
    sent_in_storm: Counter[str] = Counter()

    def service(_: WireRequest) -> Step:
        if stand_.clock.passed < STORM:
            sent_in_storm["sends"] += 1
            return answer(500, takes=0.2)
        return answer(200, {}, takes=0.05)

    stand_ = stand(service, seed=7, max_in_flight=50)
    results: Counter[str] = Counter()

    async def caller() -> None:
        try:
            await stand_.call(GET_ORDER, options=CallOptions(queue_timeout=None))
        except UnavailableError as error:
            results[str(error.gave_up)] += 1
            results["all attempts"] += len(error.attempts)
        else:
            results["succeeded"] += 1

    async with anyio.create_task_group() as group:
        for _ in range(calls):
            group.start_soon(caller)
            await stand_.clock.wait(STORM / 2 / calls)

    bound = calls + 500 // 14
    record_property("attempts_per_call", sent_in_storm["sends"] / calls)
    assert results["succeeded"] == 0
    assert results["all attempts"] == sent_in_storm["sends"]
    assert calls < sent_in_storm["sends"] <= bound == calls + 35
    assert stand_.session.budget.tokens == 500 - 14 * (sent_in_storm["sends"] - calls)
    assert stand_.engine.peak <= 50

    # The storm is over: everything succeeds at its first try, and the bucket fills up by one a call.
    await stand_.clock.wait(STORM)
    before = stand_.session.budget.tokens
    assert before < 14
    for _ in range(490):
        await stand_.call(GET_ORDER)
    assert stand_.session.budget.tokens == before + 490
    assert stand_.session.limiter.in_flight == 0
