"""The cart: it is replaced as a whole, and its items have ids."""

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
    """The cart after it was replaced by the given one."""
    if cart.keys() - given.keys() and readings.of("cart-put") == "merges":
        return {**cart, **given}
    return given


def refuse_taken_cart(world: World, order: Json) -> None:
    """Refuse a cart reference that another order has, if the reading checks that at commit.

    Raises:
        Refusal: 409.
    """
    reference: str | None = order.get("cart", {}).get("reference")
    if reference and world.readings.of("cart-reference-unique") == "at-commit":
        _refuse_taken(world, Scope(order["merchant"], order["channel"]), reference, order["id"])


def refuse_to_share_cart(world: World, order: Json) -> None:
    """As :func:`refuse_taken_cart`, for operations that have no 409 in the description.

    Raises:
        Refusal: 400.
    """
    try:
        refuse_taken_cart(world, order)
    except Refusal:
        raise not_valid("Another order has this cart reference now.") from None


async def await_commit(world: World, call: Call) -> None:
    """If the reading checks cart references on arrival, check now, and wait a moment before the commit.

    Raises:
        Refusal: 409, if another order has the cart reference.
    """
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
        # In the machine's time, because the sandbox's clock may stand still.
        await anyio.sleep(COMMIT_DELAY)


def _refuse_taken(world: World, scope: Scope, reference: str, order_id: str) -> None:
    if world.store.cart_holder(scope, reference) not in (None, order_id):
        raise conflict("There is another order with this cart reference.")


HANDLERS: Mapping[str, Handler] = {
    "UpdateCheckoutOrderCart": Changes(Area.CHECKOUT, put),
}
"""By operationId."""
