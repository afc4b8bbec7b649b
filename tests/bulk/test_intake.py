"""Where the next item comes from, when items go back while the journal is read."""

from __future__ import annotations

import anyio
import pytest

from norce_order_async.bulk.bell import Bell
from norce_order_async.bulk.database import State
from norce_order_async.bulk.intake import Intake
from norce_order_async.bulk.journal import Journal
from norce_order_async.bulk.source import Item

pytestmark = pytest.mark.anyio


class Slow(Journal):
    """Has one item in the air and one that is planned; the end of each list is told when it is let."""

    def __init__(self) -> None:
        self.asked = anyio.Event()
        self.let = anyio.Event()

    async def some(self, state: State, after: int) -> list[Item]:
        if after or state == "planned":
            self.asked.set()
            await self.let.wait()
        number = {"sent": 1, "planned": 2}.get(state, 0)
        return [] if after >= number else [Item(number, f"o{number}")]


async def test_nothing_is_sent_while_one_is_still_to_be_settled() -> None:
    """Also when it goes back while another worker finds that there is no other."""
    journal = Slow()
    intake = Intake(journal, Bell(), settling=True)
    first = await intake.next()
    assert first is not None
    assert first.in_air
    found: list[Item | None] = []

    async def another() -> None:
        found.append(await intake.next())

    async with anyio.create_task_group() as group:
        group.start_soon(another)
        await journal.asked.wait()
        intake.put_back(first)
        journal.let.set()
    assert found == [None]
    assert intake.settling
    assert await intake.next() is first
    assert not intake.is_over
    intake.ended()
    planned = await intake.next()
    assert planned is not None
    assert (planned.number, planned.in_air, intake.settling) == (2, False, False)
    intake.ended()
    assert await intake.next() is None
    assert intake.is_over
