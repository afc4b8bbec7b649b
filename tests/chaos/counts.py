"""Counts the outcomes of calls to the counting service, in each of its modes, on all loops and engines together.

    python -m tests.chaos.counts [--only MODE ...] [--write-docs]

Nothing in it depends on time, so the table is the same on every machine. ``--write-docs`` puts it into
``docs/reliability.md``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import anyio
import trustme
from benchmarks.figures import Table
from benchmarks.report import replaced

from norce_order_async import CallOptions
from norce_order_async.engines.select import EngineName
from tests.engines.wire import server_context
from tests.support.warm import OURS, module

from .counting import HELD, CountingService, Mode
from .walking import CALLS, Count, Reporter, client_for, from_json

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
BLOCK = "counts"
EACH = 100
"""The number of things that calls are made for on each wire."""
TOGETHER = 10
"""The same number if answers are held. The child has as many."""
WIRES: tuple[tuple[str, EngineName], ...] = (("asyncio", "aiohttp"), ("asyncio", "httpx"), ("trio", "httpx"))
"""Event loops, with the engines that they can have."""
COLUMNS = (
    "mode",
    "calls",
    "asked",
    "effects",
    "doubled",
    "reported done",
    "reported refused",
    "reported unknown",
    "reported not sent",
    "reported as doubled",
    "falsely reported",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    mode: Mode
    calls: str
    """A name in CALLS."""
    repeats: bool = True
    """Whether a lost order may be created again."""

    def cells(self, count: Count) -> tuple[str, ...]:
        how = "" if self.repeats else ", `repeat_order_creation=False`"
        return f"`{self.mode.value}`", CALLS[self.calls].name + how, *(f"{number:,}" for number in astuple(count))


_OF_ORDERS = [name for name, calls in CALLS.items() if calls.of_orders]
ROWS: tuple[Row, ...] = (
    *(Row(Mode.LATE_COMMIT, calls) for calls in CALLS),
    *(
        row
        for mode in (Mode.ARRIVAL_CHECK, Mode.NOT_UNIQUE)
        for row in (*(Row(mode, calls) for calls in _OF_ORDERS), Row(mode, "create", repeats=False))
    ),
    *(Row(mode, calls) for mode in (Mode.EFFECT_THEN_503, Mode.SLOW_FORK) for calls in CALLS),
)


def counted(row: Row, each: int, wires: Iterable[tuple[str, EngineName]] = WIRES, **changes: Any) -> Count:
    """Count the calls for a number of things on each wire. ``changes`` are arguments of the service."""
    calls, count = CALLS[row.calls], Count()
    for seed, (loop, engine) in enumerate(wires):
        if row.mode is Mode.SLOW_FORK:
            told, service = _forked(row, each, loop, engine)
        else:
            service = CountingService(row.mode, seed=seed, **changes)
            told = _walked(service, row, each, loop, engine)
        service.settle()
        count.add(told, calls.effects(service.effects), service.shown)
    return count


def count_all(rows: Iterable[Row] = ROWS) -> Iterator[tuple[Row, Count]]:
    """Every row with its count, one by one."""
    for row in rows:
        yield row, counted(row, TOGETHER if row.mode is Mode.SLOW_FORK else EACH)


def table(counts: Iterable[tuple[Row, Count]]) -> str:
    """The table as in the documentation."""
    made = Table(COLUMNS, [row.cells(count) for row, count in counts]).markdown()
    # The second column has words, so it is aligned to the left.
    return made.replace("|---|---:|", "|---|---|", 1)


def _keys(service: CountingService, row: Row, names: Iterable[str]) -> list[str]:
    """The keys of the calls: cart references, or ids of existing orders."""
    return list(names) if CALLS[row.calls].of_orders else [service.put_order(name) for name in names]


def _walked(service: CountingService, row: Row, each: int, loop: str, engine: EngineName) -> Reporter:
    with service:
        keys = _keys(service, row, [f"cart-{number}" for number in range(each)])

        async def run() -> Reporter:
            async with client_for(service.base_url, engine) as norce:
                options = CallOptions() if row.repeats else CallOptions(repeat_order_creation=False)
                return await CALLS[row.calls].walk(norce, keys, options)

        return anyio.run(run, backend=loop)


def _forked(row: Row, each: int, loop: str, engine: EngineName) -> tuple[Reporter, CountingService]:
    """Count calls of a parent and its forked child. They use TLS, because a child that closes a connection would
    send a goodbye on it."""
    authority = trustme.CA()
    with (
        tempfile.TemporaryDirectory() as folder,
        CountingService(row.mode, together=each, tls=server_context(authority, "localhost", "127.0.0.1")) as service,
    ):
        path = Path(folder) / "authority.pem"
        authority.cert_pem.write_to_path(str(path))
        keys = {
            "parent": _keys(service, row, [f"{HELD}-{number}" for number in range(each)]),
            "child": _keys(service, row, [f"child-{number}" for number in range(each)]),
        }
        # The program has no warnings: it forks with a second thread on purpose.
        program = module("tests.chaos.forked_walk")
        given = json.dumps(keys)
        status, out, err = OURS.run(
            program, service.base_url, str(path), loop, engine, row.calls, given=given, cwd=ROOT
        )
        if status or "Traceback" in err:
            raise RuntimeError(f"the program failed:\n{err}")
        said = dict(item for line in out.splitlines() for item in json.loads(line).items())
        if said["status"]:
            raise RuntimeError(f"the child ended with {said['status']}")
        return {**from_json(said["parent"]), **from_json(said["child"])}, service


def main(arguments: Sequence[str] | None = None) -> None:
    made = argparse.ArgumentParser(prog="python -m tests.chaos.counts", description="What calls to a service come to.")
    made.add_argument("--only", nargs="+", choices=[mode.value for mode in Mode], metavar="MODE", help="these modes")
    made.add_argument("--write-docs", action="store_true", help="put the table into docs/reliability.md")
    given = made.parse_args(arguments)
    if given.only and given.write_docs:
        made.error("the documentation has all modes")
    rows = [row for row in ROWS if not given.only or row.mode.value in given.only]
    counts: list[tuple[Row, Count]] = []
    for one in count_all(rows):
        counts.append(one)
        sys.stdout.write(f"{table([one]).splitlines()[-1]}\n")
        sys.stdout.flush()
    if given.write_docs:
        PAGE.write_text(replaced(PAGE.read_text("utf-8"), BLOCK, table(counts)), "utf-8")


if __name__ == "__main__":
    main()
