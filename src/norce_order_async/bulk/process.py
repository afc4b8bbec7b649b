"""Process one item: run the action, and decide whether the item gets an outcome or goes back into the queue.

An item is sent again only if nothing was done for it, which must be certain or shown by a read. If a read can't show
whether it was done, the outcome is unknown.
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
"""How often an item is sent if its answers are lost and reads show that it was not done; and how often it is read if
the service answers with a fault."""
_AWAY = frozenset({408, 502, 503, 504, *range(520, 525)})
"""Statuses that a proxy returns if the service behind it is away or too slow."""


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
        """Run the action on an item; read whether an item in flight was done; in a dry run, only preview the action.

        Args:
            item: the item.
            calls: the record of the calls made for it.

        Raises:
            JournalError: the item could not be marked as sent, so it was not sent.
        """
        order = Order(self._session, item.key)
        with made_for(calls), capture_answers() as answers:
            if self._dry_run:
                return await self._preview(item, order, calls)
            result = await (self._settle(item, order, calls) if item.in_flight else self._apply(item, order, calls))
            attempts = tuple(attempt for answer in answers for attempt in answer.attempts)
        if not isinstance(result, ItemOutcome):
            return result
        lost = result.error.attempts if isinstance(result.error, CallError) else ()
        return replace(result, attempts=(*attempts, *lost))

    async def _apply(self, item: Item, order: Order, calls: ItemCalls) -> ItemOutcome[T] | Requeue | HeldBack:
        if self._journal is not None:
            await self._journal.record(item, "sent")
        item.tries += 1
        try:
            value = await self._action.apply(order, item.row)
        except Exception as error:  # noqa: BLE001 - each kind is decided on in one place
            return await self._decide(item, order, calls, error)
        if calls.held_back and not calls.written:
            # The action swallowed the error that kept it from being sent.
            return HeldBack()
        nothing = self._action.did_nothing(value)
        return ItemOutcome(key=item.key, verdict="already done" if nothing else "done", value=value)

    async def _decide(
        self, item: Item, order: Order, calls: ItemCalls, error: Exception
    ) -> ItemOutcome[T] | Requeue | HeldBack:
        """Decide what an error of the action means for its item."""
        if calls.held_back and not calls.written:
            return HeldBack(error)
        if _count_and_may_retry(item, error, reading=not self._action.writes):
            if not calls.written:
                return Requeue(error)
            # The action has made an earlier call, which running it again could repeat.
            return await self._decide_by_reading(item, order, calls, error)
        if not isinstance(error, NorceError):
            return _outcome(item, "unknown", error, "the action itself failed")
        if isinstance(error, InvalidRequestError | ValidationFailedError):
            return _outcome(item, "refused", error)
        if isinstance(error, RefusedError):
            return await self._decide_refusal(item, order, calls, error)
        if isinstance(error, DuplicateOrderError):
            # A read could say "done" and hide that there are two orders.
            return _outcome(item, "unknown", error, "there are two orders")
        if must_wait(error) and can_settle(self._action):
            # The item counts as in flight, and is read when the service may be called again.
            item.in_flight = True
            return Requeue(error)
        return await self._decide_by_reading(item, order, calls, error)

    async def _decide_by_reading(
        self, item: Item, order: Order, calls: ItemCalls, error: Exception
    ) -> ItemOutcome[T] | Requeue | HeldBack:
        """Read the order of an item that was sent, and decide by what the read shows."""
        looked = await self._read_back(item, order, calls)
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

    async def _decide_refusal(
        self, item: Item, order: Order, calls: ItemCalls, error: RefusedError
    ) -> ItemOutcome[T] | Requeue:
        if error.maybe_changed:
            looked = await self._read_back(item, order, calls)
            if isinstance(looked, Requeue):
                return looked
            verdicts: Mapping[Settlement, Verdict] = {"done": "done", "not done": "refused", "unknown": "unknown"}
            note = "found by reading" if looked == "done" else ""
            return _outcome(item, verdicts[looked], None if looked == "done" else error, note)
        if item.was_sent and self._action.shows_done(error):
            return _outcome(item, "done", note="found when it was sent again")
        if self._action.excuses(error) and await self._is_done(item, order, calls):
            # If the job sent this item before, the change counts as its own.
            return _outcome(item, "done" if item.was_sent else "already done", note="found by reading")
        return _outcome(item, "refused", error)

    async def _read_back(self, item: Item, order: Order, calls: ItemCalls) -> Settlement | Requeue:
        """Read whether the item was done. While the order can't be read, the item is in flight and is read later."""
        calls.looks = True
        try:
            return await self._action.settle(order, item.row)
        except NorceError as error:
            if not _count_and_may_retry(item, error, reading=True):
                return "unknown"
            item.in_flight = True
            return Requeue(error)

    async def _is_done(self, item: Item, order: Order, calls: ItemCalls) -> bool:
        calls.looks = True
        try:
            return await self._action.settle(order, item.row) == "done"
        except NorceError:
            return False

    async def _settle(self, item: Item, order: Order, calls: ItemCalls) -> ItemOutcome[T] | Requeue | StillToDo:
        """Decide about an item in flight by reading only."""
        calls.looks = True
        try:
            looked = await self._action.settle(order, item.row)
        except Exception as error:  # noqa: BLE001 - each kind is decided on here
            if _count_and_may_retry(item, error, reading=True):
                return Requeue(error)
            # The read failed, which says nothing about the write.
            note = "" if isinstance(error, NorceError) else "the action itself failed"
            return _outcome(item, "unknown", error, note)
        if looked == "not done" and item.tries < TRIES:
            return StillToDo()
        by = "found by reading" if item.tries else "was in flight when an earlier run ended"
        return _outcome(item, "done" if looked == "done" else "unknown", note=by)

    async def _preview(self, item: Item, order: Order, calls: ItemCalls) -> ItemOutcome[T] | HeldBack:
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


def _count_and_may_retry(item: Item, error: Exception, *, reading: bool) -> bool:
    """Count a fault of a read, and return whether nothing was changed and the item may be tried again.

    Connection failures are retried for ever. If the service itself answers a read of this order with a fault, it will
    probably do so again, so the item is read three times.
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
