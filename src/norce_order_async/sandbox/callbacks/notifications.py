"""Notifications: which are due after a change, the record of their deliveries, and the calls that deliver them.

A running server makes a delivery when it is due by the sandbox's clock; without a server, `Sandbox.deliver_due` makes
it. The clock can be moved, so the server polls it instead of sleeping until a time.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import anyio

from norce_order_async.sandbox.arguments import check_is, check_moment, check_text, check_whole
from norce_order_async.sandbox.callbacks.outgoing import CallbackClient, CallFailedError
from norce_order_async.sandbox.callbacks.patches import MISSING, value_at
from norce_order_async.sandbox.callbacks.schemas import SchemaFailedError, matches
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.live import LiveSequence
from norce_order_async.sandbox.policy import DELIVERY_BACKOFF, DELIVERY_TIMEOUT, sending_delays
from norce_order_async.sandbox.readings import ReadingsInUse
from norce_order_async.sandbox.service.clock import ServiceClock, written
from norce_order_async.sandbox.service.ids import Ids

DeliveryState: TypeAlias = Literal["waiting", "delivered", "failed"]


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One attempt to deliver a notification: the `status` of the answer, and in `problem` why it failed.

    Example::

        for delivery in sandbox.deliveries.of(order.id):
            print(delivery.state, [attempt.status for attempt in delivery.attempts])
    """

    at: str
    status: int | None
    problem: str | None = None


@dataclass(slots=True)
class Delivery:
    """One notification of one change, with the order as it was committed.

    Example::

        for delivery in sandbox.deliveries.of(order.id):
            print(delivery.state, [attempt.status for attempt in delivery.attempts])
    """

    id: str
    created_at: str
    order_id: str
    notification: Json = field(repr=False)
    order: Json = field(repr=False)
    attempts: list[DeliveryAttempt] = field(default_factory=list[DeliveryAttempt])
    next_at: datetime | None = None
    """When the next attempt is due; None if no further attempt is planned."""
    failures: int = 0
    """Failed attempts since it was created or sent again."""

    @property
    def state(self) -> DeliveryState:
        """``"waiting"`` for an attempt, ``"delivered"`` or ``"failed"``."""
        if self.next_at is not None:
            return "waiting"
        return "delivered" if self.attempts and self.attempts[-1].problem is None else "failed"


class Deliveries(LiveSequence[Delivery]):
    """All deliveries, oldest first; safe to read while the server runs.

    `keep` limits their number: the oldest finished ones are dropped first, waiting ones never.

    Example::

        for delivery in sandbox.deliveries.of(order.id):
            print(delivery.state, [attempt.status for attempt in delivery.attempts])
    """

    def __init__(self, keep: int) -> None:
        check_whole("keep", keep, 0, sys.maxsize)
        self._lock = threading.Lock()
        self._keep = keep
        self._all: dict[str, Delivery] = {}
        self._waiting: dict[str, Delivery] = {}
        self._in_flight: dict[str, Delivery] = {}

    def add(self, delivery: Delivery) -> None:
        """Add a delivery. It is sent at its `next_at`.

        Raises:
            TypeError: It is not a delivery.
        """
        check_is("delivery", delivery, Delivery, "a Delivery")
        with self._lock:
            self._all[delivery.id] = delivery
            if delivery.next_at is not None:
                self._waiting[delivery.id] = delivery
            self._make_room()

    def of(self, order_id: str) -> Sequence[Delivery]:
        """The deliveries about one order.

        Raises:
            TypeError: The order id is not a string.
        """
        check_is("order_id", order_id, str, "a string")
        return [delivery for delivery in self if delivery.order_id == order_id]

    def clear(self) -> None:
        """Drop all deliveries, including those that wait."""
        with self._lock:
            self._all.clear()
            self._waiting.clear()

    def send_again(self, delivery_id: str, now: datetime) -> None:
        """Make a delivery due again, with as many retries as a new one.

        Raises:
            LookupError: There is no such delivery.
            TypeError, ValueError: The id can't be one of a delivery, or ``now`` is not a moment of a clock.
        """
        check_text("delivery_id", delivery_id)
        check_moment("now", now)
        with self._lock:
            delivery = self._all.get(delivery_id)
            if delivery is None:
                raise LookupError(f"there is no delivery {delivery_id}")
            delivery.failures = 0
            if delivery_id not in self._in_flight:
                delivery.next_at = now
                self._waiting[delivery_id] = delivery

    # For the courier

    def take_due(self, now: datetime) -> list[Delivery]:
        """The deliveries that are due; they are in flight until they are given back.

        Raises:
            TypeError, ValueError: ``now`` is not a moment of a clock.
        """
        check_moment("now", now)
        with self._lock:
            due = [each for each in self._waiting.values() if each.next_at is not None and each.next_at <= now]
            due.sort(key=lambda delivery: (delivery.next_at, delivery.id))
            for delivery in due:
                self._in_flight[delivery.id] = self._waiting.pop(delivery.id)
        return due

    def give_back(self, delivery: Delivery) -> None:
        """End the flight of a delivery that was taken; it waits again if it has a `next_at`.

        Raises:
            TypeError: It is not a delivery.
        """
        check_is("delivery", delivery, Delivery, "a Delivery")
        with self._lock:
            self._in_flight.pop(delivery.id, None)
            if delivery.next_at is not None and delivery.id in self._all:
                self._waiting[delivery.id] = delivery
            self._make_room()

    @property
    def in_flight(self) -> bool:
        """Whether any delivery is being sent."""
        return bool(self._in_flight)

    def _make_room(self) -> None:
        if len(self._all) > self._keep:
            finished = next((old for old in self._all.values() if old.next_at is None), None)
            if finished is not None:
                del self._all[finished.id]

    def __len__(self) -> int:
        return len(self._all)

    def _kept(self) -> list[Delivery]:
        with self._lock:
            return list(self._all.values())


async def announce(
    deliveries: Deliveries, clock: ServiceClock, ids: Ids, readings: ReadingsInUse, *, before: Json, order: Json
) -> None:
    """Add a delivery for each notification whose value has changed and matches its schema."""
    notifications: list[Json] = order["notifications"]
    for notification in notifications:
        if "scope" not in notification or "invoke" not in notification:
            continue
        value = value_at(order, notification["scope"])
        if value == value_at(before, notification["scope"]):
            continue
        now = clock.now()
        delivery = Delivery(ids.event(now), written(now), order["id"], notification, order)
        try:
            due = "schema" not in notification or (
                value is not MISSING and await matches(value, notification["schema"])
            )
        except SchemaFailedError as failed:
            # An invalid notification does not undo the change.
            delivery.attempts.append(DeliveryAttempt(written(now), None, f"its schema {failed}"))
            deliveries.add(delivery)
            continue
        if not due:
            continue
        at = now + timedelta(milliseconds=max(0, notification.get("delay", 0)))
        first, *again = sending_delays(readings, len(deliveries.of(order["id"])))
        delivery.next_at = at + timedelta(seconds=first)
        deliveries.add(delivery)
        for seconds in again:
            deliveries.add(replace(delivery, id=ids.event(now), attempts=[], next_at=at + timedelta(seconds=seconds)))


_TICK = 0.01
_AT_ONCE = 16


class Courier:
    """Makes the attempts of deliveries, and records their results."""

    def __init__(self, deliveries: Deliveries, callbacks: CallbackClient, clock: ServiceClock) -> None:
        self._deliveries = deliveries
        self._callbacks = callbacks
        self._clock = clock

    async def deliver_due(self) -> None:
        """Make every attempt that is due now. Returns when no attempt is in flight, also on another event loop."""
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        async with anyio.create_task_group() as tasks:
            for delivery in self._deliveries.take_due(self._clock.now()):
                tasks.start_soon(self._attempt, delivery, limiter)
        while self._deliveries.in_flight:  # noqa: ASYNC110 - attempts may be in flight on another thread's loop
            await anyio.sleep(_TICK)

    async def run(self) -> None:
        """Deliver what becomes due, until cancelled. Deliveries in flight at that moment are due again."""
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        async with anyio.create_task_group() as tasks:
            while True:
                for delivery in self._deliveries.take_due(self._clock.now()):
                    tasks.start_soon(self._attempt, delivery, limiter)
                await anyio.sleep(_TICK)

    async def _attempt(self, delivery: Delivery, limiter: anyio.CapacityLimiter) -> None:
        try:
            async with limiter:
                attempt = await self._made(delivery)
            delivery.attempts.append(attempt)
            delivery.next_at = None
            if attempt.problem is not None:
                pauses = DELIVERY_BACKOFF[self._callbacks.readings.of("notification-retries")]
                if delivery.failures < len(pauses):
                    delivery.next_at = self._clock.now() + timedelta(seconds=pauses[delivery.failures])
                delivery.failures += 1
        finally:
            self._deliveries.give_back(delivery)

    async def _made(self, delivery: Delivery) -> DeliveryAttempt:
        notification, order = delivery.notification, delivery.order
        at = written(self._clock.now())
        body = self._callbacks.body(order, notification.get("version"))
        try:
            reply = await self._callbacks.invoke(
                notification.get("adapterId"), notification["invoke"], order, body, within=DELIVERY_TIMEOUT
            )
        except CallFailedError as failed:
            return DeliveryAttempt(at, None, f"it {failed}")
        return DeliveryAttempt(at, reply.status, None if reply.success else f"it answered {reply.status}")
