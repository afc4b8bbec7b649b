"""After a stop no first attempt and no repeat is sent; waiting items go back, and reads show what became of sent ones.

In virtual time, over an engine that plays the service.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import pytest

from norce_order_async import CallOptions, Fixed, ItemOutcome, Job, NorceError, Order
from norce_order_async.bulk import actions
from norce_order_async.bulk.actions.base import Action
from norce_order_async.bulk.journal.inspect import read_journal
from norce_order_async.engines.base import WireRequest
from tests.support.clock import highest
from tests.support.engine import HANG, Step, answer, lost
from tests.support.pipeline import short, stand

from .test_job import all_of

pytestmark = [pytest.mark.anyio, pytest.mark.every_loop]


@pytest.fixture(autouse=True)
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the journal's file between two steps of the loop, because virtual time does not wait for threads."""

    async def run_sync(work: Callable[[], Any]) -> Any:
        await anyio.lowlevel.checkpoint()
        return work()

    def at_once(work: Callable[[], Any]) -> Any:
        return work()

    monkeypatch.setattr(anyio.to_thread, "run_sync", run_sync)
    monkeypatch.setattr(anyio.from_thread, "run_sync", at_once)


class Shop:
    """A service in virtual time that answers writes by a script. Reads show what was written."""

    def __init__(self, write: Callable[[int], Step] = lambda _: answer(200), *, takes_effect: bool = True) -> None:
        self.stand = stand(self._serve, uniform=highest)
        self.writes: list[str] = []
        """The writes that arrived: the order, and "pays" for a payment."""
        self.reads = 0
        self._write = write
        self._takes_effect = takes_effect
        self._references: dict[str, str] = {}

    @property
    def passed(self) -> float:
        return round(self.stand.clock.passed, 6)

    def bulk(self, journal: Path | None = None, **changes: Any) -> Job:
        return self.stand.client.bulk(journal, **changes)

    async def stopped(
        self, seconds: float, job: Job, source: Any, action: Any, *, now: bool = False
    ) -> dict[str, ItemOutcome[Any]]:
        """Run a job, stop it at this moment, and return its outcomes."""
        outcomes: dict[str, ItemOutcome[Any]] = {}

        async def stop() -> None:
            await self.stand.clock.wait(seconds - self.stand.clock.passed)
            job.stop(now=now)

        async with anyio.create_task_group() as group:
            group.start_soon(stop)
            async for outcome in job.run(source, action):
                outcomes[outcome.key] = outcome
        return outcomes

    def _serve(self, request: WireRequest) -> Step:
        key = short(request).split("/")[2].split("?")[0]
        if request.method == "GET":
            self.reads += 1
            return answer(200, {"id": key, "reference": self._references.get(key), "payments": []}, takes=0.1)
        self.writes.append(f"{key} pays" if request.method == "POST" else key)
        step = self._write(len(self.writes))
        if step.status < 400 and self._takes_effect:
            self._references[key] = "r"
        return step


def states(journal: Path) -> dict[str, int]:
    return {state: count for state, count in read_journal(journal).counts.items() if count}


async def continued(shop: Shop, journal: Path, keys: list[str], action: Any = None) -> dict[str, ItemOutcome[Any]]:
    """Run the journal again, and return the outcomes."""
    async with shop.bulk(journal, load=Fixed(in_flight=10)) as job:
        outcomes = await all_of(job.run(keys, action or SET))
    assert job.summary.left == 0
    return outcomes


SET = actions.set_reference("r")
MANY = [f"o{number}" for number in range(200)]
JOURNALED = pytest.mark.parametrize("journaled", [True, False], ids=["journal", "no journal"])


@JOURNALED
@pytest.mark.parametrize("now", [False, True])
async def test_items_that_wait_for_a_rate_go_back(tmp_path: Path, journaled: bool, now: bool) -> None:
    """A hundred may be in flight, but the rate lets ten leave each second. The job is stopped after ten outcomes.
    Items that wait are not sent any more, and the next run does each of them once."""
    shop, outcomes = Shop(), Counter[str]()
    sent, stopped_at = 0, 0.0
    journal = tmp_path / "j" if journaled else None
    async with shop.bulk(journal, load=Fixed(in_flight=100, rate=10)) as job:
        async for outcome in job.run(MANY, SET):
            outcomes[outcome.verdict] += 1
            if outcomes["done"] == 10 and not job.summary.stopped:
                sent, stopped_at = len(shop.writes), shop.passed
                job.stop(now=now)
        assert shop.passed < stopped_at + 1
    assert 10 <= sent <= 12
    assert len(shop.writes) == sent == outcomes["done"]
    assert set(outcomes) <= {"done", "not tried"}
    summary = job.summary
    assert (summary.stopped, summary.left, summary.retries, summary.complete) == ("stopped", 200 - sent, 0, False)
    assert (job.limiter.in_flight, job.limiter.waiting) == (0, 0)
    if journal is not None:
        assert states(journal) == {"confirmed": sent, "planned": 200 - sent}
        assert {outcome.verdict for outcome in (await continued(shop, journal, MANY)).values()} == {"done"}
        assert Counter(shop.writes) == dict.fromkeys(MANY, 1)


@JOURNALED
async def test_items_that_wait_for_a_pause_go_back(tmp_path: Path, journaled: bool) -> None:
    """The service asks for a pause of 45 s, and the job is stopped after 5 s. It does not wait any longer. An item
    that was rejected unprocessed was not done."""
    shop = Shop(lambda number: answer(429, retry_after="45") if number == 3 else answer(200, takes=0.1))
    journal = tmp_path / "j" if journaled else None
    async with shop.bulk(journal, load=Fixed(in_flight=1)) as job:
        outcomes = await shop.stopped(5.0, job, MANY[:9], SET)
        assert shop.passed == 5.0
    assert shop.writes == MANY[:3]
    verdicts = [outcomes[key].verdict for key in outcomes]
    assert verdicts[:2] == ["done", "done"]
    assert set(verdicts[2:]) == {"not tried"}
    assert (job.summary.left, job.summary.throttled) == (7, 1)
    if journal is not None:
        assert states(journal) == {"confirmed": 2, "planned": 7}
        await continued(shop, journal, MANY[:9])
        assert Counter(shop.writes) == {**dict.fromkeys(MANY[:9], 1), MANY[2]: 2}


@JOURNALED
async def test_a_rejection_after_the_stop_is_not_waited_for(tmp_path: Path, journaled: bool) -> None:
    """The request was in flight at the stop, and its answer asks for a pause of 45 s."""
    shop = Shop(lambda _: answer(429, takes=2.0, retry_after="45"))
    journal = tmp_path / "j" if journaled else None
    async with shop.bulk(journal, load=Fixed(in_flight=1)) as job:
        outcomes = await shop.stopped(1.0, job, ["o1", "o2"], SET)
        assert shop.passed == 2.0
    assert shop.writes == ["o1"]
    assert outcomes["o1"].verdict == "not tried"
    if journal is not None:
        assert states(journal) == {"planned": 2}


@JOURNALED
@pytest.mark.parametrize("takes_effect", [True, False])
async def test_no_repeat_is_sent_and_a_read_shows_the_outcome_of_the_first(
    tmp_path: Path, journaled: bool, takes_effect: bool
) -> None:
    """The answer to the first attempt is lost, and the job is stopped while the repeat waits for its turn."""
    shop = Shop(lambda _: lost("read", takes=0.1), takes_effect=takes_effect)
    journal = tmp_path / "j" if journaled else None
    slow = CallOptions(base_delay=10.0, max_delay=10.0)
    async with shop.bulk(journal, load=Fixed(in_flight=1), options=slow) as job:
        outcomes = await shop.stopped(3.0, job, ["o1"], SET)
        assert shop.passed == 3.1
    assert (shop.writes, shop.reads) == (["o1"], 1)
    assert outcomes["o1"].verdict == ("done" if takes_effect else "not tried")
    # If everything is done, the stop has prevented nothing.
    assert (job.summary.stopped, job.summary.left) == (("", 0) if takes_effect else ("stopped", 1))
    if journal is not None:
        assert states(journal) == {"confirmed" if takes_effect else "planned": 1}


@JOURNALED
@pytest.mark.parametrize("now", [False, True])
async def test_items_in_flight_when_the_grace_ends(tmp_path: Path, journaled: bool, now: bool) -> None:
    """One item is answered within the grace. Another is not: it is marked as sent in a journal, and is unknown
    without one. A third waited for a permit and was never sent."""
    shop = Shop(lambda number: answer(200, takes=2.0) if number == 1 else HANG)
    journal = tmp_path / "j" if journaled else None
    load, keys = Fixed(in_flight=2), ["o1", "o2", "o3", "o4"]
    async with shop.bulk(journal, load=load, grace=5.0) as job:
        outcomes = await shop.stopped(1.0, job, keys, SET, now=now)
        assert shop.passed == (1.0 if now else 6.0)
    answered, silent = shop.writes
    assert {key: outcome.verdict for key, outcome in outcomes.items()} == {
        **dict.fromkeys(outcomes, "not tried"),
        answered: "unknown" if now else "done",
        silent: "unknown",
    }
    if journal is not None:
        assert states(journal) == ({"sent": 2, "planned": 2} if now else {"confirmed": 1, "sent": 1, "planned": 2})


Act = Callable[[Order], Awaitable[Any]]


class Own(Action[None]):
    """An action of several calls that may know how to settle."""

    name = "own"

    def __init__(self, act: Act, found: str | None) -> None:
        self.parameters = {}
        self._act = act
        self._found = found

    async def apply(self, order: Order, row: Any) -> None:
        await self._act(order)

    async def settle(self, order: Order, row: Any) -> Any:
        await order.refresh()
        return self._found


async def pay_and_set(order: Order) -> None:
    await order.payments.create({"reference": "p", "amount": 1, "currency": "SEK"})
    await order.set_reference("r")


async def read_and_set(order: Order) -> None:
    await order.refresh()
    await order.set_reference("r")


@JOURNALED
@pytest.mark.parametrize(
    ("found", "verdict", "state"),
    [
        ("done", "done", "confirmed"),
        ("not done", "not tried", "planned"),
        ("unknown", "unknown", "unknown"),
        (None, "unknown", "unknown"),
    ],
)
async def test_an_item_of_several_calls_whose_first_write_has_left(
    tmp_path: Path, journaled: bool, found: str | None, verdict: str, state: str
) -> None:
    """The job is stopped while the payment is in flight, and the next call is not sent. The item is reported as
    untouched only if the action has read the order and says so."""
    shop = Shop(lambda _: answer(201, "p1", takes=2.0))
    journal = tmp_path / "j" if journaled else None
    action: Any = actions.plain("own", pay_and_set) if found is None else Own(pay_and_set, found)
    async with shop.bulk(journal, load=Fixed(in_flight=1)) as job:
        outcomes = await shop.stopped(1.0, job, ["o1", "o2"], action)
    assert shop.writes == ["o1 pays"]
    assert outcomes["o1"].verdict == verdict
    assert job.summary.verdicts["not tried"] == (verdict == "not tried")
    assert job.summary.stopped == "stopped"
    if journal is not None:
        assert states(journal) == ({"planned": 2} if state == "planned" else {state: 1, "planned": 1})


@JOURNALED
@pytest.mark.parametrize("swallows", [False, True])
async def test_an_item_of_several_calls_of_which_nothing_was_written(
    tmp_path: Path, journaled: bool, swallows: bool
) -> None:
    """The job is stopped while the item reads. The write is not sent and the item goes back, even if the action
    ignores the error."""

    async def act(order: Order) -> None:
        try:
            await read_and_set(order)
        except NorceError:
            if not swallows:
                raise RuntimeError("no") from None

    shop = Shop()
    journal = tmp_path / "j" if journaled else None
    async with shop.bulk(journal, load=Fixed(in_flight=1)) as job:
        outcomes = await shop.stopped(0.05, job, ["o1", "o2"], actions.plain("own", act))
    assert (shop.writes, shop.reads) == ([], 1)
    assert outcomes["o1"].verdict == "not tried"
    if journal is not None:
        assert states(journal) == {"planned": 2}


async def test_calls_of_the_client_itself_stop_with_the_item(tmp_path: Path) -> None:
    """A function may call through the client and not through the order that it gets. It is stopped all the same."""
    shop = Shop(lambda _: answer(200, takes=1.0))

    async def act(order: Order) -> None:
        await shop.stand.client.orders(order.id).set_reference("r")
        await shop.stand.client.orders("other").set_reference("r")

    async with shop.bulk(tmp_path / "j", load=Fixed(in_flight=1)) as job:
        outcomes = await shop.stopped(0.5, job, ["o1", "o2"], actions.plain("own", act))
    assert shop.writes == ["o1"]
    assert outcomes["o1"].verdict == "unknown"
    assert states(tmp_path / "j") == {"unknown": 1, "planned": 1}


async def test_only_an_items_own_calls_are_stopped() -> None:
    """A program that iterates over the outcomes may still make calls."""
    shop = Shop()
    async with shop.bulk(load=Fixed(in_flight=1)) as job:
        async for outcome in job.run(MANY, SET):
            job.stop()
            assert (await shop.stand.client.orders.get(outcome.key)).id == outcome.key


@JOURNALED
async def test_an_earlier_call_that_was_made_is_not_made_again(tmp_path: Path, journaled: bool) -> None:
    """There is no stop here. The payment is made, and the next call is rejected until it gives up. The item is not
    begun again, which would make a second payment."""
    shop = Shop(lambda number: answer(201, "p1") if number == 1 else answer(429))
    async with shop.bulk(tmp_path / "j" if journaled else None, load=Fixed(in_flight=1)) as job:
        outcomes = await all_of(job.run(["o1"], actions.plain("own", pay_and_set)))
    assert shop.writes == ["o1 pays", "o1", "o1", "o1"]
    assert outcomes["o1"].verdict == "unknown"


async def test_a_stop_after_the_last_item_has_no_effect(tmp_path: Path) -> None:
    """Everything is done when the items in flight have ended, so the job is complete and its file is made."""
    shop = Shop()
    async with shop.bulk(tmp_path / "j", load=Fixed(in_flight=5)) as job:
        outcomes = await shop.stopped(0.05, job, MANY[:5], actions.export(tmp_path / "out.jsonl"))
    assert {outcome.verdict for outcome in outcomes.values()} == {"done"}
    assert (job.summary.stopped, job.summary.left, job.summary.complete) == ("", 0, True)
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 5


async def test_a_stop_while_the_source_may_have_more() -> None:
    """The job was not read to the end of its source, so the number of items left is not known."""
    shop = Shop(lambda _: answer(200, takes=1.0))

    async with shop.bulk(load=Fixed(in_flight=1)) as job:
        await shop.stopped(0.5, job, iter(["o1", "o2"]), SET)
    assert shop.writes == ["o1"]
    assert (job.summary.stopped, job.summary.left) == ("stopped", None)


async def test_a_dry_run_is_stopped_too() -> None:
    """It sends no further read."""
    shop = Shop()
    async with shop.bulk(load=Fixed(in_flight=1, rate=1), dry_run=True) as job:
        outcomes = await shop.stopped(2.5, job, MANY, SET)
        assert shop.passed == 2.5
    assert shop.reads == 3
    assert sum(bool(outcome.note) for outcome in outcomes.values()) == 3
    assert job.summary.stopped == "stopped"
