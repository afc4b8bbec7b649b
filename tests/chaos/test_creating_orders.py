"""Orders with cart references are created while answers are lost. There are never two for one reference, and every
result is true."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
import pytest

from norce_order_async import (
    CallError,
    CallOptions,
    NorceOrderClient,
    NotSentError,
    OutcomeUnknownError,
    RejectedError,
)
from norce_order_async.sandbox import FaultPlan
from norce_order_async.sandbox.faults.kinds import Delay
from norce_order_async.sandbox.faults.plan import FaultRule
from tests.support.faults import ALL_THAT_END, DROPS, Fault, Plan, Seeded
from tests.support.proxy import Proxy

from .service import CONTEXT, CREATE_ORDER, Truth, cart

pytestmark = pytest.mark.anyio

WORKERS = 20


@dataclass
class Told:
    """The results that callers got, by cart reference."""

    created: dict[str, str] = field(default_factory=dict[str, str])
    """The id of the handle."""
    unknown: set[str] = field(default_factory=set[str])
    untouched: set[str] = field(default_factory=set[str])
    """Callers that got an error that nothing was done."""
    other: Counter[str] = field(default_factory=Counter[str])

    def __str__(self) -> str:
        return (
            f"{len(self.created)} told created, {len(self.unknown)} told unknown, {len(self.untouched)} told not done"
        )


async def create_all(norce: NorceOrderClient, count: int, workers: int = WORKERS) -> Told:
    """Create a number of orders, twenty at a time by default."""
    told = Told()
    references = iter(f"cart-{number}" for number in range(count))

    async def work() -> None:
        for reference in references:
            try:
                order = await norce.orders.create(**CONTEXT, cart=cart(reference))
            except OutcomeUnknownError:
                told.unknown.add(reference)
            except (NotSentError, RejectedError):
                told.untouched.add(reference)
            except CallError as error:
                told.other[type(error).__name__] += 1
            else:
                told.created[reference] = order.id

    async with anyio.create_task_group() as group:
        for _ in range(workers):
            group.start_soon(work)
    return told


def check(told: Told, truth: Truth, count: int) -> None:
    """Compare the results with the service."""
    there = truth.orders_by_cart()
    assert len(told.created) + len(told.unknown) + len(told.untouched) == count, told.other
    assert {len(ids) for ids in there.values()} == {1}, "an order was created twice"
    for reference, order_id in told.created.items():
        assert there.get(reference) == [order_id], "told created, and not there or another one"
    assert not told.untouched & there.keys(), "told not done, and it is there"
    assert there.keys() <= told.created.keys() | told.unknown
    acted = [effect.order_id for effect in truth.effects(CREATE_ORDER)]
    assert sorted(acted) == sorted(ids[0] for ids in there.values()), "every effect is one of these orders"


async def run(
    proxy: Proxy, truth: Truth, plan: Plan, count: int, *, workers: int = WORKERS, **client: CallOptions
) -> Told:
    proxy.plan = plan
    async with truth.client(proxy, **client) as norce:
        told = await create_all(norce, count, workers)
    proxy.settle()
    check(told, truth, count)
    return told


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_a_fifth_of_the_answers_lost_after_the_effect(
    proxy: Proxy, truth: Truth, tell: Callable[[str], None], count: int
) -> None:
    """Every order exists once and its caller has the right handle, because a read settles every lost answer."""
    started = time.perf_counter()
    told = await run(proxy, truth, Seeded(count, 0.2, DROPS, writes_only=True), count)
    assert 0.15 * count < proxy.faults < 0.25 * count
    assert len(told.created) == count, "only answers to writes were lost, so every read-back finds the order"
    if count > 1_000:
        seconds, there = time.perf_counter() - started, len(truth.effects(CREATE_ORDER))
        tell(f"{count} creations, {proxy.faults} answers lost: {told}; {there} orders there; {seconds:.0f} s")


@pytest.mark.parametrize("count", [150, pytest.param(5_000, marks=pytest.mark.soak)])
async def test_everything_goes_wrong_at_once(
    proxy: Proxy, truth: Truth, tell: Callable[[str], None], count: int
) -> None:
    """A third of all requests, including reads, meet a fault of any kind. Every result is still true."""
    told = await run(proxy, truth, Seeded(count, 0.33, ALL_THAT_END), count)
    assert set(proxy.counts) == {Fault.PASS, *ALL_THAT_END}
    assert len(told.created) > 0.8 * count, "most calls get through all the same"
    if count > 1_000:
        tell(f"{count} creations, {proxy.faults} faults: {told}")


async def test_requests_that_take_effect_late(proxy: Proxy, truth: Truth) -> None:
    """A creation takes effect after its connection was closed, so its repeat meets it. The service keeps one order,
    and the caller gets that one."""
    told = await run(proxy, truth, Seeded(5, 0.5, [Fault.LATE], writes_only=True), 100)
    assert proxy.counts[Fault.LATE] > 30
    assert len(told.created) > 90


async def test_no_request_reaches_the_service(proxy: Proxy, truth: Truth) -> None:
    """Connections are reset before the service. The read finds nothing, and one repeat creates the order."""
    told = await run(proxy, truth, Seeded(5, 0.2, [Fault.RESET], writes_only=True), 100)
    # After two resets in a row the client stops: it sends a creation twice and no more.
    assert len(told.created) + len(told.unknown) == 100
    assert len(told.created) >= 90


@pytest.mark.soak
async def test_all_at_once_with_the_default_numbers(proxy: Proxy, truth: Truth, tell: Callable[[str], None]) -> None:
    """7,500 creations of 0.3 s each start together, so many wait for longer than a call may take, and one answer in
    twenty is lost. The client looks for lost orders before it begins the rest."""
    count = 7_500
    truth.sandbox.faults.play(FaultPlan((FaultRule(Delay(0.3), ("CreateCheckoutOrder",)),)))
    started = time.perf_counter()
    try:
        told = await run(
            proxy, truth, Seeded(7, 0.05, DROPS, writes_only=True), count, workers=count, options=CallOptions()
        )
    finally:
        truth.sandbox.faults.stop()
    assert 0.03 * count < proxy.faults < 0.07 * count
    assert len(told.created) == count, str(told)
    seconds = time.perf_counter() - started
    tell(f"{count} creations at once, {proxy.faults} answers lost: {told}; {seconds:.0f} s")
