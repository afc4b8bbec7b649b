"""Remembers what a client is creating and may have created, so that ``ensure`` creates nothing twice.

The service does not keep payments, shippings, hooks, notifications and validations unique. It is not known whether it
keeps orders unique from the first moment. So the client remembers three things, for all its scopes and handles, by a
key that identifies the entry (:data:`Key`):

- flights: one ``ensure`` is one task of the client, however many callers ask for the same at the same time;
- creations in flight: ``ensure`` waits for them before it looks;
- doubts: a creation whose outcome is unknown may still take effect while its request may be on its way. During that
  time ``ensure`` only looks.

All of this is within one client. Other clients and other processes are not protected.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, final

import anyio

from norce_order_async.engines.base import UnsentError
from norce_order_async.errors import (
    GaveUp,
    InvalidRequestError,
    NorceError,
    NotSentError,
    OutcomeUnknownError,
    RefusedError,
    RejectedError,
    TokenError,
    UnavailableError,
)
from norce_order_async.pipeline.operations import Operation
from norce_order_async.pipeline.readback import Baseline
from norce_order_async.pipeline.settings import Settings
from norce_order_async.runtime.clock import Clock, Deadline

T = TypeVar("T")

Key = tuple[str | None, ...]
"""Merchant, channel, order (None for an order itself), list, and the values that identify the entry in the list."""

IN_DOUBT_FOR: Final = 25.0
"""Seconds after its send for which a creation may still take effect: the default timeouts for connecting and for the
answer. Longer timeouts in the settings make it longer."""

MOST_DOUBTS: Final = 10_000
"""The most doubts that are remembered one by one. If there are more, every key is in doubt until the last one ends."""


def changed_nothing(error: BaseException) -> bool:
    """Whether a write that ended with this error can't have changed anything."""
    if isinstance(error, RefusedError):
        return not error.maybe_changed
    if isinstance(error, RejectedError):
        return error.status != 503
    return isinstance(error, InvalidRequestError | TokenError | NotSentError)


@dataclass(frozen=True, slots=True)
class Creation:
    """An entry or order to create, and the key that identifies it."""

    key: Key
    operation: Operation
    order_id: str | None
    lasts: float
    """Seconds after its send for which it may take effect."""

    def unknown(self, why: str, gave_up: GaveUp, request: Any = None) -> OutcomeUnknownError:
        """The error for a creation whose outcome no call has shown."""
        return OutcomeUnknownError(
            f"outcome unknown: {why}",
            operation=self.operation.id,
            order_id=self.order_id,
            gave_up=gave_up,
            request=request,
            advice=f"call ensure again: for {self.lasts:g} s after the send it only looks",
        )


def lasts(settings: Settings) -> float:
    """Seconds after its send for which a creation may take effect."""
    return max(IN_DOUBT_FOR, settings.connect_timeout + settings.read_timeout)


class _Underway:
    """Creations of one key that have not ended."""

    __slots__ = ("count", "ended")

    def __init__(self) -> None:
        self.count = 0
        self.ended: anyio.Event | None = None
        """Set when the last one has ended; None if no task waits for that."""


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A creation whose outcome is unknown."""

    until: float
    error: NorceError | None
    """The error that its caller got."""


class _Begun(Deadline):
    """A deadline without an end, with an event that is set when the first call of a flight has its permit."""

    __slots__ = ("event",)

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, None)
        self.event = anyio.Event()

    def start(self) -> None:
        super().start()
        self.event.set()


@final
class Flight(Generic[T]):
    """One running ``ensure``, shared by all callers who asked for the same. Each caller has a deadline of its own."""

    __slots__ = (
        "_error",
        "_is_claimed",
        "_is_reported",
        "_results",
        "_scope",
        "begun",
        "callers",
        "ended",
        "is_creating",
    )

    def __init__(self, clock: Clock) -> None:
        self.callers = 0
        """The number of callers who wait for it."""
        self.begun = _Begun(clock)
        """The deadline of its calls: without an end, because the callers limit their waits themselves."""
        self.ended = anyio.Event()
        self.is_creating = False
        """Whether it has begun to create. Before that it can be cancelled without consequences."""
        self._scope = anyio.CancelScope()
        self._results: list[tuple[T, bool]] = []
        self._error: BaseException | None = None
        self._is_claimed = False
        self._is_reported = False

    @property
    def is_left(self) -> bool:
        """Whether all callers have left."""
        return self.callers == 0

    async def run(self, work: Callable[[], Awaitable[tuple[T, bool]]]) -> None:
        """Run ``work``. Its error goes to the waiting callers."""
        try:
            with self._scope:
                self._results.append(await work())
        except Exception as error:  # noqa: BLE001 - the callers who wait get it
            self._error = error
        finally:
            self.begun.event.set()
            self.ended.set()

    def cancel(self) -> None:
        """Cancel it: all callers have left, and nothing was created."""
        self._scope.cancel()

    def result(self, creation: Creation) -> tuple[T, bool]:
        """The result, and whether it was created; only one caller gets True for that.

        Raises:
            NorceError: the error that ended it. Each caller gets a copy.
        """
        if self._results:
            result, created = self._results[0]
            first, self._is_claimed = created and not self._is_claimed, True
            return result, first
        error = self._error
        if error is None:
            raise self.cut_off(creation, "the client was closed meanwhile", "closed")
        if self._is_reported and isinstance(error, NorceError):
            raise copy.copy(error)
        self._is_reported = True
        raise error

    def cut_off(self, creation: Creation, why: str, gave_up: GaveUp) -> NorceError:
        """The error for a caller who stops waiting before its end."""
        may_go_on = not (self.is_left or self.ended.is_set())
        if self.is_creating or may_go_on:
            return creation.unknown(f"{why}, and it may still be created", gave_up)
        kind = UnavailableError if self.begun.started else NotSentError
        return kind(
            f"{why}, before anything was created",
            operation=creation.operation.id,
            order_id=creation.order_id,
            gave_up=gave_up,
            advice="nothing was changed; it may be called again",
        )


@final
class Creations:
    """The creations of one client."""

    __slots__ = ("_all_until", "_clock", "_doubts", "_flights", "_orders", "_underway")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._flights: dict[Key, Flight[Any]] = {}
        self._underway: dict[Key, _Underway] = {}
        self._doubts: OrderedDict[Key, _Doubt] = OrderedDict()
        self._all_until = 0.0
        """The time until which every key is in doubt."""
        self._orders: OrderedDict[Key, tuple[str, float]] = OrderedDict()
        """The ids of the orders created lately, each with the time until which it is remembered."""

    def reset(self) -> None:
        """Drop the flights, because their event loop has ended or belongs to the parent process. Everything that was
        being created is in doubt."""
        for key in self._underway:
            self._remember(key, _Doubt(self._clock.monotonic() + IN_DOUBT_FOR, None))
        self._flights = {}
        self._underway = {}

    # Creating

    @contextmanager
    def creating(self, creation: Creation | None, before: Baseline, deadline: Deadline) -> Generator[None]:
        """A context around the call that creates.

        Args:
            creation: the entry or order to create; None if nothing identifies it.
            before: the baseline of the call, in which the call notes when it was sent.
            deadline: the deadline of the call. Nothing was sent before it started.
        """
        if creation is None:
            yield
            return
        underway = self._underway.setdefault(creation.key, _Underway())
        underway.count += 1
        try:
            yield
        except BaseException as error:
            if deadline.started and not changed_nothing(error):
                at = self._clock.monotonic() if before.sent_at is None else before.sent_at
                raised = copy.copy(error) if isinstance(error, OutcomeUnknownError) else None
                self._remember(creation.key, _Doubt(at + creation.lasts, raised))
            raise
        finally:
            underway.count -= 1
            if not underway.count:
                if self._underway.get(creation.key) is underway:
                    del self._underway[creation.key]
                if underway.ended is not None:
                    underway.ended.set()

    async def others_ended(self, key: Key) -> bool:
        """Wait until no creation of a key is in flight. False if there was none."""
        underway = self._underway.get(key)
        if underway is None:
            return False
        underway.ended = underway.ended or anyio.Event()
        await underway.ended.wait()
        return True

    # Doubts

    def check(self, creation: Creation, flight: Flight[Any]) -> None:
        """Let a flight create what it did not find.

        Raises:
            OutcomeUnknownError: an earlier creation may still take effect.
        """
        doubt = self._doubt(creation)
        if doubt is not None:
            raise doubt
        flight.is_creating = True

    def _doubt(self, creation: Creation) -> NorceError | None:
        now = self._clock.monotonic()
        doubt = self._doubts.get(creation.key)
        if doubt is not None and doubt.until > now:
            if doubt.error is not None:
                return copy.copy(doubt.error)
            return creation.unknown("an earlier creation was cut off while it was in flight", "not-repeatable")
        if self._all_until > now:
            why = f"more than {MOST_DOUBTS} creations have an unknown outcome, and this may be one of them"
            return creation.unknown(why, "not-repeatable")
        return None

    def not_shown(self, creation: Creation, error: NorceError) -> None:
        """Record a doubt: the entry was created but does not show, so creating it again could double it."""
        self._remember(creation.key, _Doubt(self._clock.monotonic() + creation.lasts, copy.copy(error)))

    def confirmed(self, key: Key) -> None:
        """End the doubt about a key: the entry was found."""
        self._doubts.pop(key, None)

    def _remember(self, key: Key, doubt: _Doubt) -> None:
        now = self._clock.monotonic()
        while self._doubts and next(iter(self._doubts.values())).until <= now:
            self._doubts.popitem(last=False)
        if len(self._doubts) >= MOST_DOUBTS and key not in self._doubts:
            self._all_until = max(self._all_until, doubt.until)
            return
        self._doubts[key] = doubt
        self._doubts.move_to_end(key)

    # Orders created lately, which lists may not show yet

    def created(self, creation: Creation, order_id: str) -> None:
        """Remember the id of an order, so that it is found while lists do not show it."""
        now = self._clock.monotonic()
        while self._orders and (len(self._orders) >= MOST_DOUBTS or next(iter(self._orders.values()))[1] <= now):
            self._orders.popitem(last=False)
        self._orders[creation.key] = (order_id, now + IN_DOUBT_FOR)
        self._orders.move_to_end(creation.key)

    def order_created_lately(self, key: Key) -> str | None:
        """The id of the order that was created for a key within the last ``IN_DOUBT_FOR`` seconds."""
        order_id, until = self._orders.get(key, ("", 0.0))
        return order_id if order_id and until > self._clock.monotonic() else None

    # Flights

    async def share(
        self,
        creation: Creation,
        work: Callable[[Flight[T]], Awaitable[tuple[T, bool]]],
        start: Callable[[Callable[[], Awaitable[None]]], None],
        settings: Settings,
    ) -> tuple[T, bool]:
        """Run ``work`` once for all callers who ask for the same at the same time.

        Args:
            creation: what it may create.
            work: returns the result and whether it created something.
            start: runs a function in a task of the client.
            settings: this caller's limits: the queue timeout until the first permit, the deadline from then on.

        Returns:
            The result, and whether it was created. At most one of the callers gets True.
        """
        found: Flight[T] | None = self._flights.get(creation.key)
        flight: Flight[T] = found or Flight(self._clock)
        flight.callers += 1
        if found is None:
            self._flights[creation.key] = flight
            try:
                start(self._flight(creation.key, flight, work))
            except UnsentError:
                del self._flights[creation.key]
                # The client is closed; the first call of the work raises the usual error.
                return await work(flight)
        why: GaveUp = "queue"
        try:
            with self._clock.move_on_after(settings.queue_timeout):
                await flight.begun.event.wait()
                why = "deadline"
            if why == "deadline":
                with self._clock.move_on_after(settings.deadline):
                    await flight.ended.wait()
        finally:
            flight.callers -= 1
            if flight.is_left and not flight.is_creating and self._flights.get(creation.key) is flight:
                # The next caller begins anew.
                del self._flights[creation.key]
                flight.cancel()
        if flight.ended.is_set():
            return flight.result(creation)
        raise flight.cut_off(creation, "the deadline was over" if why == "deadline" else "no permit in time", why)

    def _flight(
        self, key: Key, flight: Flight[T], work: Callable[[Flight[T]], Awaitable[tuple[T, bool]]]
    ) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            try:
                await flight.run(lambda: work(flight))
            finally:
                if self._flights.get(key) is flight:
                    del self._flights[key]

        return run
