"""The service fails everything for a while under load. Repeats stay within the budget's limit, and the client
recovers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import anyio
import pytest

from norce_order_async import CallError, NorceOrderClient
from norce_order_async.scope import session_of
from tests.support.faults import Fault, Seeded, passes
from tests.support.proxy import Proxy

from .service import CONTEXT, Truth, cart

pytestmark = pytest.mark.anyio

CAPACITY, COST, THROTTLED_COST = 500, 14, 5


async def load(norce: NorceOrderClient, calls: int, *, creating: bool = False) -> Counter[str | None]:
    """Make a number of calls, twenty at a time. Returns how often each reason of a failure came, with None for a
    success."""
    ended: Counter[str | None] = Counter()
    numbers = iter(range(calls))

    async def work() -> None:
        for number in numbers:
            try:
                if creating:
                    await norce.orders.create(**CONTEXT, cart=cart(f"storm-{number}"))
                else:
                    await norce.orders.list(limit=1)
            except CallError as error:
                ended[error.gave_up] += 1
            else:
                ended[None] += 1

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(work)
    return ended


@pytest.mark.parametrize("calls", [300, pytest.param(5_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize(
    ("faults", "cost"),
    [
        ([Fault.GATEWAY], COST),
        ([Fault.RESET], COST),
        ([Fault.ERROR, Fault.RESET, Fault.DROP, Fault.CUT, Fault.MASK], COST),
        ([Fault.THROTTLE], THROTTLED_COST),
    ],
    ids=["502", "reset", "a mixture", "429"],
)
# The budget does not depend on loops and engines.
@pytest.mark.in_turn("anyio_backend")
async def test_repeats_stay_within_the_limit_of_the_budget(
    proxy: Proxy, truth: Truth, tell: Callable[[str], None], faults: list[Fault], cost: int, calls: int
) -> None:
    """N calls that all fail send N + capacity

    cost requests, and not the 3 N of three attempts."""
    async with truth.client(proxy) as norce:
        budget = session_of(norce).budget
        proxy.plan = Seeded(1, 1.0, faults)
        ended = await load(norce, calls)
        bound = calls + CAPACITY // cost
        assert proxy.requests == bound
        assert budget.tokens == CAPACITY % cost
        assert ended["budget"] > 0.8 * calls
        assert ended["budget"] + ended["attempts"] == calls
        if calls > 1_000:
            tell(
                f"{calls} failing calls: {proxy.requests} requests, {proxy.requests / calls:.3f} a call; bound {bound}"
            )

        proxy.plan = passes
        assert await load(norce, 100) == {None: 100}
        assert proxy.requests == bound + 100
        assert budget.tokens == CAPACITY % cost + 100, "each success at the first try gives one token back"

        # The budget has tokens for some repeats again, so a call survives a single failure as before the storm.
        proxy.plan = Seeded(1, 0.02, [Fault.GATEWAY])
        assert await load(norce, 100) == {None: 100}
        assert proxy.counts[Fault.GATEWAY] > 0


async def test_creations_in_a_storm_send_one_read_back_each_and_no_more(proxy: Proxy, truth: Truth) -> None:
    """An unknown outcome is read back once. The read costs no tokens. Only repeats do, and the budget limits them."""
    calls = 200
    async with truth.client(proxy) as norce:
        proxy.plan = Seeded(1, 1.0, [Fault.GATEWAY])
        ended = await load(norce, calls, creating=True)
        assert ended[None] == 0
        assert proxy.requests == 2 * calls + CAPACITY // COST
        proxy.plan = passes
        assert await load(norce, 100, creating=True) == {None: 100}
    assert len(truth.orders_by_cart()) == 100
