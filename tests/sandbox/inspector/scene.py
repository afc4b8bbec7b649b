"""A sandbox with some of everything in it, for browsers to look at."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import httpx

from norce_order_async.sandbox import ManualClock, Sandbox
from norce_order_async.testing import CallbackReceiver, Reply
from tests.support.waiting import wait_until

from .support import Caller

PRICE = {"includingVat": 125.0, "excludingVat": 100.0}
CART = {"items": [{"sku": "MUG-01", "name": "Mug, blue", "quantity": 2, "total": PRICE}], "total": PRICE}
ADDRESS = {"type": "person", "givenName": "Åsa", "familyName": "Exempel", "email": "asa@example.com", "city": "Solna"}


@contextmanager
def busy() -> Generator[tuple[Sandbox, str]]:
    """The sandbox, and the id of an order with a long story."""
    receiver = CallbackReceiver()
    told = receiver.answer("/orders/told", Reply(503), Reply(200))
    clock = ManualClock(datetime(2026, 3, 2, 9, 30, tzinfo=UTC))
    with Sandbox(inspect=True, seed=7, token="the-token", clock=clock) as sandbox:
        sandbox.seed_orders(60)
        with Caller(sandbox, **{"x-adapterid": "webshop", "user-agent": "shop/2.1 python"}) as shop:
            clock.advance(1.25)
            order = shop.order(culture="sv-SE", currency="SEK", country="SE", reference="shop-1042", cart=CART)
            at = f"/orders/{order}"
            shop.send("PUT", f"{at}/customer/billing", ADDRESS)
            notification = {"adapterId": "erp", "scope": "/state", "invoke": told}
            shop.send("POST", f"{at}/notifications", notification)
            clock.advance(3.4)
            payment = shop.send("POST", f"{at}/payments", {"amount": 125.0, "reference": "card"}).json()["id"]
            entry = {"pspEvent": "AUTHORISED", "amount": 125.0, "isSuccess": True}
            shop.send("POST", f"{at}/payments/{payment}/transactions", entry)
            clock.advance(0.9)
            shop.send("PUT", f"{at}/state", {"currentStatus": "processing"})
            wait_until(lambda: sandbox.deliveries and sandbox.deliveries[0].attempts)
            clock.advance(1.1)
            wait_until(lambda: sandbox.deliveries[0].state == "delivered")
        with Caller(sandbox, **{"x-adapterid": "erp", "user-agent": "erp/9"}) as erp:
            sandbox.faults.play("lost-answers")
            for number in range(8):
                clock.advance(0.31)
                with suppress(httpx.HTTPError):
                    erp.send(
                        "PATCH", f"{at}/attributes", {"step": number}, headers={"x-correlation-id": f"sync-{number}"}
                    )
            erp.send("GET", "/orders/oUnknown", headers={"x-correlation-id": "sync-9"})
            clock.advance(0.7)
            erp.send("PUT", f"{at}/state", {"currentStatus": "completed"}, headers={"x-correlation-id": "sync-10"})
            erp.send("PUT", f"{at}/cart", CART, headers={"x-correlation-id": "sync-11"})
            erp.send("GET", at, headers={"x-correlation-id": "sync-12"})
        wait_until(lambda: all(one.state == "delivered" for one in sandbox.deliveries))
        yield sandbox, order
    sandbox.close()
    receiver.close()
