"""Programs of docs/spread.md run shards by other means, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from norce_order_async.bulk import actions, list_shards, read_journal
from tests.bulk.support import effects
from tests.docs.shell import ROOT, files

from .support import Place, orders

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow(group="postgres"),
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]

FILES = files(ROOT.joinpath("docs/spread.md").read_text("utf-8"))
CELERY = """
from celery.contrib.testing.worker import start_worker
from celery_shards import app, shard

app.conf.result_backend = "cache+memory://"
with start_worker(app, pool="solo", perform_ping_check=False):
    for result in [shard.delay(number) for number in (1, 2, 3, 4, 4)]:
        result.get(timeout=100)
"""
TASKIQ = """
import asyncio
from taskiq_shards import broker, shard

async def main():
    await broker.startup()
    for task in [await shard.kiq(number) for number in (1, 2, 3, 4, 4)]:
        (await task.wait_result(timeout=100)).raise_for_error()
    await broker.shutdown()

asyncio.run(main())
"""


def ran(folder: Path, program: str, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, program], cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("name", "program"), [("celery_shards.py", CELERY), ("taskiq_shards.py", TASKIQ)])
async def test_workers_of_a_queue_run_shards(place: Place, tmp_path: Path, name: str, program: str) -> None:
    """The brokers are in memory. A shard that comes twice does no harm."""
    ids = await orders(place.sandbox, 12)
    report = await list_shards(place.recipe, ids, actions.remove(), journal=place.journal, shards=4)
    assert (report.left, effects(place.sandbox).total()) == (12, 0)
    tmp_path.joinpath(name).write_text(FILES[name], "utf-8")
    tmp_path.joinpath("ask.py").write_text(program, "utf-8")
    ran(tmp_path, "ask.py", {"RECIPE": place.recipe.to_json(), "JOURNAL": place.journal.url})
    assert read_journal(place.journal).counts == {"confirmed": 12}
    assert effects(place.sandbox) == dict.fromkeys(ids, 1)


async def test_a_pool_of_processes(place: Place, tmp_path: Path) -> None:
    ids = await orders(place.sandbox, 12)
    tmp_path.joinpath("processes.py").write_text(FILES["processes.py"], "utf-8")
    env = {"NORCE_BASE_URL": place.sandbox.base_url, "NORCE_MERCHANT": "acme", "NORCE_CHANNEL": "se"}
    env |= {"JOBS_DATABASE": place.journal.dsn, "ORDER_IDS": " ".join(ids)}
    assert "'confirmed': 12" in ran(tmp_path, "processes.py", env)
    assert effects(place.sandbox) == dict.fromkeys(ids, 1)
