"""Under faults a probe reports that it could not tell, and never names a wrong reading."""

from __future__ import annotations

from pathlib import Path

import pytest

from norce_order_async.calibration.bench import MOST_ORDERS
from norce_order_async.calibration.probes import PROBES
from norce_order_async.sandbox import READY, FaultPlan, Readings, Sandbox

from .support import calibrated, left_in, made_in, named

FIRST = Readings()
"""The first reading of each rule, which the local service has by default."""
LAST = Readings({rule: list(probe.answers)[-1] for rule, probe in PROBES.items()})
"""The last reading of each rule, which differs most from the first."""


@pytest.mark.parametrize("readings", [FIRST, Readings.harsh(), LAST], ids=["first", "harsh", "last"])
@pytest.mark.parametrize("faults", ["flaky-network", "rate-limited", "lost-answers", "deploy"])
@pytest.mark.parametrize("seed", range(2))
# One seed is as good as another for these faults.
@pytest.mark.in_turn("seed")
def test_nothing_wrong_is_named(faults: str, seed: int, readings: Readings, tmp_path: Path) -> None:
    with Sandbox(faults=faults, seed=seed, readings=readings) as sandbox:
        result = calibrated(sandbox, tmp_path, allow_completing=True)
        assert made_in(sandbox) <= MOST_ORDERS
    told = named(result)
    assert told == {rule: readings[rule] for rule in told}
    assert len(told) >= 6, "it could tell nothing"
    assert result.left == []


@pytest.mark.parametrize("seed", range(3))
def test_a_service_that_fails_again_and_again_is_left_alone(seed: int, tmp_path: Path) -> None:
    with Sandbox(faults="chaos", seed=seed) as sandbox:
        result = calibrated(sandbox, tmp_path)
        assert result.stopped is not None
        assert "failed 3 times" in result.stopped
        told = named(result)
        assert told == {rule: FIRST[rule] for rule in told}
        # The run has removed its orders all the same, or it names those that are left.
        assert left_in(sandbox) <= len(result.left)


def test_every_ready_plan_is_tried() -> None:
    """A new plan is tried here, or there is a reason not to. The plan ``slow`` only costs time."""
    assert set(READY) == {"flaky-network", "rate-limited", "lost-answers", "deploy", "chaos", "slow"}
    assert all(isinstance(plan, FaultPlan) for plan in READY.values())
