"""Shared by the tests of split jobs: the place of a job, its driver and its workers."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from norce_order_async import Fixed, JournalError
from norce_order_async.bulk import JournalReport, PostgresJournal, Recipe, actions, read_journal, spread
from norce_order_async.bulk.journal.inspect import ShardReport
from norce_order_async.sandbox import Sandbox
from tests.bulk.support import client_of, new_orders
from tests.support.warm import DEVNULL, OURS, Program

ROOT = Path(__file__).parents[3]
FEW = Fixed(in_flight=3)


@dataclass(frozen=True)
class Place:
    """Where the job of a test is, and how its workers call the service."""

    sandbox: Sandbox
    recipe: Recipe
    journal: PostgresJournal

    async def spread(self, ids: Any, action: Any = None, **changes: Any) -> JournalReport:
        given: dict[str, Any] = {"journal": self.journal, "shards": 8, "load": FEW, **changes}
        return await spread(self.recipe, ids, action or actions.remove(), **given)

    def shards(self) -> tuple[ShardReport, ...]:
        return read_journal(self.journal, reasons=False).shards

    def busy(self) -> set[int]:
        """The processes that have a shard with requests in flight."""
        return {int(one.owner.split()[1]) for one in self.shards() if one.owner and one.counts["sent"]}


async def orders(sandbox: Sandbox, count: int) -> list[str]:
    async with client_of(sandbox) as norce:
        return await new_orders(norce, count)


class Gone(ThreadPoolExecutor):
    """An executor whose driver dies before it hands over a shard."""

    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        raise KeyError("gone")


async def listed(place: Place, ids: list[str], **changes: Any) -> None:
    """List the job with a driver that then dies."""
    with Gone() as gone, pytest.raises(JournalError, match=r"takes no shards \(KeyError\): run the same program again"):
        await place.spread(ids, on=gone, **changes)
    assert read_journal(place.journal).counts == {"planned": len(ids)}


WORKER = """
import sys
import anyio
from norce_order_async import Fixed
from norce_order_async.bulk import PostgresJournal, Recipe

async def main(recipe, dsn, job, in_flight):
    journal = PostgresJournal(dsn, job, lease=2.0)
    load = Fixed(in_flight=int(in_flight)) if in_flight else None
    await journal.work(Recipe.from_json(recipe), load=load)

anyio.run(main, *sys.argv[1:])
"""


def worker(place: Place, in_flight: int | None = FEW.in_flight, *, first: str = "") -> Program:
    """Start a process that takes shards by itself. It has the load that the job was given if ``in_flight`` is None.
    It runs the code ``first`` before anything else."""
    arguments = [place.recipe.to_json(), place.journal.dsn, place.journal.job, str(in_flight or "")]
    return OURS.start(first + WORKER, *arguments, stdout=DEVNULL, cwd=ROOT)


def end(workers: list[Program]) -> None:
    """End all of them."""
    for one in workers:
        one.kill()
        one.wait()
        if one.stderr is not None:
            one.stderr.close()
