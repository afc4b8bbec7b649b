"""One item: run the action, and turn its end into an outcome or put the item back.

An item is sent again only if it is known, or a read has shown, that nothing was done. If a read can't show it either
way, the item is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from norce_order_async.bulk.actions.base import Settlement, can_settle
from norce_order_async.bulk.journal.journal import Journal
from norce_order_async.bulk.outcome import ItemOutcome, Verdict
from norce_order_async.bulk.prepare import Plan
from norce_order_async.bulk.source import Item
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
from norce_order_async.orders.order import Order
from norce_order_async.pipeline.session import capture_answers
from norce_order_async.runtime.stop import ItemCalls, made_for

T = TypeVar("T")

TRIES = 3
"""An item is sent at most this often if its answers are lost and reads show that it was not done; and read at most this
often if the service answers with a fault."""
_AWAY = frozenset({408, 502, 503, 504, *range(520, 525)})
"""Statuses with which a proxy in front of the service says that it is away or too slow."""


@dataclass(frozen=True, slots=True)
class StillToDo:
    """The item was in flight, and a read shows that it was not done."""


@dataclass(frozen=True, slots=True)
class HeldBack:
    """The job was stopped before anything was sent for the item, or a read shows that nothing was changed."""

    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Requeue:
    """Nothing was done, or nothing could be read: the item is tried again when the service is there."""

    error: Exception

    @property
    def ends_run(self) -> bool:
        """Whether every later item would fail the same way, however long the job waits."""
        if isinstance(self.error, NotSentError):
            return not self.error.may_call_again and self.error.gave_up != "stopped"
        return isinstance(self.error, UnauthorizedError)

    @property
    def is_away(self) -> bool:
        """Whether this error alone shows that the service is away."""
        return self._gave_up in ("budget", "retry-after", "token")

    @property
    def asked(self) -> float | None:
        """Seconds the service asked to wait."""
        return asked_to_wait(self.error)

    @property
    def _gave_up(self) -> str | None:
        return self.error.gave_up if isinstance(self.error, CallError) else "token"


class ItemProcessor(Generic[T]):
    """Runs the action of a plan on items."""

    def __init__(self, plan: Plan[T], journal: Journal | None) -> None:
        self._session = plan.session
        self._action = plan.action
        self._dry_run = plan.dry_run
        self._journal = journal

    async def handle(self, item: Item, calls: ItemCalls) -> ItemOutcome[T] | Requeue | StillToDo | HeldBack:
        """Run the action; for an item in flight, read whether it was done; in a dry run, say what would be done.

        Args:
            item: the item.
            calls: the record of the calls made for it.

        Raises:
            JournalError: the item could not be marked as sent, so it was not sent.
        """
        order = Order(self._session, item.key)
        with made_for(calls), capture_answers() as answers:
            if self._dry_run:
                return await self._previewed(item, order, calls)
            came = await (self._settled(item, order, calls) if item.in_flight else self._applied(item, order, calls))
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
            # The action swallowed the error that kept it from being sent.
            return HeldBack()
        nothing = self._action.did_nothing(value)
        return ItemOutcome(key=item.key, verdict="already done" if nothing else "done", value=value)

    async def _decided(
        self, item: Item, order: Order, calls: ItemCalls, error: Exception
    ) -> ItemOutcome[T] | Requeue | HeldBack:
        """Decide what an error of the action means for its item."""
        if calls.held_back and not calls.written:
            return HeldBack(error)
        if _may_go_back(item, error, reading=not self._action.writes):
            if not calls.written:
                return Requeue(error)
            # The action has made an earlier call, and running it again could do that twice.
            return await self._looked_at(item, order, calls, error)
        if not isinstance(error, NorceError):
            return _outcome(item, "unknown", error, "the action failed by itself")
        if isinstance(error, InvalidRequestError | ValidationFailedError):
            return _outcome(item, "refused", error)
        if isinstance(error, RefusedError):
            return await self._refused(item, order, calls, error)
        if isinstance(error, DuplicateOrderError):
            # A read could say "done" and hide that there are two orders.
            return _outcome(item, "unknown", error, "there are two orders")
        if must_wait(error) and can_settle(self._action):
            # It counts as in flight, and is read when the service may be called again.
            item.in_flight = True
            return Requeue(error)
        return await self._looked_at(item, order, calls, error)

    async def _looked_at(
        self, item: Item, order: Order, calls: ItemCalls, error: Exception
    ) -> ItemOutcome[T] | Requeue | HeldBack:
        """Read the order of an item that was sent, and decide by what the read shows."""
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
            # After an earlier request of ours, the change counts as made by us.
            return _outcome(item, "done" if item.was_sent else "already done", note="found by reading")
        return _outcome(item, "refused", error)

    async def _look(self, item: Item, order: Order, calls: ItemCalls) -> Settlement | Requeue:
        """Whether it was done. While the order can't be read the item is in flight, and is read later."""
        calls.looks = True
        try:
            return await self._action.settle(order, item.row)
        except NorceError as error:
            if not _may_go_back(item, error, reading=True):
                return "unknown"
            item.in_flight = True
            return Requeue(error)

    async def _was_so_before(self, item: Item, order: Order, calls: ItemCalls) -> bool:
        calls.looks = True
        try:
            return await self._action.settle(order, item.row) == "done"
        except NorceError:
            return False

    async def _settled(self, item: Item, order: Order, calls: ItemCalls) -> ItemOutcome[T] | Requeue | StillToDo:
        """Decide about an item in flight by reading only."""
        calls.looks = True
        try:
            looked = await self._action.settle(order, item.row)
        except Exception as error:  # noqa: BLE001 - each kind is decided on here
            if _may_go_back(item, error, reading=True):
                return Requeue(error)
            # The read failed, which says nothing about the write.
            note = "" if isinstance(error, NorceError) else "the action failed by itself"
            return _outcome(item, "unknown", error, note)
        if looked == "not done" and item.tries < TRIES:
            return StillToDo()
        by = "found by reading" if item.tries else "was in flight when an earlier run ended"
        return _outcome(item, "done" if looked == "done" else "unknown", note=by)

    async def _previewed(self, item: Item, order: Order, calls: ItemCalls) -> ItemOutcome[T] | HeldBack:
        try:
            note = await self._action.preview(order, item.row)
        except Exception as error:  # noqa: BLE001 - becomes the outcome's error
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
    """Whether nothing was changed and the item may be tried again, as after any read.

    Connection failures are retried for ever. If the service itself answers a read of this order with a fault, it will
    do so again, so that is tried three times.
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
