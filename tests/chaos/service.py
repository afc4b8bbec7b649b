"""Shared by the tests: clients behind the proxy, bodies, and the state of the service itself."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

from norce_order_async import CallOptions, NorceOrderClient
from norce_order_async.engines.select import EngineName
from norce_order_async.models import CartDict, PaymentDict, PriceDict, ShippingDict
from norce_order_async.sandbox import Effect, Sandbox
from tests.support.proxy import Proxy

CREATE_ORDER = "CreateCheckoutOrder"
SET_STATE = "UpdateCheckoutOrderState"
CHANNEL = "se"
CONTEXT: dict[str, Any] = {"culture": "sv-SE", "currency": "SEK", "country": "SE"}
AT_ONCE = CallOptions(base_delay=0.0, throttled_base_delay=0.0, settling_pause=0.0)
"""No waiting between attempts; the numbers of attempts and the budget stay as they are."""


def cart(reference: str | None = None) -> CartDict:
    """A cart worth 125."""
    price: PriceDict = {"includingVat": 125.0, "excludingVat": 100.0}
    body: CartDict = {"items": [{"sku": "T1", "quantity": 1, "total": price}], "total": price}
    return body if reference is None else {**body, "reference": reference}


def payment(reference: str, amount: float = 125.0) -> PaymentDict:
    return {"reference": reference, "amount": amount, "currency": "SEK"}


def shipping(reference: str) -> ShippingDict:
    """A shipping that costs nothing, so that the total stays what it is."""
    return {"reference": reference, "total": {"includingVat": 0.0, "excludingVat": 0.0}, "vatRate": 0.25}


def client_of(base_url: str, merchant: str, **changes: Any) -> NorceOrderClient:
    """A client that waits for nothing."""
    given: dict[str, Any] = {
        "base_url": base_url,
        "token": "sandbox-token",
        "merchant": merchant,
        "channel": CHANNEL,
        "options": AT_ONCE,
    }
    return NorceOrderClient(**{**given, **changes})


@dataclass(frozen=True)
class Truth:
    """The state and the effects of one merchant, from the service itself, past the proxy."""

    sandbox: Sandbox
    merchant: str
    engine: EngineName = "auto"
    """The engine of its clients."""

    def client(self, through: Proxy | None = None, **changes: Any) -> NorceOrderClient:
        """A client of the service, or of the proxy in front of it."""
        return client_of((through or self).base_url, self.merchant, engine=self.engine, **changes)

    @property
    def base_url(self) -> str:
        return self.sandbox.base_url

    def effects(self, operation: str | None = None, order_id: str | None = None) -> list[Effect]:
        """What took effect, oldest first."""
        return [effect for effect in self.sandbox.effects.of(order_id, operation) if effect.merchant == self.merchant]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer to a plain request."""
        request = Request(
            f"{self.base_url}/api/v0/checkout/orders{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "authorization": f"Bearer {self.sandbox.token}",
                "content-type": "application/json",
                "x-merchant": self.merchant,
                "x-channel": CHANNEL,
            },
        )
        with urlopen(request) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def order(self, order_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/{order_id}")
        return found

    def status(self, order_id: str) -> str:
        return str(self.order(order_id)["state"]["currentStatus"])

    def orders(self) -> Iterable[dict[str, Any]]:
        """All orders, even if lists lag by some seconds."""
        self.sandbox.advance(10.0)
        offset = 0
        while page := self.ask("GET", f"?limit=50&offset={offset}")["data"]:
            yield from page
            offset += len(page)

    def orders_by_cart(self) -> dict[str, list[str]]:
        """Order ids by cart reference."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for order in self.orders():
            found[order["cart"]["reference"]].append(order["id"])
        return found
