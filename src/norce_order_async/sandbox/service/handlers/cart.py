"""The cart: replaced as a whole; its items carry ids."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.service.calls import DONE, OrderCall, ServiceAnswer
from norce_order_async.sandbox.service.ids import Ids
from norce_order_async.sandbox.service.refusals import conflict
from norce_order_async.sandbox.storage.store import Scope, Store


def put(on: OrderCall) -> ServiceAnswer:
    known = frozenset(item["id"] for item in all_items(on.order.get("cart", {})))
    on.order["cart"] = on.body
    give_item_ids(on.body, known, on.ids)
    refuse_taken_cart(on.world.store, on.call.scope, on.order)
    on.took_effect()
    return DONE


def give_item_ids(cart: Json, known: Collection[str], ids: Ids) -> None:
    """Items keep an id that the cart knew, once each; the others get a new one."""
    kept: set[str] = set()
    for item in all_items(cart):
        if item.get("id") not in known or item["id"] in kept:
            item["id"] = ids.item()
        kept.add(item["id"])


def refuse_taken_cart(store: Store, scope: Scope, order: Json) -> None:
    """A cart reference belongs to one order at a time."""
    reference: str | None = order.get("cart", {}).get("reference")
    if reference and store.cart_holder(scope, reference) not in (None, order["id"]):
        raise conflict("There is another order with this cart reference.")


def all_items(holder: Json) -> Iterator[Json]:
    """The items of a cart, or of a bundle, and those inside them."""
    for item in holder.get("items", []):
        yield from chain([item], all_items(item))
