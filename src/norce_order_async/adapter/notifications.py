"""Notifications: news that come at least once and in any order.

Answered after the handler has returned, they are kept nowhere: a handler that fails is answered 500, and the service is
expected to call again. Answered first, they are stored in the inbox before that, and the inbox calls the handler.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup

from norce_order_async._json import LARGE
from norce_order_async.adapter.answers import HttpAnswer, error_answer
from norce_order_async.adapter.calls import NotificationCall
from norce_order_async.adapter.deliveries import Delivery, SeenDeliveries
from norce_order_async.adapter.handling import LATE, AdapterTelemetry, Desk, Read, Receive, Turns, logger
from norce_order_async.adapter.inbox.protocol import Inbox, InboxError, Taken
from norce_order_async.adapter.routing import Admitted, Refused, Route
from norce_order_async.display import shown
from norce_order_async.errors import ConfigurationError, NorceError
from norce_order_async.pipeline.response import in_thread

READ_WITHIN: Final = 30.0
"""Seconds in which a body must have come."""
PAUSE: Final = 1.0
"""Seconds until work is taken up again after the inbox failed."""
LOOK_EVERY: Final = 15.0
"""Seconds between two looks at how full the inbox is, where that is recorded."""

_SLOW: Final = error_answer(408, "timeout", "The body did not come in time.")
_FAILED: Final = error_answer(500, "adapter-error", "The adapter could not handle the notification.", outcome="error")
_NOT_STORED: Final = error_answer(
    503,
    "adapter-unavailable",
    "The adapter can't store the notification now.",
    (b"retry-after", b"1"),
    outcome="unstored",
)


class NotHandledError(NorceError):
    """The handler of a notification passed its budget."""


class Notifications:
    """Answers notifications, and works on those that were stored.

    Args:
        desk: what all calls share.
        inbox: where those are stored that are answered first.
        turns: how many handlers of the others run at the same time.
        workers: how many of stored ones do.
        route_of: finds a handler by its label; raises LookupError if the adapter no longer has it.
        telemetry: records how full the inbox is.
    """

    def __init__(
        self,
        desk: Desk,
        inbox: Inbox | None,
        turns: Turns,
        workers: int,
        route_of: Callable[[str], Route],
        telemetry: AdapterTelemetry | None,
    ) -> None:
        self._desk = desk
        self.inbox = inbox
        self._turns = turns
        self._workers = workers
        self._route_of = route_of
        self._telemetry = telemetry
        self._seen = SeenDeliveries(clock=desk.clock)
        self._open: AsyncExitStack | None = None
        self._tasks: TaskGroup | None = None

    # Opening and closing

    async def open(self) -> None:
        """Open the inbox, and begin to work on what is in it.

        Raises:
            ConfigurationError: it is open.
            InboxError: it can't be opened.
        """
        if self._open is not None:
            raise ConfigurationError("the adapter was entered already: it is entered once, by its lifespan or by you")
        async with AsyncExitStack() as stack:
            if self.inbox is not None:
                await stack.enter_async_context(self.inbox)
                self._tasks = await stack.enter_async_context(anyio.create_task_group())
                self._tasks.start_soon(self._work, self.inbox)
                if self._telemetry is not None:
                    self._tasks.start_soon(self._look, self.inbox, self._telemetry)
            self._open = stack.pop_all()

    async def close(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the work, and close the inbox. Handlers that are cancelled with it run again when it is opened."""
        stack, self._open = self._open, None
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()
            self._tasks = None
        if stack is not None:
            await stack.__aexit__(kind, error, trace)

    # Answers

    async def answer(self, admitted: Admitted, receive: Receive) -> HttpAnswer | None:
        """What the service gets; None if it has left."""
        desk, route = self._desk, admitted.route
        read = await desk.within(desk.clock.monotonic() + READ_WITHIN, partial(desk.read, admitted, receive))
        if read is LATE:
            return desk.refused(Refused("slow", _SLOW))
        if not isinstance(read, Read):
            refused: HttpAnswer | None = read
            return refused
        arrived: Callable[[], Delivery] = partial(
            Delivery.arrived,
            adapter_id=desk.adapter_id,
            route=route.label,
            merchant=admitted.merchant,
            channel=admitted.channel,
            order_id=read.order_id,
            body=read.body,
            received_at=desk.now(),
            data=read.data,
        )
        delivery = arrived() if len(read.body) <= LARGE else await in_thread(arrived)
        if route.ack == "first":
            return await self._stored(delivery)
        handle = partial(self._turns.run, partial(self._handled, route, delivery, read.data))
        try:
            outcome = await self._seen.once(delivery, handle)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, the service gets an answer
            desk.failed(route.source, delivery.order_id, error)
            return _FAILED
        return HttpAnswer(200, b"", outcome)

    async def _stored(self, delivery: Delivery) -> HttpAnswer:
        if self.inbox is None or self._open is None:
            if not self._desk.counts["notification.unstored"]:
                logger.error(
                    "the adapter %s was not entered, so it can store nothing: run its lifespan, or enter it where it "
                    "is mounted with 'async with adapter:'",
                    shown(self._desk.adapter_id),
                )
            return _NOT_STORED
        try:
            is_new = await self.inbox.store(delivery)
        except InboxError as error:
            logger.error("a notification of order %s was not stored: %s", shown(delivery.order_id), error)
            return _NOT_STORED
        return HttpAnswer(200, b"", "stored" if is_new else "twin")

    async def _handled(self, route: Route, delivery: Delivery, data: dict[str, Any]) -> None:
        """Run the handler of a notification that was not stored."""
        await self._run(route, delivery, data, attempt=1, is_stale=self._seen.is_stale(delivery))

    async def _run(
        self, route: Route, delivery: Delivery, data: dict[str, Any] | None, *, attempt: int, is_stale: bool
    ) -> None:
        desk = self._desk
        call = NotificationCall(
            desk.adapter_id,
            route.label,
            delivery.order_id,
            desk.scope_for(delivery.merchant, delivery.channel),
            delivery.body,
            data,
            key=delivery.key,
            received_at=delivery.received_at,
            attempt=attempt,
            is_stale=is_stale,
        )
        deadline = None if route.budget is None else desk.clock.monotonic() + route.budget
        if await desk.within(deadline, partial(route.handler, call)) is LATE:
            raise NotHandledError(f"the handler took more than {route.budget:g} s")

    # Stored ones

    async def _work(self, inbox: Inbox) -> None:
        """Work on what is stored, until cancelled."""
        while True:
            try:
                # Other adapters may have theirs in the same database.
                await inbox.work(self._from_inbox, workers=self._workers, adapter_id=self._desk.adapter_id)
            except InboxError as error:
                logger.error("the inbox of the adapter %s failed: %s", shown(self._desk.adapter_id), error)
            except Exception:  # noqa: BLE001 - it would end the program that the adapter is mounted in
                logger.exception("the inbox of the adapter %s failed", shown(self._desk.adapter_id))
            await self._desk.clock.sleep(PAUSE)

    async def _from_inbox(self, taken: Taken) -> None:
        delivery = taken.delivery
        try:
            route = self._route_of(delivery.route)
            await self._run(route, delivery, None, attempt=taken.attempt, is_stale=taken.is_stale)
        except Exception as error:
            self._desk.failed(f"notification {delivery.route}", delivery.order_id, error)
            self._desk.counts.add("notification.error")
            raise
        self._desk.counts.add("notification.handled")

    async def _look(self, inbox: Inbox, telemetry: AdapterTelemetry) -> None:
        """Record how full the inbox is, until cancelled."""
        while True:
            try:
                found = await inbox.counts()
            except InboxError:
                pass  # `_work` says so
            else:
                telemetry.inbox(self._desk.adapter_id, found.depth, found.oldest)
            await self._desk.clock.sleep(LOOK_EVERY)
