"""``python -m benchmarks``: measure, and print the results."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import goals, machine, report
from benchmarks.figures import Figures
from benchmarks.parts import NAMES, part
from benchmarks.scale import FULL, QUICK, SHORT, Scale

OUT = Path(__file__).parent / "out"
_SHORT = ("processor", "codecs")
"""The parts of the short form, whose goals are ratios of processor time."""


def measured(names: Sequence[str], scale: Scale) -> dict[str, Figures]:
    """The figures of these parts."""
    parts: dict[str, Figures] = {}
    for name in names:
        began = time.monotonic()

        def tell(what: str, name: str = name) -> None:
            print(f"{name}: {what}", file=sys.stderr, flush=True)

        parts[name] = part(name).measure(scale, tell)
        tell(f"{time.monotonic() - began:.0f} s")
    return parts


def run(names: Sequence[str], folder: Path, *, quick: bool) -> report.Results:
    """Measure these parts; figures of other parts in the folder, from the same machine, are kept."""
    described = machine.describe()
    parts = report.earlier(folder, described, quick=quick) | measured(names, QUICK if quick else FULL)
    today = dt.datetime.now(dt.UTC).date().isoformat()
    results: report.Results = {"machine": described, "date": today, "quick": quick, "parts": parts}
    report.write(results, folder)
    return results


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(prog="python -m benchmarks", description="What is measured against whom.")
    made.add_argument("--only", nargs="+", choices=NAMES, metavar="PART", default=NAMES, help=", ".join(NAMES))
    made.add_argument("--quick", action="store_true", help="about a minute: for a look, not for tables")
    made.add_argument("--short", action="store_true", help="about a minute: the goals about processor time alone")
    made.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="for JSON, tables and the picture")
    made.add_argument("--write-docs", action="store_true", help="put the tables into docs/performance.md")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    given = parser().parse_args(arguments)
    if given.short:
        print(goals.table(measured(_SHORT, SHORT)).markdown())
        return
    results = run(given.only, given.out, quick=given.quick)
    for name in given.only:
        print(f"\n## {part(name).TITLE}\n")
        print("\n\n".join(table.markdown() for table in part(name).tables(results["parts"][name])))
    print(f"\n## Goals\n\n{goals.table(results['parts']).markdown()}")
    if given.write_docs:
        report.write_docs(results)


if __name__ == "__main__":
    main()
