"""While the service is away, one worker at a time probes it. It gives its turn back however its item ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from norce_order_async import (
    CallOptions,
    Fixed,
    InvalidRequestError,
    JournalError,
    NorceOrderClient,
    NotFoundError,
    NotSentError,
    Order,
    OutcomeUnknownError,
    RejectedError,
    TokenError,
    UnauthorizedError,
    UnavailableError,
)
from norce_order_async.bulk.actions.base import Action, Row, Settlement
from norce_order_async.bulk.breaker import IN_A_ROW, CircuitBreaker
from norce_order_async.bulk.journal.journal import Journal
from norce_order_async.bulk.journal.reading import State
from norce_order_async.bulk.source import Item
from norce_order_async.pipeline.limiter import Limiter, Pause
from tests.support.clock import FakeClock, highest

from .support import Stub, list_only, move_all

pytestmark = pytest.mark.anyio

HURRY = CallOptions(max_delay=0.002, settling_pause=0.0)
IDS = [f"o{number}" for number in range(12)]


def not_sent() -> NotSentError:
    return NotSentError("no connection", operation="x", gave_up="attempts")


def a_client() -> NorceOrderClient:
    return NorceOrderClient(base_url="http://127.0.0.1:9", merchant="a", channel="b", token="t", engine=Stub())


BREAKERS: list[CircuitBreaker] = []
"""Those that the jobs of one test have made."""


@pytest.fixture(autouse=True)
def breakers(monkeypatch: pytest.MonkeyPatch) -> None:
    def recorded(*arguments: Any) -> CircuitBreaker:
        BREAKERS.append(CircuitBreaker(*arguments))
        return BREAKERS[-1]

    BREAKERS.clear()
    monkeypatch.setattr("norce_order_async.bulk.workers.CircuitBreaker", recorded)


def one_breaker() -> CircuitBreaker:
    """The breaker of the last job."""
    return BREAKERS[-1]


class Scripted(Action[str]):
    """An action that is not sent until a probe has failed. The next probe ends as the test says, and the other items
    are done."""

    name = "scripted"

    def __init__(
        self, end: Callable[[Scripted], Awaitable[Any]], looks: Callable[[], Callable[[], Settlement]] | None = None
    ) -> None:
        self.parameters = {}
        self.end = end
        self.look: Callable[[], Settlement] = looks() if looks else lambda: "unknown"
        self.job: Any = None
        self.ended = False
        self.applied: list[str] = []

    async def apply(self, order: Order, row: Row) -> str:
        self.applied.append(order.id)
        return str(await self._next())

    async def settle(self, order: Order, row: Row) -> Settlement:
        if self.applied:
            return self.look()
        return await self._next() or "done"

    def excuses(self, error: Exception) -> bool:
        return True

    def did_nothing(self, value: str) -> bool:
        return value == "nothing"

    async def _next(self) -> Any:
        if not self.job.summary.failed_probes:
            raise not_sent()
        if self.ended:
            return ""
        self.ended = True
        assert one_breaker().is_probing
        return await self.end(self)


async def played(action: Scripted, journal: Path | None = None) -> tuple[Any, dict[str, Any], Exception | None]:
    """Run the action to its end. Returns the job, the outcomes and the error."""
    outcomes: dict[str, Any] = {}
    failure: Exception | None = None
    async with a_client() as norce, norce.bulk(journal, load=Fixed(in_flight=4), options=HURRY) as job:
        action.job = job
        try:
            async for outcome in job.run(IDS, action):
                outcomes[outcome.key] = outcome.verdict
        except Exception as error:
            failure = error
        assert not one_breaker().is_probing
    assert action.ended, "the end was never played"
    return job, outcomes, failure


def raising(error: Exception) -> Callable[[Scripted], Awaitable[Any]]:
    async def end(_: Scripted) -> Any:
        raise error

    return end


def giving(value: Any) -> Callable[[Scripted], Awaitable[Any]]:
    async def end(_: Scripted) -> Any:
        return value

    return end


def refused(**more: Any) -> NotFoundError:
    return NotFoundError("gone", status=404, operation="x", **more)


def lost() -> OutcomeUnknownError:
    return OutcomeUnknownError("no answer", operation="x")


Look = Callable[[], Settlement]


def looks(said: Settlement) -> Callable[[], Look]:
    return lambda: lambda: said


def looks_in_vain(status: int | None, then: Settlement, times: int = 1) -> Callable[[], Look]:
    """A settle that fails a number of times and can then read the order."""

    def begin() -> Look:
        left = [UnavailableError("no answer", status=status, operation="x")] * times

        def look() -> Settlement:
            if left:
                raise left.pop()
            return then

        return look

    return begin


@pytest.mark.parametrize("journaled", [False, True])
@pytest.mark.parametrize(
    ("end", "look", "verdict"),
    [
        (giving("value"), None, "done"),
        (giving("nothing"), None, "already done"),
        (raising(refused()), None, "refused"),
        (raising(refused()), looks("done"), "already done"),
        (raising(refused(maybe_changed=True)), looks("done"), "done"),
        (raising(refused(maybe_changed=True)), looks("unknown"), "unknown"),
        (raising(InvalidRequestError("no")), None, "refused"),
        (raising(lost()), looks("done"), "done"),
        (raising(lost()), looks("unknown"), "unknown"),
        (raising(lost()), looks("not done"), "done"),
        (raising(lost()), looks_in_vain(None, "done"), "done"),
        (raising(lost()), looks_in_vain(503, "done", times=9), "done"),
        (raising(lost()), looks_in_vain(None, "not done"), "done"),
        (raising(lost()), looks_in_vain(None, "unknown"), "unknown"),
        (raising(lost()), looks_in_vain(500, "done", times=2), "done"),
        (raising(lost()), looks_in_vain(500, "done", times=99), "unknown"),
        (raising(refused(maybe_changed=True)), looks_in_vain(None, "done"), "done"),
        (raising(refused()), looks_in_vain(None, "done"), "refused"),
        (raising(not_sent()), None, "done"),
        (raising(TokenError("none")), None, "done"),
        (raising(RejectedError("no", status=429, retry_after=0.001, operation="x")), None, "done"),
        (raising(UnavailableError("no answer", operation="x")), looks("done"), "done"),
    ],
)
async def test_a_probe_that_ends_its_item(tmp_path: Path, journaled: bool, end: Any, look: Any, verdict: str) -> None:
    """All other items continue. The item of the probe gets its verdict, at once or when it is tried again."""
    job, outcomes, failure = await played(Scripted(end, look), tmp_path / "j" if journaled else None)
    assert failure is None
    assert sorted(outcomes) == sorted(IDS)
    others = [each for each in outcomes.values() if each == "done"]
    assert len(others) >= len(IDS) - 1
    assert verdict in outcomes.values()
    assert job.summary.left == 0


@pytest.mark.parametrize("journaled", [False, True])
@pytest.mark.parametrize(
    ("error", "verdict", "stopped"),
    [
        (UnauthorizedError("no", status=401, operation="x"), "not tried", "the token was refused (401)"),
        (NotSentError("closed", operation="x", gave_up="closed"), "not tried", "failed: NotSentError"),
        (ZeroDivisionError(), "unknown", "failed: ZeroDivisionError"),
    ],
)
async def test_a_probe_that_ends_the_run(
    tmp_path: Path, journaled: bool, error: Exception, verdict: str, stopped: str
) -> None:
    """The error is raised after every outcome."""
    action = Scripted(raising(error))
    job, outcomes, failure = await played(action, tmp_path / "j" if journaled else None)
    assert failure is error
    # Other items may have gone back before.
    assert set(outcomes.values()) | {"not tried"} == {verdict, "not tried"}
    assert outcomes[action.applied[-1]] == verdict
    assert job.summary.stopped == stopped


@pytest.mark.every_loop
@pytest.mark.parametrize("how", ["with grace", "now", "by cancelling"])
@pytest.mark.parametrize("journaled", [False, True])
async def test_a_probe_that_is_stopped(tmp_path: Path, journaled: bool, how: str) -> None:
    """A stop lets the probe finish within its grace. If there is no time for that, the outcome of the item is
    unknown."""

    async def end(action: Scripted) -> str:
        action.job.stop(now=how == "now")
        if how == "by cancelling":
            action.job.stop(now=True)
        if how != "with grace":
            await anyio.sleep_forever()
        return "value"

    action = Scripted(end)
    job, outcomes, failure = await played(action, tmp_path / "j" if journaled else None)
    assert failure is None
    assert outcomes[action.applied[-1]] == ("done" if how == "with grace" else "unknown")
    assert job.summary.stopped == "stopped"


@pytest.mark.parametrize(
    ("end", "verdict", "sent"),
    [
        (giving("done"), "done", 0),
        (giving("not done"), "done", 1),
        (giving("unknown"), "unknown", 0),
        (raising(refused()), "unknown", 0),
        (raising(InvalidRequestError("no")), "unknown", 0),
        (raising(not_sent()), "done", 0),
        (raising(UnavailableError("no answer", operation="x")), "done", 0),
        (raising(UnavailableError("a fault", status=500, operation="x")), "done", 0),
    ],
)
async def test_a_probe_that_looks_at_what_was_in_flight(tmp_path: Path, end: Any, verdict: str, sent: int) -> None:
    """An item is sent again only if a read shows that it was not done."""
    journal = tmp_path / "j"
    async with a_client() as norce, norce.bulk(journal) as job:
        await list_only(job, IDS, Scripted(end))
    move_all(journal, "planned", "sent")
    action = Scripted(end)
    _, outcomes, failure = await played(action, journal)
    assert failure is None
    assert sorted(outcomes) == sorted(IDS)
    assert sorted(outcomes.values()) == sorted(["done"] * (len(IDS) - 1) + [verdict])
    assert len(action.applied) == sent


@pytest.mark.parametrize("sends", [True, False])
async def test_an_unreadable_order_ends_nothing_but_itself(sends: bool) -> None:
    """The service answers each read of one order with a fault. Its outcome is unknown, and the job finishes the
    others."""

    class Faulty(Scripted):
        writes = sends

        async def apply(self, order: Order, row: Row) -> str:
            if order.id != IDS[3]:
                return ""
            raise lost() if sends else UnavailableError("a fault", status=500, operation="x")

        async def settle(self, order: Order, row: Row) -> Settlement:
            raise UnavailableError("a fault", status=500, operation="x")

    action = Faulty(giving(""))
    action.ended = True
    _, outcomes, failure = await played(action)
    assert failure is None
    assert outcomes == {key: "unknown" if key == IDS[3] else "done" for key in IDS}


async def test_a_probe_whose_mark_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller gets the error of the journal. The item was not sent."""

    async def end(_: Scripted) -> str:
        raise AssertionError("it was sent")

    record = Journal.record

    async def broken(journal: Journal, item: Item, state: State, **more: Any) -> None:
        if state == "sent" and action.job.summary.failed_probes:
            action.ended = True
            raise JournalError("the disk is full")
        await record(journal, item, state, **more)

    monkeypatch.setattr(Journal, "record", broken)
    action = Scripted(end)
    job, outcomes, failure = await played(action, tmp_path / "j")
    assert isinstance(failure, JournalError)
    assert job.summary.stopped == "failed: JournalError"
    assert set(outcomes.values()) == {"not tried"}


async def test_a_turn_goes_to_the_next_however_it_ends() -> None:
    """One task at a time has the turn. The next gets it after a failure, an error, or a cancellation of a task that
    waits."""
    clock = FakeClock(uniform=highest)
    breaker = CircuitBreaker(clock, Limiter(1, clock, Pause(clock)), 4.0)
    for _ in range(IN_A_ROW):
        async with breaker.turn() as turn:
            assert not breaker.failed(turn, at_once=False, asked=None)
    assert breaker.away
    order: list[tuple[str, float]] = []

    async def one(name: str) -> None:
        async with breaker.turn() as turn:
            order.append((name, clock.passed))
            await clock.wait(0.5)
            assert breaker.failed(turn, at_once=False, asked=None)
            if name == "raises":
                raise KeyError

    async def cancelled() -> None:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            await one("never")

    async def raises() -> None:
        with pytest.raises(KeyError):
            await one("raises")

    scopes: list[anyio.CancelScope] = []
    async with anyio.create_task_group() as group:
        for each in (cancelled, raises, partial(one, "last")):
            group.start_soon(each)
            await clock.wait(0.1)
        scopes[0].cancel()
    # Each wait is twice as long as the one before, including the wait that was cut off at 0.3 s.
    assert {name for name, _ in order} == {"raises", "last"}
    assert [when for _, when in order] == pytest.approx([2.3, 6.8])


async def test_an_answer_ends_the_wait_of_the_next_probe() -> None:
    """The call of another task is answered meanwhile, so the probe does not wait any longer."""
    clock = FakeClock(uniform=highest)
    breaker = CircuitBreaker(clock, Limiter(1, clock, Pause(clock)), 20.0)
    async with breaker.turn() as turn:
        breaker.failed(turn, at_once=True, asked=15.0)

    async def probe() -> None:
        async with breaker.turn() as own:
            assert not breaker.failed(own, at_once=False, asked=None)

    async with anyio.create_task_group() as group:
        group.start_soon(probe)
        await clock.wait(3.0)
        breaker.answered()
    assert clock.passed == 3.0


async def test_time_held_back_is_counted_once() -> None:
    """A probe waits while a pause lasts. That time counts once, and only the limiter counts it."""
    clock = FakeClock(uniform=highest)
    pause = Pause(clock)
    limiter = Limiter(1, clock, pause)
    breaker = CircuitBreaker(clock, limiter, 20.0)
    async with breaker.turn() as turn:
        breaker.failed(turn, at_once=True, asked=10.0)

    async def call() -> None:
        pause.extend(6.0)
        await limiter.acquire(None)
        limiter.release()

    async def probe() -> None:
        async with breaker.turn():
            pass

    async with anyio.create_task_group() as group:
        group.start_soon(call)
        group.start_soon(probe)
    assert (clock.passed, limiter.throttled_seconds) == (10.0, 10.0)
