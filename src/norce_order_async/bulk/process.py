"""Doing one item's work, and deciding what its end means: an outcome, or that the item was not done and goes back.

The rule behind all of it: an item is sent again only where it is known that nothing was done, or where a read showed
so. What reading can't tell is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from norce_order_async.bulk.actions.base import Settlement, can_settle
from norce_order_async.bulk.journal.journal import Journal
from norce_order_async.bulk.outcome import ItemOutcome, Verdict
from norce_order_async.bulk.source import Item
from norce_order_async.bulk.spec import Plan
from norce_order_async.errors import (
    CallError,
    DuplicateOrderError,
    InvalidRequestError,
    NorceError,
    NotSentError,
    OutcomeUnknownError,
    RefusedError,
    RejectedError,
    TokenError,
    UnauthorizedError,
    UnavailableError,
    ValidationFailedError,
)
from norce_order_async.orders.capture import capture_answers
from norce_order_async.orders.order import Order
from norce_order_async.runtime.stop import ItemCalls, made_for

T = TypeVar("T")

TRIES = 3
"""How often an item is sent whose answer was lost and that reading showed not to be done, and how often one is read
that the service answers with a fault."""
_AWAY = frozenset({408, 502, 503, 504, *range(520, 525)})
"""Statuses of what stands in front of a service that is not there or not in time."""


@dataclass(frozen=True, slots=True)
class StillToDo:
    """The item was in flight, and a read shows that it was not done."""


@dataclass(frozen=True, slots=True)
class HeldBack:
    """The job was stopped before anything of the item was sent, or a read shows that nothing came of it."""

    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Requeue:
    """Nothing was done, or nothing could be read: the item is tried again when the service is there."""

    error: Exception

    @property
    def ends_run(self) -> bool:
        """Whether the next item would fare no better, however long one waits."""
        if isinstance(self.error, NotSentError):
            return not self.error.may_call_again and self.error.gave_up != "stopped"
        return isinstance(self.error, UnauthorizedError)

    @property
    def is_away(self) -> bool:
        """Whether it says by itself that the service is not to be had."""
        return self._gave_up in ("budget", "retry-after", "token")

    @property
    def asked(self) -> float | None:
        """Seconds the service asked to wait."""
        return asked_to_wait(self.error)

    @property
    def _gave_up(self) -> str | None:
        return self.error.gave_up if isinstance(self.error, CallError) else "token"


class ItemProcessor(Generic[T]):
    """Takes items through the action of a plan."""

    def __init__(self, plan: Plan[T], journal: Journal | None) -> None:
        self._session = plan.session
        self._action = plan.action
        self._dry_run = plan.dry_run
        self._journal = journal

    async def handle(self, item: Item, calls: ItemCalls) -> ItemOutcome[T] | Requeue | StillToDo | HeldBack:
        """Do it, or look whether it was done if it is in flight, or what would be done.

        Args:
            item: which.
            calls: what is known of the calls that are made for it.

        Raises:
            JournalError: it could not be marked as sent, so it was not.
        """
        order = Order(self._session, item.key)
        with made_for(calls), capture_answers() as answers:
            if self._dry_run:
                return await self._previewed(item, order, calls)
            came = await (self._settled(item, order, calls) if item.in_air else self._applied(item, order, calls))
            attempts = tuple(attempt for answer in answers for attempt in answer.attempts)
        if not isinstance(came, ItemOutcome):
            return came
        lost = came.error.attempts if isinstance(came.error, CallError) else ()
        return replace(came, attempts=(*attempts, *lost))

    async def _applied(self, item: Item, order: Order, calls: ItemCalls) -> ItemOutcome[T] | Requeue | HeldBack:
        if self._journal is not None:
            await self._journal.record(item, "sent")
        item.tries += 1
        try:
            value = await self._action.apply(order, item.row)
        except Exception as error:  # noqa: BLE001 - each kind is decided on in one place
            return await self._decided(item, order, calls, error)
        if calls.held_back and not calls.written:
            # What kept it from being sent was swallowed.
            return HeldBack()
        nothing = self._action.did_nothing(value)
        return ItemOutcome(key=item.key, verdict="already done" if nothing else "done", value=value)

    async def _decided(
        self, item: Item, order: Order, calls: ItemCalls, error: Exception
    ) -> ItemOutcome[T] | Requeue | HeldBack:
        """What an error means for an item that was to be done."""
        if calls.held_back and not calls.written:
            return HeldBack(error)
        if _may_go_back(item, error, reading=not self._action.writes):
            if not calls.written:
                return Requeue(error)
            # An earlier call of it was made, and making that again could do it twice.
            return await self._looked_at(item, order, calls, error)
        if not isinstance(error, NorceError):
            return _outcome(item, "unknown", error, "the action failed by itself")
        if isinstance(error, InvalidRequestError | ValidationFailedError):
            return _outcome(item, "refused", error)
        if isinstance(error, RefusedError):
            return await self._refused(item, order, calls, error)
        if isinstance(error, DuplicateOrderError):
            # A look could say that it is done, and would hide that it is there twice.
            return _outcome(item, "unknown", error, "there are two orders")
        if must_wait(error) and can_settle(self._action):
            # Looked at once the service wants to be asked again; until then it is in flight.
            item.in_air = True
            return Requeue(error)
        return await self._looked_at(item, order, calls, error)

    async def _looked_at(
        self, item: Item, order: Order, calls: ItemCalls, error: Exception
    ) -> ItemOutcome[T] | Requeue | HeldBack:
        """What a read says of an item of which something was sent."""
        looked = await self._look(item, order, calls)
        if isinstance(looked, Requeue):
            return looked
        if looked == "done":
            return _outcome(item, "done", note="found by reading")
        if looked == "not done" and calls.held_back:
            return HeldBack(error)
        if looked == "not done" and item.tries < TRIES:
            item.was_sent = True
            return Requeue(error)
        return _outcome(item, "unknown", error)

    async def _refused(
        self, item: Item, order: Order, calls: ItemCalls, error: RefusedError
    ) -> ItemOutcome[T] | Requeue:
        if error.maybe_changed:
            looked = await self._look(item, order, calls)
            if isinstance(looked, Requeue):
                return looked
            verdicts: Mapping[Settlement, Verdict] = {"done": "done", "not done": "refused", "unknown": "unknown"}
            note = "found by reading" if looked == "done" else ""
            return _outcome(item, verdicts[looked], None if looked == "done" else error, note)
        if item.was_sent and self._action.shows_done(error):
            return _outcome(item, "done", note="found when it was sent again")
        if self._action.excuses(error) and await self._was_so_before(item, order, calls):
            # What is so after an earlier request of ours counts as our doing.
            return _outcome(item, "done" if item.was_sent else "already done", note="found by reading")
        return _outcome(item, "refused", error)

    async def _look(self, item: Item, order: Order, calls: ItemCalls) -> Settlement | Requeue:
        """Whether it was done. While it can't be read the item is in flight: it is looked at when that is possible."""
        calls.looks = True
        try:
            return await self._action.settle(order, item.row)
        except NorceError as error:
            if not _may_go_back(item, error, reading=True):
                return "unknown"
            item.in_air = True
            return Requeue(error)

    async def _was_so_before(self, item: Item, order: Order, calls: ItemCalls) -> bool:
        calls.looks = True
        try:
            return await self._action.settle(order, item.row) == "done"
        except NorceError:
            return False

    async def _settled(self, item: Item, order: Order, calls: ItemCalls) -> ItemOutcome[T] | Requeue | StillToDo:
        """What became of an item that is in flight. Nothing is sent but reads."""
        calls.looks = True
        try:
            looked = await self._action.settle(order, item.row)
        except Exception as error:  # noqa: BLE001 - each kind is decided on here
            if _may_go_back(item, error, reading=True):
                return Requeue(error)
            # It could not be looked at, and that says nothing of what was sent.
            note = "" if isinstance(error, NorceError) else "the action failed by itself"
            return _outcome(item, "unknown", error, note)
        if looked == "not done" and item.tries < TRIES:
            return StillToDo()
        by = "found by reading" if item.tries else "was in flight when an earlier run ended"
        return _outcome(item, "done" if looked == "done" else "unknown", note=by)

    async def _previewed(self, item: Item, order: Order, calls: ItemCalls) -> ItemOutcome[T] | HeldBack:
        try:
            note = await self._action.preview(order, item.row)
        except Exception as error:  # noqa: BLE001 - told with the item, as for one that is acted on
            if calls.held_back:
                return HeldBack(error)
            return _outcome(item, "not tried", error, "could not be looked at")
        return ItemOutcome(key=item.key, verdict="not tried", note=note)


def must_wait(error: Exception | None) -> bool:
    """Whether the service asked for a longer wait than a call may make."""
    return isinstance(error, CallError) and error.gave_up == "retry-after"


def asked_to_wait(error: Exception | None) -> float | None:
    """Seconds the service asked to wait."""
    return error.retry_after if isinstance(error, RejectedError | OutcomeUnknownError) else None


def _may_go_back(item: Item, error: Exception, *, reading: bool) -> bool:
    """Whether nothing was changed and it may be tried again; so it is after any read.

    While the service is away that goes on for as long as it takes. A service that is there, and answers a read of this
    order with a fault, will do so again.
    """
    if isinstance(error, NotSentError | RejectedError | TokenError):
        return True
    if isinstance(error, UnauthorizedError):
        return not error.maybe_changed
    if not (reading and isinstance(error, UnavailableError)):
        return False
    if error.status is None or error.status in _AWAY:
        return True
    item.faults += 1
    return item.faults < TRIES


def _outcome(item: Item, verdict: Verdict, error: Exception | None = None, note: str = "") -> ItemOutcome[Any]:
    return ItemOutcome(key=item.key, verdict=verdict, error=error, note=note)
