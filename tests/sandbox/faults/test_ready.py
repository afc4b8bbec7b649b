"""The client succeeds under each of the ready-made plans, and careless clients do not.

Both do the same: they create orders with a cart and a payment that covers it, and take them to completed. The tests
read the outcome from the sandbox's own log of effects, not from what the callers believe.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from norce_order_async import CallOptions, NorceOrderClient, Order, OutcomeUnknownError
from norce_order_async.models import ItemDict
from norce_order_async.sandbox import READY, ManualClock, Sandbox, SystemClock
from tests.sandbox.support import API
from tests.support.plain import NO_TLS
from tests.support.waiting import wait_until

QUICK = CallOptions(base_delay=0.005, throttled_base_delay=0.01, max_delay=0.05, settling_pause=0.01, max_attempts=5)

ITEMS: list[ItemDict] = [{"sku": "T001", "quantity": 1, "total": {"includingVat": 12.5, "excludingVat": 10}}]

WALKS = {"slow": 1, "deploy": 3, "chaos": 3}
"""The number of orders for these plans. The others have eight."""


class StillAtFirst:
    """A clock that stands still until a fault was played, so that a slow machine is still too fast for the plan."""

    def __init__(self) -> None:
        self.faults: Sequence[object] = ()
        self._machine = SystemClock()
        self._start = self._machine.now()
        self._stood = timedelta()

    def now(self) -> datetime:
        if not self.faults:
            self._stood = self._machine.now() - self._start
        return self._machine.now() - self._stood


@pytest.fixture(params=READY)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    clock = StillAtFirst() if request.param == "rate-limited" else SystemClock()
    with Sandbox(faults=request.param, seed=1, clock=clock) as running:
        if isinstance(clock, StillAtFirst):
            clock.faults = running.faults
        yield running


def plan_name(sandbox: Sandbox) -> str:
    return next(name for name, plan in READY.items() if plan is sandbox.faults.plan)


def books(sandbox: Sandbox) -> Counter[str]:
    """The effects, counted by operation."""
    return Counter(effect.operation for effect in sandbox.effects)


def walked(orders: int) -> Counter[str]:
    return Counter(
        {
            "CreateCheckoutOrder": orders,
            "UpdateCheckoutOrderCart": orders,
            "CreateOrderPayment": orders,
            "UpdateCheckoutOrderState": 2 * orders,
        }
    )


@pytest.mark.anyio
async def test_the_client_succeeds(sandbox: Sandbox) -> None:
    """Every order is completed, and each of its parts was created exactly once."""
    count = WALKS.get(plan_name(sandbox), 8)
    async with NorceOrderClient(
        base_url=sandbox.base_url, merchant="acme", channel="se", token=sandbox.token, options=QUICK
    ) as norce:
        for number in range(count):
            order = await norce.orders.create(
                culture="sv-SE", currency="SEK", country="SE", cart={"reference": f"c{number}"}
            )
            await order.cart.put({"reference": f"c{number}", "items": ITEMS})
            await pay(order)
            await order.transition_to("processing")
            await order.transition_to("completed")
        statuses = [order.status async for order in norce.orders.iterate()]
    assert statuses == ["completed"] * count
    made = books(sandbox)
    # Setting the same cart twice does no harm. Each other change must have been made once.
    assert made.pop("UpdateCheckoutOrderCart") >= count
    expected = walked(count)
    del expected["UpdateCheckoutOrderCart"]
    assert made == expected
    assert sandbox.faults, "the plan was played"


async def pay(order: Order) -> None:
    """Add the payment. If the outcome is unknown, read the order, as the error says."""
    await order.refresh()
    try:
        await order.payments.create({"amount": 12.5, "reference": "the-payment"})
    except OutcomeUnknownError:
        await order.refresh()
        if not any(payment.reference == "the-payment" for payment in order.data.payments or ()):
            await pay(order)


class Careless:
    """A plain HTTP client that repeats each call up to `tries` times after any failure, at once, and continues after
    that."""

    def __init__(self, sandbox: Sandbox, tries: int) -> None:
        self._tries = tries
        self.failed = 0
        headers = {"authorization": f"Bearer {sandbox.token}", "x-merchant": "acme", "x-channel": "se"}
        self._client = httpx.Client(base_url=sandbox.base_url + API, headers=headers, timeout=5, verify=NO_TLS)

    def walk(self, number: int) -> None:
        made = self.send("POST", "/orders", {"cart": {}})
        if made is None:
            return
        path = f"/orders/{made['id']}"
        self.send("PUT", f"{path}/cart", {"reference": f"c{number}", "items": ITEMS})
        self.send("POST", f"{path}/payments", {"amount": 12.5})
        self.send("PUT", f"{path}/state", {"currentStatus": "processing"})
        self.send("PUT", f"{path}/state", {"currentStatus": "completed"})

    def send(self, method: str, path: str, body: Any) -> Any:
        for _ in range(self._tries):
            try:
                response = self._client.request(method, path, json=body)
                if response.is_success:
                    return response.json() if response.content else {}
            except httpx.HTTPError:
                pass
        self.failed += 1
        return None

    def close(self) -> None:
        self._client.close()


def gives_up(sandbox: Sandbox, client: Careless, walks: int) -> bool:
    """Whether the client got errors and left orders incomplete."""
    return client.failed > 0 and books(sandbox)["UpdateCheckoutOrderState"] < 2 * walks


def doubles(sandbox: Sandbox, _client: Careless, walks: int) -> bool:
    """Whether the client created something twice."""
    made = books(sandbox)
    return made["CreateCheckoutOrder"] > walks or made["CreateOrderPayment"] > walks


FAILURES: list[tuple[str, int, int, Callable[[Sandbox, Careless, int], bool]]] = [
    ("flaky-network", 1, 8, gives_up),
    ("flaky-network", 3, 8, doubles),
    ("rate-limited", 1, 8, gives_up),
    ("rate-limited", 3, 8, gives_up),
    ("lost-answers", 1, 8, gives_up),
    ("lost-answers", 3, 8, doubles),
    ("deploy", 1, 3, gives_up),
    ("deploy", 3, 3, gives_up),
    ("chaos", 1, 8, gives_up),
    ("chaos", 3, 8, doubles),
]


@pytest.mark.parametrize(
    ("name", "tries", "walks", "harm"), FAILURES, ids=[f"{name}-{tries}" for name, tries, _, _ in FAILURES]
)
def test_a_careless_client_fails(
    name: str, tries: int, walks: int, harm: Callable[[Sandbox, Careless, int], bool]
) -> None:
    """A client that tries once leaves things undone. A client that repeats after every failure does them twice."""
    # A client that never waits does not move the clock on. A busy machine must not do so in its place.
    clock = ManualClock() if name in ("rate-limited", "deploy") else SystemClock()
    with Sandbox(faults=name, seed=1, clock=clock) as sandbox:
        client = Careless(sandbox, tries)
        for number in range(walks):
            client.walk(number)
        client.close()
        assert harm(sandbox, client, walks), (books(sandbox), client.failed)


def test_no_plan_is_left_out() -> None:
    assert {name for name, *_ in FAILURES} | {"slow"} == READY.keys()


def test_in_slow_a_hurried_client_makes_doubles() -> None:
    """The client repeats when it has no answer after a tenth of a second. The service carries out both requests."""
    told = 0
    with Sandbox(faults="slow", seed=1) as sandbox:
        headers = {"authorization": f"Bearer {sandbox.token}", "x-merchant": "acme", "x-channel": "se"}
        with httpx.Client(base_url=sandbox.base_url + API, headers=headers, timeout=0.1, verify=NO_TLS) as client:
            for _ in range(8):
                for _ in range(3):
                    try:
                        told += client.post("/orders", json={}).is_success
                    except httpx.TimeoutException:
                        continue
                    break
        # The service still creates the orders that the client has given up.
        wait_until(lambda: books(sandbox)["CreateCheckoutOrder"] > 8)
    assert told <= 8
    sandbox.close()
