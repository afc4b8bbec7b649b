"""The service tells every kind of lie, in up to every second answer. No wrong reading is named, and every order that
is left is."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from random import Random

import pytest

from norce_order_async.calibration.bench import MOST_ORDERS
from norce_order_async.sandbox import Readings, Sandbox
from tests.support.turns import for_soak

from .liars import LIES, Liar
from .support import calibrated, made_in, named, unsaid_in

CHANCES = (0.5, 0.1, 0.25, 0.02)

ORDINARY = [(lie, CHANCES[index % 2], 0) for index, lie in enumerate(LIES)]
"""Each kind of lie once, in every second or every tenth answer."""
CASES = [*ORDINARY, *for_soak(one for one in product(LIES, CHANCES, range(5)) if one not in ORDINARY)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_nothing_wrong_is_named(case: tuple[str, float, int], tmp_path: Path) -> None:
    lie, chance, seed = case
    drawn = Random(f"{lie} {seed}")
    readings = Readings() if seed % 2 == 0 else Readings.harsh() | {"delete-order": "any-status"}
    with Sandbox(readings=readings, seed=seed) as sandbox:
        result = calibrated(
            sandbox,
            tmp_path,
            through=lambda engine, clock: Liar(engine, LIES[lie], chance, drawn, clock.sleep),
            allow_completing=True,
        )
        told = named(result)
        assert told == {rule: readings[rule] for rule in told}
        assert unsaid_in(sandbox, result) == []
        if lie != "twice":
            assert made_in(sandbox) <= MOST_ORDERS


def test_a_service_that_does_not_lie_is_believed(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        result = calibrated(
            sandbox, tmp_path, through=lambda engine, clock: Liar(engine, LIES["any"], 0.0, Random(0), clock.sleep)
        )
        assert len(named(result)) == 22
        assert result.requests < 400, "ten minutes, at forty a minute"
