"""The whole demo on one client: where it runs, the three parts, and what it came to."""

from __future__ import annotations

from statistics import median
from uuid import uuid4

import click
from rich.console import Console
from rich.text import Text

from norce_order_async import NorceOrderClient, __version__
from norce_order_async.cli.demo.batch import complete_many, listed_as_completed
from norce_order_async.cli.demo.progress import progress
from norce_order_async.cli.demo.recorder import RecordingEngine
from norce_order_async.cli.demo.refusal import refusal
from norce_order_async.cli.demo.service import Service
from norce_order_async.cli.demo.timeline import Timeline, hanging
from norce_order_async.cli.demo.walk import walk
from norce_order_async.cli.failures import one_line
from norce_order_async.engines.httpx import HttpxEngine
from norce_order_async.runtime.clock import Clock, SystemClock

SKEW = 300.0
"""Seconds by which the service's clock may be behind ours when its list is asked for what is new."""


async def show(service: Service, console: Console, count: int, concurrency: int, loop: str) -> None:
    """Run the demo; ``loop`` is the event loop it runs on.

    Raises:
        NorceError: a step did not go through.
        ClickException: an order of the batch did not.
    """
    clock = SystemClock()
    recorder = RecordingEngine(HttpxEngine(clock=clock), service.base_url, clock)
    # Cart references must be new ones each time, because on a real service the earlier orders are still there.
    run = f"demo-{uuid4().hex[:10]}"
    started = clock.monotonic()
    async with service.connect(recorder) as norce:
        _introduce(console, service, norce, loop)
        timeline = Timeline(console, recorder)
        await walk(norce, timeline, run)
        refused = await refusal(norce, timeline, run)
        await _batch(norce, timeline, recorder, clock, run, count=count, concurrency=concurrency)
    console.print()
    console.print(Text("Done", "bold underline"))
    _facts(
        console,
        ("walked through", "1 order, from checkout to completed"),
        ("refused", "1 order without a payment" if refused else "nothing: the service let it pass"),
        ("completed", f"{count} orders, {min(concurrency, count)} at a time"),
        (
            "took",
            f"{clock.monotonic() - started:.1f} s{', client and service in one process' if service.local else ''}",
        ),
    )
    console.print()
    console.print("Next: the first program in README.md.")
    if service.local:
        console.print("The command `norce-order sandbox` serves this service for it.")


def _introduce(console: Console, service: Service, norce: NorceOrderClient, loop: str) -> None:
    what = "a local imitation of the Norce Checkout order service"
    console.print(Text("norce-order demo", "bold"))
    _facts(
        console,
        ("service", what if service.local else "Norce Checkout order service"),
        ("address", norce.base_url),
        ("for", f"merchant {norce.merchant}, channel {norce.channel}"),
        ("client", f"norce-order-async {__version__}, {norce.engine} on {loop}"),
    )


async def _batch(
    norce: NorceOrderClient,
    timeline: Timeline,
    recorder: RecordingEngine,
    clock: Clock,
    run: str,
    *,
    count: int,
    concurrency: int,
) -> None:
    console = timeline.console
    timeline.chapter(
        f"{count} orders at once",
        f"Each is created, gets a shipping and a payment, and is completed; {min(concurrency, count)} at a time.",
    )
    console.print()
    since = clock.wall() - SKEW
    started = clock.monotonic()
    with progress(console, count) as advance:
        batch = await complete_many(norce, run, count=count, concurrency=concurrency, advance=advance)
    seconds = clock.monotonic() - started
    exchanges = recorder.take()
    if batch.failures:
        raise click.ClickException(
            f"{len(batch.failures)} of {count} orders failed; the first: {one_line(batch.failures[0])}"
        )
    listed = await listed_as_completed(norce, batch.ids, since)
    times = [exchange.seconds for exchange in exchanges]
    console.print()
    _facts(
        console,
        ("took", f"{seconds:.1f} s"),
        ("rate", f"{count / seconds:,.0f} orders a second, {len(times) / seconds:,.0f} requests a second"),
        ("requests", f"{len(times):,}, median {median(times) * 1000:.0f} ms, slowest {max(times) * 1000:.0f} ms"),
        ("read back", f"{len(listed)} of {count} are completed in the service's own list"),
    )
    if len(listed) < count:
        raise click.ClickException(f"the service lists only {len(listed)} of {count} orders as completed")


def _facts(console: Console, *facts: tuple[str, str]) -> None:
    for name, value in facts:
        hanging(console, f"    {name:<16}", Text(value))
