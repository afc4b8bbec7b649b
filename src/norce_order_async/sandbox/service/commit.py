"""Carries out one admitted call: load, check locks, let the handler act, settle, ask the hooks, save, announce."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from norce_order_async.sandbox import json_text
from norce_order_async.sandbox.callbacks.hooks import HookRound
from norce_order_async.sandbox.callbacks.notifications import announce
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.policy import MOST_PROPOSALS, PARTS, refuse_edit, refuse_unready
from norce_order_async.sandbox.service.calls import (
    Call,
    CallsOut,
    Changes,
    Handler,
    OnWorld,
    OrderCall,
    Reads,
    ServiceAnswer,
    World,
    load,
    load_text,
)
from norce_order_async.sandbox.service.clock import written
from norce_order_async.sandbox.service.handlers.cart import refuse_taken_cart
from norce_order_async.sandbox.service.refusals import Refusal, not_valid
from norce_order_async.sandbox.service.totals import settle

# They follow from the rest and are written anew.
_DERIVED = frozenset({"lastModified", "total"})


@dataclass(slots=True)
class Proposal:
    """What a handler made of an order; `written` is the text it was read from."""

    handler: Changes
    on_order: OrderCall
    written: str
    reply: ServiceAnswer

    @property
    def before(self) -> Json:
        """The order before the change."""
        return json_text.parsed(self.written)

    def hearing(self) -> HookRound | None:
        """The hooks to ask; None when the change concerns none."""
        if not self.on_order.effects or not self.on_order.order["hooks"]:
            return None
        hearing = HookRound(self.before, self.on_order.order, self.on_order.call.adapter_id)
        return hearing if hearing.open else None

    def still_fits(self, written: str) -> bool:
        """Bring the proposal up to what the order is by now; false when that can't be done."""
        proposed, before, current = self.on_order.order, self.before, json_text.parsed(written)
        ours = _changed(before, proposed)
        if ours & _changed(before, current):
            return False
        merged = {name: value for name, value in current.items() if name not in ours}
        merged.update((name, proposed[name]) for name in ours if name in proposed)
        merged["lastModified"] = proposed["lastModified"]
        status: str = current["state"]["currentStatus"]
        for area in (self.handler.area, *(PARTS.get(part) for part in ours)):
            if area is not None:
                refuse_edit(area, status)
        settle(merged)
        if merged["state"] != current["state"]:
            refuse_unready(merged, merged["state"]["currentStatus"])
        try:
            refuse_taken_cart(self.on_order.world.store, self.on_order.call.scope, merged)
        except Refusal:
            # Only creating an order and replacing a cart answer with a conflict; any change may be patched into one.
            raise not_valid("By now another order has the cart reference that this one was to have.") from None
        self.written, self.on_order.order = written, merged
        return True


def _changed(before: Json, after: Json) -> set[str]:
    names = (before.keys() | after.keys()) - _DERIVED
    return {name for name in names if before.get(name) != after.get(name)}


async def perform(world: World, handler: Handler, call: Call) -> ServiceAnswer:
    """The answer to a call; raises `Refusal` when it is no."""
    match handler:
        case OnWorld(act):
            with world.store.transaction():
                return act(world, call)
        case Reads(act):
            with world.store.reading():
                return act(OrderCall(world, call, load(world.store, call), written(world.clock.now())))
        case Changes():
            return await _change(world, handler, call)
        case CallsOut(act):
            return await act(world, call)
        case _:
            assert_never(handler)


async def _change(world: World, handler: Changes, call: Call) -> ServiceAnswer:
    proposal = await _committed(world, handler, call)
    on_order = proposal.on_order
    if on_order.effects and on_order.order["notifications"]:
        await announce(world.deliveries, world.clock, world.ids, proposal.before, on_order.order)
    return handler.shows(on_order) if handler.shows is not None else proposal.reply


async def _committed(world: World, handler: Changes, call: Call) -> Proposal:
    """The proposal that all hooks agreed to, saved."""
    for _ in range(MOST_PROPOSALS):
        with world.store.transaction():
            proposal = _proposed(world, handler, call)
            hearing = proposal.hearing()
            if hearing is None:
                _save(proposal)
                return proposal
            # Nothing was written: a handler that writes to the store itself changes no part that hooks hear of.
        await hearing.hold(world.outside, world.ids, proposal.on_order.now)
        proposal.on_order.order = hearing.order
        with world.store.transaction():
            if proposal.still_fits(load_text(world.store, call)):
                _save(proposal)
                return proposal
    raise not_valid("Others kept changing the same part of the order while its hooks were asked.")


def _proposed(world: World, handler: Changes, call: Call) -> Proposal:
    text = load_text(world.store, call)
    on_order = OrderCall(world, call, json_text.parsed(text), written(world.clock.now()))
    order: Json = on_order.order
    if handler.area is not None:
        refuse_edit(handler.area, order["state"]["currentStatus"])
    reply = handler.act(on_order)
    if on_order.effects:
        settle(order)
        order["lastModified"] = on_order.now
    return Proposal(handler, on_order, text, reply)


def _save(proposal: Proposal) -> None:
    on_order = proposal.on_order
    world, call, order = on_order.world, on_order.call, on_order.order
    if on_order.effects:
        world.store.save(order)
        for subject, detail in on_order.effects:
            world.store.add_effect(on_order.now, call.scope, order["id"], call.operation, subject, detail)
