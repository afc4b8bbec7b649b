"""Lists that lag behind: they show orders as they were before the changes of the last seconds."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta

from norce_order_async.sandbox.policy import LIST_LAG
from norce_order_async.sandbox.readings import ReadingsInUse
from norce_order_async.sandbox.service.clock import ServiceClock
from norce_order_async.sandbox.storage.store import Store


class ListLag:
    """Keeps orders as they were before their latest changes, as long as lists show them so."""

    def __init__(self, store: Store, clock: ServiceClock, readings: ReadingsInUse) -> None:
        self._store = store
        self._clock = clock
        self._readings = readings
        self._kept = timedelta(seconds=LIST_LAG[readings.chosen["list-lag"]])
        self._lock = threading.Lock()
        self._changes: list[tuple[datetime, str, str | None]] = []

    def note(self, order_id: str, before: str | None) -> None:
        """Record that an order is changed; `before` is its text before the change, None for a new one."""
        if self._kept:
            with self._lock:
                self._changes.append((self._clock.now(), order_id, before))

    def clear(self) -> None:
        """Drop all of it, so that lists show the current orders."""
        with self._lock:
            self._changes.clear()

    @contextmanager
    def as_listed(self) -> Generator[None]:
        """Inside this block, the store holds the orders as lists show them."""
        if self._readings.of("list-lag") == "none":
            yield
            return
        with self._store.glimpse():
            for order_id, before in self._hidden().items():
                self._store.put_back(order_id, before)
            yield

    def _hidden(self) -> dict[str, str | None]:
        """By order id, the text before the first change that lists don't show yet."""
        now = self._clock.now()
        with self._lock:
            self._changes = [change for change in self._changes if now - change[0] < self._kept]
            hidden: dict[str, str | None] = {}
            for _, order_id, before in self._changes:
                hidden.setdefault(order_id, before)
        return hidden
