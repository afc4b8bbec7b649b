"""Runs of an export over shards end or freeze at any step. The export then has each order once, and nothing else."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from norce_order_async import JournalError, JournalLockedError
from norce_order_async.bulk import JournalReport, actions, list_shards, plan_again, read_journal
from norce_order_async.bulk.actions.export import ExportFile
from norce_order_async.bulk.actions.output import OutputFile
from norce_order_async.bulk.journal.parts import ExportShard
from norce_order_async.bulk.journal.postgres import PostgresStore
from norce_order_async.bulk.shards.folder import Folder
from norce_order_async.sandbox import FaultPlan, FaultRule
from norce_order_async.sandbox.faults.kinds import Delay
from tests.support.waiting import until, wait_until

from .exports import hidden_in, ids_in, link, move, names_in, parts_in, put, remove, size, written
from .support import FEW, Place, end, orders, worker

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow(group="postgres"),
    pytest.mark.timeout(900),
    # An export adds files to a job over shards. Threads write them, so the loop makes no difference.
    pytest.mark.in_turn("anyio_backend", over="module"),
]
SHARDS = 3

STEPS: list[tuple[type, str]] = [
    (ExportShard, "use_lines"),
    (OutputFile, "append"),
    (PostgresStore, "record"),
    (ExportFile, "write"),
    (ExportShard, "put_part"),
    (Folder, "revoke"),
    (Folder, "show"),
    (Folder, "put_manifest"),
    (Folder, "clean"),
    (ExportShard, "put_listed"),
]


def is_clean(folder: Path) -> bool:
    """Whether the folder holds only what the manifest names and the mark of the job."""
    return names_in(folder) == parts_in(folder) and hidden_in(folder) == [".norce-order-job"]


@pytest.mark.parametrize("afterwards", [False, True])
@pytest.mark.parametrize(("where", "step"), STEPS, ids=[step for _, step in STEPS])
async def test_a_run_that_ends_at_a_step(
    place: Place,
    threads: ThreadPoolExecutor,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: type,
    step: str,
    afterwards: bool,
) -> None:
    """The run ends before the step or right after it. The same program finishes the export."""
    ids = await orders(place.sandbox, 9)
    export, ended = actions.export(folder, format="csv"), threading.Event()
    real = getattr(where, step)

    def ends(*given: Any, **more: Any) -> Any:
        came = real(*given, **more) if afterwards or ended.is_set() else None
        if not ended.is_set():
            ended.set()
            raise JournalError("ended here")
        return came

    monkeypatch.setattr(where, step, ends)
    with pytest.raises(JournalError, match="ended here"):
        await place.spread(ids, export, on=threads, shards=SHARDS)
    monkeypatch.setattr(where, step, real)
    report = await place.spread(ids, export, on=threads, shards=SHARDS)
    assert (report.counts, ids_in(folder)) == ({"confirmed": 9}, sorted(ids))
    assert is_clean(folder)


class Frozen:
    """The first run that comes to a step is frozen there until ``wake``. Nothing renews its lease."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, where: type, step: str, *, afterwards: bool) -> None:
        self._stores: list[ExportShard] = []
        self._came, self._woken = threading.Event(), threading.Event()
        take, real = ExportShard.take, getattr(where, step)

        def taken(store: ExportShard) -> None:
            take(store)
            self._stores.append(store)

        def freezes(*given: Any, **more: Any) -> Any:
            came = real(*given, **more) if afterwards else None
            if not self._came.is_set():
                self._stores[-1].stop_renewing()
                self._came.set()
                assert self._woken.wait(100)
            return came if afterwards else real(*given, **more)

        monkeypatch.setattr(ExportShard, "take", taken)
        monkeypatch.setattr(where, step, freezes)

    async def frozen(self) -> None:
        assert await to_thread.run_sync(self._came.wait, 100)

    def wake(self) -> None:
        self._woken.set()


@pytest.mark.parametrize(
    ("where", "step", "afterwards"),
    [*((where, step, False) for where, step in STEPS), (ExportShard, "put_part", True), (ExportShard, "renew", True)],
    ids=[*(step for _, step in STEPS), "marked", "between-question-and-move"],
)
async def test_a_run_that_is_frozen_at_a_step(
    place: Place, folder: Path, monkeypatch: pytest.MonkeyPatch, where: type, step: str, afterwards: bool
) -> None:
    """The run stays frozen past its lease. Another run finishes the export and tries the refused order again, which
    makes a newer part. The frozen run then wakes and changes none of it."""
    here = replace(place, journal=replace(place.journal, lease=0.5))
    ids = await orders(place.sandbox, 9)
    place.sandbox.faults.play({"rules": [{"fault": {"answer": 404}, "operations": ["reads"], "first": 1}]})
    await list_shards(here.recipe, ids, actions.export(folder, format="jsonl"), journal=here.journal, shards=SHARDS)
    ice = Frozen(monkeypatch, where, step, afterwards=afterwards)

    async def work() -> None:
        await here.journal.work(here.recipe, load=FEW)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        try:
            await ice.frozen()
            await work()
            # An order that the frozen run has read but not recorded is read again, and is not refused then.
            refused = 9 - len(ids_in(folder))
            assert refused == 1 or step in ("append", "record")
            # A frozen run that has made its part keeps the shard until its lease ends.
            await until(lambda: not read_journal(here.journal, reasons=False).running)
            assert plan_again(here.journal, ["refused"]) == refused
            await work()
            assert ids_in(folder) == sorted(ids)
        finally:
            ice.wake()
    assert ids_in(folder) == sorted(ids)
    assert names_in(folder) == parts_in(folder)
    assert read_journal(here.journal).manifest is not None


async def test_a_frozen_run_gives_no_name_to_a_part_that_was_replaced(
    place: Place, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this test no run removes old parts, because the list of a folder on a network share may be out of date. A
    frozen run that wakes does not publish its part when a newer one has replaced it."""
    here = replace(place, journal=replace(place.journal, lease=0.5))
    ids = await orders(place.sandbox, 9)
    place.sandbox.faults.play({"rules": [{"fault": {"answer": 404}, "operations": ["reads"], "first": 1}]})
    await list_shards(here.recipe, ids, actions.export(folder, format="jsonl"), journal=here.journal, shards=SHARDS)
    monkeypatch.setattr(Folder, "clean", nothing)
    ice = Frozen(monkeypatch, Folder, "show", afterwards=False)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(here.journal.work, here.recipe)
        try:
            await ice.frozen()
            await until(lambda: not read_journal(here.journal, reasons=False).running)
            assert plan_again(here.journal, ["refused"]) == 1
            await here.journal.work(here.recipe, load=FEW)
        finally:
            ice.wake()
    assert ids_in(folder) == sorted(ids)
    assert names_in(folder) == parts_in(folder)


async def run_until(place: Place, folder: Path, where: type, step: str, *, count: int, format: Any) -> list[str]:
    """Export one shard with a run that ends before a step. Returns the ids of its orders."""

    def ends(*_: Any) -> Any:
        raise JournalError("ended here")

    ids = await orders(place.sandbox, count)
    await list_shards(place.recipe, ids, actions.export(folder, format=format), journal=place.journal, shards=1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(where, step, ends)
        with pytest.raises(JournalError, match="ended here"):
            await place.journal.work(place.recipe, load=FEW)
    return ids


async def test_lines_that_are_gone(place: Place, folder: Path) -> None:
    """A killed run left lines, and their file is missing or too short. The next run reports it. When the file is
    back, a run finishes without reading an order again."""
    ids = await run_until(place, folder, ExportFile, "write", count=9, format="csv")
    (lines,) = (folder / name for name in hidden_in(folder) if name.endswith(".lines"))
    move(lines, folder / "aside")
    with pytest.raises(JournalError, match=r"\.lines can't be read \(No such file.* every worker must see"):
        await place.journal.work(place.recipe, load=FEW)
    put(lines, "")
    with pytest.raises(JournalError, match=r"\.lines is shorter than the journal says"):
        await place.journal.work(place.recipe, load=FEW)
    move(folder / "aside", lines)
    read = len(place.sandbox.requests)
    await place.journal.work(place.recipe, load=FEW)
    assert (ids_in(folder), len(place.sandbox.requests), is_clean(folder)) == (sorted(ids), read, True)


async def test_lines_that_another_program_has_changed(place: Place, folder: Path) -> None:
    """A killed run left lines, and they have changed but kept their length. The error names their file, and no part
    is made of them."""
    await run_until(place, folder, ExportFile, "write", count=4, format="jsonl")
    (first,) = (folder / name for name in hidden_in(folder) if name.endswith(".lines"))
    move(first, folder / "_aside")
    link(first, folder / "_aside")
    with pytest.raises(JournalError, match=r"\.lines: .*symbolic links"):
        await place.journal.work(place.recipe, load=FEW)
    remove(first)
    put(first, "x" * size(folder / "_aside"))
    with pytest.raises(JournalError, match=r"\.lines was changed by another program: 4 orders were read, .* 1 line"):
        await place.journal.work(place.recipe, load=FEW)
    assert read_journal(place.journal).manifest is None


def nothing(*_: Any, **__: Any) -> None:
    """Remove no file."""


async def test_a_part_that_is_gone(place: Place, folder: Path) -> None:
    """The part disappears before the manifest could name it. No manifest is written, and the error names the part."""
    await run_until(place, folder, Folder, "revoke", count=4, format="csv")
    (part,) = (folder / name for name in hidden_in(folder) if name.endswith(".csv"))
    move(part, folder / "aside")
    with pytest.raises(JournalError, match=r"part-00001-.*\.csv is gone, and is part of the export: put it back"):
        await place.journal.work(place.recipe, load=FEW)
    link(part, folder / "aside")
    with pytest.raises(JournalError, match=r"part-00001-.*\.csv is a link or no file, and is part of the export"):
        await place.journal.work(place.recipe, load=FEW)
    remove(folder / part.name[1:])
    put(part, "cut")
    with pytest.raises(JournalError, match=r"part-00001-.*\.csv was made with \d+ bytes and has 3"):
        await place.journal.work(place.recipe, load=FEW)
    assert read_journal(place.journal).manifest is None


@pytest.mark.skipif(sys.platform == "win32", reason="needs the operating system's limit on a file's length")
async def test_a_disk_that_is_full(place: Place, folder: Path) -> None:
    """A limit of the operating system makes writing fail. The worker's error names the file, and another worker
    finishes when there is room."""
    ids = await orders(place.sandbox, 12)
    await list_shards(place.recipe, ids, actions.export(folder, format="jsonl"), journal=place.journal, shards=1)

    def run() -> tuple[int | None, str]:
        one = worker(place, first="import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n")
        try:
            _, errors = one.communicate()
        finally:
            end([one])
        return one.returncode, errors

    code, errors = await to_thread.run_sync(run)
    assert (code, ".lines: File too large" in errors) == (1, True), errors
    done = read_journal(place.journal).counts["confirmed"]
    assert done < 12
    await place.journal.work(place.recipe, load=FEW)
    assert (ids_in(folder), is_clean(folder)) == (sorted(ids), True)


async def test_two_drivers_at_once(place: Place, threads: ThreadPoolExecutor, folder: Path) -> None:
    """Both reports name the same manifest."""
    ids = await orders(place.sandbox, 12)
    reports: list[JournalReport] = []

    async def drive(workers: ThreadPoolExecutor) -> None:
        while True:
            with suppress(JournalLockedError):
                reports.append(await place.spread(ids, actions.export(folder, format="csv"), on=workers, shards=SHARDS))
                return

    with ThreadPoolExecutor(3) as others:
        async with anyio.create_task_group() as drivers:
            drivers.start_soon(drive, threads)
            drivers.start_soon(drive, others)
    assert [report.manifest for report in reports] == [folder / "_manifest.json"] * 2
    assert (ids_in(folder), is_clean(folder)) == (sorted(ids), True)


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.soak)])
async def test_workers_that_are_killed_and_frozen(place: Place, tmp_path: Path, rounds: int) -> None:
    """One process is killed at a random moment. Another is stopped past its lease, continues when the export is
    done, and then changes no file."""

    def run(place: Place, folder: Path) -> None:
        # The service is so slow that two are seen at work, and still are when one is killed.
        place.sandbox.faults.play(FaultPlan([FaultRule(Delay(0.5))]))
        workers = [worker(place) for _ in range(3)]
        try:
            while len(busy := place.busy()) < 2:
                time.sleep(0.01)
            killed, stopped = [one for one in workers if one.pid in busy][:2]
            time.sleep(random.uniform(0.0, 0.5))
            killed.kill()
            os.kill(stopped.pid, signal.SIGSTOP)
            place.sandbox.faults.play(FaultPlan([FaultRule(Delay(0.05))]))
            wait_until(lambda: read_journal(place.journal, reasons=False).manifest is not None)
            before = written(folder)
            os.kill(stopped.pid, signal.SIGCONT)
            for one in workers:
                if one is not killed:
                    _, errors = one.communicate()
                    assert one.returncode == 0, errors
            assert {name: when for name, when in written(folder).items() if name in before} == before
        finally:
            end(workers)

    ids = await orders(place.sandbox, 120)
    for number in range(rounds):
        here, folder = replace(place, journal=replace(place.journal, job=f"round {number}")), tmp_path / f"{number}"
        await list_shards(here.recipe, ids, actions.export(folder, format="csv"), journal=here.journal, shards=8)
        await to_thread.run_sync(run, here, folder)
        assert read_journal(here.journal).counts == {"confirmed": 120}
        assert ids_in(folder) == sorted(ids)
        assert names_in(folder) == parts_in(folder)
