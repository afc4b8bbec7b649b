"""Carries out one admitted call: load, check locks, let the handler act, settle, ask, save, record, commit, announce.

A change is proposed on a copy of the order and saved afterwards. Where hooks are to be asked in between, the store is
let go meanwhile, so that no call waits for another's hooks; `proposal.py` says what may have happened by then.
"""

from typing import assert_never

from . import json_text
from .callbacks.notifications import announce
from .clock import written
from .json_text import Json
from .loading import load, load_text
from .operation import Answer, Call, CallsOut, Changes, Handler, OnWorld, OrderCall, Reads, World
from .proposal import Proposal
from .refusals import not_valid
from .rules import MOST_PROPOSALS, refuse_edit
from .totals import settle


async def perform(world: World, handler: Handler, call: Call) -> Answer:
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


async def _change(world: World, handler: Changes, call: Call) -> Answer:
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
