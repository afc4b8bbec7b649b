"""The record of differences from the description is bounded in kinds, in log lines and in what it repeats of an
answer."""

from __future__ import annotations

import logging
import re
from typing import Any, cast

import pytest

from norce_order_api import models
from norce_order_api.models import OrderData
from norce_order_api.types import Model
from norce_order_async._json import is_api_name
from norce_order_async.pipeline.response import KINDS_KEPT, LINES_A_MINUTE, DriftRecord
from tests.support.clock import FakeClock, lowest

ODD = [
    "Åsa Öberg",
    "AnnaSvensson",
    "Åsa",
    "asa.oberg@example.com",
    "197001011234",
    "c197001011234",
    "x" * 41,
    "\x1b[31mred",
    "a\nb",
    "[red]",
    "",
]
PLAIN = ["loyalty", "loyaltyLevel2", "order_group", "x" * 40, "v123"]


def record() -> tuple[DriftRecord, FakeClock]:
    clock = FakeClock(lowest)
    return DriftRecord(clock), clock


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in caplog.records if entry.name == "norce_order_async.drift"]


@pytest.mark.parametrize("name", ODD)
def test_a_name_that_may_be_a_persons_is_masked(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """The name is masked in the record and in the log, and the model keeps the member."""
    drift, _ = record()
    order = drift.reading("GetCheckoutOrder", OrderData.from_dict, {"id": "o1", name: 1})
    assert order.additional_properties == {name: 1}
    assert [(each.where, count) for each, count in drift] == [("OrderData.?", 1)]
    assert lines(caplog) == ["answer of GetCheckoutOrder differs from the description: OrderData.? is extra"]


@pytest.mark.parametrize("name", PLAIN)
def test_a_name_of_an_api_is_reported(name: str) -> None:
    drift, _ = record()
    drift.reading("GetCheckoutOrder", OrderData.from_dict, {"id": "o1", name: 1})
    assert [each.where for each, _ in drift] == [f"OrderData.{name}"]


def test_every_member_of_the_description_can_be_reported() -> None:
    """No name of the description looks like a person's, so drift reports it by name."""
    kinds = [kind for name in models.__all__ if isinstance(kind := getattr(models, name), type)]
    members = {member for kind in kinds if issubclass(kind, Model) for member in kind.MEMBERS}
    assert len(members) > 100
    assert [member for member in members if not is_api_name(member)] == []


def test_kinds_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """The first thousand kinds are counted one by one and the others together. Known kinds are still counted."""
    drift, _ = record()
    # Each name has letters only.
    many = {f"m{'abcdefghij'[a]}{'abcdefghij'[b]}{'abcdefghij'[c]}{'abcdefghij'[d]}": 1
            for a in range(10) for b in range(10) for c in range(10) for d in range(10)}  # fmt: skip
    for _ in range(2):
        drift.reading("GetCheckoutOrder", OrderData.from_dict, {"id": "o1", **many})
    drift.add("GetCheckoutOrder", "OrderData.maaaa", "extra")
    assert len(drift) == KINDS_KEPT == 1000
    assert drift.others == 2 * (len(many) - KINDS_KEPT)
    assert [count for _, count in drift][:2] == [3, 2]
    assert repr(drift) == "<DriftRecord: 1000 kinds, 2001 in all, and 18000 of other kinds>"
    assert len(lines(caplog)) == LINES_A_MINUTE + 1


def test_the_log_is_bounded_by_the_minute(caplog: pytest.LogCaptureFixture) -> None:
    """The log says when it stops, and continues in the next minute."""
    drift, clock = record()

    def surprise(count: int, of: str) -> None:
        for number in range(count):
            drift.add("GetCheckoutOrder", f"{of}.m{number}", "extra")

    surprise(LINES_A_MINUTE, "A")
    assert len(lines(caplog)) == LINES_A_MINUTE
    surprise(50, "B")
    told = lines(caplog)[LINES_A_MINUTE:]
    assert len(told) == 1
    assert "in more ways; they are not logged during this minute, but client.drift counts them" in told[0]
    caplog.clear()
    clock.now += 59
    surprise(5, "C")
    assert lines(caplog) == []
    clock.now += 1
    surprise(5, "D")
    assert len(lines(caplog)) == 5
    assert len(drift) == LINES_A_MINUTE + 60


@pytest.mark.parametrize("level", [logging.WARNING, logging.ERROR])
def test_the_count_does_not_depend_on_the_log(level: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(level, "norce_order_async.drift")
    drift, _ = record()
    drift.add("GetCheckoutOrder", "body", "not-json")
    assert len(drift) == 1


def test_the_table_shows_the_rest() -> None:
    console = pytest.importorskip("rich.console").Console(width=100, color_system=None)
    drift, _ = record()
    for number in range(KINDS_KEPT + 7):
        drift.add("GetCheckoutOrder", f"OrderData.m{number}", "extra")
    with console.capture() as captured:
        console.print(drift)
    (rest,) = [line for line in captured.get().splitlines() if "others" in line]
    assert rest.replace("│", " ").split() == ["others", "7"]
    html: str = cast("Any", drift)._repr_html_()
    assert re.findall(r">others<.*?>(\d+)</td></tr></tbody>", html) == ["7"]
    assert html.count("<tr>") == 1 + KINDS_KEPT + 1
