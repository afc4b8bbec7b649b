"""An item whose answer was lost is read before it is sent again, and the outcome is what the read shows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from norce_order_async import CallOptions, Fixed, Order, OutcomeUnknownError
from norce_order_async.bulk import actions, plan_again
from norce_order_async.bulk.journal.journal import Journal
from norce_order_async.bulk.journal.reading import State
from norce_order_async.bulk.journal.store import Change
from norce_order_async.bulk.source import Item
from norce_order_async.engines.base import WireRequest
from tests.support.clock import START
from tests.support.engine import Step, answer, lost
from tests.support.pipeline import Stand, stand

pytestmark = pytest.mark.anyio

ONE_AT_A_TIME = Fixed(in_flight=1)


class Service:
    """Orders and their statuses. The first change of status is answered with a 503 with Retry-After.

    Args:
        takes_effect: whether that change is made all the same.
        asked: the wait it names.
    """

    def __init__(self, *, takes_effect: bool, asked: str) -> None:
        self.statuses: dict[str, str] = {}
        self.changes = 0
        self._takes_effect = takes_effect
        self._asked = asked

    def __call__(self, request: WireRequest) -> Step:
        order_id = request.url.partition("/orders/")[2].partition("/")[0]
        if request.method == "GET":
            return answer(200, {"id": order_id, "state": {"currentStatus": self.statuses.get(order_id, "checkout")}})
        self.changes += 1
        if self.changes > 1 or self._takes_effect:
            self.statuses[order_id] = "removed"
        return answer(200) if self.changes > 1 else answer(503, retry_after=self._asked)


async def run(stand_: Stand, ids: list[str], action: Any, journal: Path | None = None) -> tuple[Any, dict[str, Any]]:
    """Run a job of one worker. Returns its summary and its outcomes by order."""
    async with stand_.client, stand_.client.bulk(journal, load=ONE_AT_A_TIME) as job:
        outcomes = {outcome.key: outcome async for outcome in job.run(ids, action)}
    return job.summary, outcomes


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Record the states that are written to journals, with the order of each."""
    written: list[tuple[str, str]] = []
    keys: dict[int, str] = {}
    record, record_result = Journal.record, Journal.record_result

    async def noting(journal: Journal, item: Item, state: State) -> None:
        keys[item.number] = item.key
        written.append((item.key, state))
        await record(journal, item, state)

    def noting_result(journal: Journal, change: Change, then: Callable[[Exception | None], None]) -> None:
        written.append((keys[change.number], change.state))
        record_result(journal, change, then)

    monkeypatch.setattr(Journal, "record", noting)
    monkeypatch.setattr(Journal, "record_result", noting_result)
    return written


@pytest.mark.parametrize("asked", ["100", "60"], ids=["past the limit", "past the deadline"])
async def test_an_item_in_doubt_stays_sent_and_is_read_after_the_wait(
    tmp_path: Path, states: list[tuple[str, str]], asked: str
) -> None:
    """The change had been made, so nothing is sent again. The other orders wait as well."""
    service = Service(takes_effect=True, asked=asked)
    stand_ = stand(service)
    summary, outcomes = await run(stand_, ["o1", "o2"], actions.remove(), tmp_path / "journal")
    assert {key: outcome.verdict for key, outcome in outcomes.items()} == {"o1": "done", "o2": "done"}
    assert stand_.sent == ["PUT /orders/o1/state", "GET /orders/o1", "PUT /orders/o2/state"]
    assert stand_.engine.times[1] - START >= float(asked)
    assert [state for key, state in states if key == "o1"] == ["sent", "confirmed"]
    assert (summary.throttled, summary.throttled_seconds >= float(asked)) == (1, True)


async def test_an_item_in_doubt_that_was_not_done_is_sent_again(tmp_path: Path, states: list[tuple[str, str]]) -> None:
    """It is sent after the read that shows so, and not before."""
    stand_ = stand(Service(takes_effect=False, asked="100"))
    _, outcomes = await run(stand_, ["o1"], actions.remove(), tmp_path / "journal")
    assert outcomes["o1"].verdict == "done"
    assert stand_.sent == ["PUT /orders/o1/state", "GET /orders/o1", "PUT /orders/o1/state"]
    assert [state for _, state in states] == ["sent", "planned", "sent", "confirmed"]


async def test_an_item_that_can_not_be_read_is_reported_at_once_and_the_job_waits_all_the_same() -> None:
    """A function has no settle, so the outcome is unknown and holds the error. The service gets no further call
    until the wait is over."""
    stand_ = stand(Service(takes_effect=True, asked="100"))

    async def remove(order: Order) -> None:
        await order.remove()

    _, outcomes = await run(stand_, ["o1", "o2"], remove)
    assert {key: outcome.verdict for key, outcome in outcomes.items()} == {"o1": "unknown", "o2": "done"}
    assert isinstance(outcomes["o1"].error, OutcomeUnknownError)
    assert stand_.sent == ["PUT /orders/o1/state", "PUT /orders/o2/state"]
    assert stand_.engine.times[1] - START >= 100.0


class LateDelete:
    """An order whose deletion gets no answer and takes effect only after it was read."""

    def __init__(self, *, exists: bool = True, sent: bool = True) -> None:
        self.lost = 3
        self.exists = exists
        self.deletions = 0
        self._sent = sent

    def __call__(self, request: WireRequest) -> Step:
        if request.method == "GET":
            step = answer(200, {"id": "o1", "state": {"currentStatus": "checkout"}}) if self.exists else answer(404)
            self.exists = False
            return step
        self.deletions += 1
        if self.deletions <= self.lost:
            return lost("read") if self._sent else lost("connect")
        return answer(404, {"code": "order-not-found"})


@pytest.mark.parametrize("journaled", [False, True])
async def test_a_deletion_that_lands_late_is_done(tmp_path: Path, journaled: bool) -> None:
    """The read comes before the first request takes effect. The request that is sent again finds no order, because
    the first had deleted it."""
    service = LateDelete()
    _, outcomes = await run(stand(service), ["o1"], actions.delete(), tmp_path / "j" if journaled else None)
    assert (outcomes["o1"].verdict, outcomes["o1"].error) == ("done", None)
    assert service.deletions == 4


async def test_an_order_that_never_existed_is_refused(tmp_path: Path) -> None:
    """No earlier attempt was sent, so a 404 says that the order never existed."""
    service = LateDelete(exists=False, sent=False)
    _, outcomes = await run(stand(service), ["o1"], actions.delete(), tmp_path / "j")
    assert outcomes["o1"].verdict == "refused"


@pytest.mark.parametrize(("state", "verdict"), [("sent", "done"), ("planned", "refused")])
async def test_a_deletion_that_a_killed_run_had_sent(tmp_path: Path, state: str, verdict: str) -> None:
    """The next run reads the order before the deletion takes effect, sends it again and gets a 404. That is done if
    the killed run had sent it. Otherwise the order never existed."""
    journal = tmp_path / "j"
    await run(stand(lambda _: answer(404, {"code": "order-not-found"})), ["o1"], actions.delete(), journal)
    connection = sqlite3.connect(journal)
    connection.execute("UPDATE item SET state = ?, sent = CASE ? WHEN 'sent' THEN 1.0 END", (state, state))
    connection.commit()
    connection.close()
    service = LateDelete()
    service.lost = 0
    _, outcomes = await run(stand(service), ["o1"], actions.delete(), journal)
    assert outcomes["o1"].verdict == verdict


async def test_a_refused_deletion_that_is_retried_is_refused_again(tmp_path: Path) -> None:
    """The first one took no effect, so a second 404 means the same as the first."""
    journal = tmp_path / "j"
    for _ in range(2):
        _, outcomes = await run(
            stand(lambda _: answer(404, {"code": "order-not-found"})), ["o1"], actions.delete(), journal
        )
        assert outcomes["o1"].verdict == "refused"
        assert plan_again(journal, ["refused"]) == 1


@pytest.mark.parametrize(("lost_before", "verdict"), [(3, "done"), (0, "already done")])
async def test_a_change_of_status_that_lands_late_is_done(lost_before: int, verdict: str) -> None:
    """The read comes too early, and the change that is sent again is refused because the order has the status by
    then. If no earlier request was lost, the order already had the status."""
    changes = 0
    reads = 0

    def service(request: WireRequest) -> Step:
        nonlocal changes, reads
        if request.method == "GET":
            reads += 1
            landed = changes > lost_before
            return answer(200, {"id": "o1", "state": {"currentStatus": "removed" if landed else "checkout"}})
        changes += 1
        return lost("read") if changes <= lost_before else answer(400, {"code": "order-bad-request"})

    _, outcomes = await run(stand(service, options=CallOptions(max_attempts=3)), ["o1"], actions.remove())
    assert outcomes["o1"].verdict == verdict
    assert reads
