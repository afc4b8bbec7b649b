"""Time in a call: the deadline, the timeouts of attempts, the queue before it, and slow tokens."""

from __future__ import annotations

import anyio
import pytest

from norce_order_async import CallOptions
from norce_order_async.engines.base import Timeouts, WireRequest, WireResponse
from norce_order_async.errors import NotSentError, OutcomeUnknownError, TokenError, UnavailableError
from norce_order_async.pipeline.operations import CREATE_ORDER, CREATE_PAYMENT, GET_ORDER, SET_CART
from norce_order_async.pipeline.readback import Baseline
from tests.support.clock import START, FakeClock, highest
from tests.support.engine import HANG, ScriptedEngine, answer, lost
from tests.support.pipeline import stand

pytestmark = pytest.mark.anyio


async def test_attempt_timeouts_are_the_settings_while_there_is_time() -> None:
    """The engine gets connect 5, write 10, read 20 and pool 5 s, and the deadline's 30 s for the whole send."""
    stand_ = stand([answer(200, {})])
    await stand_.call(GET_ORDER)
    (request,) = stand_.engine.requests
    assert request.timeouts == Timeouts(connect=5.0, write=10.0, read=20.0, pool=5.0)
    assert request.total == 30.0


async def test_the_deadline_cuts_late_attempts() -> None:
    """Of 30 s the first attempt takes 20 s, the second gets what is left after the back-off, and there is no third."""
    stand_ = stand([lost("read", takes=21.0), lost("read", takes=21.0)], uniform=highest)
    with pytest.raises(UnavailableError) as caught:
        await stand_.call(GET_ORDER)
    first, second = stand_.engine.requests
    assert (first.total, first.timeouts.read) == (30.0, 20.0)
    # 30 - 20 - 0.25
    assert (second.total, second.timeouts) == (9.75, Timeouts(connect=5.0, write=9.75, read=9.75, pool=5.0))
    assert stand_.clock.passed == 30.0
    assert caught.value.gave_up == "deadline"
    assert [round(one.seconds, 9) for one in caught.value.attempts] == [20.0, 9.75]


async def test_at_the_deadline_the_caller_is_released_and_the_send_continues() -> None:
    """The permit comes back when the send has ended, not when its caller has left."""

    class Slow(ScriptedEngine):
        ended = False

        async def send(self, request: WireRequest) -> WireResponse:
            await stand_.clock.wait(45.0)
            self.ended = True
            raise AssertionError("nobody is left to see this")

    slow = Slow([], FakeClock())
    stand_ = stand([], engine=slow)
    with pytest.raises(OutcomeUnknownError) as caught:
        await stand_.call(SET_CART)
    assert (stand_.clock.passed, caught.value.gave_up, len(caught.value.attempts)) == (30.0, "deadline", 1)
    assert (slow.ended, stand_.session.limiter.in_flight) == (False, 1)
    await stand_.clock.wait(15.0)
    await stand_.client.aclose()
    assert (slow.ended, stand_.session.limiter.in_flight) == (True, 0)


async def test_without_a_deadline_only_the_attempts_end() -> None:
    """Without a deadline the call takes three times 20 s and the sleeps between."""
    stand_ = stand(lambda _: HANG, uniform=highest)
    with pytest.raises(UnavailableError) as caught:
        await stand_.call(GET_ORDER, options=CallOptions(deadline=None))
    assert [request.total for request in stand_.engine.requests] == [None] * 3
    assert stand_.clock.passed == 60.75
    assert caught.value.gave_up == "attempts"


async def test_the_deadline_counts_from_the_first_permit() -> None:
    """A minute in the queue takes nothing from the deadline."""
    steps = iter([answer(200, {}, takes=60.0), answer(200, {})])
    stand_ = stand(lambda _: next(steps), max_in_flight=1)
    patient = CallOptions(deadline=None, read_timeout=90.0)
    async with anyio.create_task_group() as group:

        async def first() -> None:
            await stand_.call(GET_ORDER, options=patient)

        group.start_soon(first)
        await stand_.clock.wait(1.0)
        await stand_.call(GET_ORDER)
    assert stand_.engine.requests[1].total == 30.0
    assert [moment - START for moment in stand_.engine.times] == [0.0, 60.0]


async def test_time_in_the_queue_has_its_own_limit() -> None:
    """With ``queue_timeout`` the error says that nothing was sent, and the place in the queue is free again."""
    stand_ = stand([answer(200, {}, takes=15.0)], max_in_flight=1)
    async with anyio.create_task_group() as group:
        group.start_soon(stand_.call, GET_ORDER)
        await stand_.clock.wait(1.0)
        with pytest.raises(NotSentError, match="no permit in time") as caught:
            await stand_.call(GET_ORDER, options=CallOptions(queue_timeout=4.0))
        assert (caught.value.gave_up, stand_.clock.passed) == ("queue", 5.0)
        assert stand_.session.limiter.waiting == 0


async def test_a_slow_token_and_the_queue_share_that_limit() -> None:
    """A token that takes 3 of 4 s leaves 1 s for the permit."""

    async def token() -> str:
        await stand_.clock.wait(3.0)
        return "t0ken"

    stand_ = stand([answer(200, {}, takes=15.0)], max_in_flight=1, token=token)
    async with anyio.create_task_group() as group:
        group.start_soon(stand_.call, GET_ORDER)
        await stand_.clock.wait(10.0)
        with pytest.raises(NotSentError) as caught:
            await stand_.call(GET_ORDER, options=CallOptions(queue_timeout=4.0))
        assert (caught.value.gave_up, stand_.clock.passed) == ("queue", 14.0)
        with pytest.raises(NotSentError, match="no token in time"):
            await stand_.call(GET_ORDER, options=CallOptions(queue_timeout=2.0))


async def test_a_token_that_takes_too_long_between_attempts_ends_the_call() -> None:
    """After the first permit the deadline counts the time for tokens too."""
    tokens = iter([0.0, 300.0])

    async def token() -> str:
        await stand_.clock.wait(next(tokens))
        return "t0ken"

    stand_ = stand([answer(500)], token=token)
    with pytest.raises(OutcomeUnknownError, match="no token in time") as caught:
        await stand_.call(SET_CART)
    assert (caught.value.gave_up, stand_.clock.passed) == ("deadline", 30.0)


async def test_a_token_provider_that_hangs_after_a_401_ends_with_the_deadline() -> None:
    """Asking for another token is part of the call, so the deadline ends it."""

    class Stuck:
        async def token(self) -> str:
            return "t0ken"

        async def refused(self, token: str) -> bool:
            await stand_.clock.wait(300.0)
            return True

    stand_ = stand([answer(401)], token=Stuck())
    with pytest.raises(Exception, match=r"\b401\b"):
        await stand_.call(GET_ORDER)
    assert stand_.clock.passed == 30.0


async def test_a_missing_token_later_is_reported_by_its_meaning() -> None:
    """Without a first token the error is about the token. After a lost write it is about that write."""
    fails = iter([False, True])

    async def token() -> str:
        if next(fails):
            raise OSError("secret")
        return "t0ken"

    stand_ = stand([answer(500)], token=token)
    with pytest.raises(OutcomeUnknownError) as caught:
        await stand_.call(SET_CART)
    assert caught.value.gave_up == "token"

    async def never() -> str:
        raise OSError("secret")

    with pytest.raises(TokenError, match="failed with OSError"):
        await stand([], token=never).call(SET_CART)


async def test_no_time_at_all_sends_nothing() -> None:
    """A deadline of 0 is over before anything is sent."""
    stand_ = stand([])
    with pytest.raises(NotSentError) as caught:
        await stand_.call(GET_ORDER, options=CallOptions(deadline=0.0))
    assert (caught.value.gave_up, stand_.session.limiter.in_flight) == ("deadline", 0)


async def test_a_shared_deadline_bounds_the_queue_of_a_later_call() -> None:
    """A read after a lost write waits in the queue no longer than its call has time."""
    stand_ = stand([lost("read", takes=5.0), answer(200, {}, takes=60.0)], max_in_flight=1)
    ended: list[float] = []

    async def create() -> None:
        with pytest.raises(OutcomeUnknownError, match="reading back failed: NotSentError"):
            await stand_.call(CREATE_PAYMENT, before=Baseline(ids=frozenset()))
        ended.append(stand_.clock.passed)

    async with anyio.create_task_group() as group:
        group.start_soon(create)
        await stand_.clock.wait(1.0)
        # This call is next in the queue, so it has the only permit from 5 s to 65 s.
        await stand_.call(GET_ORDER, options=CallOptions(deadline=None, read_timeout=90.0))
    assert (ended, stand_.clock.passed) == ([30.0], 65.0)


async def test_without_a_settling_pause_there_is_no_second_order() -> None:
    """Without time for the settling pause a slow commit can't be told from none, so the order is not created again."""
    stand_ = stand([lost("read", takes=29.5), answer(200, {"data": []})])
    with pytest.raises(OutcomeUnknownError, match="no time was left to wait for one"):
        await stand_.call(CREATE_ORDER, options=CallOptions(read_timeout=30.0))
    assert stand_.sent[0] == "POST /orders"
    assert len(stand_.sent) == 2


async def test_a_deadline_in_flight_leaves_no_time_to_read_back() -> None:
    """If the deadline ends in flight, no read is sent and the reason is the deadline."""
    stand_ = stand([HANG])
    with pytest.raises(OutcomeUnknownError, match="no time was left to read back") as caught:
        await stand_.call(CREATE_PAYMENT, before=Baseline(ids=frozenset()), options=CallOptions(deadline=10.0))
    assert (caught.value.gave_up, stand_.clock.passed) == ("deadline", 10.0)
