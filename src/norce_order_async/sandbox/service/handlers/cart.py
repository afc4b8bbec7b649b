"""The cart: replaced as a whole; its items carry ids."""

from __future__ import annotations

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.service.calls import DONE, OrderCall, ServiceAnswer
from norce_order_async.sandbox.service.normalise import all_items, give_item_ids
from norce_order_async.sandbox.service.refusals import conflict
from norce_order_async.sandbox.storage.store import Scope, Store


def put(on: OrderCall) -> ServiceAnswer:
    known = frozenset(item["id"] for item in all_items(on.order.get("cart", {})))
    on.order["cart"] = on.body
    give_item_ids(on.body, known, on.ids)
    refuse_taken_cart(on.world.store, on.call.scope, on.order)
    on.took_effect()
    return DONE


def refuse_taken_cart(store: Store, scope: Scope, order: Json) -> None:
    """A cart reference belongs to one order at a time."""
    reference: str | None = order.get("cart", {}).get("reference")
    if reference and store.cart_holder(scope, reference) not in (None, order["id"]):
        raise conflict("There is another order with this cart reference.")
