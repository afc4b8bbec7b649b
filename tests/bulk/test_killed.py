"""A job that is killed at random moments, over a service that loses answers and turns requests away."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest

from norce_order_async.bulk.report import read_journal
from norce_order_async.sandbox import Sandbox

from .support import client_of, effects, new_orders

PROGRAM = Path(__file__).with_name("killed_job.py")


def run_once(sandbox: Sandbox, journal: Path, ids: Path, seconds: float | None) -> int | None:
    """Run the job; kill it after so many seconds. What it exited with, or None when it was killed."""
    command = [sys.executable, str(PROGRAM), sandbox.base_url, str(journal), str(ids)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=PROGRAM.parents[2]) as job:
        try:
            _, errors = job.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            job.kill()
            job.communicate()
            return None
        assert job.returncode == 0, errors.decode()
        return 0


def kill_often(sandbox: Sandbox, folder: Path, *, orders: int, kills: int, at_least: int, faults: str) -> None:
    async def prepare() -> list[str]:
        async with client_of(sandbox) as norce:
            return await new_orders(norce, orders)

    keys = anyio.run(prepare)
    ids, journal = folder / "ids", folder / "remove.journal"
    ids.write_text("\n".join(keys))
    sandbox.faults.play(faults)
    started = time.monotonic()
    rng = random.Random(orders)
    killed = 0
    while killed < kills:
        # Starting takes about half a second; some are killed before they have sent anything.
        if run_once(sandbox, journal, ids, rng.uniform(0.3, 1.1)) is not None:
            break
        killed += 1
    assert killed >= at_least, f"the job was done after {killed} kills and {time.monotonic() - started:.0f} s"
    run_once(sandbox, journal, ids, None)
    counts = read_journal(journal).counts
    assert counts["planned"] == counts["sent"] == counts["refused"] == 0
    assert counts["confirmed"] + counts["unknown"] == orders
    changed = effects(sandbox)
    assert set(changed.values()) == {1}, "an order was changed twice"
    assert len(changed) >= counts["confirmed"]
    assert counts["unknown"] == 0


@pytest.mark.parametrize("faults", ["lost-answers", "rate-limited"])
def test_every_order_is_changed_exactly_once(sandbox: Sandbox, tmp_path: Path, faults: str) -> None:
    """By the service's own log, however often the job is killed."""
    kill_often(sandbox, tmp_path, orders=300 if faults == "lost-answers" else 150, kills=8, at_least=3, faults=faults)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_hundred_kills_in_a_row(sandbox: Sandbox, tmp_path: Path) -> None:
    """Over thousands of orders, at forty requests a second."""
    kill_often(sandbox, tmp_path, orders=5000, kills=200, at_least=200, faults="rate-limited")
