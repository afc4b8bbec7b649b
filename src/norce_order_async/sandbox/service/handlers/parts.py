"""Finding one of an order's parts by its id."""

from __future__ import annotations

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.service.calls import OrderCall
from norce_order_async.sandbox.service.refusals import not_found


def payment(on: OrderCall) -> Json:
    """The payment that the path names."""
    return find(on.order["payments"], "payment", on.call.ids["payment_id"])


def shipping(on: OrderCall) -> Json:
    """The shipping that the path names."""
    return find(on.order["shippings"], "shipping", on.call.ids["shipping_id"])


def find(entries: list[Json], thing: str, identifier: str) -> Json:
    """The entry with this id; `<thing>-not-found` otherwise."""
    for entry in entries:
        if entry["id"] == identifier:
            return entry
    raise not_found(thing, identifier)


def owned(on: OrderCall, identifier: str) -> Json:
    """The members of a payment or shipping that are the service's, whatever a body says."""
    return {"id": identifier, **on.call.scope._asdict(), "orderId": on.order["id"]}


def replace(entry: Json, content: Json) -> None:
    """Give an entry another content, in its place in the list."""
    entry.clear()
    entry.update(content)
