"""Makes the objects that the fixtures return. They need no event loop to be made or closed, so they work with every
pytest plugin for async tests.

Within the process, a client calls the sandbox's application directly, and there is nothing to close. Over a socket it
keeps no connection between calls: a pooled one would outlive the test's event loop, and could not be closed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from norce_order_async.client import NorceOrderClient
from norce_order_async.engines.httpx import HttpxEngine
from norce_order_async.models import OrderData
from norce_order_async.orders.lazy import OrderBody
from norce_order_async.orders.order import Order
from norce_order_async.pipeline.settings import CallOptions
from norce_order_async.sandbox import IN_PROCESS_URL, FaultPlan, Sandbox
from norce_order_async.sandbox.faults import PlanLike, plan_of

if TYPE_CHECKING:
    from norce_order_async.models import OrderDataDict, ShippingDict

T = TypeVar("T")

SEED = 1
"""The default seed of every sandbox: a test sees the same ids and the same faults in each run."""

MERCHANT, CHANNEL = "acme", "se"

HURRIED = CallOptions(base_delay=0.01, throttled_base_delay=0.01, max_delay=0.05, settling_pause=0.01)
"""As many attempts as by default, with shorter waits between them."""

ORDER: OrderDataDict = {
    "culture": "sv-SE",
    "currency": "SEK",
    "country": "SE",
    "cart": {
        "reference": "basket-1",
        "items": [
            {
                "sku": "MUG-01",
                "name": "Mug",
                "quantity": 2,
                "vatRate": 0.25,
                "price": {"includingVat": 62.5, "excludingVat": 50.0},
                "total": {"includingVat": 125.0, "excludingVat": 100.0},
            }
        ],
    },
    "customer": {
        "billing": {"type": "person", "givenName": "Test", "familyName": "Testsson", "email": "test@example.com"},
        "shipping": {"type": "person", "givenName": "Test", "familyName": "Testsson", "email": "test@example.com"},
    },
}
SHIPPING: ShippingDict = {
    "reference": "home",
    "total": {"includingVat": 50.0, "excludingVat": 40.0},
    "vatRate": 0.25,
}


class SandboxClient(NorceOrderClient):
    """The client that the fixtures return. It belongs to the event loop of its first call."""

    def handle(self, data: OrderData) -> Order:
        """A handle with a snapshot that another client has read."""
        return Order(self._session, data.id or "", OrderBody(data.to_dict(), self.drift, data))


def sandbox_of(options: Mapping[str, Any]) -> Sandbox:
    """A sandbox without faults, not served yet."""
    given: dict[str, Any] = {"seed": SEED, **options}
    return Sandbox(**given)


def planned(plan: PlanLike, seed: int | None) -> FaultPlan:
    """A plan of faults, with this seed unless it is None.

    Raises:
        FaultPlanError: There is no such plan, or it is not valid.
    """
    chosen = plan_of(plan)
    return chosen if seed is None else replace(chosen, seed=seed)


def client_of(sandbox: Sandbox, options: Mapping[str, Any], *, over_socket: bool) -> SandboxClient:
    """A client that needs no closing."""
    transport: httpx.AsyncBaseTransport
    if over_socket:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        # Plain http to loopback needs no TLS; an empty context saves the time of loading the usual one.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        transport = httpx.AsyncHTTPTransport(verify=context, limits=limits, trust_env=False)
    else:
        transport = httpx.ASGITransport(app=sandbox.app)
    given: dict[str, Any] = {
        "base_url": sandbox.base_url if over_socket else IN_PROCESS_URL,
        "token": sandbox.token,
        "merchant": MERCHANT,
        "channel": CHANNEL,
        "options": HURRIED,
        "engine": HttpxEngine(transport=transport),
    }
    if "http_client" in options:
        del given["engine"]
    return SandboxClient(**{**given, **options})


def order_ready_for_payment(sandbox: Sandbox, client: SandboxClient, maker: SandboxClient) -> Order:
    """A handle, just read, of an order in checkout with a cart, addresses and a shipping, but no payment.

    The client ``maker`` creates it on an event loop of its own, before faults are played and requests are recorded.
    """

    async def made() -> OrderData:
        order = await maker.orders.create(ORDER)
        await order.shippings.create(SHIPPING)
        await order.refresh()
        await maker.aclose()
        return order.data

    with _unrecorded(sandbox):
        return client.handle(_on_own_loop(made))


@contextmanager
def _unrecorded(sandbox: Sandbox) -> Generator[None]:
    """Inside, no faults are played, and requests are not kept in the log."""
    plan = sandbox.faults.plan
    sandbox.faults.stop()
    yield
    sandbox.requests.clear()
    sandbox.faults.play(plan)


def _on_own_loop(work: Callable[[], Awaitable[T]]) -> T:
    """The result of ``work``, run in a thread of its own, because this thread may have an event loop already."""

    async def run() -> T:
        return await work()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, run()).result()
