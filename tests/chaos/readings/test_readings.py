"""Each result that a caller gets is true under every reading of the rules that are not published."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from norce_order_async import (
    Fixed,
    NorceError,
    NorceOrderClient,
    OrderFilter,
)
from norce_order_async.bulk import actions
from norce_order_async.bulk.actions.base import Action
from norce_order_async.engines.select import EngineName
from norce_order_async.pipeline.operations import CREATE_ORDER
from norce_order_async.sandbox import FaultPlan, Readings, Sandbox
from tests.chaos.service import CONTEXT, cart, payment
from tests.support.turns import examples, for_soak

from .walks import (
    LOST,
    TURNED_AWAY,
    FastClock,
    Truth,
    client_of,
    through_lost_answers,
    through_the_domain,
)

pytestmark = [pytest.mark.anyio, pytest.mark.in_turn("anyio_backend"), pytest.mark.slow(group="readings")]

TUTORIAL = Path(__file__).parents[3] / "examples" / "tutorial.py"


PLANS = {"lost": LOST, "turned-away": TURNED_AWAY}
HARSH = [one for one in Readings.each() if one.changed[0].harsh]
PAIRS = [one | other for one, other in zip(HARSH[: len(HARSH) // 2], HARSH[len(HARSH) // 2 :], strict=True)]
"""Pairs in which each harsh reading comes once. A soak has every two readings."""

MADE_TWICE = Readings({"state-answer": "202-done-later", "same-status": "again"})
"""If the change of status of the first request takes effect only after the client has read the order, the client sends
it again, and the service counts both. docs/uncertain.md says so: no read distinguishes this from a request that was
lost."""


def name_of(one: Readings) -> str:
    return "harsh" if one == Readings.harsh() else "+".join(f"{each.rule}={each.id}" for each in one.changed)


def halves(ordinary: int) -> list[Readings | Any]:
    """Half of the readings, and all harsh ones together. The other half is for a soak."""
    each = Readings.each()
    return [*each[ordinary::2], Readings.harsh(), *for_soak(each[1 - ordinary :: 2])]


@pytest.fixture(params=[*Readings.each(), Readings.harsh()], ids=name_of)
def readings(request: pytest.FixtureRequest) -> Readings:
    chosen: Readings = request.param
    return chosen


@pytest.fixture
def clock() -> FastClock:
    return FastClock()


@pytest.fixture
def sandbox(readings: Readings, clock: FastClock) -> Iterator[Sandbox]:
    with Sandbox(readings=readings, clock=clock) as sandbox:
        yield sandbox
    sandbox.close()


@pytest.fixture
def told(sandbox: Sandbox) -> Truth:
    return Truth(sandbox)


@pytest.fixture
async def norce(sandbox: Sandbox, engine: EngineName) -> AsyncIterator[NorceOrderClient]:
    async with client_of(sandbox, engine) as norce:
        yield norce


@pytest.fixture(scope="module")
def tutorial() -> ModuleType:
    source = TUTORIAL.read_text().rpartition("asyncio.run(")[0]
    module = ModuleType("tutorial")
    exec(compile(source, TUTORIAL, "exec"), module.__dict__)
    return module


async def test_the_tutorial(told: Truth, norce: NorceOrderClient, tutorial: ModuleType, capsys: Any) -> None:
    """It completes, or raises a ``NorceError`` with the reason. If the client says that the order is completed, it
    is, and it was paid once."""
    try:
        await tutorial.walk(norce)
    except NorceError as error:
        refused = repr(error)
    else:
        refused = ""
    out = capsys.readouterr().out
    if refused:
        assert "completed" not in out, refused
        return
    (made,) = told.sandbox.effects.of(None, CREATE_ORDER.id)
    assert told.status(made.order_id) == "completed"
    assert "completed" in out
    assert told.steps(made.order_id) == ["checkout -> completed"]
    order = told.order(made.order_id) or {}
    assert [each["amount"] for each in told.active(made.order_id, "payments")] == [174.0]
    assert order["total"]["includingVat"] == 174.0


@pytest.mark.parametrize("readings", halves(0), ids=name_of, indirect=True)
async def test_a_walk_through_the_domain(told: Truth, norce: NorceOrderClient, clock: FastClock) -> None:
    await through_the_domain(told, norce, clock)


@pytest.mark.parametrize("readings", PAIRS, ids=name_of, indirect=True)
async def test_a_walk_under_two_readings(told: Truth, norce: NorceOrderClient, clock: FastClock) -> None:
    """What is true under each of two readings is true under both of them together."""
    await through_the_domain(told, norce, clock)


@pytest.mark.in_turn("anyio_backend", "plan")
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("readings", PAIRS, ids=name_of, indirect=True)
async def test_lost_answers_under_two_readings(told: Truth, norce: NorceOrderClient, plan: FaultPlan) -> None:
    await through_lost_answers(told, norce, plan)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("one", Readings.each(), ids=name_of)
async def test_every_two_readings(one: Readings, engine: EngineName) -> None:
    """Both walks hold under this reading and each later one of another rule."""
    each = Readings.each()
    failures: list[str] = []
    for other in each[each.index(one) + 1 :]:
        if other.changed[0].rule == one.changed[0].rule:
            continue
        for walk in ("domain", *PLANS):
            if walk == "lost" and (one | other).changed == MADE_TWICE.changed:
                continue
            clock = FastClock()
            with Sandbox(readings=one | other, clock=clock) as sandbox:
                async with client_of(sandbox, engine) as norce:
                    try:
                        if walk == "domain":
                            await through_the_domain(Truth(sandbox), norce, clock)
                        else:
                            await through_lost_answers(Truth(sandbox), norce, PLANS[walk])
                    except (AssertionError, NorceError) as error:
                        failures.append(f"{name_of(one | other)}, {walk}: {error!r}"[:500])
            sandbox.close()
    assert not failures, "\n".join(failures)


async def test_an_order_that_another_program_created(
    told: Truth, sandbox: Sandbox, norce: NorceOrderClient, engine: EngineName, readings: Readings
) -> None:
    """The client finds it. It makes a second order only if the service allows two for a cart."""
    async with client_of(sandbox, engine) as other:
        theirs = await other.orders.create(**CONTEXT, cart=cart("c-1"))
    ours, is_new = await norce.orders.get_or_create(**CONTEXT, cart=cart(), cart_reference="c-1")
    assert told.times(CREATE_ORDER) == 1 + is_new
    assert is_new == (ours.id != theirs.id)
    if readings["cart-reference-unique"] != "not-unique":
        assert not is_new


@pytest.mark.parametrize("readings", halves(1), ids=name_of, indirect=True)
async def test_a_job_whose_answers_are_lost(
    told: Truth, sandbox: Sandbox, norce: NorceOrderClient, tmp_path: Path
) -> None:
    ids = [
        (await norce.orders.create(**CONTEXT, cart=cart(f"c-{number}"))).id for number in range(examples(6, soak=12))
    ]
    for order_id in ids:
        await norce.orders(order_id).payments.create(payment("whole"))
    sandbox.faults.play("lost-answers")
    attributes = actions.patch_attributes({"sent": True})
    verdicts = await ran(norce, tmp_path / "attributes", ids, attributes)
    assert set(verdicts.values()) == {"done"}
    assert all((told.order(each) or {})["attributes"] == {"sent": True} for each in ids)
    verdicts = await ran(norce, tmp_path / "states", ids, actions.transition("completed"))
    for order_id, verdict in verdicts.items():
        if verdict == "done":
            assert told.status(order_id) == "completed"
            assert told.steps(order_id) == ["checkout -> completed"]
    sandbox.advance(10.0)
    for order_id, verdict in verdicts.items():
        assert len(told.steps(order_id)) <= 1, "moved twice"
        assert verdict != "refused" or told.status(order_id) == "checkout"
    assert set(verdicts.values()) == {"done"}
    sandbox.faults.stop()
    out = tmp_path / "orders.jsonl"
    async with norce.bulk(load=Fixed(in_flight=3)) as job:
        async for _ in job.run(OrderFilter(), actions.export(out)):
            pass
    assert job.summary.complete
    assert sorted(json.loads(line)["id"] for line in out.read_text().splitlines()) == sorted(ids)


async def ran(norce: NorceOrderClient, journal: Path, ids: list[str], action: Action[Any]) -> dict[str, str]:
    async with norce.bulk(journal, load=Fixed(in_flight=3)) as job:
        return {outcome.key: outcome.verdict async for outcome in job.run(ids, action)}


# A lost answer and a rejection are settled by the same requests under each reading.
@pytest.mark.in_turn("anyio_backend", "plan")
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
async def test_answers_that_are_lost_or_are_rejections(told: Truth, norce: NorceOrderClient, plan: FaultPlan) -> None:
    """The first answer to each change is lost, or is a 503 with Retry-After."""
    await through_lost_answers(told, norce, plan)
