"""The cart: replaced as a whole; its items carry ids."""

from __future__ import annotations

from collections.abc import Mapping

import anyio

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.policy import COMMIT_DELAY, Area
from norce_order_async.sandbox.readings import ReadingsInUse
from norce_order_async.sandbox.service.calls import DONE, Call, Changes, Handler, OrderCall, ServiceAnswer, World
from norce_order_async.sandbox.service.normalise import all_items, give_item_ids
from norce_order_async.sandbox.service.refusals import Refusal, conflict, not_valid
from norce_order_async.sandbox.storage.store import Scope


def put(on: OrderCall) -> ServiceAnswer:
    known = frozenset(item["id"] for item in all_items(on.order.get("cart", {})))
    cart = replaced(on.world.readings, on.order.get("cart", {}), on.body)
    on.order["cart"] = cart
    give_item_ids(cart, known, on.ids)
    refuse_taken_cart(on.world, on.order)
    on.took_effect()
    return DONE


def replaced(readings: ReadingsInUse, cart: Json, given: Json) -> Json:
    """What a cart is after it was put."""
    if cart.keys() - given.keys() and readings.of("cart-put") == "merges":
        return {**cart, **given}
    return given


def refuse_taken_cart(world: World, order: Json) -> None:
    """When a change is committed: a cart reference belongs to one order at a time."""
    reference: str | None = order.get("cart", {}).get("reference")
    if reference and world.readings.of("cart-reference-unique") == "at-commit":
        _refuse_taken(world, Scope(order["merchant"], order["channel"]), reference, order["id"])


def refuse_to_share_cart(world: World, order: Json) -> None:
    """The same for changes whose description has no conflict."""
    try:
        refuse_taken_cart(world, order)
    except Refusal:
        raise not_valid("By now another order has the cart reference that this one was to have.") from None


async def await_commit(world: World, call: Call) -> None:
    """When a request arrives: where the check is made now, the commit follows later."""
    match call.operation:
        case "CreateCheckoutOrder":
            cart: Json = call.body.get("cart", {})
        case "UpdateCheckoutOrderCart":
            cart = call.body
        case _:
            return
    reference: str | None = cart.get("reference")
    if reference and world.readings.of("cart-reference-unique") == "checked-on-arrival":
        with world.store.reading():
            _refuse_taken(world, call.scope, reference, call.ids.get("order_id", ""))
        # Of the machine's time: with a clock that stands still nothing would ever be created.
        await anyio.sleep(COMMIT_DELAY)


def _refuse_taken(world: World, scope: Scope, reference: str, order_id: str) -> None:
    if world.store.cart_holder(scope, reference) not in (None, order_id):
        raise conflict("There is another order with this cart reference.")


HANDLERS: Mapping[str, Handler] = {
    "UpdateCheckoutOrderCart": Changes(Area.CHECKOUT, put),
}
"""By operationId."""
