"""A work queue gives the next item although items go back while the journal is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from norce_order_async import Fixed, NorceOrderClient, Order
from norce_order_async.bulk import actions
from norce_order_async.bulk.journal.journal import Journal
from norce_order_async.bulk.journal.reading import State
from norce_order_async.bulk.queue import Notifier, WorkQueue
from norce_order_async.bulk.source import Item
from norce_order_async.bulk.workers import Workers
from norce_order_async.pipeline.tasks import SendTasks

from .support import Stub

pytestmark = pytest.mark.anyio


class Slow(Journal):
    """A journal with one item in flight and one that is planned. It answers at the end of a list only when a test
    lets it."""

    def __init__(self) -> None:
        self.asked = anyio.Event()
        self.let = anyio.Event()

    async def some(self, state: State, after: int) -> list[Item]:
        if after or state == "planned":
            self.asked.set()
            await self.let.wait()
        number = {"sent": 1, "planned": 2}.get(state, 0)
        return [] if after >= number else [Item(number, f"o{number}")]


async def test_nothing_is_sent_while_an_item_is_still_to_be_settled() -> None:
    """An item goes back while another worker finds that there is no other. The planned item still waits for it."""
    journal = Slow()
    queue = WorkQueue(journal, Notifier(), settling=True)
    first = await queue.next()
    assert first is not None
    assert first.in_flight
    found: list[Item | None] = []

    async def another() -> None:
        found.append(await queue.next())

    async with anyio.create_task_group() as group:
        group.start_soon(another)
        await journal.asked.wait()
        queue.put_back(first)
        journal.let.set()
    assert found == [None]
    assert queue.settling
    assert await queue.next() is first
    assert not queue.is_over
    queue.ended()
    planned = await queue.next()
    assert planned is not None
    assert (planned.number, planned.in_flight, queue.settling) == (2, False, False)
    queue.ended()
    assert await queue.next() is None
    assert queue.is_over


@pytest.mark.parametrize("journaled", [False, True])
@pytest.mark.parametrize(("items", "workers"), [(1, 1), (3, 3), (200, 50)])
async def test_no_more_workers_than_items(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, items: int, workers: int, journaled: bool
) -> None:
    """A job over one order starts one worker. A large job starts as many as its load allows, and half as many more
    with a journal."""
    started: list[str] = []
    start = SendTasks.start

    def counted(tasks: SendTasks, work: Callable[[], Awaitable[None]]) -> None:
        started.append(getattr(work, "__qualname__", ""))
        start(tasks, work)

    monkeypatch.setattr(SendTasks, "start", counted)

    async def slow(_: Order) -> None:
        for _turn in range(300):
            await anyio.lowlevel.checkpoint()

    async with (
        NorceOrderClient(base_url="http://127.0.0.1:9", merchant="a", channel="b", token="t", engine=Stub()) as norce,
        norce.bulk(tmp_path / "j" if journaled else None, load=Fixed(in_flight=50)) as job,
    ):
        keys = [f"o{number}" for number in range(items)]
        assert len([outcome async for outcome in job.run(keys, actions.plain("slow", slow))]) == items
    expected = workers if not journaled or items < 75 else 75
    assert len([name for name in started if name.startswith(Workers.__name__)]) == expected
