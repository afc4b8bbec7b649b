"""Seeded orders are valid, spread and invented, and the same seed makes the same ones."""

import json
from collections import Counter
from typing import Any

import pytest

from norce_order_async.sandbox import ManualClock, Sandbox, SeedingError
from norce_order_async.sandbox.seeding import CHANNELS
from norce_order_async.sandbox.storage.store import Scope, Selection, Store

from .support import Api


def store_of(sandbox: Sandbox) -> Store:
    """A copy of the sandbox's store to read from."""
    store = Store()
    store.restore(sandbox.snapshot())
    return store


def documents(sandbox: Sandbox, merchant: str = "demo") -> list[dict[str, Any]]:
    store = store_of(sandbox)
    found: list[dict[str, Any]] = []
    for channel in CHANNELS:
        chosen = Selection(Scope(merchant, channel))
        page = store.page(chosen, 0, order_by="created", descending=False, limit=100_000, offset=0)
        found += [json.loads(text) for text in page]
    store.close()
    return found


@pytest.mark.anyio
async def test_the_orders_are_like_those_of_the_service(clock: ManualClock) -> None:
    """They follow the description, which `Api` checks. They add up, and their histories are in the past and in
    order."""
    sandbox = Sandbox(seed=7, clock=clock)
    sandbox.seed_orders(300, merchant="acme")
    assert len(sandbox.effects) == len(sandbox.requests) == 0
    seen = 0
    for channel in CHANNELS:
        api = Api(sandbox, channel=channel)
        for offset in range(0, 300, 100):
            page = await api.ok("GET", "/orders", params={"limit": "100", "offset": str(offset)})
            for order in page["data"]:
                seen += 1
                moments = [order["created"], *(step["timeStamp"] for step in order["state"]["transitions"])]
                assert moments == sorted(moments)
                assert moments[-1] == order["lastModified"] <= "2026-01-01T00:00:00.000000Z"
                if order["state"]["currentStatus"] in ("processing", "accepted", "completed"):
                    assert await api.ok("POST", f"/orders/{order['id']}/validate") == []
                email = order["customer"]["billing"]["email"]
                assert email.endswith("@example.com")
                assert email.isascii()
        await api.close()
    assert seen == 300
    sandbox.close()


def test_they_are_spread_over_channels_currencies_and_statuses() -> None:
    sandbox = Sandbox(seed=1)
    sandbox.seed_orders(1000)
    orders = documents(sandbox)
    assert len(orders) == 1000
    assert Counter(order["channel"] for order in orders).keys() == set(CHANNELS)
    assert {order["currency"] for order in orders} == {"SEK", "NOK", "DKK", "EUR"}
    statuses = Counter(order["state"]["currentStatus"] for order in orders)
    assert statuses.keys() == {"checkout", "processing", "accepted", "completed", "declined", "removed"}
    assert statuses["completed"] > 400
    assert len({order["id"] for order in orders}) == 1000
    sandbox.close()


def test_the_same_seed_makes_the_same_orders() -> None:
    stories: list[list[dict[str, Any]]] = []
    for seed in (1, 1, 2):
        sandbox = Sandbox(seed=seed, clock=ManualClock())
        sandbox.seed_orders(100)
        stories.append(documents(sandbox))
        sandbox.close()
    assert stories[0] == stories[1] != stories[2]


def test_seeding_twice_needs_two_seeds() -> None:
    sandbox = Sandbox(seed=1)
    sandbox.seed_orders(10)
    with pytest.raises(SeedingError, match="merchant demo has orders of seed 1 already; take another seed"):
        sandbox.seed_orders(10)
    sandbox.seed_orders(10, seed=2)
    sandbox.seed_orders(10, merchant="acme")
    assert len(documents(sandbox)) == 20
    with pytest.raises(SeedingError, match="between 0 and 1000000, not -1"):
        sandbox.seed_orders(-1)
    sandbox.close()


def test_seeded_orders_are_found_by_their_payments() -> None:
    sandbox = Sandbox(seed=1)
    sandbox.seed_orders(50)
    order = next(order for order in documents(sandbox) if order["payments"])
    chosen = Selection(Scope("demo", order["channel"]))
    chosen.conditions.append("key IN (SELECT key FROM payments WHERE id = ?)")
    chosen.values.append(order["payments"][0]["id"])
    store = store_of(sandbox)
    assert store.figures(chosen)[0] == 1
    store.close()
    sandbox.close()
