"""The memory of a job grows with its concurrency, not with its input."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Literal

import pytest

from norce_order_async import Fixed, NorceOrderClient
from norce_order_async.bulk import actions

from .support import Stub

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The memory of a job does not depend on the event loop."""
    return "asyncio"


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def grown(count: int, journal: Path | None, duplicates: Literal["skip", "allow"] = "skip") -> tuple[int, int]:
    """The bytes that a run adds after its first tenth, and the number of outcomes."""
    seen = 0
    base = 0
    async with (
        NorceOrderClient(base_url="http://127.0.0.1:9", merchant="a", channel="b", token="t", engine=Stub()) as norce,
        norce.bulk(journal, load=Fixed(in_flight=50), duplicates=duplicates) as job,
    ):
        async for _ in job.run((f"o{number}" for number in range(count)), actions.validate()):
            seen += 1
            if seen == count // 10:
                base = resident()
        return resident() - base, seen


@pytest.mark.parametrize("journaled", [False, True])
async def test_ten_thousand_items(tmp_path: Path, journaled: bool) -> None:
    """A job needs almost no further memory after its start."""
    growth, seen = await grown(10_000, tmp_path / "j" if journaled else None)
    assert seen == 10_000
    assert growth < 10_000_000


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("journaled", [False, True])
async def test_a_million_items(tmp_path: Path, journaled: bool) -> None:
    """Memory is constant if the job does not have to remember its orders."""
    growth, seen = await grown(1_000_000, tmp_path / "j" if journaled else None, "skip" if journaled else "allow")
    assert seen == 1_000_000
    assert growth < 20_000_000


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_a_million_items_that_are_remembered() -> None:
    """Each of them takes 24 bytes at most."""
    growth, seen = await grown(1_000_000, None)
    assert seen == 1_000_000
    assert growth < 20_000_000 + 24 * 900_000
