"""The state machine as data: its contents, the local service's table, and random walks."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norce_order_async import InvalidRequestError, Order, TransitionRefusedError
from norce_order_async.models import OrderStatus
from norce_order_async.orders.lifecycle import (
    EDGES,
    STATUSES,
    Doubt,
    Follow,
    Stay,
    check_status,
    explain,
    is_terminal,
    plan,
    predecessors,
)
from norce_order_async.sandbox import Sandbox
from norce_order_async.sandbox.policy import TRANSITIONS
from tests.support.orders import an_order, client_of


def test_the_table_is_that_of_the_local_service() -> None:
    """The client and the local service have a table each, so that neither hides the other's mistake. As data the two
    are equal."""
    assert {status: frozenset(edges) for status, edges in EDGES.items()} == TRANSITIONS


def test_the_table_is_complete() -> None:
    """The table has every status of the description, and no edge from a status to itself."""
    assert set(STATUSES) == set(get_args(OrderStatus))
    assert all(status not in edges for status, edges in EDGES.items())
    assert [status for status in STATUSES if is_terminal(status)] == ["completed", "declined", "removed"]
    assert not is_terminal("onHold")


def test_the_published_edges() -> None:
    """The vendor's tutorial and adapter pages name these edges, and the others are assumed."""
    published = {
        (origin, target) for origin, edges in EDGES.items() for target, sure in edges.items() if sure == "published"
    }
    assert published == {
        ("checkout", "processing"),
        ("checkout", "completed"),
        ("processing", "checkout"),
    }
    assert (EDGES["processing"]["accepted"], EDGES["accepted"]["completed"]) == ("inferred", "inferred")


@pytest.mark.parametrize("target", STATUSES)
@pytest.mark.parametrize("current", [*STATUSES, "onHold", None])
def test_a_plan_for_every_pair(current: str | None, target: OrderStatus) -> None:
    """A plan stays in the status, follows a known edge or leaves it to the service. ``predecessors`` agrees with it."""
    match plan(current, target):
        case Stay(status):
            assert current == target == status
        case Follow(origin, to, certainty):
            assert (origin, to) == (current, target)
            assert EDGES[origin][to] == certainty
            assert current in predecessors(target)
        case Doubt(origin, to):
            assert (origin, to) == (current, target)
            assert current != target
            assert current not in predecessors(target)


@pytest.mark.parametrize(
    ("current", "target", "words"),
    [
        ("checkout", "checkout", "to checkout, where it is already"),
        ("checkout", "processing", "from checkout to processing, an edge that is published"),
        ("checkout", "declined", "known ways out of checkout lead to processing, accepted, completed, removed"),
        ("completed", "checkout", "from completed to checkout: completed is final"),
        (None, "accepted", "to accepted"),
    ],
)
def test_its_explanations(current: str | None, target: OrderStatus, words: str) -> None:
    assert words in explain(current, target)


@pytest.mark.parametrize("word", ["complete", "", "COMPLETE D", None, 5])
def test_an_unknown_status_is_refused(word: object) -> None:
    """The error lists the known statuses. A known one is accepted in any case."""
    with pytest.raises(InvalidRequestError, match="known are checkout, processing, accepted, completed, declined, rem"):
        check_status(word)  # type: ignore[arg-type]
    assert check_status("Completed") == "completed"


targets = st.lists(st.sampled_from(STATUSES), min_size=1, max_size=8)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_random_walks_end_as_the_model_says(sandbox: Sandbox) -> None:
    """Paid orders get one status after the other. Changes in the table happen, others are refused and change nothing,
    and the log holds exactly what happened."""
    paths: list[list[OrderStatus]] = []

    @settings(max_examples=40, derandomize=True, database=None)
    @given(targets)
    def draw(path: list[OrderStatus]) -> None:
        paths.append(path)

    draw()
    async with client_of(sandbox) as norce:
        for path in paths:
            await follow(await an_order(norce, paid=True), path)


async def follow(order: Order, path: list[OrderStatus]) -> None:
    passed: list[OrderStatus] = ["checkout"]
    for target in path:
        here = passed[-1]
        if isinstance(plan(here, target), Doubt):
            with pytest.raises(TransitionRefusedError) as caught:
                await order.transition_to(target)
            assert (caught.value.current, caught.value.target, caught.value.problems) == (here, target, ())
        else:
            done = await order.transition_to(target)
            assert (done.to, done.origin, done.called) == (target, here, here != target)
            if here != target:
                passed.append(target)
    await order.refresh()
    assert order.status == passed[-1]
    assert [period.status for period in order.transitions] == passed[1:]
    for earlier, later in pairwise(order.transitions):
        assert earlier.left == later.entered
