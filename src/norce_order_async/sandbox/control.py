"""Operations on the whole state of a sandbox: reset, seed, snapshot, restore, and moving the clock."""

from __future__ import annotations

import random

from norce_order_async.sandbox.faults import Faults
from norce_order_async.sandbox.records import EndedRequests, RequestLog
from norce_order_async.sandbox.seeding import seed_orders
from norce_order_async.sandbox.service.calls import World
from norce_order_async.sandbox.service.clock import MovableClock
from norce_order_async.sandbox.service.commit import Deferred


class Control:
    """The operations that `Sandbox` and the admin endpoints share."""

    def __init__(
        self,
        world: World,
        requests: RequestLog,
        ended: EndedRequests,
        faults: Faults,
        deferred: Deferred,
        seed: int | None,
    ) -> None:
        self.world = world
        self.requests = requests
        self.ended = ended
        self.faults = faults
        self._deferred = deferred
        self._seed = seed

    def reset(self) -> None:
        """Remove all orders, empty the logs, and restart identifiers and the fault plan. The clock does not change."""
        self._deferred.clear()
        self.world.store.clear()
        self.world.lag.clear()
        self.world.presentation.clear()
        self.world.ids.restart()
        self.requests.clear()
        self.ended.clear()
        self.world.deliveries.clear()
        self.faults.restart()

    def seed_orders(self, count: int, *, merchant: str, seed: int | None) -> None:
        """Add ``count`` orders of a merchant; the same seed adds the same orders."""
        chosen = self._seed if seed is None else seed
        seed_orders(
            self.world.store,
            self.world.ids,
            self.world.clock,
            count,
            merchant=merchant,
            seed=random.getrandbits(32) if chosen is None else chosen,
        )

    def snapshot(self) -> bytes:
        """Orders and effects, as bytes for :meth:`restore`."""
        return self.world.store.snapshot()

    def restore(self, taken: bytes) -> None:
        """Set orders and effects back to a snapshot.

        Raises:
            DatabaseFileError: These bytes are not a snapshot; nothing has changed.
        """
        self._deferred.clear()
        self.world.deliveries.clear()
        self.world.store.restore(taken)
        self.world.lag.clear()

    def send_again(self, delivery_id: str) -> None:
        """Make a notification due again.

        Raises:
            LookupError: There is no delivery with that id.
        """
        self.world.deliveries.send_again(delivery_id, self.world.clock.now())

    def advance(self, seconds: float) -> None:
        """Move the clock forward by ``seconds``.

        Raises:
            TypeError: The clock can't be moved.
            ValueError: The clock would go beyond the year 8999.
        """
        clock = self.world.clock
        if not isinstance(clock, MovableClock):
            raise TypeError(f"the sandbox's clock, a {type(clock).__name__}, has no method advance to move it")
        clock.advance(seconds)
