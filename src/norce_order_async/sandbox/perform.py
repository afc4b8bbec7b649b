"""Carries out one admitted call: load, check locks, let the handler act, settle, save, record, commit.

A change is proposed on a copy of the order and saved afterwards; what is to be asked in between, or told afterwards,
has its place at the two marked lines.
"""

from typing import assert_never

from . import json_text
from .clock import written
from .json_text import Json
from .operation import Answer, Call, CallsOut, Changes, Handler, OnWorld, OrderCall, Reads, World
from .refusals import not_found
from .rules import refuse_edit
from .store import Store
from .totals import settle


async def perform(world: World, handler: Handler, call: Call) -> Answer:
    """The answer to a call; raises `Refusal` when it is no."""
    match handler:
        case OnWorld(act):
            with world.store.transaction():
                return act(world, call)
        case Reads(act):
            with world.store.reading():
                return act(_order_call(world, call))
        case Changes():
            return _change(world, handler, call)
        case CallsOut(act):
            return await act(world, call)
        case _:
            assert_never(handler)


def load(store: Store, call: Call) -> Json:
    """The order that the path names, in the scope of the call."""
    order_id = call.ids["order_id"]
    document = store.document(call.scope, order_id)
    if document is None:
        raise not_found("order", order_id)
    return json_text.parsed(document)


def _order_call(world: World, call: Call) -> OrderCall:
    return OrderCall(world, call, load(world.store, call), written(world.clock.now()))


def _change(world: World, handler: Changes, call: Call) -> Answer:
    with world.store.transaction():
        on_order = _order_call(world, call)
        order = on_order.order
        if handler.area is not None:
            refuse_edit(handler.area, order["state"]["currentStatus"])
        reply = handler.act(on_order)
        if on_order.effects:
            settle(order)
            order["lastModified"] = on_order.now
            # The proposal is complete here: the place for hooks.
            world.store.save(order)
            for subject, detail in on_order.effects:
                world.store.add_effect(on_order.now, call.scope, order["id"], call.operation, subject, detail)
    # Committed: the place for notifications.
    return reply
