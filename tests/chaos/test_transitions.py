"""A change of status under faults is made if the result says so. It is made once, and no status is set back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import anyio
import pytest

from norce_order_async import (
    CallError,
    NorceOrderClient,
    NotSentError,
    Order,
    OutcomeUnknownError,
    RejectedError,
    TransitionRefusedError,
    TransitionSupersededError,
)
from tests.support.faults import ALL_THAT_END, DROPS, Fault, Passing, Seeded
from tests.support.proxy import Proxy

from .service import CONTEXT, SET_STATE, Truth, cart, payment

pytestmark = pytest.mark.anyio

Status = Literal["processing", "accepted", "completed"]
WAY: tuple[Status, ...] = ("processing", "accepted", "completed")
TIMES = 12
"""How often a caller sends one status at most."""


async def ready_orders(truth: Truth, count: int) -> list[str]:
    """Create orders that may be completed."""
    ids: list[str] = []
    async with truth.client() as direct:
        for _ in range(count):
            order = await direct.orders.create(**CONTEXT, cart=cart())
            await order.payments.create(payment("whole"))
            ids.append(order.id)
    return ids


@dataclass
class Walk:
    """One order on its way, and its caller's results."""

    order: Order
    truth: Truth
    told: Counter[str] = field(default_factory=Counter[str])

    async def all_the_way(self) -> None:
        for target in WAY:
            for _ in range(TIMES):
                if await self.asked(target):
                    break
            else:
                raise AssertionError(f"{target} did not come about: {self.told}")

    async def asked(self, target: Status) -> bool:
        """Send once and compare the result with the service. Returns whether the order has the status."""
        before = self.truth.status(self.order.id)
        try:
            await self.order.transition_to(target, force=True)
        except CallError as error:
            return self.failed(error, before, target)
        self.told["done"] += 1
        assert self.truth.status(self.order.id) == target, "told done, and it is not"
        return True

    def failed(self, error: CallError, before: str, target: Status) -> bool:
        self.told[type(error).__name__] += 1
        status = self.truth.status(self.order.id)
        untouched = isinstance(error, NotSentError | RejectedError)
        assert untouched or isinstance(error, OutcomeUnknownError)
        assert status == before or (status == target and not untouched), "told not done, and it is"
        return status == target


async def walk_all(norce: NorceOrderClient, ids: list[str], truth: Truth) -> Counter[str]:
    """Take all orders through all statuses, and check that each step took effect exactly once."""
    walks = [Walk(norce.orders(order_id), truth) for order_id in ids]
    async with anyio.create_task_group() as group:
        for walk in walks:
            group.start_soon(walk.all_the_way)
    for order_id in ids:
        steps = [effect.detail for effect in truth.effects(SET_STATE, order_id)]
        assert steps == ["checkout -> processing", "processing -> accepted", "accepted -> completed"]
    return sum((walk.told for walk in walks), Counter[str]())


@pytest.mark.parametrize("count", [25, pytest.param(1_000, marks=pytest.mark.soak)])
async def test_lost_answers_are_settled_by_reading(proxy: Proxy, truth: Truth, count: int) -> None:
    """A third of the answers to writes is lost. Every caller gets the result done, and nothing is sent twice."""
    ids = await ready_orders(truth, count)
    proxy.plan = Seeded(count, 0.33, DROPS, writes_only=True)
    async with truth.client(proxy) as norce:
        told = await walk_all(norce, ids, truth)
    assert told == {"done": 3 * count}
    assert proxy.faults > count / 2
    assert proxy.requests == 3 * count + proxy.faults, "one read for each lost answer, and nothing else"


@pytest.mark.parametrize("count", [25, pytest.param(1_000, marks=pytest.mark.soak)])
async def test_any_fault_on_any_request(proxy: Proxy, truth: Truth, tell: Callable[[str], None], count: int) -> None:
    """Reads fail too, and requests take effect late. Every result is true, and each step happens once and in order."""
    ids = await ready_orders(truth, count)
    proxy.plan = Seeded(count, 0.3, ALL_THAT_END)
    async with truth.client(proxy) as norce:
        told = await walk_all(norce, ids, truth)
    proxy.settle()
    assert told["done"] > 2 * count
    if count > 100:
        tell(f"{3 * count} changes of status, {proxy.faults} faults: {dict(told)}")


class Overtaken:
    """Loses the answer to the first change of status. Another program moves the order on before the client reads it."""

    def __init__(self, truth: Truth, order_id: str, target: str, fault: Fault) -> None:
        self._truth = truth
        self._order_id = order_id
        self._target = target
        self._fault = fault
        self._changes = 0
        self._reads = 0

    def __call__(self, request: Passing) -> Fault:
        self._changes += request.writes
        self._reads += not request.writes
        if request.writes:
            return self._fault if self._changes == 1 else Fault.PASS
        if self._reads == 1:
            self._truth.ask("PUT", f"/{self._order_id}/state", {"currentStatus": self._target})
        return Fault.PASS


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.DROP_RESET, Fault.CUT, Fault.MASK, Fault.RESET, Fault.GATEWAY])
async def test_a_newer_status_is_left_alone(proxy: Proxy, truth: Truth, fault: Fault) -> None:
    """The answer is lost, and another program completes the order meanwhile. The order stays completed, and the
    caller gets the error."""
    (order_id,) = await ready_orders(truth, 1)
    proxy.plan = Overtaken(truth, order_id, "completed", fault)
    async with truth.client(proxy) as norce:
        with pytest.raises(TransitionSupersededError) as superseded:
            await norce.orders(order_id).transition_to("processing")
    assert (superseded.value.target, superseded.value.current) == ("processing", "completed")
    assert truth.status(order_id) == "completed"
    assert proxy.requests == 2


async def test_an_earlier_status_is_not_set_again(proxy: Proxy, truth: Truth) -> None:
    """Another program sets the order back to checkout while the answer is lost. The client does not send the change
    from processing to accepted again from there."""
    (order_id,) = await ready_orders(truth, 1)
    async with truth.client(proxy) as norce:
        order = norce.orders(order_id)
        await order.transition_to("processing")
        proxy.plan = Overtaken(truth, order_id, "checkout", Fault.RESET)
        with pytest.raises(TransitionSupersededError) as superseded:
            await order.transition_to("accepted")
    assert superseded.value.current == "checkout"
    assert truth.status(order_id) == "checkout"


async def test_a_refusal_after_a_lost_answer_reports_that_it_may_have_changed(proxy: Proxy, truth: Truth) -> None:
    """An immediate refusal says that nothing has changed. After a lost answer the outcome is unknown, because no
    read shows why the service refuses."""
    async with truth.client() as direct:
        bare = (await direct.orders.create(**CONTEXT, cart=cart())).id
    async with truth.client(proxy) as norce:
        with pytest.raises(TransitionRefusedError) as refused:
            await norce.orders(bare).transition_to("completed")
        assert not refused.value.maybe_changed
        proxy.plan = Seeded(1, 1.0, [Fault.CUT], writes_only=True)
        with pytest.raises(OutcomeUnknownError):
            await norce.orders(bare).transition_to("completed")
    assert truth.status(bare) == "checkout"
    assert not truth.effects(SET_STATE)
