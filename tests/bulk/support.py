"""Shared by these tests: a client of a service, new orders, and the effects by the service's own log."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any
from unittest.mock import patch

from norce_order_async import CallOptions, NorceOrderClient
from norce_order_async.bulk.job import Job
from norce_order_async.bulk.journal.reading import State
from norce_order_async.bulk.journal.sqlite import SqliteStore
from norce_order_async.bulk.workers import Workers
from norce_order_async.engines.base import WireRequest, WireResponse
from norce_order_async.models import CartDict, PriceDict
from norce_order_async.sandbox import Sandbox

MERCHANT = "acme"
CHANNEL = "se"
SET_STATE = "UpdateCheckoutOrderState"
AT_ONCE = CallOptions(base_delay=0.0, throttled_base_delay=0.0, max_delay=0.05, settling_pause=0.0)
PRICE: PriceDict = {"includingVat": 125.0, "excludingVat": 100.0}


def client_of(sandbox: Sandbox, **changes: Any) -> NorceOrderClient:
    given: dict[str, Any] = {
        "base_url": sandbox.base_url,
        "token": sandbox.token,
        "merchant": MERCHANT,
        "channel": CHANNEL,
        "options": AT_ONCE,
    }
    return NorceOrderClient(**{**given, **changes})


async def new_orders(norce: NorceOrderClient, count: int) -> list[str]:
    """Create orders that may be removed or given a reference."""
    ids: list[str] = []
    for number in range(count):
        cart: CartDict = {
            "reference": f"c{number}",
            "items": [{"sku": "T1", "quantity": 1, "total": PRICE}],
            "total": PRICE,
        }
        order = await norce.orders.create(culture="sv-SE", currency="SEK", country="SE", cart=cart)
        ids.append(order.id)
    return ids


def effects(sandbox: Sandbox, operation: str = SET_STATE) -> Counter[str]:
    """The number of times that an operation took effect, by order."""
    return Counter(effect.order_id for effect in sandbox.effects.of(None, operation) if effect.order_id)


def content(path: Path) -> bytes:
    return path.read_bytes()


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def names_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


class Stub:
    """An engine that answers everything at once."""

    name = "stub"

    async def send(self, request: WireRequest) -> WireResponse:
        del request
        return WireResponse(200, {}, b"[]")

    async def aclose(self) -> None:
        pass


async def list_only(job: Job, ids: list[str], action: Any) -> None:
    """Leave a journal that has its list, as of a job that was killed before it sent anything."""

    def begin_nothing(_: Workers[Any]) -> None:
        return None

    with patch.object(Workers, "start", begin_nothing):
        async for outcome in job.run(ids, action):
            raise AssertionError(f"it has acted: {outcome}")


def move_all(journal: Path, state: State, to: State) -> None:
    """Put all items of a state into another."""
    store = SqliteStore(journal)
    store.take()
    try:
        store.move(state, to)
    finally:
        store.release()
