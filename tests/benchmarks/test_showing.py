"""The benchmarks turn figures into ratios, goals, tables, a picture and a page."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from benchmarks.__main__ import parser
from benchmarks.contestants import CONTESTANTS, ready
from benchmarks.contestants.base import AbsentError, library
from benchmarks.figures import Table, interleaved, spread
from benchmarks.laps import percentiles
from benchmarks.orders import BODIES
from benchmarks.parts import NAMES, codecs, jobs, part, processor, throughput
from benchmarks.worker import apart

from benchmarks import adaptive, chart, goals, report

pytestmark = pytest.mark.slow(group="benchmarks")

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "performance.md").read_text("utf-8")


def lap(rate: float, p99: float = 100.0) -> dict[str, Any]:
    return {"rate": rate, "p50_ms": 50.0, "p99_ms": p99, "cpu_us": 100.0, "failures": 0}


def rated(ours: list[float], aiohttp: list[float], tasks: int = 500) -> dict[str, Any]:
    """Figures of a run with two contestants in the cells without TLS."""
    cells = [throughput.Cell(tasks, latency, tls=False) for latency in throughput.LATENCIES]
    laps = {"norce-order-async": [lap(rate, 300.0) for rate in ours], "aiohttp": [lap(rate) for rate in aiohttp]}
    return {
        "cells": [{"tasks": one.tasks, "latency": one.latency, "tls": one.tls, "key": one.key} for one in cells],
        "laps": {one.key: laps for one in cells},
        "absent": {"httpx2": "httpx2 is not installed"},
        "server_busy": 0.25,
    }


def test_a_ratio_is_computed_round_by_round() -> None:
    """A machine that is slow in one round is slow for both contestants."""
    figures = rated([500.0, 60.0], [1000.0, 100.0])
    assert throughput.ratios(figures, "norce-order-async", "aiohttp", 0.05) == [0.5, 0.6]
    assert spread([0.5, 0.6]) == "0.55 (0.50 to 0.60)"
    assert spread([3.0]) == "3.00"


def test_each_round_begins_with_another_one() -> None:
    """Each contestant has every place in turn."""
    assert [name for _, name in interleaved(["a", "b", "c"], 3)] == [*"abc", *"bca", *"cab"]


def test_a_starving_reader_counts() -> None:
    """A wait that has not ended counts among the longest if it is longer than nearly all that have."""
    answered = [0.01] * 199
    assert percentiles(answered, [0.005, 0.5, 0.6, 0.7]) == (0.01, 0.5)
    assert percentiles(answered, [0.005]) == (0.01, 0.01)
    assert percentiles([], [2.0, 3.0]) == (3.0, 3.0)


def test_goals_are_reported_as_they_are() -> None:
    """The median decides whether a goal is reached. Goals of parts that were not measured are not mentioned."""
    rows = goals.table({"throughput": rated([600.0, 600.0], [1000.0, 1000.0])}).rows
    assert [(row[1], row[2], row[3]) for row in rows] == [
        ("≥ 0.97", "0.60 (0.60 to 0.60)", "**no**"),
        ("≤ 1.30", "1.20 (1.20 to 1.20)", "yes"),
    ]
    turns = {"without": [{"rate": 100.0}], "with a journal": [{"rate": 80.0}]}
    job = {
        "turns": {"0": turns, "50": turns},
        "long": {"grown_mb": 3.0},
        "transitions": {"against": [0.5, 0.4, 0.5]},
    }
    assert [row[2:] for row in goals.table({"jobs": job}).rows] == [
        ["0.50 (0.40 to 0.50)", "yes"],
        ["0.80", "**no**"],
        ["0.20", "**no**"],
        ["3", "yes"],
    ]
    assert jobs.cost(job, 0.05) == [pytest.approx(0.2)]


def test_a_ratio_of_processor_time_is_computed_block_by_block() -> None:
    """The ratio is the time of aiohttp divided by ours, and goals are read from it. What a read adds is its time
    beyond the bare engine and the parsing."""
    blocks = {processor.GET: [50.0, 500.0], processor.HEAD: [100.0, 625.0], processor.MODELS: [100.0, 1000.0]}
    figures = {"1": {**blocks, processor.ENGINE: [60.0, 520.0], processor.PARSING: [10.0, 80.0]}, "50": blocks}
    assert processor.ratios(figures, processor.HEAD, 50) == [0.5, 0.8]
    assert processor.added(figures, 1) == [30.0, 25.0]
    rows = goals.table({"processor": figures}).rows
    assert [row[2:] for row in rows] == [
        ["0.65 (0.50 to 0.80)", "yes"],
        ["0.65 (0.50 to 0.80)", "yes"],
        ["0.50 (0.50 to 0.50)", "yes"],
    ]
    assert next(row[1:] for row in processor.tables(figures)[1].rows) == ["0.65 (0.50 to 0.80)"] * 2


def test_an_absent_contestant_is_named_with_its_reason() -> None:
    assert throughput.tables(rated([1.0], [1.0]))[-1].after[0] == "httpx2 was left out: httpx2 is not installed."
    with pytest.raises(AbsentError, match="no_such_library is not installed"):
        library("no_such_library")
    assert ready(["aiohttp", "httpx"]) == (["aiohttp", "httpx"], {})


def test_the_typed_models_keep_the_order() -> None:
    """The comparison is fair only if our models lose nothing of an order."""
    for body in BODIES.values():
        decode, encode = codecs.CODECS["norce-order-async"]()
        assert json.loads(encode(decode(body))) == json.loads(body)
    assert [len(body) // 1000 for body in BODIES.values()] == [0, 3, 266]


def test_the_picture_has_a_line_for_each() -> None:
    """The picture is well-formed and has two contestants in each of four panels."""
    figures = rated([600.0], [1000.0])
    drawn = ET.fromstring(chart.draw(figures))
    lines = drawn.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 8
    assert "norce-order-async" in {text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")}


def test_the_page_is_written_from_the_figures(tmp_path: Path) -> None:
    """The blocks that were measured are replaced. The text around them and the other blocks stay."""
    (tmp_path / "performance.md").write_text(PAGE, "utf-8")
    parts = {"throughput": rated([600.0], [1000.0])}
    results = {"machine": {"cores": "2"}, "date": "2026-11-21", "quick": False, "parts": parts}
    report.write(results, tmp_path / "out")
    report.write_docs(results, tmp_path)
    page = (tmp_path / "performance.md").read_text("utf-8")
    assert "Taken on 2026-11-21: cores 2." in page
    assert "| norce-order-async / aiohttp | 50 ms | 0.60 | 1.00 |" in page
    for name in set(NAMES) - {"throughput"}:
        assert block(page, name) == block(PAGE, name)
    report.write_docs(results, tmp_path)
    assert (tmp_path / "performance.md").read_text("utf-8") == page
    # A goal of a part that was not measured keeps its row.
    (memory,) = re.findall(r"^\| MB .* \| ≤ 50 \| .*$", block(PAGE, "goals"), re.MULTILINE)
    assert memory in block(page, "goals")
    assert "| ≥ 0.97 | 0.60 | **no** |" in block(page, "goals")
    assert report.earlier(tmp_path / "out", {"cores": "2"}, quick=False) == parts
    assert report.earlier(tmp_path / "out", {"cores": "8"}, quick=False) == {}
    assert report.earlier(tmp_path / "out", {"cores": "2"}, quick=True) == {}


def block(page: str, name: str) -> str:
    """The text between the markers of a part."""
    (found,) = re.findall(rf"<!-- measured: {name} -->\n(.*?)<!-- end -->\n", page, re.DOTALL)
    return str(found)


def test_the_page_has_a_place_for_everything() -> None:
    """It has a block for each part, the goals and the machine. The parser accepts the commands on it."""
    for name in ("machine", "goals", *NAMES):
        assert block(PAGE, name).startswith("\n")
    commands = re.findall(r"python -m benchmarks( .*)?$", PAGE, re.MULTILINE)
    assert len(commands) >= 3
    for options in commands:
        parser().parse_args(options.split("#")[0].split())


def test_a_table_is_markdown() -> None:
    """The text before the table comes first, figures are aligned to the right, and notes follow."""
    table = Table(["", "µs"], [["one", "1"]], "In words:", ["A note."])
    assert table.markdown() == "In words:\n\n|  | µs |\n|---|---:|\n| one | 1 |\n\nA note."


def fail(word: str) -> None:
    raise ValueError(word)


def test_an_error_in_another_process_is_raised_here() -> None:
    """It keeps its type, and a note says where it was raised."""
    with pytest.raises(ValueError, match="told") as caught:
        apart(fail, "told")
    assert "in fail" in "".join(caught.value.__notes__)


def test_the_phases_of_a_load_leave_the_settling_out() -> None:
    """The first ten seconds of a phase don't count. The load is slow in the first four and then at the capacity of
    10/s."""
    admitted = Counter(dict.fromkeys(range(4), 1) | dict.fromkeys(range(4, 15), 10))
    (phase,) = adaptive.phases([(10.0, 15)], admitted, Counter({12: 5}))
    assert phase == adaptive.Phase(capacity=10.0, admitted=10.0, away=5 / 55, settled=4)
    assert adaptive.rows([phase]) == [["10/s", "10.0", "100.0%", "9.09%", "4 s"]]


def test_parts_have_titles_of_their_own() -> None:
    assert len({part(name).TITLE for name in NAMES}) == len(NAMES)
    assert len(CONTESTANTS) == 10
