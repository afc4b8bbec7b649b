"""Carries out a call: loads the order, checks locks, runs the handler, computes totals, calls hooks, saves, notifies.

A change that takes effect after its request waits until it is due by the sandbox's clock. A running server carries it
out by itself; without one, it is carried out before the next request.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

import anyio

from norce_order_async.sandbox import json_text
from norce_order_async.sandbox.callbacks.hooks import HookRound
from norce_order_async.sandbox.callbacks.notifications import announce
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.policy import MOST_PROPOSALS, PARTS, refuse_edit, refuse_unready
from norce_order_async.sandbox.readings import noted, noted_in
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
from norce_order_async.sandbox.service.handlers.cart import await_commit, refuse_to_share_cart
from norce_order_async.sandbox.service.refusals import Refusal, not_valid
from norce_order_async.sandbox.service.totals import settle

# Members that are computed from the others.
_DERIVED = frozenset({"lastModified", "total"})


@dataclass(slots=True)
class PendingChange:
    """A change of an order that is not saved yet; `written` is the stored text before the change."""

    handler: Changes
    on_order: OrderCall
    written: str
    reply: ServiceAnswer

    @property
    def before(self) -> Json:
        """The order before the change."""
        return json_text.parsed(self.written)

    @property
    def compared(self) -> Json:
        """The order that callbacks compare with: the one before, without its status if that was entered again."""
        before = self.before
        if self.on_order.enters_again:
            before["state"]["currentStatus"] = None
        return before

    def hook_round(self) -> HookRound | None:
        """The hooks to call; None if the change concerns none."""
        on_order = self.on_order
        if not on_order.effects or not on_order.order["hooks"]:
            return None
        hooks = HookRound(self.before, on_order.order, on_order.call.adapter_id, self.compared, on_order.world.readings)
        return hooks if hooks.open else None

    def still_fits(self, written: str) -> bool:
        """Apply the change to the order as it is now. Returns False if another change has touched the same parts.

        Raises:
            Refusal: The change is not possible any more.
        """
        proposed, before, current = self.on_order.order, self.before, json_text.parsed(written)
        world = self.on_order.world
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
        settle(merged, world.readings)
        if merged["state"] != current["state"]:
            refuse_unready(world.readings, merged, merged["state"]["currentStatus"])
        # A hook's patch may set a cart reference in any change, but only two operations may answer with a conflict.
        refuse_to_share_cart(world, merged)
        self.written, self.on_order.order = written, merged
        return True


def _changed(before: Json, after: Json) -> set[str]:
    names = (before.keys() | after.keys()) - _DERIVED
    return {name for name in names if before.get(name) != after.get(name)}


async def commit(world: World, handler: Handler, call: Call) -> ServiceAnswer:
    """Carry out a call, and return the answer.

    Raises:
        Refusal: The call is refused.
    """
    await await_commit(world, call)
    match handler:
        case OnWorld(act):
            with world.store.transaction():
                return act(world, call)
        case Reads(act):
            with world.store.reading():
                return act(OrderCall(world, call, load(world, call), written(world.clock.now())))
        case Changes():
            return await _change(world, handler, call)
        case CallsOut(act):
            return await act(world, call)
        case _:
            assert_never(handler)


def rehearse(world: World, handler: Handler, call: Call) -> bool:
    """Whether a call would change its order. Nothing is saved, and hooks are not called.

    Only for handlers that write to the order alone.

    Raises:
        Refusal: The call would be refused.
    """
    if not isinstance(handler, Changes):
        return False
    with world.store.reading():
        return bool(_proposed(world, handler, call).on_order.effects)


async def _change(world: World, handler: Changes, call: Call) -> ServiceAnswer:
    change = await _committed(world, handler, call)
    on_order = change.on_order
    if on_order.effects and on_order.order["notifications"]:
        await announce(
            world.deliveries, world.clock, world.ids, world.readings, before=change.compared, order=on_order.order
        )
    return handler.shows(on_order) if handler.shows is not None else change.reply


async def _committed(world: World, handler: Changes, call: Call) -> PendingChange:
    """Propose the change, call the hooks, and save it."""
    for _ in range(MOST_PROPOSALS):
        with world.store.transaction():
            change = _proposed(world, handler, call)
            hooks = change.hook_round()
            if hooks is None:
                _save(change)
                return change
            # Nothing was written so far: a handler that writes to the store itself changes no part that has hooks.
        await hooks.ask(world.callbacks, world.ids, change.on_order.now)
        change.on_order.order = hooks.order
        with world.store.transaction():
            if change.still_fits(load_text(world, call)):
                _save(change)
                return change
    raise not_valid("Other requests kept changing the same part of the order while its hooks were called.")


def _proposed(world: World, handler: Changes, call: Call) -> PendingChange:
    text = load_text(world, call)
    on_order = OrderCall(world, call, json_text.parsed(text), written(world.clock.now()))
    order: Json = on_order.order
    if handler.area is not None:
        refuse_edit(handler.area, order["state"]["currentStatus"])
    reply = handler.act(on_order)
    if on_order.effects:
        settle(order, world.readings)
        order["lastModified"] = on_order.now
    return PendingChange(handler, on_order, text, reply)


def _save(change: PendingChange) -> None:
    on_order = change.on_order
    world, call, order = on_order.world, on_order.call, on_order.order
    if on_order.effects:
        world.lag.note(order["id"], change.written)
        world.store.save(order)
        world.presentation.remember(order["id"], call.spellings)
        for subject, detail in on_order.effects:
            world.store.add_effect(on_order.now, call.scope, order["id"], call.operation, subject, detail)


_TICK = 0.01

_log = logging.getLogger("norce_order_async.sandbox")


@dataclass(frozen=True, slots=True)
class _Change:
    due: datetime
    handler: Handler
    call: Call
    rules: set[str] | None
    """The set of its request that notes the rules that are looked up for it."""


class Deferred:
    """The changes that take effect later."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: list[_Change] = []

    def add(self, seconds: float, handler: Handler, call: Call) -> None:
        """Add a change that takes effect in ``seconds``."""
        self._waiting.append(_Change(self._world.clock.now() + timedelta(seconds=seconds), handler, call, noted()))

    def drop(self, operation: str, order_id: str) -> None:
        """Drop the waiting changes of an order by one operation."""
        self._waiting = [
            change
            for change in self._waiting
            if (change.call.operation, change.call.ids.get("order_id")) != (operation, order_id)
        ]

    def clear(self) -> None:
        """Drop all waiting changes."""
        self._waiting.clear()

    async def carry_out(self) -> None:
        """Carry out the changes that are due, in the order of the requests; drop those that are no longer possible."""
        if not self._waiting:
            return
        now = self._world.clock.now()
        due = [change for change in self._waiting if change.due <= now]
        # Removed before anything is awaited, so that no other request carries out the same changes.
        self._waiting = [change for change in self._waiting if change.due > now]
        for change in due:
            try:
                with noted_in(change.rules):
                    await commit(self._world, change.handler, change.call)
            except Refusal:
                continue
            except Exception:  # noqa: BLE001 - later requests are answered in any case
                _log.exception("the deferred change by %s failed", change.call.operation)

    async def run(self) -> None:
        """Carry out changes when they become due, until cancelled."""
        while True:
            await self.carry_out()
            await anyio.sleep(_TICK)
