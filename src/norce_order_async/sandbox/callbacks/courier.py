"""Brings what is due: once when asked to, or for as long as a server runs.

Time is the sandbox's clock. It may be moved, so it is looked at again and again instead of slept until.
"""

from __future__ import annotations

from datetime import timedelta

import anyio

from norce_order_async.sandbox.callbacks.deliveries import Deliveries, Delivery, DeliveryAttempt
from norce_order_async.sandbox.callbacks.outgoing import CallbackClient, CallFailedError
from norce_order_async.sandbox.policy import DELIVERY_BACKOFF, DELIVERY_TIMEOUT
from norce_order_async.sandbox.service.clock import ServiceClock, written

_TICK = 0.01
_AT_ONCE = 16


class Courier:
    """Makes the attempts of deliveries and notes how they went."""

    def __init__(self, deliveries: Deliveries, callbacks: CallbackClient, clock: ServiceClock) -> None:
        self._deliveries = deliveries
        self._callbacks = callbacks
        self._clock = clock

    async def deliver_due(self) -> None:
        """Make every attempt that is due by now; returns when none is in flight, another loop's neither."""
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        async with anyio.create_task_group() as tasks:
            for delivery in self._deliveries.take_due(self._clock.now()):
                tasks.start_soon(self._attempt, delivery, limiter)
        while self._deliveries.in_flight:  # noqa: ASYNC110 - what is waited for may be on another thread's loop
            await anyio.sleep(_TICK)

    async def run(self) -> None:
        """Deliver what becomes due, until cancelled; what is in flight then is due again."""
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
