"""What the tests of the facade share: bodies, and clients of a running sandbox."""

from __future__ import annotations

import uuid
from typing import Any

from norce_order_async import NorceOrderClient
from norce_order_async.sandbox import Sandbox

CART: dict[str, Any] = {
    "items": [
        {"sku": "T001", "name": "Thing", "quantity": 2, "total": {"includingVat": 125.0, "excludingVat": 100.0}},
    ],
    "total": {"includingVat": 125.0, "excludingVat": 100.0},
}
CONTEXT: dict[str, Any] = {"culture": "sv-SE", "currency": "SEK", "country": "SE"}


def client_of(sandbox: Sandbox, **changes: Any) -> NorceOrderClient:
    """A client on a running sandbox."""
    given: dict[str, Any] = {"base_url": sandbox.base_url, "token": sandbox.token, "merchant": "acme", "channel": "se"}
    return NorceOrderClient(**{**given, **changes})


def order_body(status: str = "checkout", **members: Any) -> dict[str, Any]:
    """An order as the service answers it."""
    return {"id": "oAbCdEfG", "state": {"currentStatus": status}, **members}


def unique(word: str) -> str:
    """A reference that no other test uses on the same sandbox."""
    return f"{word}-{uuid.uuid4().hex}"
