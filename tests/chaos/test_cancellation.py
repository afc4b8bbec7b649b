"""Callers of a client with few permits are cancelled at random moments. The client continues to work, and nothing is
left or done twice."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Callable

import anyio
import pytest

from norce_order_async import CallError, CallOptions, NorceOrderClient
from norce_order_async.scope import session_of
from tests.support.faults import DROPS, Fault, Passing, Seeded, passes
from tests.support.patience import Patience
from tests.support.proxy import Proxy
from tests.support.waiting import until

from .leftovers import descriptors, tasks
from .service import CONTEXT, CREATE_ORDER, Truth, cart, payment

pytestmark = [pytest.mark.anyio, pytest.mark.every_loop]

PERMITS = 5
CALLERS = 12


class Callers:
    """Tasks that make calls of several kinds and are cancelled, some of them while the service has their request."""

    def __init__(self, norce: NorceOrderClient, proxy: Proxy, cancels: int) -> None:
        self.norce = norce
        self.cancels = cancels
        self.cancelled = 0
        self.left_in_flight = 0
        """Callers that were cancelled after the proxy had their request and before an answer."""
        self.answered = 0
        self.created: dict[str, str] = {}
        """Cart reference and the id that its caller got."""
        self.references = 0
        self.paid: dict[str, str] = {}
        """Payment reference and the id that its caller got."""
        self._chance = random.Random(cancels)
        self._patience = Patience(cancels)
        self._arrived: set[bytes] = set()
        self._plan = proxy.plan
        proxy.plan = self._arriving

    def _arriving(self, request: Passing) -> Fault:
        self._arrived.update(re.findall(rb"(?im)^x-caller: (\S+)", request.head))
        return self._plan(request)

    async def all(self, order_id: str) -> None:
        """Continue until there were this many cancels, and a tenth as many of requests that had arrived."""
        async with anyio.create_task_group() as group:
            for _ in range(CALLERS):
                group.start_soon(self._calls, order_id)

    async def _calls(self, order_id: str) -> None:
        while self.cancelled < self.cancels or self.left_in_flight < self.cancels / 10:
            self.references += 1
            reference = f"number-{self.references}"
            with anyio.move_on_after(self._patience.draw()) as scope:
                with contextlib.suppress(CallError):
                    await self._call(order_id, reference)
                self.answered += 1
                self._patience.answered()
            if scope.cancelled_caught:
                self.cancelled += 1
                self.left_in_flight += reference.encode() in self._arrived
                self._patience.left()

    async def _call(self, order_id: str, reference: str) -> None:
        named = CallOptions(headers={"x-caller": reference})
        order = self.norce.orders(order_id)
        match self._chance.randrange(4):
            case 0:
                created = await self.norce.orders.create(**CONTEXT, cart=cart(reference), options=named)
                self.created[reference] = created.id
            case 1:
                self.paid[reference] = await order.payments.create(payment(reference), options=named)
            case 2:
                await order.set_reference(reference, options=named)
            case _:
                await self.norce.orders.list(limit=1, options=named)


@pytest.mark.parametrize("cancels", [400, pytest.param(10_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("lossy", [False, True], ids=["all answered", "answers lost"])
# A cancelled caller returns in the same way whether or not the answer comes.
@pytest.mark.in_turn("lossy")
async def test_the_client_works_after_any_number_of_cancelled_callers(
    proxy: Proxy, truth: Truth, tell: Callable[[str], None], cancels: int, lossy: bool
) -> None:
    """A hundred calls in a row succeed afterwards. All permits are back, no send is in flight, and no socket or task
    is left. An entry whose creation was cancelled exists once or not at all."""
    cancels = cancels if not lossy else cancels // 5
    tasks_before, descriptors_before = tasks(), descriptors()
    norce = truth.client(proxy, max_in_flight=PERMITS)
    session = session_of(norce)
    order_id = (await norce.orders.create(**CONTEXT, cart=cart("first"))).id
    proxy.plan = Seeded(1, 0.2, DROPS) if lossy else Seeded(1, 0.3, [Fault.DELAY])

    callers = Callers(norce, proxy, cancels)
    await callers.all(order_id)
    assert session.limiter.waiting == 0

    proxy.plan = passes
    for _ in range(100):
        await norce.orders.list(limit=1)
    await until(lambda: not session.core.sends.in_flight and not session.limiter.in_flight)
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
        tell(
            f"{callers.cancelled} callers cancelled, {callers.left_in_flight} of them with their request at the "
            f"service, {callers.answered} answered, {proxy.accepted} connections used"
        )
