"""Helpers for tests of orders: bodies, clients of a running sandbox, orders on it, and the requests that it got."""

from __future__ import annotations

import uuid
from typing import Any

from norce_order_async import CallOptions, NorceOrderClient, Order
from norce_order_async.models import CallbackDict, HookDict, NotificationDict, PriceDict
from norce_order_async.sandbox import Sandbox

CONTEXT: Any = {"culture": "sv-SE", "currency": "SEK", "country": "SE"}
PRICE: PriceDict = {"includingVat": 125.0, "excludingVat": 100.0}
CART: Any = {"items": [{"sku": "T001", "name": "Thing", "quantity": 2, "total": PRICE}], "total": PRICE}
HOOK: HookDict = {
    "adapterId": "a1",
    "subscribeTo": "/state",
    "target": "/payments",
    "invoke": "http://127.0.0.1:9/hook",
}
NOTE: NotificationDict = {"adapterId": "a1", "scope": "/state/currentStatus", "invoke": "http://127.0.0.1:9/note"}
CHECK: CallbackDict = {"adapterId": "a1", "url": "http://127.0.0.1:9/check"}
AT_ONCE = CallOptions(base_delay=0.0, throttled_base_delay=0.0, settling_pause=0.0)


def client_of(sandbox: Sandbox, **changes: Any) -> NorceOrderClient:
    """Make a client of a running sandbox."""
    given: dict[str, Any] = {"base_url": sandbox.base_url, "token": sandbox.token, "merchant": "acme", "channel": "se"}
    return NorceOrderClient(**{**given, **changes})


def order_body(status: str = "checkout", **members: Any) -> dict[str, Any]:
    """Build an order as in the service's answer."""
    return {"id": "oAbCdEfG", "state": {"currentStatus": status}, **members}


def unique(word: str) -> str:
    """Return a reference that no other test uses on the same sandbox."""
    return f"{word}-{uuid.uuid4().hex}"


async def an_order(norce: NorceOrderClient, *, paid: bool = False, **members: Any) -> Order:
    """Create an order worth 125, pay it if ``paid``, and read it."""
    order = await norce.orders.create(CONTEXT | {"cart": CART, **members})
    if paid:
        await order.payments.create({"reference": "paid", "amount": 125.0})
    return await order.refresh()


def asked(sandbox: Sandbox) -> list[str]:
    """Return the operations requested since the log was emptied, in order."""
    return [str(request.operation) for request in sandbox.requests]
