"""Every part runs with the smallest numbers, and its figures can be shown."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from benchmarks.contestants.base import PATH
from benchmarks.parts import NAMES, part
from benchmarks.scale import TINY
from benchmarks.server import Door, service

from benchmarks import bulk
from norce_order_async._json import is_list, is_mapping
from tests.support.warm import Warm

pytestmark = pytest.mark.slow(group="benchmarks")

ROOT = Path(__file__).parents[2]

PROCESS_BY_PROCESS = {"codecs", "imports"}
"""Parts that start a process for each figure. Even with the smallest numbers they take as long as all others."""


FORKING = Warm(*(f"benchmarks.parts.{name}" for name in NAMES), environment={**os.environ, "PYTHONPATH": str(ROOT)})
MEASURED = """
import json, multiprocessing, sys
from benchmarks.parts import part
from benchmarks.scale import TINY

multiprocessing.get_context = {"spawn": multiprocessing.get_context("fork")}.__getitem__
json.dump(part(sys.argv[1]).measure(TINY, lambda _: None), sys.stdout)
"""
"""The processes of a part are forked, since each would take longer over its imports than over what it does here."""


def measured(name: str) -> Any:
    if name in PROCESS_BY_PROCESS:
        return json.loads(json.dumps(part(name).measure(TINY, lambda _: None)))
    status, out, err = FORKING.run(MEASURED, name, cwd=ROOT, timeout=300)
    assert status == 0, err
    return json.loads(out)


def numbers(figures: Any) -> Iterator[float]:
    """All numbers in these figures, at any depth."""
    if is_mapping(figures):
        figures = list(figures.values())
    if is_list(figures):
        for value in figures:
            yield from numbers(value)
    elif isinstance(figures, int | float):
        yield figures


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.soak if name in PROCESS_BY_PROCESS else ()) for name in NAMES]
)
def test_every_part_measures_and_shows(name: str) -> None:
    """The figures are finite and can be kept as JSON. A row of a table has as many cells as there are columns."""
    figures = measured(name)
    assert all(math.isfinite(number) for number in numbers(figures))
    tables = part(name).tables(figures)
    assert bool(tables) == (name != "load")
    for table in tables:
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.columns)}, name
    if name == "throughput":
        laps = [lap for cell in figures["laps"].values() for contestant in cell.values() for lap in contestant]
        assert len(laps) == len(figures["cells"]) == 4
        assert all(lap["rate"] > 0 and lap["failures"] == 0 for lap in laps)


@pytest.mark.soak
@pytest.mark.xfail(reason="one in six aborts: pyreqwest 0.15.1 on Python 3.11", strict=True)
def test_an_engine_in_rust_would_end_the_interpreter_cleanly() -> None:
    """pyreqwest stays only a row of the benchmarks while this test fails. Of 120 interpreters that read an order
    with it and end with the client open, none may end with an error."""
    pytest.importorskip("pyreqwest")
    with service([Door()]) as answering:
        url = answering.targets[Door()].url + PATH
        ends = Counter(
            subprocess.run([sys.executable, "-c", READS_IN_RUST, url], capture_output=True, check=False).returncode
            for _ in range(120)
        )
    assert ends == {0: 120}


READS_IN_RUST = """
import asyncio, sys
from pyreqwest.client import ClientBuilder

async def main():
    client = ClientBuilder().build()
    await asyncio.gather(*(read(client) for _ in range(20)))

async def read(client):
    await (await client.get(sys.argv[1]).build().send()).bytes()

asyncio.run(main())
"""


def test_the_job_against_the_local_service(tmp_path: Path) -> None:
    """All orders are done with a journal, and the figures have each round."""
    figures = anyio.run(bulk.measure, 20, 1, tmp_path)
    assert list(figures) == ["without a journal, round 1", "with a journal, round 1", "with a journal, all"]
    assert figures["with a journal, all"]["orders"] == 20
