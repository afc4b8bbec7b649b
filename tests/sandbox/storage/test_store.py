"""The store writes all of a transaction or nothing, and finds orders by index."""

import sqlite3
from typing import Any

import pytest

from norce_order_async.sandbox.storage.store import Scope, Selection, Store

ACME = Scope("acme", "se")


def order(order_id: str) -> dict[str, object]:
    return {
        "id": order_id,
        "created": "2026-01-01T00:00:00.000000Z",
        "lastModified": "2026-01-01T00:00:00.000000Z",
        "state": {"currentStatus": "checkout"},
        "payments": [],
        "total": {"includingVat": 1},
    }


def test_a_transaction_that_fails_leaves_nothing() -> None:
    store = Store()

    def fail_after_writing() -> None:
        with store.transaction():
            store.insert(ACME, order("oA"))
            store.add_effect("", ACME, "oA", "Create", "oA", "")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_writing()
    assert store.document(ACME, "oA") is None
    assert store.effects(None, None) == []
    with store.transaction():
        store.insert(ACME, order("oA"))
    assert store.document(ACME, "oA") is not None
    store.close()


INDEXED = [
    ("created >= ?", "by_created"),
    ("status IN (?)", "by_status"),
    ("reference IN (?)", "by_reference"),
    ("cart_reference IN (?)", "by_cart"),
    ("billing_email IN (?)", "by_email"),
    ("billing_phone IN (?)", "by_phone"),
    ("shipping_email IN (?)", "by_ship_email"),
    ("shipping_phone IN (?)", "by_ship_phone"),
]


@pytest.mark.parametrize(("condition", "index"), INDEXED)
def test_lists_are_filtered_by_index(condition: str, index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test reads the statements that the store sends for a list."""
    database = sqlite3.connect(":memory:", isolation_level=None)

    def connect(*_args: Any, **_options: Any) -> sqlite3.Connection:
        return database

    monkeypatch.setattr(sqlite3, "connect", connect)
    store = Store()
    statements: list[str] = []
    database.set_trace_callback(statements.append)
    chosen = Selection(ACME, [condition], ["x"])
    store.figures(chosen)
    store.page(chosen, 1, order_by="created", descending=True, limit=10, offset=0)
    database.set_trace_callback(None)
    assert len(statements) == 2
    for statement in statements:
        steps = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert any(step.startswith("SEARCH orders") and f" {index} " in step for step in steps), steps
    store.close()
