"""All state in one SQLite database: orders as JSON documents, the columns to filter them by, transactions, effects.

There is one connection and one lock for all threads. `transaction()` holds the lock from BEGIN to COMMIT or ROLLBACK,
so each request sees and leaves a consistent state; nothing is awaited while the lock is held. A request's changes and
the effects that record them commit together.
"""

from __future__ import annotations

# ruff: noqa: S608 - names in SQL texts are this package's own; values of a request are always bound
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from norce_order_async.sandbox import json_text
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.storage import sqlite as database
from norce_order_async.sandbox.storage.columns import COLUMNS, Value, columns

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS orders (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, merchant TEXT NOT NULL, channel TEXT NOT NULL,
    {", ".join(COLUMNS)}
);
CREATE TABLE IF NOT EXISTS documents (key INTEGER PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS payments (id TEXT NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (id, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS transactions (number INTEGER PRIMARY KEY, payment TEXT NOT NULL, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS effects (
    number INTEGER PRIMARY KEY, at TEXT NOT NULL, merchant TEXT NOT NULL, channel TEXT NOT NULL,
    order_id TEXT NOT NULL, operation TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_cart ON orders (merchant, channel, cart_reference) WHERE cart_reference IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_created ON orders (merchant, channel, created, total);
CREATE INDEX IF NOT EXISTS by_status ON orders (merchant, channel, status, created, total);
CREATE INDEX IF NOT EXISTS by_reference ON orders (merchant, channel, reference) WHERE reference IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_email ON orders (merchant, channel, billing_email) WHERE billing_email IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_phone ON orders (merchant, channel, billing_phone) WHERE billing_phone IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_ship_email ON orders (merchant, channel, shipping_email) WHERE shipping_email IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_ship_phone ON orders (merchant, channel, shipping_phone) WHERE shipping_phone IS NOT NULL;
CREATE INDEX IF NOT EXISTS transactions_of ON transactions (payment);
CREATE INDEX IF NOT EXISTS effects_of ON effects (order_id);
"""

_INSERTED = ("id", "merchant", "channel", *COLUMNS)
_INSERT = f"INSERT INTO orders ({', '.join(_INSERTED)}) VALUES ({', '.join('?' * len(_INSERTED))})"
_UPDATE = f"UPDATE orders SET {', '.join(f'{column} = ?' for column in COLUMNS)} WHERE key = ?"


_FEW = 1000


class Scope(NamedTuple):
    """The merchant and channel of a request."""

    merchant: str
    channel: str


@dataclass(frozen=True, slots=True)
class Effect:
    """A change that took effect: its operation, its order, and the changed part.

    Example::

        for effect in sandbox.effects.of(order.id):
            print(effect.operation, effect.at)
    """

    number: int
    at: str
    merchant: str
    channel: str
    order_id: str
    operation: str
    subject: str
    detail: str


@dataclass(slots=True)
class Selection:
    """The orders of a list, as SQL conditions and their values."""

    scope: Scope
    conditions: list[str] = field(default_factory=list[str])
    values: list[Value] = field(default_factory=list[Value])

    def where(self) -> str:
        """The SQL condition, with a place for each value."""
        return " AND ".join(["merchant = ?", "channel = ?", *self.conditions])

    def parameters(self) -> tuple[Value, ...]:
        """The values of the condition, in order."""
        return (*self.scope, *self.values)


class Store:
    """The sandbox's state, in a file or by default in memory."""

    def __init__(self, path: str = database.IN_MEMORY) -> None:
        self._lock = threading.RLock()
        self.on_effect: Callable[[int, str, str], None] | None = None
        """Called with number, time and order of each added effect. After a rollback, the next effect gets the same
        number."""
        self._database = database.opened(path, _SCHEMA)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """A transaction; only one runs at a time."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    @contextmanager
    def reading(self) -> Generator[None]:
        """Inside this block, reads see one state: nothing is written in between."""
        with self._lock:
            yield

    def rows(self, query: str, values: tuple[Value, ...]) -> list[Any]:
        """The rows of a SELECT."""
        with self._lock:
            return self._database.execute(query, values).fetchall()

    # The whole

    def clear(self) -> None:
        """Delete everything."""
        with self.transaction():
            for table in ("orders", "documents", "payments", "transactions", "effects"):
                self._database.execute(f"DELETE FROM {table}")

    def snapshot(self) -> bytes:
        """Everything, as the bytes of a database file."""
        with self._lock:
            return database.snapshot(self._database)

    def restore(self, taken: bytes) -> None:
        """Set everything back to a snapshot."""
        with self._lock:
            database.restore(self._database, taken)

    # Orders

    def document(self, scope: Scope, order_id: str) -> str | None:
        """An order's JSON text; None if there is no such order in this scope."""
        with self._lock:
            row = self._database.execute(
                "SELECT document FROM documents JOIN orders USING (key) WHERE id = ? AND merchant = ? AND channel = ?",
                (order_id, *scope),
            ).fetchone()
        return None if row is None else str(row[0])

    def document_in_any_channel(self, merchant: str, order_id: str) -> str | None:
        """An order's JSON text in any channel of the merchant; None if there is no such order."""
        with self._lock:
            row = self._database.execute(
                "SELECT document FROM documents JOIN orders USING (key) WHERE id = ? AND merchant = ?",
                (order_id, merchant),
            ).fetchone()
        return None if row is None else str(row[0])

    def has_order(self, order_id: str) -> bool:
        """Whether the id is taken, in any scope."""
        return self._key(order_id) is not None

    def cart_holder(self, scope: Scope, cart_reference: str) -> str | None:
        """The id of the first order with this cart reference that is not removed; None if there is none."""
        row = self._database.execute(
            "SELECT id FROM orders WHERE merchant = ? AND channel = ? AND cart_reference = ? AND status <> 'removed' "
            "ORDER BY key",
            (*scope, cart_reference),
        ).fetchone()
        return None if row is None else str(row[0])

    def insert(self, scope: Scope, order: Json) -> None:
        """Add a new order."""
        cursor = self._database.execute(_INSERT, (order["id"], *scope, *columns(order)))
        self._database.execute("INSERT INTO documents VALUES (?, ?)", (cursor.lastrowid, json_text.text(order)))
        self._note_payments(cursor.lastrowid, order)

    def save(self, order: Json) -> None:
        """Replace an existing order."""
        key = self._key(order["id"])
        self._database.execute(_UPDATE, (*columns(order), key))
        self._database.execute("UPDATE documents SET document = ? WHERE key = ?", (json_text.text(order), key))
        self._note_payments(key, order)

    def delete(self, scope: Scope, order_id: str) -> bool:
        """Delete an order and everything that belongs to it; False if there is no such order."""
        if self.document(scope, order_id) is None:
            return False
        key = self._key(order_id)
        self._database.execute(
            "DELETE FROM transactions WHERE payment IN (SELECT id FROM payments WHERE key = ?)", (key,)
        )
        for table in ("orders", "documents", "payments"):
            self._database.execute(f"DELETE FROM {table} WHERE key = ?", (key,))
        return True

    @contextmanager
    def glimpse(self) -> Generator[None]:
        """Within a transaction: everything that is written inside this block is undone at its end."""
        self._database.execute("SAVEPOINT glimpse")
        try:
            yield
        finally:
            self._database.execute("ROLLBACK TO glimpse")
            self._database.execute("RELEASE glimpse")

    def put_back(self, order_id: str, document: str | None) -> None:
        """Set an order back to a text; with None, delete it."""
        key = self._key(order_id)
        if document is not None:
            order = json_text.parsed(document)
            if key is None:
                self.insert(Scope(order["merchant"], order["channel"]), order)
            else:
                self.save(order)
        elif key is not None:
            for table in ("orders", "documents"):
                self._database.execute(f"DELETE FROM {table} WHERE key = ?", (key,))

    # Lists

    def page(
        self, chosen: Selection, matches: int, *, order_by: str, descending: bool, limit: int, offset: int
    ) -> list[str]:
        """The documents of one page; `matches` is the number that `figures` counted."""
        direction = "DESC" if descending else "ASC"
        # With the plus, SQLite does not walk all orders by date to find the few that match: it finds them by the index
        # of the filter, and sorts them.
        ordering = f"{'+' if matches < _FEW else ''}{order_by} {direction}, key {direction}"
        with self._lock:
            rows = self._database.execute(
                # The page is picked from the narrow table first, so that only its own documents are read.
                f"SELECT document FROM (SELECT key, {order_by} FROM orders WHERE {chosen.where()} ORDER BY {ordering} "
                f"LIMIT ? OFFSET ?) JOIN documents USING (key) ORDER BY {ordering}",
                (*chosen.parameters(), limit, offset),
            ).fetchall()
        return [row[0] for row in rows]

    def figures(self, chosen: Selection) -> tuple[int, int]:
        """The number of matching orders, and the sum of their totals in hundredths."""
        with self._lock:
            count, value = self._database.execute(
                f"SELECT count(*), coalesce(sum(total), 0) FROM orders WHERE {chosen.where()}", chosen.parameters()
            ).fetchone()
        return count, value

    # Transactions of payments

    def add_transaction(self, payment_id: str, transaction: Json) -> None:
        """Add a transaction to the log of a payment."""
        self._database.execute(
            "INSERT INTO transactions (payment, document) VALUES (?, ?)", (payment_id, json_text.text(transaction))
        )

    def transactions(self, payment_id: str) -> list[Json]:
        """The log of a payment, oldest first."""
        rows = self._database.execute(
            "SELECT document FROM transactions WHERE payment = ? ORDER BY number", (payment_id,)
        ).fetchall()
        return [json_text.parsed(row[0]) for row in rows]

    # Effects

    def add_effect(self, at: str, scope: Scope, order_id: str, operation: str, subject: str, detail: str) -> None:
        """Add an effect to the log of changes that took effect."""
        cursor = self._database.execute(
            "INSERT INTO effects (at, merchant, channel, order_id, operation, subject, detail) VALUES (?,?,?,?,?,?,?)",
            (at, *scope, order_id, operation, subject, detail),
        )
        if self.on_effect is not None:
            self.on_effect(cursor.lastrowid or 0, at, order_id)

    def effects(self, order_id: str | None, operation: str | None) -> Sequence[Effect]:
        """The effects, oldest first: those on one order or all, by one operation or any."""
        with self._lock:
            rows = self._database.execute(
                "SELECT * FROM effects WHERE (:order_id IS NULL OR order_id = :order_id) "
                "AND (:operation IS NULL OR operation = :operation) ORDER BY number",
                {"order_id": order_id, "operation": operation},
            ).fetchall()
        return [Effect(*row) for row in rows]

    def _note_payments(self, key: int | None, order: Json) -> None:
        if order["payments"]:
            self._database.executemany(
                "INSERT OR IGNORE INTO payments VALUES (?, ?)", [(payment["id"], key) for payment in order["payments"]]
            )

    def _key(self, order_id: str) -> int | None:
        row = self._database.execute("SELECT key FROM orders WHERE id = ?", (order_id,)).fetchone()
        return None if row is None else int(row[0])
