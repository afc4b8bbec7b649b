"""What a job over many orders costs: memory over its start, and the journal's share of the time.

    python -m benchmarks.bulk                      100 000 orders with a journal, then 10 000 with and without one
    python -m benchmarks.bulk --orders 20000       a smaller one
    python -m benchmarks.bulk --json figures.json

Unlike the jobs of ``python -m benchmarks`` it runs against the local order service, in a process of its own. The action
sets an attribute, one PATCH an order; memory is this process's resident set, sampled with every thousandth outcome.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import anyio

from benchmarks.machine import resident
from norce_order_async import Fixed, NorceOrderClient, OrderFilter, Scope
from norce_order_async.bulk import actions
from norce_order_async.sandbox import Sandbox

TOKEN = "benchmark"
MERCHANT = "acme"
CHANNELS = ("se", "no", "dk", "fi", "de")
IN_FLIGHT = 50


def serve(port: int, orders: int, ids: Path) -> None:
    """The service, in its own process: makes orders through its store, and writes down their ids."""
    with Sandbox(token=TOKEN, port=port, keep_requests=1) as sandbox:
        # They are spread over the channels, and some are removed, which can't be changed.
        sandbox.seed_orders(orders + orders // 5, merchant=MERCHANT, seed=1)
        ids.with_suffix(".ready").touch()
        sys.stdin.read()


@contextlib.contextmanager
def service(orders: int, folder: Path) -> Generator[str]:
    """The base URL of a service with enough orders."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ids = folder / "ids"
    command = [
        sys.executable,
        "-m",
        "benchmarks.bulk",
        "--serve",
        str(port),
        "--orders",
        str(orders),
        "--ids",
        str(ids),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=Path(__file__).parents[1]) as process:
        try:
            while not ids.with_suffix(".ready").exists():
                if process.poll() is not None:
                    raise RuntimeError("the service did not start")
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/checkout/order"
        finally:
            process.kill()


async def ids_of(norce: NorceOrderClient, count: int) -> list[tuple[Scope, list[str]]]:
    """A number of orders that can be changed, by channel."""
    where = OrderFilter(status=["checkout", "processing", "accepted", "completed", "declined"])
    found: list[tuple[Scope, list[str]]] = []
    for channel in CHANNELS:
        scope = norce.scoped(channel=channel)
        ids = [order.id async for order in scope.orders.iterate(where, limit=count)]
        found.append((scope, ids))
        count -= len(ids)
    return found


async def run(channels: list[tuple[Scope, list[str]]], folder: Path | None, mark: str) -> dict[str, float]:
    """One job a channel: orders a second, and how much memory grew over the start."""
    gc.collect()
    began = resident()
    highest = began
    done = 0
    started = time.perf_counter()
    for scope, ids in channels:
        journal = None if folder is None else folder / f"{mark}-{scope.channel}.journal"
        async with scope.bulk(journal=journal, load=Fixed(in_flight=IN_FLIGHT)) as job:
            async for outcome in job.run(ids, actions.patch_attributes({"mark": mark})):
                done += outcome.verdict == "done"
                if done % 1000 == 0:
                    highest = max(highest, resident())
    seconds = time.perf_counter() - started
    wanted = sum(len(ids) for _, ids in channels)
    if done != wanted:
        raise RuntimeError(f"{done} of {wanted} orders were done")
    return {"orders": wanted, "seconds": seconds, "rate": done / seconds, "grown_mb": highest - began}


async def measure(orders: int, rounds: int, folder: Path) -> dict[str, dict[str, float]]:
    with service(orders, folder) as base_url:
        async with NorceOrderClient(base_url=base_url, token=TOKEN, merchant=MERCHANT, channel=CHANNELS[0]) as norce:
            everything = await ids_of(norce, orders)
            few = [(scope, ids[:10_000]) for scope, ids in everything[:1]]
            figures: dict[str, dict[str, float]] = {}
            for number in range(1, rounds + 1):
                for name, kept in (("without", None), ("with", folder)):
                    figures[f"{name} a journal, round {number}"] = await run(few, kept, f"{name}-{number}")
            figures["with a journal, all"] = await run(everything, folder, "all")
            return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="What a job over many orders costs.")
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--ids", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.orders, given.ids)
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = anyio.run(measure, given.orders, given.rounds, Path(folder))
    for name, row in figures.items():
        print(
            f"{name:32} {row['orders']:7.0f} orders {row['seconds']:7.1f} s {row['rate']:7.0f}/s "
            f"{row['grown_mb']:6.1f} MB grown"
        )
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
