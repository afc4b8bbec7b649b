"""A service that follows a reading is calibrated, and the result names that reading.

There is one sandbox for each reading that a probe claims to recognise, one for all harsh readings together, and one for
all first ones.
"""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

import pytest

from norce_order_async.calibration.bench import MOST_ORDERS
from norce_order_async.calibration.probes import NOT_PROBED, PROBES
from norce_order_async.calibration.run import Result
from norce_order_async.sandbox import RULES, Readings, Sandbox
from tests.support.turns import for_soak

from .support import calibrated, left_in, made_in, named

READINGS = {rule.id: [reading.id for reading in rule.readings] for rule in RULES if rule.readings}

PAIRS = [(probe.rule, reading) for probe in PROBES.values() for reading in probe.answers]

DEMANDS = "entry-demands"
"""A rule of which two readings differ only in `accepted`, so a run recognises them only with --allow-completing."""


def _recovered(
    folder: Path, readings: Readings, only: tuple[str, ...] = (), *, backend: str = "asyncio", waits: bool = False
) -> Result:
    reachable = not only or any(PROBES[rule].needs == "public-url" for rule in only)
    with Sandbox(readings=readings) as sandbox:
        result = calibrated(
            sandbox,
            folder,
            only,
            reachable=reachable,
            allow_completing=DEMANDS in only or not only,
            backend=backend,
            waits=waits,
        )
        assert result.stopped is None
        assert result.left == []
        assert made_in(sandbox) <= MOST_ORDERS
        if readings["delete-order"] == "any-status":
            assert left_in(sandbox) == 0
    assert list(folder.glob("*.state")) == []
    return result


@pytest.mark.parametrize(("rule", "reading"), PAIRS, ids=[f"{rule}={reading}" for rule, reading in PAIRS])
def test_the_reading_is_named(rule: str, reading: str, tmp_path: Path) -> None:
    result = _recovered(tmp_path, Readings({rule: reading}), (rule,))
    assert named(result) == {rule: reading}, result.verdicts


@pytest.mark.parametrize(
    "reading",
    [
        ("hook-timeout", "2-s"),
        ("validation-timeout", "1-s"),
        *for_soak([("hook-timeout", "10-s"), ("validation-timeout", "5-s")]),
    ],
    ids="=".join,
)
def test_a_timeout_in_real_time_is_named(reading: tuple[str, str], tmp_path: Path) -> None:
    """In the other tests the time of unanswered calls passes at once."""
    rule, seconds = reading
    began = time.monotonic()
    assert named(_recovered(tmp_path, Readings({rule: seconds}), (rule,), waits=True)) == {rule: seconds}
    assert time.monotonic() - began >= 3 * float(seconds.removesuffix("-s"))


def test_all_first_readings_at_once(tmp_path: Path) -> None:
    readings = Readings()
    assert named(_recovered(tmp_path, readings)) == {rule: readings[rule] for rule in PROBES}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_all_harsh_readings_at_once(backend: str, tmp_path: Path) -> None:
    readings = Readings.harsh()
    assert named(_recovered(tmp_path, readings, backend=backend)) == {rule: readings[rule] for rule in PROBES}


@pytest.mark.parametrize("seed", range(8))
def test_nothing_wrong_is_named_of_any_mixture(seed: int, tmp_path: Path) -> None:
    """One reading can hide another. The rule then has no result."""
    drawn = Random(seed)
    readings = Readings({rule: drawn.choice(list(probe.answers)) for rule, probe in PROBES.items()})
    with Sandbox(readings=readings) as sandbox:
        result = calibrated(sandbox, tmp_path, allow_completing=True)
        assert made_in(sandbox) <= MOST_ORDERS
    told = named(result)
    assert told == {rule: readings[rule] for rule in told}
    assert len(told) >= 20
    assert (result.left, result.stopped) == ([], None)


def test_a_missing_edge_is_not_a_demand(tmp_path: Path) -> None:
    """If the status table lacks a step to accepted, the service refuses it whatever the payments add up to."""
    with Sandbox(readings={"transitions": "published", DEMANDS: "processing-only"}) as sandbox:
        assert named(calibrated(sandbox, tmp_path, (DEMANDS,), allow_completing=True)) == {}


def test_every_rule_with_readings_has_a_probe_or_a_reason() -> None:
    assert set(PROBES) | set(NOT_PROBED) == set(READINGS)
    assert not set(PROBES) & set(NOT_PROBED)


def test_probes_answer_for_all_readings() -> None:
    for rule, probe in PROBES.items():
        assert list(probe.answers) == READINGS[rule], rule


def test_the_number_of_rules_that_need_only_credentials() -> None:
    """Twenty are promised. One of these rules is fully recognised only with --allow-completing."""
    alone = [probe.rule for probe in PROBES.values() if probe.needs == "nothing"]
    assert (len(alone), len(PROBES), len(READINGS)) == (22, 29, 31)
