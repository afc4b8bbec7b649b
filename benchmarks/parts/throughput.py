"""Orders a second and how long each takes, over the number of tasks, with and without latency, plain and over TLS."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.contestants import CONTESTANTS, bare, made, ours, ready
from benchmarks.contestants.base import CONNECTIONS
from benchmarks.figures import Figures, Table, Tell, interleaved, median, spread
from benchmarks.laps import Lap, lap
from benchmarks.machine import CLIENT_CORE
from benchmarks.scale import Scale
from benchmarks.server import Door, service
from benchmarks.worker import beside, worker

TITLE = "Throughput and waiting"

LATENCIES = (0.0, 0.05)
GOAL_TASKS = 500
_MANY = 100

RATIOS = (
    (ours.ON_AIOHTTP, bare.AIOHTTP, 0.0),
    (ours.ON_AIOHTTP, bare.AIOHTTP, 0.05),
    (ours.ON_AIOHTTP, made.STOCK, 0.05),
    (ours.ON_AIOHTTP, made.OPENAPI_GENERATOR, 0.05),
    (ours.ON_HTTPX, bare.HTTPX, 0.05),
    (ours.ON_HTTPX2, ours.ON_HTTPX, 0.0),
)
"""The pairs that are compared, over plain connections and with the tasks of the goals."""
SLOWED = (ours.ON_AIOHTTP, bare.AIOHTTP)
"""The contestants that run beside a process that takes half of the core."""
_COMPARED = frozenset((name, latency) for one, other, latency in RATIOS for name in (one, other))


@dataclass(frozen=True)
class Cell:
    """One place in the tables."""

    tasks: int
    latency: float
    tls: bool

    @property
    def key(self) -> str:
        """Its name among the figures."""
        return f"{self.tasks} tasks, {self.latency * 1000:g} ms, {'TLS' if self.tls else 'plain'}"

    @property
    def ideal(self) -> float:
        """Seconds from request to order if all connections were always busy and requests kept their order."""
        return max(self.latency, self.tasks / CONNECTIONS * self.latency)


def measure(scale: Scale, tell: Tell) -> Figures:
    """Laps of all contestants in all cells."""
    wanted = list(scale.contestants or CONTESTANTS)
    names, absent = ready(wanted)
    cells = [
        Cell(tasks, latency, tls)
        for tls, counts in ((False, scale.tasks), (True, scale.tls_tasks))
        for latency in LATENCIES
        for tasks in counts
    ]
    found: dict[str, dict[str, list[dict[str, Any]]]] = {cell.key: {} for cell in cells}
    busy = 0.0
    doors = [Door(latency, tls) for latency in LATENCIES for tls in (False, True)]
    with service(doors) as answering, contextlib.ExitStack() as stack:
        workers = {name: stack.enter_context(worker()) for name in names}
        for number, cell, name in _turns(cells, names, scale):
            tell(f"{cell.key}, round {number + 1}: {name}")
            target = answering.targets[Door(cell.latency, cell.tls)]
            settle = max(scale.settle if cell.tasks <= _MANY else scale.settle_many, 1.2 * cell.ideal)
            began, used = time.perf_counter(), answering.busy()
            found[cell.key].setdefault(name, []).append(
                asdict(workers[name].run(lap, name, target, cell.tasks, settle, scale.window))
            )
            busy = max(busy, (answering.busy() - used) / (time.perf_counter() - began))
        slowed: dict[str, list[dict[str, Any]]] = {}
        with beside(CLIENT_CORE):
            for number, name in interleaved([name for name in SLOWED if name in names], scale.rounds):
                tell(f"half a core, round {number + 1}: {name}")
                target = answering.targets[Door(LATENCIES[1])]
                tasks = min(GOAL_TASKS, *scale.tasks[-1:])
                found_here = workers[name].run(lap, name, target, tasks, scale.settle_many, max(scale.window, 0.5))
                slowed.setdefault(name, []).append(asdict(found_here))
    return {
        "slowed": slowed,
        "server_busy": busy,
        "cells": [{**asdict(cell), "key": cell.key, "ideal_ms": cell.ideal * 1000} for cell in cells],
        "laps": found,
        "absent": absent,
    }


def _turns(cells: list[Cell], names: list[str], scale: Scale) -> Iterator[tuple[int, Cell, str]]:
    for cell in cells:
        present = [name for name in names if _takes_part(name, cell)]
        several = cell.tasks == GOAL_TASKS and not cell.tls
        for number, name in interleaved(present, scale.rounds if several else 1):
            if number == 0 or (name, cell.latency) in _COMPARED:
                yield number, cell, name


def _takes_part(name: str, cell: Cell) -> bool:
    """With thousands of waiting tasks, a lap over httpx's own pool takes half a minute; one contestant shows it,
    once."""
    if cell.tasks <= CONTESTANTS[name].most_tasks:
        return True
    return name == bare.HTTPX and bool(cell.latency) and not cell.tls


def laps_of(figures: Figures, name: str, tasks: int, latency: float) -> list[Lap]:
    """The laps of a contestant in a plain cell; none if it wasn't there."""
    return [Lap(**one) for one in figures["laps"].get(Cell(tasks, latency, tls=False).key, {}).get(name, [])]


def ratios(figures: Figures, one: str, other: str, latency: float) -> list[float]:
    """Rate over rate, round by round, with the tasks of the goals."""
    return [mine.rate / its.rate for mine, its in _pairs(figures, one, other, latency) if its.rate]


def _cpu_ratios(figures: Figures, one: str, other: str, latency: float) -> list[float]:
    """The other's processor time for an order over ours; it does not depend on other work of the machine."""
    return [its.cpu_us / mine.cpu_us for mine, its in _pairs(figures, one, other, latency)]


def slowed_ratios(figures: Figures) -> list[float]:
    """Rate over rate with half of a core, 50 ms latency, round by round."""
    mine, its = (figures.get("slowed", {}).get(name, []) for name in SLOWED)
    return [one["rate"] / other["rate"] for one, other in zip(mine, its, strict=False) if other["rate"]]


def _pairs(figures: Figures, one: str, other: str, latency: float) -> list[tuple[Lap, Lap]]:
    mine, its = (laps_of(figures, name, GOAL_TASKS, latency) for name in (one, other))
    return list(zip(mine, its, strict=False))


def tables(figures: Figures) -> list[Table]:
    """One table for each door, and the ratios."""
    shown = [
        _door_table(figures, [Cell(**_cell(one)) for one in figures["cells"] if (one["latency"], one["tls"]) == door])
        for door in dict.fromkeys((one["latency"], one["tls"]) for one in figures["cells"])
    ]
    rows = [
        [
            f"{one} / {other}",
            f"{latency * 1000:g} ms",
            spread(found),
            spread(_cpu_ratios(figures, one, other, latency)),
        ]
        for one, other, latency in RATIOS
        if (found := ratios(figures, one, other, latency))
    ]
    notes = [f"{name} was left out: {why}." for name, why in figures["absent"].items()]
    notes.append(f"The server was busy for {figures['server_busy']:.0%} of a lap at most.")
    if rows:
        before = f"Against each other, {GOAL_TASKS} tasks, median of the rounds and its range:"
        shown.append(Table(["", "latency", "orders a second", "orders a CPU second"], rows, before, notes))
    if slowed := slowed_ratios(figures):
        rate = [median(one["rate"] for one in figures["slowed"][name]) for name in SLOWED]
        row = [" / ".join(SLOWED), *(f"{one:,.0f}" for one in rate), spread(slowed)]
        before = f"With half of the core taken by another process, {GOAL_TASKS} tasks, 50 ms; orders a second:"
        shown.append(Table(["", "ours", "aiohttp", "ratio"], [row], before))
    return shown


def _door_table(figures: Figures, cells: list[Cell]) -> Table:
    first = cells[0]
    latency = f"{first.latency * 1000:g} ms latency" if first.latency else "no latency"
    present = [name for name in CONTESTANTS if any(name in figures["laps"][cell.key] for cell in cells)]
    rows = [
        [name, CONTESTANTS[name].gives, *(_shown(figures["laps"][cell.key].get(name)) for cell in cells)]
        for name in present
    ]
    if first.latency:
        rows.append(["*ideal*", "", *(f"{cell.tasks / cell.ideal:,.0f} · {cell.ideal * 1000:.0f}" for cell in cells)])
    counts = [f"{cell.tasks:,} task{'s' * (cell.tasks > 1)}" for cell in cells]
    before = f"{'TLS' if first.tls else 'Plain'}, {latency}; orders a second · p50 / p99 in milliseconds:"
    return Table(["", "gives", *counts], rows, before)


def _shown(laps: list[dict[str, Any]] | None) -> str:
    if not laps:
        return "-"
    rate, p50, p99 = (median(one[key] for one in laps) for key in ("rate", "p50_ms", "p99_ms"))
    failed = sum(one["failures"] for one in laps)
    return f"{rate:,.0f} · {_ms(p50)} / {_ms(p99)}" + (f" ({failed} failed)" if failed else "")


def _ms(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _cell(one: dict[str, Any]) -> dict[str, Any]:
    return {name: one[name] for name in ("tasks", "latency", "tls")}
