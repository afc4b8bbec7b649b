"""Answers notifications, which arrive at least once and in any order.

With ``ack="after"``, a notification is answered when its handler has returned, and is not stored. If the handler fails,
the answer is 500, and the service is expected to call again. With ``ack="first"``, a notification is stored in the
inbox and answered, and then the inbox calls the handler.
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
from norce_order_async.adapter.handling import LATE, AdapterCore, AdapterTelemetry, HandlerLimit, Read, Receive, logger
from norce_order_async.adapter.inbox.protocol import Inbox, InboxError, Taken
from norce_order_async.adapter.routing import Admitted, Refused, Route
from norce_order_async.display import shown
from norce_order_async.errors import ConfigurationError, NorceError
from norce_order_async.pipeline.response import in_thread

READ_WITHIN: Final = 30.0
"""Seconds within which a body must have arrived."""
PAUSE: Final = 1.0
"""Seconds until work continues after the inbox failed."""
LOOK_EVERY: Final = 15.0
"""Seconds between two counts of the inbox's entries for telemetry."""

_SLOW: Final = error_answer(408, "timeout", "The body did not arrive in time.")
_FAILED: Final = error_answer(500, "adapter-error", "The adapter could not handle the notification.", outcome="error")
_NOT_STORED: Final = error_answer(
    503,
    "adapter-unavailable",
    "The adapter can't store the notification now.",
    (b"retry-after", b"1"),
    outcome="unstored",
)


class NotHandledError(NorceError):
    """The handler of a notification took longer than its budget."""


class Notifications:
    """Answers notifications, and handles those that were stored.

    Args:
        core: the objects that all calls share.
        inbox: stores the notifications of handlers with ``ack="first"``.
        limit: limits how many of the other handlers run at the same time.
        workers: handlers of stored notifications that run at the same time.
        route_of: finds a handler by its label; raises LookupError if the adapter no longer has it.
        telemetry: records the number of entries in the inbox.
    """

    def __init__(
        self,
        core: AdapterCore,
        inbox: Inbox | None,
        limit: HandlerLimit,
        workers: int,
        route_of: Callable[[str], Route],
        telemetry: AdapterTelemetry | None,
    ) -> None:
        self._core = core
        self.inbox = inbox
        self._limit = limit
        self._workers = workers
        self._route_of = route_of
        self._telemetry = telemetry
        self._seen = SeenDeliveries(clock=core.clock)
        self._open: AsyncExitStack | None = None
        self._tasks: TaskGroup | None = None

    # Opening and closing

    async def open(self) -> None:
        """Open the inbox, and begin to handle its notifications.

        Raises:
            ConfigurationError: it is open already.
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
        """End the work and close the inbox. Handlers that this cancels run again when it is opened."""
        stack, self._open = self._open, None
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()
            self._tasks = None
        if stack is not None:
            await stack.__aexit__(kind, error, trace)

    # Answers

    async def answer(self, admitted: Admitted, receive: Receive) -> HttpAnswer | None:
        """Return the answer to a notification; None if the service has left."""
        core, route = self._core, admitted.route
        read = await core.within(core.clock.monotonic() + READ_WITHIN, partial(core.read, admitted, receive))
        if read is LATE:
            return core.refused(Refused("slow", _SLOW))
        if not isinstance(read, Read):
            refused: HttpAnswer | None = read
            return refused
        arrived: Callable[[], Delivery] = partial(
            Delivery.arrived,
            adapter_id=core.adapter_id,
            route=route.label,
            merchant=admitted.merchant,
            channel=admitted.channel,
            order_id=read.order_id,
            body=read.body,
            received_at=core.now(),
            data=read.data,
        )
        delivery = arrived() if len(read.body) <= LARGE else await in_thread(arrived)
        if route.ack == "first":
            return await self._stored(delivery)
        handle = partial(self._limit.run, partial(self._handled, route, delivery, read.data))
        try:
            outcome = await self._seen.once(delivery, handle)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, the service gets an answer
            core.failed(route.source, delivery.order_id, error)
            return _FAILED
        return HttpAnswer(200, b"", outcome)

    async def _stored(self, delivery: Delivery) -> HttpAnswer:
        if self.inbox is None or self._open is None:
            if not self._core.counts["notification.unstored"]:
                logger.error(
                    "the adapter %s was not entered, so it can store nothing: run its lifespan, or enter it where it "
                    "is mounted with 'async with adapter:'",
                    shown(self._core.adapter_id),
                )
            return _NOT_STORED
        try:
            is_new = await self.inbox.store(delivery)
        except InboxError as error:
            logger.error("a notification of order %s was not stored: %s", shown(delivery.order_id), error)
            return _NOT_STORED
        return HttpAnswer(200, b"", "stored" if is_new else "twin")

    async def _handled(self, route: Route, delivery: Delivery, data: dict[str, Any]) -> None:
        """Run the handler of a notification that is not stored."""
        await self._run(route, delivery, data, attempt=1, is_stale=self._seen.is_stale(delivery))

    async def _run(
        self, route: Route, delivery: Delivery, data: dict[str, Any] | None, *, attempt: int, is_stale: bool
    ) -> None:
        core = self._core
        call = NotificationCall(
            core.adapter_id,
            route.label,
            delivery.order_id,
            core.scope_for(delivery.merchant, delivery.channel),
            delivery.body,
            data,
            key=delivery.key,
            received_at=delivery.received_at,
            attempt=attempt,
            is_stale=is_stale,
        )
        deadline = None if route.budget is None else core.clock.monotonic() + route.budget
        if await core.within(deadline, partial(route.handler, call)) is LATE:
            raise NotHandledError(f"the handler took more than {route.budget:g} s")

    # The inbox

    async def _work(self, inbox: Inbox) -> None:
        """Handle stored notifications, until cancelled."""
        while True:
            try:
                # The database may hold notifications of other adapters too.
                await inbox.work(self._from_inbox, workers=self._workers, adapter_id=self._core.adapter_id)
            except InboxError as error:
                logger.error("the inbox of the adapter %s failed: %s", shown(self._core.adapter_id), error)
            except Exception:  # noqa: BLE001 - otherwise it would end the program that the adapter is mounted in
                logger.exception("the inbox of the adapter %s failed", shown(self._core.adapter_id))
            await self._core.clock.sleep(PAUSE)

    async def _from_inbox(self, taken: Taken) -> None:
        delivery = taken.delivery
        try:
            route = self._route_of(delivery.route)
            await self._run(route, delivery, None, attempt=taken.attempt, is_stale=taken.is_stale)
        except Exception as error:
            self._core.failed(f"notification {delivery.route}", delivery.order_id, error)
            self._core.counts.add("notification.error")
            raise
        self._core.counts.add("notification.handled")

    async def _look(self, inbox: Inbox, telemetry: AdapterTelemetry) -> None:
        """Record the number of entries in the inbox, until cancelled."""
        while True:
            try:
                found = await inbox.counts()
            except InboxError:
                pass  # `_work` logs it
            else:
                telemetry.inbox(self._core.adapter_id, found.depth, found.oldest)
            await self._core.clock.sleep(LOOK_EVERY)
