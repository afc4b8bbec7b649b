"""The nightly job: a filter whose dates move, a journal that is continued, and the result of each order."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from norce_order_async import ConfigurationError, InvalidRequestError, NorceOrderClient, OrderFilter
from norce_order_async.bulk import actions, read_results
from norce_order_async.bulk.job import Job
from norce_order_async.bulk.journal.errors import JournalError, JournalMismatchError
from norce_order_async.bulk.journal.results import ItemResult
from norce_order_async.bulk.journal.sqlite import SqliteStore
from norce_order_async.bulk.load.limiters import Fixed
from norce_order_async.bulk.source import Item
from norce_order_async.sandbox import Sandbox
from tests.bulk.support import client_of, effects, new_orders

pytestmark = pytest.mark.anyio

FEW = Fixed(in_flight=2)


@pytest.fixture
async def norce(sandbox: Sandbox) -> AsyncIterator[NorceOrderClient]:
    async with client_of(sandbox) as client:
        yield client


def until(minutes: int, **members: Any) -> OrderFilter:
    """A filter for orders in checkout up to some minutes from now, which is another moment at each call."""
    return OrderFilter(status="checkout", date_to=datetime.now(UTC) + timedelta(minutes=minutes), **members)


async def stopped_after_one(job: Job, source: Any, action: Any) -> None:
    async with job:
        async for _ in job.run(source, action):
            job.stop()


async def through(job: Job, source: Any, action: Any) -> int:
    async with job:
        return sum([1 async for _ in job.run(source, action)])


async def test_a_filter_with_moving_dates_is_continued(
    norce: NorceOrderClient, sandbox: Sandbox, journal: Path
) -> None:
    """The run finishes the list of the first run, which lacks the orders of the day after. The summary says so."""
    ids = await new_orders(norce, 6)
    await stopped_after_one(norce.bulk(journal, load=Fixed(in_flight=1)), until(1), actions.remove())
    await norce.orders.create(culture="sv-SE", currency="SEK", country="SE", cart={"reference": "of the day after"})
    asked = len(sandbox.requests)
    job = norce.bulk(journal, load=FEW)
    given = await through(job, until(2), actions.remove())
    assert given == 6 - sum(job.summary.before.values())
    assert "continued with the orders that the journal was begun with: date_to 20" in job.summary.note
    assert " instead of 20" in job.summary.note
    assert effects(sandbox) == dict.fromkeys(ids, 1)
    listings = [one for one in sandbox.requests[asked:] if one.operation == "GetCheckoutOrders"]
    assert listings == [], "what can't be compared is not read again"


async def test_the_same_dates_make_no_note(norce: NorceOrderClient, journal: Path) -> None:
    await new_orders(norce, 3)
    where = until(1)
    await stopped_after_one(norce.bulk(journal, load=Fixed(in_flight=1)), where, actions.remove())
    job = norce.bulk(journal, load=FEW)
    await through(job, where, actions.remove())
    assert job.summary.note == ""


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (until(1, billing_emails=["kim@example.com"]), "its filter had another billing_emails"),
        (OrderFilter(status="accepted"), "its filter had another status"),
        (OrderFilter(), "its filter had another status"),
        (["o1"], "it had another source"),
    ],
)
async def test_any_other_member_must_be_the_same(norce: NorceOrderClient, journal: Path, other: Any, what: str) -> None:
    """The text names the member and the remedy. It does not show values."""
    await new_orders(norce, 2)
    await stopped_after_one(norce.bulk(journal, load=Fixed(in_flight=1)), until(1), actions.remove())
    with pytest.raises(JournalMismatchError, match=what) as caught:
        await through(norce.bulk(journal), other, actions.remove())
    assert "Name another journal for this job, or give the arguments of the job that began it" in str(caught.value)
    assert "kim" not in str(caught.value)


@pytest.mark.parametrize("kind", ["filter", "walk"])
async def test_a_finished_journal_is_an_error_and_not_an_empty_job(
    norce: NorceOrderClient, sandbox: Sandbox, journal: Path, kind: str
) -> None:
    """A nightly job may name the journal of last night with the filter of tonight. ``resume=True`` allows it."""

    def source() -> Any:
        return until(1) if kind == "filter" else norce.orders.iterate(until(1))

    ids = await new_orders(norce, 3)
    assert await through(norce.bulk(journal, load=FEW), source(), actions.remove()) == 3
    await new_orders_again(norce)
    with pytest.raises(JournalError, match=r"finished on 20\d\d-.* UTC, 3 done: name a new journal .* resume=True"):
        await through(norce.bulk(journal, load=FEW), source(), actions.remove())
    job = norce.bulk(journal, load=FEW, resume=True)
    assert await through(job, source(), actions.remove()) == 0
    assert job.summary.before["done"] == 3
    assert effects(sandbox) == dict.fromkeys(ids, 1)


async def new_orders_again(norce: NorceOrderClient) -> None:
    await norce.orders.create(culture="sv-SE", currency="SEK", country="SE", cart={"reference": "tonight"})


async def test_a_finished_list_has_nothing_left_to_do(norce: NorceOrderClient, journal: Path) -> None:
    """The job can compare a list with its journal, so it is no error to give the list again."""
    ids = await new_orders(norce, 2)
    await through(norce.bulk(journal, load=FEW), ids, actions.remove())
    assert await through(norce.bulk(journal, load=FEW), ids, actions.remove()) == 0


async def test_an_interrupted_listing_begins_again(
    norce: NorceOrderClient, sandbox: Sandbox, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No order of the first list was changed, so the dates of the next run count."""
    from norce_order_async.bulk.journal import journal as room

    ids = await new_orders(norce, 4)
    monkeypatch.setattr(room, "LISTED_AT_ONCE", 2)

    async def cut() -> AsyncIterator[str]:
        for order_id in ids[:3]:
            yield order_id
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        await through(norce.bulk(journal), cut(), actions.remove())
    job = norce.bulk(journal, load=FEW)
    assert await through(job, until(1), actions.remove()) == 4
    assert job.summary.note == ""
    assert effects(sandbox) == dict.fromkeys(ids, 1)


async def test_the_next_orders_are_read_while_some_are_written(
    norce: NorceOrderClient, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long list then takes as long as the slower of the two and not the sum of both."""
    from norce_order_async.bulk.journal import journal as room

    ids = await new_orders(norce, 3)
    monkeypatch.setattr(room, "LISTED_AT_ONCE", 2)
    read_on = threading.Event()
    add = SqliteStore.add

    def waits(store: SqliteStore, items: Sequence[Item]) -> tuple[int, str | None]:
        assert read_on.wait(30)
        return add(store, items)

    def source() -> Iterator[str]:
        yield from ids[:2]
        read_on.set()
        yield ids[2]

    monkeypatch.setattr(SqliteStore, "add", waits)
    assert await through(norce.bulk(journal, load=FEW), source(), actions.remove()) == 3


async def test_what_is_wrong_first_in_a_source_is_said(
    norce: NorceOrderClient, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source fails while the job writes orders. If those can't be listed, that is the error."""
    from norce_order_async.bulk.journal import journal as room

    monkeypatch.setattr(room, "LISTED_AT_ONCE", 2)

    def source() -> Iterator[dict[str, Any]]:
        yield {"order_id": "o1", "colour": "red"}
        yield {"order_id": "o1", "colour": "blue"}
        raise RuntimeError("the file ends here")

    with pytest.raises(RuntimeError, match="ends here"):
        await through(norce.bulk(journal), source(), actions.remove())
    with pytest.raises(InvalidRequestError, match="o1 is in the source twice"):
        await through(norce.bulk(journal), source(), actions.patch_attributes(columns=("colour",)))


# The result of each order


async def test_results_of_each_order(norce: NorceOrderClient, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result has the verdict, the service's code and message, the times and the correlation id. Results come in
    the order of the source."""
    monkeypatch.setattr("norce_order_async.bulk.journal.results.PAGE", 2)
    ids = await new_orders(norce, 3)
    source = [ids[0], "oAbCdEfG", *ids[1:]]
    began = datetime.now(UTC)
    await through(norce.bulk(journal, load=FEW), source, actions.transition("removed"))
    results = list(read_results(journal))
    assert [result.key for result in results] == source
    assert [result.verdict for result in results] == ["done", "refused", "done", "done"]
    refused = results[1]
    assert (refused.reason, refused.code) == ("404 order-not-found", "order-not-found")
    assert refused.message == "Order with id:oAbCdEfG not found."
    assert refused.correlation_id
    assert refused.attempts == 1
    assert "not found" not in repr(refused)
    for result in results:
        assert result.sent is not None
        assert result.changed is not None
        assert began - timedelta(seconds=1) <= result.sent <= result.changed <= datetime.now(UTC)
    assert list(read_results(journal, ["refused"])) == [refused]
    assert list(read_results(journal, ["unknown", "left"])) == []


async def test_results_while_it_runs(norce: NorceOrderClient, journal: Path) -> None:
    """The results include the orders that are left and were never sent."""
    ids = await new_orders(norce, 5)
    job = norce.bulk(journal, load=Fixed(in_flight=1))
    seen: list[ItemResult] = []
    async with job:
        async for _ in job.run(ids, actions.remove()):
            seen = seen or list(read_results(journal))
    assert [result.key for result in seen] == ids
    assert {result.verdict for result in seen} <= {"done", "in flight", "left"}
    assert seen[-1].sent is None


def test_an_unknown_verdict_is_refused(tmp_path: Path) -> None:
    """The error comes at the call, not at the first result."""
    with pytest.raises(ConfigurationError, match=r"there is no verdict 'lost'; there are done, refused, unknown"):
        read_results(tmp_path / "x", ["lost"])  # type: ignore[list-item]
    with pytest.raises(JournalError, match="there is no journal"):
        read_results(tmp_path / "x")


async def test_a_million_results_would_take_no_memory(norce: NorceOrderClient, journal: Path) -> None:
    """A result that is half read keeps nothing open, so another run can use the journal meanwhile."""
    ids = await new_orders(norce, 2)
    await through(norce.bulk(journal, load=FEW), ids, actions.remove())
    half = read_results(journal)
    next(half)
    assert await through(norce.bulk(journal, load=FEW), ids, actions.remove()) == 0
    assert len(list(half)) == 1
