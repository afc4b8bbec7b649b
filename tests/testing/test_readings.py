"""Tests under other readings: which tests run again, the report at the end, and that the normal run is unchanged."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.testing import support

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow(group="readings")

UNPAID = """\
import pytest
from norce_order_async import TransitionRefusedError

pytestmark = pytest.mark.{mark}


async def test_relies(norce_order):
    with pytest.raises(TransitionRefusedError):
        await norce_order.transition_to("processing")


async def test_does_not(norce_client):
    assert await norce_client.orders.count() == 0


async def test_without_a_sandbox():
    pass
"""
NAME = "test_readings_of.py"
ACCEPTED = "norce_readings_accepted"
WORKERS = pytest.mark.parametrize("workers", ["", "-n2"], ids=["alone", "xdist"])
"""Results that are collected at the end; starting workers takes longer than everything else in these tests."""
LOOPS = "asyncio_default_fixture_loop_scope = function"


def run(
    pytester: pytest.Pytester, *arguments: str, plugins: tuple[str, ...] = ("asyncio",), ini: str = ""
) -> pytest.RunResult:
    """Run tests with pytest-asyncio set up if it is loaded, and return the result."""
    settings = f"{LOOPS}\n{ini}" if "asyncio" in plugins else ini
    return support.run(pytester, *arguments, plugins=plugins, ini=settings)


def written(pytester: pytest.Pytester, code: str) -> None:
    pytester.path.joinpath(NAME).write_text(code, "utf-8")


def table(result: pytest.RunResult) -> list[str]:
    """Return the table at the end of the output."""
    lines = result.outlines
    begin = next(number for number, line in enumerate(lines) if re.fullmatch("=+ readings of the rules =+", line))
    end = next(number for number, line in enumerate(lines[begin + 1 :], begin + 1) if re.fullmatch("=+ .* =+", line))
    return [line for line in lines[begin + 1 : end] if line]


def reported(pytester: pytest.Pytester, *arguments: str, plugins: tuple[str, ...] = ("asyncio",)) -> dict[str, Any]:
    """Return the report for other programs, after checking that the run passes."""
    result = run(pytester, "--norce-readings-report=found.json", *arguments, plugins=plugins)
    assert result.ret == 0, result.stdout.str()
    found: dict[str, Any] = json.loads(pytester.path.joinpath("found.json").read_text("utf-8"))
    assert (found["version"], found["complete"]) == (1, True)
    return found


def relied(found: dict[str, Any]) -> dict[str, list[str]]:
    """Return tests by ``rule=reading``, or by several of these."""
    return {
        " ".join(f"{change['rule']}={change['under']}" for change in one["changes"]): [
            test["id"].removeprefix(f"{NAME}::") for test in one["tests"]
        ]
        for one in found["reliances"]
    }


@pytest.mark.parametrize(
    ("plugins", "mark", "arguments", "tests"),
    [
        pytest.param(("asyncio",), "asyncio", (), ["test_relies"], id="asyncio"),
        # An ordinary run has the report of workers in test_kinds_of_tests.
        pytest.param(
            *(("asyncio", "xdist"), "asyncio", ("-n2",), ["test_relies"]),
            id="asyncio with xdist",
            marks=pytest.mark.soak,
        ),
        pytest.param(("anyio",), "anyio", (), ["test_relies[asyncio]", "test_relies[trio]"], id="anyio"),
        pytest.param(
            *(("anyio",), "anyio", ("--norce-socket", "-k", "trio"), ["test_relies[trio]"]), id="over a socket"
        ),
    ],
)
def test_each(
    pytester: pytest.Pytester, plugins: tuple[str, ...], mark: str, arguments: tuple[str, ...], tests: list[str]
) -> None:
    """A test runs under each other reading of the rules that it uses, and of no other rule."""
    written(pytester, UNPAID.format(mark=mark))
    found = reported(pytester, "--norce-readings=each", *arguments, plugins=plugins)
    assert relied(found) == {"entry-demands=not-demanded": tests}
    (one,) = found["reliances"]
    assert (one["accepted"], one["changes"][0]["certainty"]) == (False, "assumed")
    assert one["changes"][0]["relied_on"] == "each-step"
    assert one["tests"][0]["error"] == "Failed: DID NOT RAISE TransitionRefusedError"
    tried = {(each["rule"], each["reading"]) for each in found["tried"]}
    assert {("entry-demands", "processing-only"), ("pagination-size", "matches")} <= tried
    assert not {rule for rule, _ in tried} & {"hook-denial", "cart-put", "notification-order"}
    assert found["tests"] == 2 * len(tests)


def test_the_table(pytester: pytest.Pytester) -> None:
    """The table explains the reliance in words. Only the normal run is counted, and the exit code is pytest's."""
    written(pytester, UNPAID.format(mark="asyncio"))
    result = run(pytester, "--norce-readings=each", "--junitxml=plain.xml", "-v", plugins=("asyncio",))
    result.assert_outcomes(passed=3)
    assert result.ret == 0
    lines = table(result)
    demands = "No status demands it: only validate checks. Required consents are demanded for processing all the same."
    assert lines[:3] == [
        "1 test relies on entry-demands: each step (assumed).",
        f"  It fails under not demanded: {demands}",
        f"    {NAME}::test_relies - Failed: DID NOT RAISE TransitionRefusedError",
    ]
    assert re.fullmatch(r"2 tests with norce_sandbox pass\. There were \d+ runs under \d+ other readings\.", lines[3])
    assert lines[4:] == ["To see one fail: pytest --norce-readings=entry-demands=not-demanded TEST"]
    assert pytester.path.joinpath("plain.xml").read_text("utf-8").count("<testcase ") == 3


def test_one_reading(pytester: pytest.Pytester) -> None:
    """A whole run under one reading shows the failure that the table names."""
    written(pytester, UNPAID.format(mark="asyncio"))
    result = run(pytester, "--norce-readings=entry-demands=not-demanded", plugins=("asyncio",))
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.no_fnmatch_line("*readings of the rules*")


def test_harsh(pytester: pytest.Pytester) -> None:
    """All harsh readings are tried at once in one more run, without those that are accepted."""
    written(pytester, UNPAID.format(mark="asyncio"))
    found = reported(pytester, "--norce-readings=harsh")
    ((changes, tests),) = relied(found).items()
    assert tests == ["test_relies"]
    assert "entry-demands=not-demanded" in changes
    assert (found["mode"], found["tests"], found["runs"]) == ("harsh", 2, 2)
    result = run(
        pytester,
        "--norce-readings=harsh",
        "--norce-readings-strict",
        plugins=("asyncio",),
        ini="norce_readings_accepted =\n    entry-demands = not-demanded",
    )
    assert result.ret == 0
    assert table(result) == ["2 tests with norce_sandbox pass. There were 2 runs under harsh readings."]


@pytest.mark.parametrize(
    ("accepted", "code"), [("", 1), ("entry-demands=not-demanded", 0), ("cart-put=merges", 1)], ids=str
)
@WORKERS
@pytest.mark.in_turn("workers", over="module")
def test_strict(pytester: pytest.Pytester, accepted: str, code: int, workers: str) -> None:
    """A failure that is not accepted fails the run, although all tests pass."""
    written(pytester, UNPAID.format(mark="asyncio"))
    result = run(
        pytester,
        "--norce-readings=each",
        "--norce-readings-strict",
        *workers.split(),
        plugins=("asyncio", "xdist"),
        ini=f"norce_readings_accepted =\n    {accepted}",
    )
    result.assert_outcomes(passed=3)
    assert result.ret == code
    assert ("FAILED by --norce-readings-strict" in result.stdout.str()) is (code == 1)
    assert ("(assumed, accepted)" in result.stdout.str()) is (code == 0)
    unneeded = ["No test of this run needs these in norce_readings_accepted:", f"    {accepted}"]
    assert (table(result)[3:5] == unneeded) is (accepted == "cart-put=merges")


KINDS = """\
import asyncio
import unittest

import pytest
from norce_order_async import TransitionRefusedError

LEFT, MADE = [], []


def unpaid(order):
    async def refused():
        with pytest.raises(TransitionRefusedError):
            await order.transition_to("processing")

    asyncio.run(refused())


@pytest.fixture(scope="session")
def costly():
    MADE.append("session")
    yield
    # Once plainly, and once more for all other runs.
    assert MADE.count("session") <= 2


@pytest.fixture
def fresh():
    return []


@pytest.mark.parametrize("number", [1, 2])
def test_parameters(norce_order, costly, fresh, number):
    assert not fresh
    fresh.append(number)
    unpaid(norce_order)


class TestInAClass:
    def test_self(self, norce_order, costly):
        assert not hasattr(self, "left")
        self.left = True
        unpaid(norce_order)


class TestUnit(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def given(self, norce_order):
        self.order = norce_order

    def test_unit(self):
        with self.subTest("a part"):
            unpaid(self.order)


def test_passes_once(norce_order):
    assert not LEFT
    LEFT.append(1)
    unpaid(norce_order)


@pytest.fixture
def norce_sandbox_options(request):
    if request.node.name == "test_chooses":
        return {"readings": {"entry-demands": "each-step"}}
    return {}


def test_chooses(norce_order):
    unpaid(norce_order)


def test_fails_plainly(norce_order):
    assert False


@pytest.mark.skip
def test_skipped(norce_order):
    pass


@pytest.mark.xfail
def test_expected_to_fail(norce_order):
    assert False
"""


@WORKERS
@pytest.mark.in_turn("workers", over="module")
def test_kinds_of_tests(pytester: pytest.Pytester, workers: str) -> None:
    """Each run has fixtures and an instance of its own. A test that can't be run twice has no result."""
    written(pytester, KINDS)
    result = run(
        pytester, "--norce-readings=each", "--norce-readings-report=found.json", *workers.split(), plugins=("xdist",)
    )
    result.assert_outcomes(passed=6, failed=1, skipped=1, xfailed=1)
    assert result.ret == 1
    found = json.loads(pytester.path.joinpath("found.json").read_text("utf-8"))
    assert relied(found) == {
        "entry-demands=not-demanded": [
            "TestInAClass::test_self",
            "TestUnit::test_unit",
            "test_parameters[1]",
            "test_parameters[2]",
        ]
    }
    assert found["unrepeatable"] == [f"{NAME}::test_passes_once"]
    assert found["tests"] == 6


def test_an_observed_rule_is_not_tried(pytester: pytest.Pytester) -> None:
    """With a calibration's file every run follows it, and only the other rules are tried."""
    written(pytester, UNPAID.format(mark="asyncio"))
    pytester.path.joinpath("calibration.yaml").write_text(
        "entry-demands: {reading: each-step, when: 2026-01-01}\npagination-size: {reading: matches}\n", "utf-8"
    )
    found = reported(pytester, "--norce-readings=each", "--norce-readings=calibration.yaml")
    assert relied(found) == {}
    assert not {"entry-demands", "pagination-size"} & {each["rule"] for each in found["tried"]}
    written(
        pytester,
        "def test_it(norce_sandbox):\n"
        "    assert norce_sandbox.readings['pagination-size'] == 'matches'\n"
        "    assert norce_sandbox.readings.certainty('entry-demands') == 'observed'\n",
    )
    run(pytester, ini="norce_readings = calibration.yaml").assert_outcomes(passed=1)


@WORKERS
@pytest.mark.in_turn("workers", over="module")
def test_a_run_that_stops_early(pytester: pytest.Pytester, workers: str) -> None:
    """A run that stops early tries no more readings, and says so."""
    written(pytester, KINDS)
    result = run(
        pytester, "--norce-readings=each", "-x", "-k", "fails_plainly or chooses", *workers.split(), plugins=("xdist",)
    )
    assert result.ret != 0
    assert "The run was stopped: not every reading was tried." in table(result)


def test_only_the_normal_runs_are_remembered(pytester: pytest.Pytester) -> None:
    """``--setup-show`` shows the runs under other readings, and ``--setup-plan`` runs none."""
    written(pytester, UNPAID.format(mark="asyncio"))
    shown = run(pytester, "--norce-readings=each", "--setup-show", "-k", "relies", plugins=("asyncio",))
    assert shown.stdout.str().count("SETUP    F norce_order ") > 10
    planned = run(pytester, "--norce-readings=each", "--setup-plan", plugins=("asyncio",))
    assert "There were 0 runs under 0 other readings." in planned.stdout.str()


@pytest.mark.parametrize(
    ("arguments", "ini", "why"),
    [
        (("--norce-readings=each", "--norce-readings=harsh"), "", "each or harsh, not both"),
        (("--norce-readings=cart-total=zero-missing",), "", "did you mean zero-when-missing or"),
        (("--norce-readings=missing.yaml",), "", "missing.yaml"),
        ((), "norce_readings = missing.yaml", "missing.yaml"),
        (("--norce-readings-strict",), "", "need --norce-readings=each or --norce-readings=harsh"),
        (("--norce-readings=each", "--norce-readings-report=no/such.json"), "", "there is no folder"),
        (("--norce-readings=each",), f"{ACCEPTED} = cart-total", f"{ACCEPTED}: cart-total has no reading"),
        (("--norce-readings=each",), f"{ACCEPTED} = cart-totl=x", f"{ACCEPTED}: there is no rule 'cart-totl'; did"),
        (("--norce-readings=each",), f"{ACCEPTED} = cart-put=merge", "has no reading 'merge'; did you mean merges?"),
    ],
)
def test_mistakes_end_the_run_before_it_begins(
    pytester: pytest.Pytester, arguments: tuple[str, ...], ini: str, why: str
) -> None:
    """The error has the reason."""
    result = run(pytester, *arguments, ini=ini)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert why in result.stderr.str()


def test_in_this_process(pytester: pytest.Pytester) -> None:
    """The option works in a program that calls pytest."""
    written(pytester, UNPAID.format(mark="anyio"))
    pytester.makeini(f"[pytest]\nfilterwarnings = error\n{LOOPS}")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:schemathesis", "--norce-readings=harsh")
    result.assert_outcomes(passed=6)
    assert "test relies on" in table(result)[0] or "tests rely on" in table(result)[0]


def test_it_is_loaded_on_demand(pytester: pytest.Pytester) -> None:
    """A run without the option does not load the module of readings."""
    written(
        pytester,
        "import sys\n\ndef test_it(norce_sandbox):\n"
        "    assert 'norce_order_async.testing.readings' not in sys.modules\n",
    )
    run(pytester).assert_outcomes(passed=1)
