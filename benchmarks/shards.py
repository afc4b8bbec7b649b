"""What a job costs that several machines share: its journal in PostgreSQL, its listing, and memory over a long one.

    python -m benchmarks.shards                          the figures of docs/spread.md
    python -m benchmarks.shards --only listing run       some of them
    python -m benchmarks.shards --items 50000            a shorter list
    python -m benchmarks.shards --write-docs             put them into docs/spread.md and docs/spread.json

PostgreSQL runs on this machine, with the tests' binaries and settings, but waits for the disk. The service answers from
memory. What is left out by ``--only`` stays as it was in the file.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import psycopg
from tests.support.postgres import PostgresServer

from benchmarks.contestants import ours
from benchmarks.figures import Figures, Table, interleaved, median
from benchmarks.figures import spread as from_to
from benchmarks.machine import describe, resident
from benchmarks.report import DOCS, replaced
from benchmarks.server import Door, Target, service
from benchmarks.worker import apart
from norce_order_async import Fixed, NorceOrderClient
from norce_order_async.bulk import PostgresJournal, actions, read_journal, spread

PAGE = DOCS / "spread.md"
FILE = DOCS / "spread.json"
SHARDS = 64
CONNECTIONS = 100
LATENCY = 0.5
WORKERS = 4
ALONE, JOURNALED, SPLIT = "one process, no journal", "one process, PostgreSQL", f"{WORKERS} processes, PostgreSQL"


def ids(count: int) -> Iterator[str]:
    return (f"o{number:07x}" for number in range(count))


def client(target: Target) -> NorceOrderClient:
    os.environ["NORCE_TOKEN"] = "benchmark"
    return ours.client(target, CONNECTIONS)


def used() -> float:
    """Seconds of processor time of this process and of those that it has waited for."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


@contextmanager
def pool(workers: int) -> Generator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as made:
        yield made


# Overhead


def overhead(dsn: str, items: int, rounds: int) -> Figures:
    """The same orders at the same latency and with as many connections, three ways."""
    found: dict[str, list[Figures]] = {ALONE: [], JOURNALED: [], SPLIT: []}
    with service([Door(LATENCY)]) as answering:
        target = answering.targets[Door(LATENCY)]
        for number, name in interleaved(list(found), rounds):
            print(f"{items} items, {name}, round {number + 1}", flush=True)
            gc.collect()
            started, before = time.perf_counter(), used()
            anyio.run(_job, target, dsn, items, name)
            took, cpu = time.perf_counter() - started, used() - before
            found[name].append({"rate": items / took, "cpu_us": cpu / items * 1e6})
    return {"items": items, "rounds": found}


async def _job(target: Target, dsn: str, items: int, how: str) -> None:
    journal = PostgresJournal(dsn, uuid4().hex)
    async with client(target) as norce:
        if how == SPLIT:
            each = Fixed(in_flight=CONNECTIONS // WORKERS)
            action = actions.patch_attributes({"a": 1})
            with pool(WORKERS) as workers:
                report = await spread(
                    norce.recipe(), ids(items), action, journal=journal, shards=2 * WORKERS, on=workers, load=each
                )
            done = report.counts["confirmed"]
        else:
            kept = None if how == ALONE else journal
            done = 0
            async with norce.bulk(kept, load=Fixed(in_flight=CONNECTIONS)) as job:
                async for outcome in job.run(ids(items), actions.patch_attributes({"a": 1})):
                    done += outcome.verdict == "done"
    if done != items:
        raise RuntimeError(f"{done} of {items} orders were done")


# Listing, and a long run


def long_run(dsn: str, items: int, workers: int, rounds: int, *, runs: bool) -> Figures:
    """A list over 64 shards and a bare COPY of the same rows, some times, and the run of the last list."""
    journal = PostgresJournal(dsn, uuid4().hex)
    with service([Door()]) as answering:
        return anyio.run(_long, answering.targets[Door()], journal, items, workers, rounds, runs)


async def _long(target: Target, journal: PostgresJournal, items: int, workers: int, rounds: int, runs: bool) -> Figures:
    async with client(target) as norce:
        recipe = norce.recipe()

    async def run(on: Any, **more: Any) -> None:
        await spread(recipe, journal=journal, shards=SHARDS, on=on, action=actions.patch_attributes({"a": 1}), **more)

    listings: list[Figures] = []
    for number in range(rounds):
        # Each begins with the same tables as the COPY beside it: with none.
        with psycopg.connect(journal.dsn, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        watch, listed = _Watch(journal, lambda: ()), _Listed()
        started = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch.look)
            # It stops when the first shard is handed over, so this is the listing alone.
            try:
                await run(listed, source=ids(items))
            except Exception:
                if not listed.at:
                    raise
            tasks.cancel_scope.cancel()
        took = listed.at - started
        # In a process of its own: it has all rows in memory.
        copied = await anyio.to_thread.run_sync(lambda: apart(_copied, journal.dsn))
        listings.append({"rate": items / took, "copy_rate": copied, "driver_mb": watch.ranges()[0]})
        print(f"round {number + 1}: listed at {items / took:,.0f}/s, COPY at {copied:,.0f}/s", flush=True)
    figures: Figures = {"listing": {"items": items, "rounds": listings}}
    if not runs:
        return figures
    running = _Watch(journal, lambda: [child.pid or 0 for child in multiprocessing.active_children()][-workers:])
    started, before = time.perf_counter(), used()
    with pool(workers) as on:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(running.look)
            await run(on, source=None, load=Fixed(in_flight=CONNECTIONS // workers))
            tasks.cancel_scope.cancel()
    took = time.perf_counter() - started
    counts = read_journal(journal, reasons=False).counts
    if counts != {"confirmed": items}:
        raise RuntimeError(f"of {items} orders: {counts}")
    driver, worker = running.ranges()
    figures["run"] = {
        "items": items,
        "workers": workers,
        "rate": items / took,
        "cpu_us": (used() - before) / items * 1e6,
        "driver_mb": driver,
        "worker_mb": worker,
    }
    return figures


class _Listed(ProcessPoolExecutor):
    """Notes when the first shard is handed over, and takes none."""

    at = 0.0

    def submit(self, *_: Any, **__: Any) -> Any:
        self.at = self.at or time.perf_counter()
        raise RuntimeError("listed")


class _Watch:
    """Looks at the memory of this process and of its workers while a job is listed or runs."""

    def __init__(self, journal: PostgresJournal, workers: Callable[[], Any]) -> None:
        self._journal = journal
        self._workers = workers
        self._driver: list[float] = []
        self._worker: list[float] = []
        self._told = time.monotonic()

    async def look(self) -> None:
        while True:
            await anyio.sleep(0.5)
            self._driver.append(resident())
            found = [_resident_of(process) for process in self._workers()]
            if found:
                self._worker.append(max(found))
            if time.monotonic() - self._told > 60:
                self._told = time.monotonic()
                report = await anyio.to_thread.run_sync(lambda: read_journal(self._journal, reasons=False))
                print(f"{report.left:,} left, driver {self._driver[-1]:.0f} MB, {found} MB", flush=True)

    def ranges(self) -> tuple[list[float], list[float]]:
        """MB when a tenth was over, and at the end, of the driver and of its largest worker."""
        return _range(self._driver), _range(self._worker)


def _range(values: list[float]) -> list[float]:
    return [values[len(values) // 10], values[-1]] if values else []


def _resident_of(process: int) -> float:
    try:
        text = Path(f"/proc/{process}/status").read_text("utf-8")
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmRSS:")), 0.0)


def _copied(dsn: str) -> float:
    """Rows a second of one COPY of what was listed, from memory, into a table with the same columns and indexes."""
    columns = "job, shard, number, key, asked, hash"
    newest = "job = (SELECT max(job) FROM norce_job_item)"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE bare (LIKE norce_job_item INCLUDING ALL)")
        rows = connection.execute(
            f"SELECT {columns} FROM norce_job_item WHERE {newest} ORDER BY number".encode()  # noqa: S608
        ).fetchall()
        started = time.perf_counter()
        with connection.cursor().copy(f"COPY bare ({columns}) FROM STDIN (FORMAT BINARY)".encode()) as copy:
            copy.set_types(["int8", "int4", "int8", "text", "text", "bytea"])
            for row in rows:
                copy.write_row(row)
        took = time.perf_counter() - started
        connection.execute("DROP TABLE bare")
    return len(rows) / took


# Showing


def tables(results: Figures) -> list[Table]:
    """As they stand in the documentation."""
    shown: list[Table] = []
    if over := results.get("overhead"):
        rounds: dict[str, list[Figures]] = over["rounds"]
        alone = rounds[ALONE]
        ways = [
            [
                name,
                from_to((one["rate"] for one in found), "{:,.0f}"),
                from_to(
                    ((1 - one["rate"] / base["rate"]) * 100 for one, base in zip(found, alone, strict=True)), "{:.1f}"
                ),
                f"{median(one['cpu_us'] for one in found) / median(one['cpu_us'] for one in alone):.1f}",
            ]
            for name, found in rounds.items()
        ]
        shown.append(
            Table(
                ["", "orders a second", "lost, %", "processor time an order, as a ratio"],
                ways,
                f"{over['items']:,} orders at {LATENCY * 1000:g} ms latency and {CONNECTIONS} connections in all, "
                "listing and starting the processes included:",
            )
        )
    rows: list[list[str]] = []
    if listing := results.get("listing"):
        made: list[Figures] = listing["rounds"]
        count = f"{listing['items']:,}"
        rates = [from_to((one[name] for one in made), "{:,.0f}") for name in ("rate", "copy_rate")]
        rows.append(["listing", count, rates[0], _memory(made[-1]["driver_mb"]), ""])
        rows.append(["a bare `COPY` of the same rows", count, rates[1], "", ""])
    if run := results.get("run"):
        name = f"running, {run['workers']} processes"
        figures = [f"{run['items']:,}", f"{run['rate']:,.0f}", _memory(run["driver_mb"]), _memory(run["worker_mb"])]
        rows.append([name, *figures])
    if rows:
        columns = ["", "orders", "orders a second", "MB of the driver", "MB of the largest worker"]
        words = f"{SHARDS} shards; memory when a tenth of the time is over, and at the end:"
        shown.append(Table(columns, rows, words))
    return shown


def _memory(values: list[float]) -> str:
    return " → ".join(f"{value:.0f}" for value in values)


def block(results: Figures) -> str:
    """What stands between the markers of the page."""
    machine = "; ".join(f"{name} {value}" for name, value in results["machine"].items())
    words = f"Taken on {results['date']} with everything on one machine: {machine}."
    return "\n\n".join([words, *(table.markdown() for table in tables(results))])


def write_docs(results: Figures) -> None:
    """The file, and the page made of it."""
    FILE.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    PAGE.write_text(replaced(PAGE.read_text("utf-8"), "shards", block(results)), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="What a job costs that several machines share.")
    parser.add_argument("--only", nargs="*", choices=["overhead", "listing", "run"], default=["overhead", "run"])
    parser.add_argument("--items", type=int, default=1_000_000, help="orders of the long list")
    parser.add_argument("--overhead-items", type=int, default=12_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--listings", type=int, default=5, help="how often the long list is made")
    parser.add_argument("--workers", type=int, default=2, help="processes of the long run")
    parser.add_argument("--write-docs", action="store_true")
    given = parser.parse_args()
    results: Figures = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    results["date"] = datetime.now(UTC).date().isoformat()
    libraries = ("norce-order-async", "aiohttp", "psycopg")
    results["machine"] = {name: value for name, value in describe(libraries).items() if name != "cores"}
    results["machine"]["processors"] = str(os.cpu_count())
    # Other work takes its share, of what waits for one thing after the other more than of what does two at once.
    results["machine"]["load average before"] = f"{os.getloadavg()[0]:.0f}"
    with PostgresServer(settings={"fsync": "on", "full_page_writes": "on"}) as server:
        if "overhead" in given.only:
            results["overhead"] = overhead(server.dsn(), given.overhead_items, given.rounds)
        if {"listing", "run"} & set(given.only):
            results.update(long_run(server.dsn(), given.items, given.workers, given.listings, runs="run" in given.only))
    print(block(results))
    if given.write_docs:
        write_docs(results)


if __name__ == "__main__":
    main()
