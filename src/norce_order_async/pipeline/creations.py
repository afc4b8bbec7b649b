"""What a client is creating and may have created, so that ``ensure`` creates nothing twice.

The service does not keep payments, shippings, hooks, notifications and validations unique; whether it keeps orders
unique at once is not known. So the client remembers, for all its scopes and handles, by what tells an entry from
others (:data:`Key`):

- the flights: an ``ensure`` is one task of the client's, however many callers ask for the same at once;
- the creations in flight: ``ensure`` waits for them before it looks;
- the doubts: a creation whose outcome is unknown may land as long as its request may be on its way. In that time
  ``ensure`` only looks.

All of this is within one client. Other clients and other processes know nothing of it.
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
"""Merchant, channel, order (None for an order itself), list, and what tells the entry from others in it. The service's
address is the client's."""

IN_DOUBT_FOR: Final = 25.0
"""Seconds after its send for which a creation may still land: connecting and waiting for an answer, as by default.
Longer where the settings allow either more time."""

MOST_DOUBTS: Final = 10_000
"""How many are remembered one by one. When there are more, every key is in doubt until the last of them is over."""


def untouched(error: BaseException) -> bool:
    """Whether a write that ended so can't have changed anything."""
    if isinstance(error, RefusedError):
        return not error.maybe_changed
    if isinstance(error, RejectedError):
        return error.status != 503
    return isinstance(error, InvalidRequestError | TokenError | NotSentError)


@dataclass(frozen=True, slots=True)
class Creation:
    """Something that is to be created, by what it is known."""

    key: Key
    operation: Operation
    order_id: str | None
    lasts: float
    """Seconds after its send for which it may land."""

    def unknown(self, why: str, gave_up: GaveUp, request: Any = None) -> OutcomeUnknownError:
        """What is raised for it when no call tells more."""
        return OutcomeUnknownError(
            f"outcome unknown: {why}",
            operation=self.operation.id,
            order_id=self.order_id,
            gave_up=gave_up,
            request=request,
            advice=f"ensure again: until {self.lasts:g} s after it was sent that only looks",
        )


def lasts(settings: Settings) -> float:
    """Seconds after its send for which a creation may land."""
    return max(IN_DOUBT_FOR, settings.connect_timeout + settings.read_timeout)


class _Underway:
    """Creations of one key that have not ended."""

    __slots__ = ("count", "ended")

    def __init__(self) -> None:
        self.count = 0
        self.ended: anyio.Event | None = None
        """Set when the last one has ended; there when a task waits for that."""


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A creation whose outcome is unknown."""

    until: float
    error: NorceError | None
    """The error that its caller got."""


class _Begun(Deadline):
    """No end of its own; says when the first call of a flight has its permit."""

    __slots__ = ("event",)

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, None)
        self.event = anyio.Event()

    def start(self) -> None:
        super().start()
        self.event.set()


@final
class Flight(Generic[T]):
    """One ``ensure`` on its way, for all who asked for the same. Each of them waits within a deadline of its own."""

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
        """How many wait for it."""
        self.begun = _Begun(clock)
        """For its calls, which have no deadline but those who wait."""
        self.ended = anyio.Event()
        self.is_creating = False
        """Whether it has begun to create: before that it can be given up without a trace."""
        self._scope = anyio.CancelScope()
        self._results: list[tuple[T, bool]] = []
        self._error: BaseException | None = None
        self._is_claimed = False
        self._is_reported = False

    @property
    def is_left(self) -> bool:
        """Whether all callers have left."""
        return self.callers == 0

    async def fly(self, work: Callable[[], Awaitable[tuple[T, bool]]]) -> None:
        """Do it. What it raises goes to the callers who wait."""
        try:
            with self._scope:
                self._results.append(await work())
        except Exception as error:  # noqa: BLE001 - the callers who wait get it
            self._error = error
        finally:
            self.begun.event.set()
            self.ended.set()

    def give_up(self) -> None:
        """End it: all callers have left, and nothing was created."""
        self._scope.cancel()

    def result(self, creation: Creation) -> tuple[T, bool]:
        """The result, and whether it was created; only one caller gets True for that.

        Raises:
            NorceError: whatever ended it, to each in an error of its own.
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
        """The error for a caller who does not wait for its end."""
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
    """What one client creates."""

    __slots__ = ("_all_until", "_clock", "_doubts", "_flights", "_orders", "_underway")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._flights: dict[Key, Flight[Any]] = {}
        self._underway: dict[Key, _Underway] = {}
        self._doubts: OrderedDict[Key, _Doubt] = OrderedDict()
        self._all_until = 0.0
        """Until when every key is in doubt."""
        self._orders: OrderedDict[Key, tuple[str, float]] = OrderedDict()
        """The ids of the orders created lately, each with the time until which it is remembered."""

    def start_anew(self) -> None:
        """Leave the flights to an event loop that is over, or to the process that this one was forked from. What they
        and others were creating is in doubt."""
        for key in self._underway:
            self._remember(key, _Doubt(self._clock.monotonic() + IN_DOUBT_FOR, None))
        self._flights = {}
        self._underway = {}

    # Creating

    @contextmanager
    def creating(self, creation: Creation | None, before: Baseline, deadline: Deadline) -> Generator[None]:
        """Around the call that creates; None for what nothing tells from others.

        Args:
            creation: what is created.
            before: of the call, which writes down there when it was sent.
            deadline: of the call; until it has started nothing was sent.
        """
        if creation is None:
            yield
            return
        underway = self._underway.setdefault(creation.key, _Underway())
        underway.count += 1
        try:
            yield
        except BaseException as error:
            if deadline.started and not untouched(error):
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
        """Wait until no creation of a key is in flight; False when there was none."""
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
            OutcomeUnknownError: an earlier creation may still land.
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
            return creation.unknown(f"it may be one of more than {MOST_DOUBTS} that are unknown", "not-repeatable")
        return None

    def not_shown(self, creation: Creation, error: NorceError) -> None:
        """It was created and does not show: creating it again is no better than if the answer had been lost."""
        self._remember(creation.key, _Doubt(self._clock.monotonic() + creation.lasts, copy.copy(error)))

    def is_there(self, key: Key) -> None:
        """It was found, so there is no doubt about it any more."""
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
        """What ``work`` comes to, done once for all who ask for the same at once.

        Args:
            creation: what it may create.
            work: does it, and returns what it came to and whether it created something.
            start: runs something in a task of the client's.
            settings: how long this caller waits: the queue's timeout for the first permit, the deadline from then on.

        Returns:
            The result, and whether it was created: true for one of the callers at most.
        """
        found: Flight[T] | None = self._flights.get(creation.key)
        flight: Flight[T] = found or Flight(self._clock)
        flight.callers += 1
        if found is None:
            self._flights[creation.key] = flight
            try:
                start(self._flown(creation.key, flight, work))
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
                flight.give_up()
        if flight.ended.is_set():
            return flight.result(creation)
        raise flight.cut_off(creation, "the deadline was over" if why == "deadline" else "no permit in time", why)

    def _flown(
        self, key: Key, flight: Flight[T], work: Callable[[Flight[T]], Awaitable[tuple[T, bool]]]
    ) -> Callable[[], Awaitable[None]]:
        async def fly() -> None:
            try:
                await flight.fly(lambda: work(flight))
            finally:
                if self._flights.get(key) is flight:
                    del self._flights[key]

        return fly
