"""Callers cancelled at random moments over a small client: it serves on, and nothing is left behind or done twice."""

from __future__ import annotations

import random
from collections.abc import Callable

import anyio
import pytest

from norce_order_async import CallError, NorceOrderClient
from tests.support.faults import DROPS, Fault, Seeded
from tests.support.proxy import Proxy

from .leftovers import descriptors, session_of, tasks, until
from .service import CONTEXT, CREATE_ORDER, Truth, cart, payment

pytestmark = pytest.mark.anyio

PERMITS = 5
CALLERS = 12


class Callers:
    """Make calls of several kinds and are cancelled while they do."""

    def __init__(self, norce: NorceOrderClient, cancels: int) -> None:
        self.norce = norce
        self.cancels = cancels
        self.cancelled = 0
        self.answered = 0
        self.created: dict[str, str] = {}
        """Cart reference and the id that its caller was told."""
        self.references = 0
        self.paid: dict[str, str] = {}
        """Payment reference and the id that its caller was told."""
        self._chance = random.Random(cancels)

    async def all(self, order_id: str) -> None:
        async with anyio.create_task_group() as group:
            for _ in range(CALLERS):
                group.start_soon(self._calls, order_id)

    async def _calls(self, order_id: str) -> None:
        while self.cancelled < self.cancels:
            with anyio.move_on_after(self._chance.uniform(0, 0.012)) as scope:
                try:
                    await self._call(order_id)
                    self.answered += 1
                except CallError:
                    self.answered += 1
            self.cancelled += scope.cancelled_caught

    async def _call(self, order_id: str) -> None:
        self.references += 1
        reference = f"number-{self.references}"
        match self._chance.randrange(4):
            case 0:
                self.created[reference] = (await self.norce.orders.create(**CONTEXT, cart=cart(reference))).id
            case 1:
                self.paid[reference] = await self.norce.orders(order_id).payments.create(payment(reference))
            case 2:
                await self.norce.orders(order_id).set_reference(reference)
            case _:
                await self.norce.orders.list(limit=1)


@pytest.mark.parametrize("cancels", [1_000, pytest.param(10_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("lossy", [False, True], ids=["all answered", "answers lost"])
async def test_the_client_serves_after_any_number_of_cancelled_callers(
    proxy: Proxy, truth: Truth, tell: Callable[[str], None], cancels: int, lossy: bool
) -> None:
    """Then a hundred calls in a row succeed, all permits are back, no send is in the air, no socket or task is left;
    what was created in the middle is there once or not at all."""
    cancels = cancels if not lossy else cancels // 5
    tasks_before, descriptors_before = tasks(), descriptors()
    norce = truth.client(proxy, max_in_flight=PERMITS)
    session = session_of(norce)
    order_id = (await norce.orders.create(**CONTEXT, cart=cart("first"))).id
    proxy.plan = Seeded(1, 0.2, DROPS) if lossy else Seeded(1, 0.3, [Fault.DELAY])

    callers = Callers(norce, cancels)
    await callers.all(order_id)
    assert callers.cancelled >= cancels
    assert session.limiter.waiting == 0
    assert proxy.requests > callers.answered + cancels / 10, "many callers must have left while their send was out"

    proxy.plan = Seeded(1, 0.0, [])
    with anyio.fail_after(30):
        for _ in range(100):
            await norce.orders.list(limit=1)
        assert await session.core.owned.drain(10.0)
    assert session.limiter.in_flight == 0
    assert session.core.owned.in_flight == 0
    await norce.aclose()
    proxy.settle()

    there = truth.orders_by_cart()
    assert all(len(ids) == 1 for ids in there.values())
    assert len(truth.effects(CREATE_ORDER)) == len(there)
    for reference, told in callers.created.items():
        assert there[reference] == [told]
    paid = [part["reference"] for part in truth.order(order_id)["payments"]]
    assert len(paid) == len(set(paid)), "a payment was sent twice"
    assert callers.paid.keys() <= set(paid)

    await until(lambda: not proxy.connections and tasks() <= tasks_before and descriptors() <= descriptors_before + 2)
    if cancels > 1_000:
        tell(f"{callers.cancelled} callers cancelled, {callers.answered} answered, {proxy.accepted} connections used")
