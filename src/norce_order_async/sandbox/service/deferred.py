"""Changes that take effect later than their request: kept until they are due by the sandbox's clock.

A running server carries them out by itself; without one, they are carried out before the first request after that.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import anyio

from norce_order_async.sandbox.service.calls import Call, Handler, World
from norce_order_async.sandbox.service.commit import commit
from norce_order_async.sandbox.service.refusals import Refusal

_TICK = 0.01

_log = logging.getLogger("norce_order_async.sandbox")


class Deferred:
    """The changes that wait for their time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: list[tuple[datetime, Handler, Call]] = []

    def add(self, seconds: float, handler: Handler, call: Call) -> None:
        """Have a change take effect ``seconds`` from now."""
        self._waiting.append((self._world.clock.now() + timedelta(seconds=seconds), handler, call))

    def drop(self, operation: str, order_id: str) -> None:
        """Drop the changes of one kind to an order that have not taken effect."""
        self._waiting = [
            change
            for change in self._waiting
            if (change[2].operation, change[2].ids.get("order_id")) != (operation, order_id)
        ]

    def clear(self) -> None:
        """Drop all changes that have not taken effect."""
        self._waiting.clear()

    async def carry_out(self) -> None:
        """Carry out what is due, in the order of the requests; what is no longer possible is dropped."""
        if not self._waiting:
            return
        now = self._world.clock.now()
        due = [change for change in self._waiting if change[0] <= now]
        # Taken off before anything is awaited, so that no other request carries out the same.
        self._waiting = [change for change in self._waiting if change[0] > now]
        for _, handler, call in due:
            try:
                await commit(self._world, handler, call)
            except Refusal:
                continue
            except Exception:  # noqa: BLE001 - whatever went wrong, the requests that follow are answered
                _log.exception("%s failed after its time had come", call.operation)

    async def run(self) -> None:
        """Carry out what becomes due, until cancelled."""
        while True:
            await self.carry_out()
            await anyio.sleep(_TICK)
