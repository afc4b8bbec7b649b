"""Writes the figures: JSON, a page of tables, a picture, and the blocks of the documentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from benchmarks import chart, goals
from benchmarks.figures import Figures, Table
from benchmarks.parts import NAMES, part

DOCS = Path(__file__).parents[1] / "docs"
PAGE = "performance.md"
PICTURE = "performance.svg"

Results = dict[str, Any]
"""``machine``, ``date``, ``quick`` and ``parts``: the figures by the part's name."""


def earlier(folder: Path, machine: dict[str, str], *, quick: bool) -> dict[str, Figures]:
    """The figures in a folder, if they were taken on this very machine in the same way."""
    saved = folder / "results.json"
    if not saved.exists():
        return {}
    results = cast("Results", json.loads(saved.read_text("utf-8")))
    return results["parts"] if (results["machine"], results["quick"]) == (machine, quick) else {}


def blocks(results: Results) -> dict[str, str]:
    """The text of each block, by name."""
    found = {"machine": _machine(results)}
    figures: dict[str, Figures] = results["parts"]
    if (reached := goals.table(figures)).rows:
        found["goals"] = reached.markdown()
    for name in NAMES:
        if name in figures:
            shown = "\n\n".join(table.markdown() for table in part(name).tables(figures[name]))
            found[name] = shown or "Not part of a quick run."
    return found


def write(results: Results, folder: Path) -> None:
    """``results.json``, ``results.md`` and the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("results.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    titles: dict[str, str] = {"machine": "Machine", "goals": "Goals", **{name: part(name).TITLE for name in NAMES}}
    sections = [f"## {titles[name]}\n\n{text}" for name, text in blocks(results).items()]
    folder.joinpath("results.md").write_text("\n\n".join(sections) + "\n", "utf-8")
    if "throughput" in results["parts"]:
        folder.joinpath(PICTURE).write_text(chart.draw(results["parts"]["throughput"]), "utf-8")


def write_docs(results: Results, docs: Path = DOCS) -> None:
    """Replace the text between the markers of the page, and the picture."""
    page = docs / PAGE
    text = page.read_text("utf-8")
    for name, block in {**blocks(results), "goals": _goals(results, text)}.items():
        text = replaced(text, name, block)
    page.write_text(text, "utf-8")
    if "throughput" in results["parts"]:
        docs.joinpath(PICTURE).write_text(chart.draw(results["parts"]["throughput"]), "utf-8")


def replaced(text: str, name: str, block: str) -> str:
    """A page with another text in one of its blocks."""
    before, begin, rest = text.partition(f"<!-- measured: {name} -->\n")
    _, end, after = rest.partition("<!-- end -->\n")
    if not begin or not end:
        raise ValueError(f"the page has no place for {name}")
    return f"{before}{begin}\n{block}\n\n{end}{after}"


def _goals(results: Results, page: str) -> str:
    """The table of goals. Those whose part was not measured keep the row that the page has."""
    known: dict[str, list[str]] = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == len(goals.COLUMNS):
            known.setdefault(cells[0], cells)
    rows = [goal.row(results["parts"]) or known.get(goal.what) for goal in goals.GOALS]
    return Table(goals.COLUMNS, [row for row in rows if row is not None]).markdown()


def _machine(results: Results) -> str:
    described = "; ".join(f"{name} {value}" for name, value in results["machine"].items())
    few = " in a quick run, with few rounds" if results["quick"] else ""
    text = f"Taken on {results['date']}{few}: {described}."
    if absent := [part(name).TITLE for name in NAMES if name not in results["parts"]]:
        text += f" Taken before, and kept: {', '.join(absent)}."
    return text
