"""How readings are chosen, and which of them a request touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from norce_order_async.sandbox import RULES, FaultPlanError, Reading, Readings, ReadingsError, Sandbox
from norce_order_async.sandbox.faults import plan_of
from norce_order_async.sandbox.rules import READINGS
from tests.sandbox.support import Api

HARSH = {
    "unprocessed-503": "may-have-been-done",
    "price-decimals": "two-at-most",
    "nulls": "written",
    "hooks-in-body": "ignored",
    "cart-reference-unique": "not-unique",
    "cart-total": "zero-when-missing",
    "transitions": "unchecked",
    "state-answer": "202-done-later",
    "entry-demands": "not-demanded",
    "list-lag": "3-s",
    "page-limit": "over-50-refused",
}


def test_each_reading_is_described() -> None:
    """Only a rule that is assumed has readings, and the first reading is not harsh."""
    for rule in RULES:
        assert len(rule.readings) != 1
        assert len({reading.id for reading in rule.readings}) == len(rule.readings)
        assert not rule.readings or rule.certainty == "assumed", rule.id
        for reading in rule.readings:
            assert isinstance(reading, Reading)
            assert reading.rule == rule.id
            assert reading.text.endswith(".")
            assert reading.notice.endswith(".")
        assert not any(reading.harsh for reading in rule.readings[:1])
    assert len(READINGS) == 31


def test_the_first_is_chosen_by_default() -> None:
    readings = Readings({"cart-total": "zero-when-missing"})
    assert readings["cart-total"] == "zero-when-missing"
    assert readings["list-lag"] == "none"
    assert len(readings) == len(READINGS)
    assert [reading.id for reading in readings.changed] == ["zero-when-missing"]
    assert Readings() == Sandbox().readings == Sandbox(readings={}).readings
    assert Sandbox(readings=readings).readings is readings
    assert "zero-when-missing" in repr(readings)
    assert hash(readings) == hash(Readings(dict(readings)))


def test_all_harsh_ones_at_once() -> None:
    assert {reading.rule: reading.id for reading in Readings.harsh().changed} == HARSH
    softer = Readings.harsh() | {"nulls": "left-out"}
    assert {reading.rule for reading in softer.changed} == HARSH.keys() - {"nulls"}
    assert Readings({"nulls": "written"}) | Readings({"times": "no-offset"}) == Readings(
        {"nulls": "written", "times": "no-offset"}
    )


def test_each_other_one_alone() -> None:
    each = [readings.changed for readings in Readings.each()]
    assert all(len(changed) == 1 for changed in each)
    assert [one.id for (one,) in each] == [one.id for rule in RULES for one in rule.readings[1:]]


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        ({"cart-totl": "x"}, "there is no rule 'cart-totl'; did you mean cart-total"),
        ({"cart-total": "zero"}, "cart-total has no reading 'zero'.*; its readings are summed-when-missing, zero-"),
        ({"cart-total": "zero-when-mising"}, "did you mean zero-when-missing"),
        ({"bearer": "x"}, "the rule bearer has no readings to choose from"),
        ({"cart-total": None}, "has no reading nothing"),
        ({"cart-total": "x" * 1000}, r"has no reading 'x{40,60}\.\.\."),
    ],
)
def test_an_unknown_name_comes_with_the_nearest(chosen: dict[str, str], text: str) -> None:
    with pytest.raises(ReadingsError, match=text):
        Sandbox(readings=chosen)


def test_a_value_that_is_not_a_mapping() -> None:
    with pytest.raises(ReadingsError, match="must be a mapping from rules to readings"):
        Sandbox(readings="harsh")  # type: ignore[arg-type]


CALIBRATION = """\
cart-total: zero-when-missing
list-lag:
  reading: 3-s
  observed: found after 2.4 s
  when: 2026-11-27T12:00:00Z
times: {reading: neither, observed: "2026-11-27 12:00"}
"""


def test_a_file_as_a_calibration_writes_it(tmp_path: Path) -> None:
    """A rule that was observed is no longer assumed. A rule that follows no reading keeps its first one."""
    file = tmp_path / "calibration.yaml"
    file.write_text(CALIBRATION, "utf-8")
    for given in (file, str(file)):
        readings = Readings.load(given)
        assert [reading.id for reading in readings.changed] == ["zero-when-missing", "3-s"]
        certainty = {rule: readings.certainty(rule) for rule in ("cart-total", "list-lag", "times", "bearer")}
        assert certainty == {"cart-total": "assumed", "list-lag": "observed", "times": "assumed", "bearer": "certain"}
    assert (readings | {"cart-total": "recomputed"}).certainty("list-lag") == "observed"
    assert (readings | {"list-lag": "none"}).certainty("list-lag") == "assumed"
    assert (Readings() | readings).certainty("list-lag") == "observed"
    with pytest.raises(ReadingsError, match="no rule 'nope'"):
        readings.certainty("nope")


def test_the_newer_file_decides(tmp_path: Path) -> None:
    """The newer file may say that the service follows no reading. The rule is then assumed again, with its first
    reading."""
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("list-lag: {reading: 3-s}\ntimes: {reading: no-offset}\n", "utf-8")
    new.write_text("list-lag: {reading: neither}\n", "utf-8")
    both = Readings.load(old) | Readings.load(new)
    assert (both["list-lag"], both.certainty("list-lag")) == ("none", "assumed")
    assert (both["times"], both.certainty("times")) == ("no-offset", "observed")
    in_three = Readings.load(old) | (Readings() | Readings.load(new))
    assert (in_three["list-lag"], in_three.certainty("list-lag")) == ("none", "assumed")
    assert (Readings.load(new) | Readings.load(old)).certainty("list-lag") == "observed"
    new.write_text("list-lag: none\n", "utf-8")
    both = Readings.load(old) | Readings.load(new)
    assert (both["list-lag"], both.certainty("list-lag")) == ("none", "assumed")


def test_neither_needs_no_mapping(tmp_path: Path) -> None:
    file = tmp_path / "calibration.yaml"
    file.write_text("times: neither\n", "utf-8")
    readings = Readings.load(file)
    assert (readings, readings.certainty("times")) == (Readings(), "assumed")
    with pytest.raises(ReadingsError, match="has no reading 'neither'"):
        Readings({"times": "neither"})


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"cart-total: [", "is not YAML in line 1"),
        (b"- cart-total\n", "must map rules to readings"),
        (b"cart-total: zero\n", "file.yaml: cart-total has no reading 'zero'"),
        (b"cart-total: {observed: x}\n", "cart-total: has no reading"),
        (b"[1]: zero\n", "there is no rule|is not YAML"),
        (b"cart-total: !!python/object/apply:os.system [id]\n", "is not YAML in line 1: could not determine a constr"),
        (BOMB.encode(), "has the alias"),
        (b"\xff\xfe\xff", "it is not UTF-8 text"),
        (b"x: " + b"[" * 100_000, "is nested more than 20 deep"),
        (b"#" * 300_000, "is larger than"),
        (b"cart-total: {reading: zero-when-missing, when: 2026-99-99}\n", "has a value that can't be read"),
        (b"cart-total: !!bool maybe\n", "has a value that its type does not allow"),
        (b'cart-total: !!int ""\n', "has a value that its type does not allow"),
        (b"cart-total: !!timestamp x\n", "has a value that its type does not allow"),
        (b"cart-total: 1" + b":1" * 190 + b".5\n", "has a value that its type does not allow"),
        (b"cart-total: 1" + b":1" * 100_000 + b"\n", "has a number of more than 400 characters"),
        (b"cart-total: 0x" + b"f" * 200_000 + b"\n", "has a number of more than 400 characters"),
        (
            b"nulls: written\ntimes: no-offset\nnulls: left-out\n",
            "file.yaml names 'nulls' twice, the second time in line 3",
        ),
        (b'nulls: written\n"nulls": written\n', "names 'nulls' twice, the second time in line 2"),
        (b"<<: {nulls: written}\nnulls: left-out\n", "names 'nulls' twice"),
        (b"nulls:\n  reading: written\n  reading: left-out\n", "names 'reading' twice, the second time in line 3"),
        (None, "there is no file called"),
    ],
)
def test_an_invalid_file(content: bytes | None, text: str, tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ReadingsError, match=text):
        Readings.load(file)


def test_a_path_that_is_not_a_regular_file(tmp_path: Path) -> None:
    """Reading a pipe without a writer would wait for ever. Plans of faults are read in the same way."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for name in ("pipe", "link", "."):
        with pytest.raises(ReadingsError, match=r"is not a regular file|can't read"):
            Readings.load(tmp_path / name)
        with pytest.raises(FaultPlanError, match=r"is not a regular file|can't read"):
            plan_of(tmp_path / name)
    with pytest.raises(ReadingsError, match="is not a path"):
        Readings.load("a\0b")


@pytest.mark.anyio
async def test_a_request_has_the_rules_that_it_touched(api: Api, sandbox: Sandbox) -> None:
    """A request touches the rules that it looks up, and no others. The sandbox collects them and keeps them when its
    log is reset."""
    await api.ok("GET", "/orders", params={"date_from": "2026-01-01T00:00:00Z"})
    await api.ok("GET", "/orders")
    first, second = sandbox.requests
    assert first.rules - second.rules == {"dates"}
    assert "pagination-size" in second.rules
    sandbox.reset()
    assert {"dates", "pagination-size"} <= sandbox.touched
    assert not Sandbox().touched
