"""The goals of the project, as ratios within one run, and the values that it reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.contestants import bare, made, ours
from benchmarks.figures import Figures, Table, median, spread
from benchmarks.parts import adapters, calls, codecs, imports, jobs, processor, throughput

COLUMNS = ("what", "goal", "measured", "reached")


@dataclass(frozen=True)
class Goal:
    """One goal, and the function that computes its value from the figures of one part."""

    what: str
    part: str
    bound: float
    at_least: bool
    found: Callable[[Figures], list[float]]
    form: str = "{:.2f}"
    stretch: float | None = None

    def row(self, figures: Mapping[str, Figures]) -> list[str] | None:
        """Its row; None when its part was not measured, or not enough of it."""
        values = self.found(figures[self.part]) if self.part in figures else []
        if not values:
            return None
        reached = median(values)
        wanted = f"{'≥' if self.at_least else '≤'} {self.form.format(self.bound)}"
        if self.stretch is not None:
            wanted += f" (stretch {self.form.format(self.stretch)})"
        kept = reached >= self.bound if self.at_least else reached <= self.bound
        return [self.what, wanted, spread(values, self.form), "yes" if kept else "**no**"]


def _rate(one: str, other: str, latency: float) -> Callable[[Figures], list[float]]:
    return lambda figures: throughput.ratios(figures, one, other, latency)


def _waiting(figures: Figures) -> list[float]:
    ideal = throughput.Cell(throughput.GOAL_TASKS, 0.05, tls=False).ideal * 1000
    found = throughput.laps_of(figures, ours.ON_AIOHTTP, throughput.GOAL_TASKS, 0.05)
    return [one.p99_ms / ideal for one in found]


def _time(one: str, tasks: int) -> Callable[[Figures], list[float]]:
    return lambda figures: processor.ratios(figures, one, tasks)


def _per_call(what: str, one: str, bound: float) -> list[Goal]:
    return [
        Goal(f"{what}, {tasks} task{'s' * (tasks > 1)}", "processor", bound, at_least=True, found=_time(one, tasks))
        for tasks in ((1, 50, 500) if one == processor.HEAD else (50, 500))
    ]


GOALS = (
    *_per_call("processor time of aiohttp reading bytes against ours: GET, head read", processor.HEAD, 0.65),
    *_per_call("the same: GET, every model touched", processor.MODELS, 0.5),
    *_per_call("the same: PUT of a small body", processor.REFERENCE, 0.65),
    Goal(
        "decoding a typical order against orjson alone",
        "codecs",
        2,
        at_least=False,
        found=lambda figures: codecs.against(figures, "typical", "decode"),
        form="{:.1f}",
    ),
    Goal(
        "encoding one",
        "codecs",
        4,
        at_least=False,
        found=lambda figures: codecs.against(figures, "typical", "encode"),
        form="{:.1f}",
    ),
    Goal(
        "orders/s against aiohttp reading bytes, 500 tasks, 50 ms, 100 connections",
        "throughput",
        0.97,
        at_least=True,
        found=_rate(ours.ON_AIOHTTP, bare.AIOHTTP, 0.05),
    ),
    Goal(
        "the same with half of the core taken by another process",
        "throughput",
        0.95,
        at_least=True,
        found=throughput.slowed_ratios,
    ),
    Goal(
        "typed orders/s against the stock generated client, 500 tasks, 50 ms",
        "throughput",
        15,
        at_least=True,
        found=_rate(ours.ON_AIOHTTP, made.STOCK, 0.05),
        form="{:.1f}",
    ),
    Goal(
        "p99 against the ideal time in the queue, 500 tasks, 50 ms, 100 connections",
        "throughput",
        1.3,
        at_least=False,
        found=_waiting,
    ),
    Goal(
        "CPU µs a call that pipeline and handles add to the aiohttp engine, 50 tasks",
        "calls",
        40,
        at_least=False,
        found=lambda figures: calls.added(figures, 50, "aiohttp"),
        form="{:.0f}",
    ),
    Goal(
        "typed orders/s on the httpx engine against httpx reading bytes, 500 tasks, 50 ms",
        "throughput",
        12,
        at_least=True,
        found=_rate(ours.ON_HTTPX, bare.HTTPX, 0.05),
        form="{:.1f}",
    ),
    Goal(
        "typed orders/s on the httpx2 engine against the httpx engine, 500 tasks, no latency",
        "throughput",
        1.5,
        at_least=True,
        found=_rate(ours.ON_HTTPX2, ours.ON_HTTPX, 0.0),
        form="{:.1f}",
    ),
    Goal(
        "ms that `import norce_order_async` takes beyond the interpreter",
        "imports",
        30,
        at_least=False,
        found=lambda figures: imports.own(figures, imports.PACKAGE),
        form="{:.0f}",
    ),
    Goal(
        "processor time of `import asyncio, ssl, json` times this: import the package and make a client",
        "imports",
        1.4,
        at_least=False,
        found=lambda figures: imports.against(figures, imports.CLIENT),
    ),
    Goal(
        "the same: `norce-order --help`",
        "imports",
        2,
        at_least=False,
        found=lambda figures: imports.against(figures, imports.HELP),
    ),
    Goal(
        "processor time of aiohttp's PUT against an item of a job, 100,000 transitions",
        "jobs",
        jobs.TWICE,
        at_least=True,
        found=lambda figures: figures["transitions"]["against"],
    ),
    Goal(
        "rate of a job with a journal against one without, no latency",
        "jobs",
        0.90,
        at_least=True,
        found=lambda figures: [1 - share for share in jobs.cost(figures, 0.0)],
    ),
    Goal(
        "share of its rate that a job loses to its journal, 50 ms",
        "jobs",
        0.10,
        at_least=False,
        found=lambda figures: jobs.cost(figures, 0.05),
    ),
    Goal(
        "hooks/s of an adapter against a bare Starlette endpoint that awaits request.json()",
        "adapters",
        0.6,
        at_least=True,
        found=lambda figures: adapters.ratios(figures, adapters.BARE),
    ),
    Goal(
        "the same against one that parses the body with orjson, as the adapter does",
        "adapters",
        0.6,
        at_least=True,
        found=lambda figures: adapters.ratios(figures, adapters.FAST),
    ),
    Goal(
        "MB that the process grows by over a long job with a journal",
        "jobs",
        50,
        at_least=False,
        found=lambda figures: [figures["long"]["grown_mb"]],
        form="{:.0f}",
    ),
)


def table(figures: Mapping[str, Figures]) -> Table:
    """All goals whose figures are there."""
    rows = [row for goal in GOALS if (row := goal.row(figures)) is not None]
    return Table(COLUMNS, rows)
