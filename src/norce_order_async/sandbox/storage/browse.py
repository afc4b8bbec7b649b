"""Queries over the orders of all merchants and channels, for the inspector; the service has no such operation."""

from __future__ import annotations

# ruff: noqa: S608 - the conditions are this module's own; a visitor's words are always bound values
from collections.abc import Sequence
from dataclasses import dataclass

from norce_order_async.sandbox import json_text
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.storage.store import Store


@dataclass(frozen=True, slots=True)
class Found:
    """One order. `place` is its key, which grows with each order that is added."""

    place: int
    order: Json


def newest(store: Store, *, words: str, status: str, before: int | None, most: int) -> Sequence[Found]:
    """The orders that were added last, newest first.

    Args:
        store: The store.
        words: The id of an order, or a part of a reference, a name or an e-mail address; empty for all.
        status: Only orders in this status; empty for all.
        before: Only orders added before the one at this place; None for all.
        most: Largest number of orders.
    """
    conditions: list[str] = ["1"]
    values: list[str | int] = []
    if words:
        # Not LIKE, in which some characters have a meaning.
        conditions.append("(id = ? OR instr(search, ?) > 0)")
        values += [words, words.casefold()]
    if status:
        conditions.append("status = ?")
        values.append(status)
    if before is not None:
        conditions.append("key < ?")
        values.append(before)
    # The orders are picked from the narrow table first, so that only their documents are read.
    picked = f"SELECT key FROM orders WHERE {' AND '.join(conditions)} ORDER BY key DESC LIMIT ?"
    rows = store.rows(
        f"SELECT key, document FROM ({picked}) JOIN documents USING (key) ORDER BY key DESC", (*values, most)
    )
    return [Found(place, json_text.parsed(document)) for place, document in rows]


def order(store: Store, order_id: str) -> Json | None:
    """An order of any merchant and channel; None if there is no such order."""
    rows = store.rows("SELECT document FROM documents JOIN orders USING (key) WHERE id = ?", (order_id,))
    return json_text.parsed(rows[0][0]) if rows else None


def count(store: Store) -> int:
    """The number of orders."""
    ((number,),) = store.rows("SELECT count(*) FROM orders", ())
    return int(number)
