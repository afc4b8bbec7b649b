"""The combinations of parameters in an ordinary run: a rule chooses them, with each value of each parameter."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.support.turns import chosen

pytest_plugins = ["pytester"]


@pytest.mark.parametrize("others", [1, 2, 3, 7, 18])
@pytest.mark.parametrize("values", [1, 2, 3, 4, 5])
def test_each_value_of_both_is_there_and_hardly_more(others: int, values: int) -> None:
    every = list(itertools.product(range(others), range(values)))
    found = chosen(every)
    assert found <= set(every)
    assert {key for key, _ in found} == set(range(others))
    assert {value for _, value in found} == set(range(values))
    assert len(found) == max(others, values)


def test_a_missing_combination_is_replaced() -> None:
    every = [pair for pair in itertools.product(range(4), range(2)) if pair != (2, 0)]
    found = chosen(every)
    assert found <= set(every)
    assert {key for key, _ in found} == set(range(4))
    assert {value for _, value in found} == {0, 1}


PROJECT = """
import pytest

@pytest.fixture(params=["asyncio", "trio"])
def loop(request):
    return request.param

@pytest.mark.in_turn("loop")
@pytest.mark.parametrize("status", [400, 500, pytest.param(599, marks=pytest.mark.soak)])
def test_product(loop, status):
    pass

@pytest.mark.in_turn("loop", over="module")
def test_one(loop):
    pass

@pytest.mark.in_turn("loop", over="module")
def test_other(loop):
    pass
"""


def test_an_ordinary_run_and_a_soak(pytester: pytest.Pytester) -> None:
    """An ordinary run has each combination of the other parameters once, with the values in turn. A soak has every
    combination."""
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\nmarkers =\n    in_turn\n    soak\n")
    pytester.makeconftest(
        "import pytest\nfrom tests.support.turns import mark_for_soak\n"
        "@pytest.hookimpl(tryfirst=True)\ndef pytest_collection_modifyitems(items):\n    mark_for_soak(items)\n"
    )
    pytester.makepyfile(PROJECT)
    run: Any = getattr(pytester, "inline_run")  # noqa: B009 - its plugins have no type
    few = run("-m", "not soak", "-p", "no:norce_order")
    few.assertoutcome(passed=4)
    ran = {call.item.name for call in few.getcalls("pytest_runtest_call")}
    assert ran == {"test_product[asyncio-400]", "test_product[trio-500]", "test_one[asyncio]", "test_other[trio]"}
    run("-p", "no:norce_order").assertoutcome(passed=10)


ON_LOOPS = """
import pytest

pytestmark = pytest.mark.anyio

async def test_one():
    pass

async def test_other():
    pass

@pytest.mark.every_loop
async def test_the_end_of_a_task():
    pass
"""


@pytest.mark.parametrize("folder", ["orders", "engines"])
def test_above_the_pipeline_loops_take_turns_unless_they_are_the_point(pytester: pytest.Pytester, folder: str) -> None:
    pytester.makeini(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\nmarkers =\n    in_turn\n    soak\n    every_loop\n"
    )
    pytester.makeconftest(
        "import pytest\nfrom tests.support.turns import mark_for_soak\n"
        "@pytest.fixture(params=['asyncio', 'trio'])\ndef anyio_backend(request):\n    return request.param\n"
        "@pytest.hookimpl(tryfirst=True)\ndef pytest_collection_modifyitems(items):\n    mark_for_soak(items)\n"
    )
    place = pytester.mkdir("tests") / folder
    place.mkdir()
    (place / "test_loops.py").write_text(ON_LOOPS, encoding="utf-8")
    run: Any = getattr(pytester, "inline_run")  # noqa: B009 - its plugins have no type
    few = run("-m", "not soak", "-p", "no:norce_order")
    ran = {call.item.name for call in few.getcalls("pytest_runtest_call")}
    both = {"test_the_end_of_a_task[asyncio]", "test_the_end_of_a_task[trio]"}
    in_turn = {"test_one[asyncio]", "test_other[trio]"}
    assert ran == both | (in_turn if folder == "orders" else in_turn | {"test_one[trio]", "test_other[asyncio]"})
    run("-p", "no:norce_order").assertoutcome(passed=6)
