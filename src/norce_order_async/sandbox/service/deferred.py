"""Changes that take effect later than their request: kept until they are due by the sandbox's clock.

A running server carries them out by itself; without one, they are carried out before the first request after that.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio

from norce_order_async.sandbox.readings import noted, noted_in
from norce_order_async.sandbox.service.calls import Call, Handler, World
from norce_order_async.sandbox.service.commit import commit
from norce_order_async.sandbox.service.refusals import Refusal

_TICK = 0.01

_log = logging.getLogger("norce_order_async.sandbox")


@dataclass(frozen=True, slots=True)
class _Change:
    due: datetime
    handler: Handler
    call: Call
    rules: set[str] | None
    """Of the request that asked for it: where the rules that are looked up for it are noted."""


class Deferred:
    """The changes that wait for their time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: list[_Change] = []

    def add(self, seconds: float, handler: Handler, call: Call) -> None:
        """Have a change take effect ``seconds`` from now."""
        self._waiting.append(_Change(self._world.clock.now() + timedelta(seconds=seconds), handler, call, noted()))

    def drop(self, operation: str, order_id: str) -> None:
        """Drop the changes of one kind to an order that have not taken effect."""
        self._waiting = [
            change
            for change in self._waiting
            if (change.call.operation, change.call.ids.get("order_id")) != (operation, order_id)
        ]

    def clear(self) -> None:
        """Drop all changes that have not taken effect."""
        self._waiting.clear()

    async def carry_out(self) -> None:
        """Carry out what is due, in the order of the requests; what is no longer possible is dropped."""
        if not self._waiting:
            return
        now = self._world.clock.now()
        due = [change for change in self._waiting if change.due <= now]
        # Taken off before anything is awaited, so that no other request carries out the same.
        self._waiting = [change for change in self._waiting if change.due > now]
        for change in due:
            try:
                with noted_in(change.rules):
                    await commit(self._world, change.handler, change.call)
            except Refusal:
                continue
            except Exception:  # noqa: BLE001 - whatever went wrong, the requests that follow are answered
                _log.exception("%s failed after its time had come", change.call.operation)

    async def run(self) -> None:
        """Carry out what becomes due, until cancelled."""
        while True:
            await self.carry_out()
            await anyio.sleep(_TICK)
