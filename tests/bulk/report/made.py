"""Journals with chosen contents, as if a job had written them at chosen moments."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from norce_order_async.bulk.journal.sqlite import SqliteStore
from norce_order_async.bulk.journal.store import Change
from norce_order_async.bulk.source import Item

FACTS: Mapping[str, Any] = {
    "action": "transition",
    "parameters": {"to": "accepted"},
    "merchant": "acme",
    "channel": "se",
    "service": "https://a.example/checkout/order",
    "partition": [1, 1],
    "source": {},
    "columns": [],
    "dates": {},
    "settles": True,
    "listed": True,
}


@dataclass(frozen=True)
class Done:
    """One order of a job: when it was sent and when its verdict was written, in seconds after the job's beginning."""

    key: str
    sent: float | None
    changed: float | None
    state: str = "confirmed"
    reason: str = ""
    code: str | None = None
    said: str | None = None


@dataclass
class Load:
    """A limiter whose values a test sets."""

    limit: int = 4
    in_flight: int = 2
    throttled_seconds: float = 0.0


def journal_of(path: Path, orders: Sequence[Done], *, began: float = 1_800_000_000.0, **facts: Any) -> Path:
    """A finished journal with these orders."""
    store = SqliteStore(path)
    store.take()
    try:
        store.begin({**FACTS, **facts})
        store.add([Item(number, order.key, {}) for number, order in enumerate(orders, start=1)])
        store.record([Change(number, "sent") for number in range(1, len(orders) + 1)], {})
    finally:
        store.release()
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "UPDATE item SET state = ?, sent = ?, changed = ?, reason = ?, code = ?, said = ? WHERE key = ?",
            [
                (
                    order.state,
                    None if order.sent is None else began + order.sent,
                    None if order.changed is None else began + order.changed,
                    order.reason,
                    order.code,
                    order.said,
                    order.key,
                )
                for order in orders
            ],
        )
    connection.close()
    return path
