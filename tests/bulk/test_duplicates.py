"""An order that a source names twice is done once, with a journal or without."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator, Iterator
from datetime import date
from hashlib import sha256
from itertools import repeat
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from norce_order_async import (
    Action,
    ConfigurationError,
    Fixed,
    InvalidRequestError,
    ItemOutcome,
    NorceOrderClient,
    Order,
    OrderFilter,
)
from norce_order_async.bulk import actions
from norce_order_async.bulk.duplicates import Remembered
from norce_order_async.sandbox import Sandbox

from .support import Stub, client_of, effects, names_in, new_orders
from .test_job import all_of

pytestmark = pytest.mark.anyio

FEW = Fixed(in_flight=5)


def stub_client() -> NorceOrderClient:
    return NorceOrderClient(base_url="http://127.0.0.1:9", merchant="a", channel="b", token="t", engine=Stub())


async def later(keys: list[str]) -> AsyncIterator[str]:
    for key in keys:
        yield key


@pytest.mark.parametrize("journaled", [False, True])
@pytest.mark.parametrize("kind", ["list", "generator", "async generator", "handles", "rows"])
async def test_each_order_is_done_once(sandbox: Sandbox, journal: Path, kind: str, journaled: bool) -> None:
    """That holds for any kind of source. Duplicates are counted, and they are neither outcomes nor left to do."""
    calls: list[str] = []
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 2)
        keys = [ids[0], ids[1], ids[0], ids[0]]
        sources: dict[str, Any] = {
            "list": keys,
            "generator": (key for key in keys),
            "async generator": later(keys),
            "handles": [norce.orders(key) for key in keys],
            "rows": [{"order_id": key, "line": number} for number, key in enumerate(keys)],
        }

        async def count(order: Any) -> None:
            calls.append(order.id)

        async with norce.bulk(journal if journaled else None, load=FEW, ordered=True) as job:
            outcomes = [each.key async for each in job.run(sources[kind], actions.plain("count", count))]
    assert sorted(calls) == sorted(ids)
    assert outcomes == ids
    summary = job.summary
    assert (summary.duplicates, summary.done) == (2, 2)
    # Without a journal the length of a generator is not known.
    known = journaled or "generator" not in kind
    assert (summary.total, summary.left) == ((2, 0) if known else (None, None))


async def test_a_journal_that_is_continued_counts_its_duplicates(sandbox: Sandbox, journal: Path) -> None:
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 2)
        for _ in range(2):
            async with norce.bulk(journal, load=FEW) as job:
                await all_of(job.run([*ids, ids[0]], actions.remove()))
            assert (job.summary.total, job.summary.duplicates, job.summary.left) == (2, 1, 0)
    assert effects(sandbox) == dict.fromkeys(ids, 1)


@pytest.mark.parametrize("journaled", [False, True])
async def test_a_duplicate_with_other_values_is_refused(sandbox: Sandbox, journal: Path, journaled: bool) -> None:
    """The job can't know which of the two rows is right. The same row again is a duplicate."""
    async with client_of(sandbox) as norce:
        (key,) = await new_orders(norce, 1)
        rows = [{"order_id": key, "erp": value} for value in ("e1", "e1", "e2")]
        async with norce.bulk(journal if journaled else None, load=FEW) as job:
            with pytest.raises(InvalidRequestError, match=rf"order {key} is in the source twice, with different rows"):
                await all_of(job.run(rows, actions.set_reference(column="erp")))
        order = await norce.orders.get(key)
    assert order.reference == (None if journaled else "e1")
    assert job.summary.stopped


class Due(Action[None]):
    """An action that uses a column with a value that is not JSON."""

    name = "due"
    columns = ("due",)

    def __init__(self) -> None:
        self.parameters = {}

    async def apply(self, order: Order, row: Any) -> None:
        await order.attributes.update({"due": row["due"].isoformat()})


async def test_rows_that_can_not_be_compared(sandbox: Sandbox) -> None:
    """Without a journal a row may hold anything. A value that is not JSON is an error only if its order comes again."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 2)
        rows = [{"order_id": key, "due": date(2026, 1, 1)} for key in ids]
        async with norce.bulk(load=FEW) as job:
            outcomes = await all_of(job.run(rows, Due()))
        assert {outcome.verdict for outcome in outcomes.values()} == {"done"}
        async with norce.bulk(load=FEW) as job:
            with pytest.raises(InvalidRequestError, match="twice, with rows that are not JSON data"):
                await all_of(job.run([*rows, rows[0]], Due()))


async def test_duplicates_are_done_when_asked_for() -> None:
    """With ``duplicates="allow"`` an order may come again, as a queue may want."""
    async with stub_client() as norce, norce.bulk(load=FEW, duplicates="allow", max_remembered=1) as job:
        outcomes = [outcome.key async for outcome in job.run(["o1", "o2", "o1"], actions.validate())]
    assert sorted(outcomes) == ["o1", "o1", "o2"]
    assert job.summary.duplicates == 0
    assert job.summary.complete


async def test_a_partition_counts_its_own() -> None:
    """Two partitions together find as many duplicates as the whole source has."""
    keys = [f"o{number % 40}" for number in range(100)]
    found = 0
    for part in (1, 2):
        async with stub_client() as norce, norce.bulk(load=FEW, partition=(part, 2)) as job:
            await all_of(job.run(keys, actions.validate()))
        found += job.summary.duplicates
    assert found == 60


async def keys_into(kept: list[str], run: AsyncIterator[ItemOutcome[Any]]) -> None:
    async for outcome in run:
        kept.append(outcome.key)  # noqa: PERF401 - what came before a failure counts


CURE = r"more than 3 .*: use a journal, duplicates='allow' or a larger max_remembered"


async def test_more_orders_than_can_be_remembered() -> None:
    """The job stops, because it might act on an order twice. The finished orders have outcomes."""
    asked: list[str] = []

    def keys() -> Iterator[str]:
        for number in range(100):
            asked.append(f"o{number}")
            yield asked[-1]

    outcomes: list[str] = []
    async with stub_client() as norce, norce.bulk(load=FEW, max_remembered=3) as job:
        with pytest.raises(ConfigurationError, match=CURE):
            await keys_into(outcomes, job.run(keys(), actions.validate()))
    assert sorted(outcomes) == ["o0", "o1", "o2"]
    # Each of the workers may have been about to take an order.
    assert len(asked) <= 3 + 5
    assert job.summary.stopped


async def test_endless_duplicates_block_nothing() -> None:
    """Other tasks run meanwhile, and the job can be stopped."""
    async with stub_client() as norce, norce.bulk(load=FEW) as job:

        async def stop() -> None:
            while not job.summary.duplicates:
                await anyio.lowlevel.checkpoint()
            job.stop(now=True, why="enough")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop)
            assert set(await all_of(job.run(repeat("o1"), actions.validate()))) <= {"o1"}
    assert job.summary.stopped == "enough"


async def test_as_many_as_can_be_remembered() -> None:
    """A duplicate needs no further place."""
    async with stub_client() as norce, norce.bulk(load=FEW, max_remembered=3) as job:
        outcomes = await all_of(job.run(iter(["a", "b", "a", "c", "c", "b"]), actions.validate()))
    assert set(outcomes) == {"a", "b", "c"}
    assert job.summary.duplicates == 3


async def test_a_list_that_is_too_long_is_refused_before_anything_is_sent() -> None:
    """The job knows the length of a list beforehand."""
    outcomes: list[str] = []
    async with stub_client() as norce, norce.bulk(load=FEW, max_remembered=3) as job:
        with pytest.raises(ConfigurationError, match=CURE):
            await keys_into(outcomes, job.run(["a", "b", "c", "d"], actions.validate()))
    assert outcomes == []


async def test_sources_without_duplicates_are_not_remembered(sandbox: Sandbox) -> None:
    """A filter or an iteration names no order twice, so it may be of any length."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 3)
        for source in (OrderFilter(status="checkout"), norce.orders.iterate()):
            async with norce.bulk(load=FEW, max_remembered=1) as job:
                assert set(await all_of(job.run(source, actions.validate()))) == set(ids)


async def test_a_dry_run_reports_what_the_job_would_find(sandbox: Sandbox, journal: Path) -> None:
    """A dry run with a journal has no bound, because the job has none."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 3)
        async with norce.bulk(journal, load=FEW, dry_run=True, max_remembered=1) as job:
            outcomes = await all_of(job.run([*ids, ids[0]], actions.remove()))
    assert set(outcomes) == set(ids)
    assert job.summary.duplicates == 1
    assert names_in(journal.parent) == []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"duplicates": "twice"}, "duplicates"),
        ({"max_remembered": 0}, "max_remembered"),
        ({"max_remembered": 2.5}, "max_remembered"),
        ({"duplicates": "allow", "journal": "j"}, "a journal holds each order once"),
    ],
)
async def test_impossible_settings_are_refused(wrong: dict[str, Any], named: str) -> None:
    async with stub_client() as norce:
        with pytest.raises(ConfigurationError, match=named):
            norce.bulk(**wrong)


def digest(word: str) -> bytes:
    return sha256(word.encode()).digest()[:16]


def test_seen_digests_are_found_and_no_others() -> None:
    seen = Remembered(with_rows=True)
    for number in range(20_000):
        assert seen.first_row(digest(f"o{number}"), digest(f"r{number}")) is None
    for number in range(20_000):
        assert seen.first_row(digest(f"o{number}"), digest("other")) == digest(f"r{number}")
    assert seen.first_row(digest("o20000"), digest("r")) is None
    assert len(seen) == 20_001


@pytest.mark.parametrize("with_rows", [False, True])
def test_a_digest_across_two_others_is_not_found(with_rows: bool) -> None:
    """The first two digests lie next to each other in memory, and the third consists of parts of both."""
    first, second = b"\0\0aaaaaa\0\0bbbbbb", b"\0\0ccccccdddddddd"
    row = b"rrrrrrrr\0\0eeeeee" if with_rows else b""
    seen = Remembered(with_rows=with_rows)
    for each in (first, second):
        assert seen.first_row(each, row) is None
    across = (first + row)[-8:] + second[:8]
    assert seen.first_row(across, row) is None
    assert [seen.first_row(each, b"x" * len(row)) for each in (first, second, across)] == [row] * 3


def test_a_million_take_little_memory() -> None:
    """A digest takes 16 bytes, and the table keeps an eighth more for growing."""
    keys = [digest(f"o{number}") for number in range(100_000)]
    tracemalloc.start()
    try:
        seen = Remembered(with_rows=False)
        for key in keys:
            seen.first_row(key)
        taken, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 100_000 * 24
    assert peak < 100_000 * 24
