"""Outcomes are true at a service that commits late, does not keep references unique, or answers 503 after the effect.

The service counts lateness in requests, so every expectation is exact on any machine.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from norce_order_async.pipeline.readback import READS, moments
from norce_order_async.pipeline.settings import Settings

from . import counts
from .counting import MOMENTS, Mode
from .counts import COLUMNS, ROWS, WIRES, Row, counted, table
from .walking import CALLS, Count, Told

FORKED = [row for row in ROWS if row.mode is Mode.SLOW_FORK]
UNIQUE_AT_COMMIT = (Mode.LATE_COMMIT, Mode.EFFECT_THEN_503, Mode.SLOW_FORK)
ALL_FOUND_AT_ONCE = (Mode.EFFECT_THEN_503, Mode.SLOW_FORK)
ORDERS = [name for name, calls in CALLS.items() if calls.of_orders]


def name_of(row: Row) -> str:
    return f"{row.mode.value}-{row.calls}{'' if row.repeats else '-once'}"


def check(row: Row, count: Count) -> None:
    """Check what is true in each mode, for any number of calls."""
    assert count.false == 0
    assert count.refused == count.not_sent == 0
    assert count.asked == count.done + count.unknown + count.told_doubled
    if row.mode in UNIQUE_AT_COMMIT or not row.repeats:
        assert count.doubled == 0
    if row.mode in ALL_FOUND_AT_ONCE or not row.repeats:
        assert count.told_doubled == 0
    # A caller that reads the order, or calls again, finds the effect. A call that may not repeat can't know what will
    # still take effect.
    if row.mode in ALL_FOUND_AT_ONCE or row.calls == "ensure":
        assert count.unknown == 0
    things = count.asked // (2 if row.calls in ("ensure", "get-or-create") else 1)
    assert count.effects == things + count.doubled, "every call took effect, and none more than twice"


@pytest.mark.parametrize("row", [row for row in ROWS if row not in FORKED], ids=name_of)
def test_every_report_is_true(row: Row) -> None:
    """Every kind of call is made on every wire, and half of the writes go wrong."""
    check(row, counted(row, 12, share=0.5))


@pytest.mark.parametrize("row", FORKED, ids=name_of)
def test_a_child_gets_no_answer_of_its_parent(row: Row) -> None:
    """Every kind of call is made, and the wires take turns."""
    count = counted(row, 5, [WIRES[FORKED.index(row) % len(WIRES)]])
    check(row, count)
    assert count.effects == 10


@pytest.mark.parametrize("mode", [Mode.ARRIVAL_CHECK, Mode.NOT_UNIQUE], ids=lambda mode: mode.value)
@pytest.mark.parametrize("calls", ORDERS)
def test_a_double_that_the_list_shows_is_reported(calls: str, mode: Mode) -> None:
    """The lost creation takes effect between the repeat and the read after it. Every caller of every pair gets an
    error."""
    row = Row(mode, calls)
    count = counted(row, 12, share=0.5, late=(7.11, 7.2))
    check(row, count)
    callers = 2 if calls == "get-or-create" else 1
    assert count.doubled > 3
    assert count.told_doubled + count.unknown == count.doubled * callers


@pytest.mark.parametrize("mode", [Mode.ARRIVAL_CHECK, Mode.NOT_UNIQUE], ids=lambda mode: mode.value)
@pytest.mark.parametrize("calls", ORDERS)
def test_a_creation_that_takes_effect_before_the_last_look_is_not_doubled(calls: str, mode: Mode) -> None:
    count = counted(Row(mode, calls), 12, share=0.5, late=(0.0, 7.0))
    check(Row(mode, calls), count)
    assert count.doubled == count.unknown == 0


@pytest.mark.parametrize("calls", ["change", "change-in-a-job"])
def test_a_change_that_takes_effect_before_its_repeat_is_done(calls: str) -> None:
    """The service refuses the repeat, because the first attempt has already given the order the status."""
    count = counted(Row(Mode.LATE_COMMIT, calls), 12, share=0.5, late=(0.1, 1.0))
    check(Row(Mode.LATE_COMMIT, calls), count)
    assert count.done == count.asked


def test_the_service_derives_the_time_from_the_requests() -> None:
    """Its moments are those at which a client with the default numbers reads."""
    looks = moments(Settings().settling_pause)
    assert MOMENTS[:READS] == tuple(next(looks) for _ in range(READS))


@pytest.mark.parametrize(
    ("told", "made"),
    [
        ([Told("done", ("a",))], []),
        ([Told("done", ("b",))], ["a"]),
        ([Told("done")], []),
        ([Told("doubled", ("a", "b"))], ["a"]),
        ([Told("already done")], ["a"]),
        ([Told("refused")], ["a"]),
        ([Told("not sent")], ["a"]),
        ([Told("done", ("a",), created=True)] * 2, ["a"]),
        ([], ["a"]),
    ],
)
def test_false_reports_are_counted(told: list[Told], made: list[str]) -> None:
    count = Count()
    count.add({"x": told} if told else {}, {"x": made}, {})
    assert count.false == 1


def test_a_caller_that_was_shown_two_must_report_it() -> None:
    count = Count()
    count.add({"x": [Told("done", ("a",))]}, {"x": ["a", "b"]}, {"x": {"a", "b"}})
    assert (count.false, count.doubled) == (1, 1)


# The page with the counts


def block() -> str:
    """The table that the page has."""
    (found,) = re.findall(r"<!-- measured: counts -->\n(.*?)<!-- end -->", counts.PAGE.read_text("utf-8"), re.DOTALL)
    return str(found).strip()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_has_every_row_and_nothing_false() -> None:
    """The page has all modes and calls, with the columns that the command writes. It explains each mode."""
    head, _, *lines = block().splitlines()
    assert tuple(cells(head)) == COLUMNS
    assert [cells(line)[:2] for line in lines] == [list(row.cells(Count())[:2]) for row in ROWS]
    page = counts.PAGE.read_text("utf-8")
    assert [mode for mode in Mode if f"- `{mode.value}`: " not in page] == []
    for row, line in zip(ROWS, lines, strict=True):
        check(row, Count(*(int(cell.replace(",", "")) for cell in cells(line)[2:])))


def test_the_command_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It replaces the table, and nothing around it."""
    page = tmp_path / "reliability.md"
    before = counts.PAGE.read_text("utf-8")
    page.write_text(before, "utf-8")
    monkeypatch.setattr(counts, "PAGE", page)

    def counted(row: Row, each: int) -> Count:
        return Count(asked=each, effects=4_321)

    monkeypatch.setattr(counts, "counted", counted)
    counts.main(["--write-docs"])
    now = block()
    assert all("| 4,321 |" in line for line in now.splitlines()[2:])
    monkeypatch.undo()
    assert page.read_text("utf-8").replace(now, block()) == before


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_the_page_has_the_counts() -> None:
    """A new count of everything gives the table of the page."""
    assert table(counts.count_all()) == block()
