"""Creates an entry once: look first, create if it is not there, look again if the answer was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from norce_order_async.errors import InvalidRequestError, NorceError, OutcomeUnknownError, PendingError
from norce_order_async.orders.checking import written
from norce_order_async.orders.lazy import OrderBody
from norce_order_async.orders.record import OrderRecord
from norce_order_async.pipeline.creations import Creation, Flight
from norce_order_async.pipeline.operations import Operation
from norce_order_async.pipeline.settings import CallOptions

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ensured(Generic[T]):
    """The result of an ``ensure`` call: the entry, and whether this call created it.

    Example::

        ensured = await order.payments.ensure({"reference": "p-1", "name": "Invoice", "amount": 125})
        ensured.value.id, ensured.created
    """

    value: T = field(repr=False)
    """As read from the service; after a creation, as read back."""
    created: bool
    """Whether this call created it. Of several calls that asked for the same at the same time, only one gets True. If
    the answer was lost, an entry that is found afterwards counts as created."""


@dataclass(frozen=True, slots=True)
class _Found(Generic[T]):
    """The result of a flight: the entry, and the order that it was read in."""

    entry: T
    record: OrderRecord
    order: OrderBody


async def ensure(
    record: OrderRecord,
    *,
    entries: Callable[[], Iterable[T]],
    wanted: Callable[[T], bool],
    operation: Operation,
    body: Any,
    options: CallOptions | None,
) -> Ensured[T]:
    """Create an entry unless the order has the wanted one, without ever creating two.

    Callers of one client who ask for the same at the same time share the calls. While an earlier creation of the entry
    may still take effect, this only looks.

    Args:
        record: the order's record. Afterwards it holds the order as last read.
        entries: returns the list of the record.
        wanted: whether an entry is the wanted one.
        operation: the operation that creates the entry.
        body: the entry to create.
        options: settings of the calls. Their deadline applies to all calls together.

    Raises:
        OutcomeUnknownError: the answer was lost, and the entry was not there even after the settling pause. It may
            still come, so it is not created again. Or the deadline was over meanwhile.
        PendingError: the entry was created, but the order did not show it or could not be read afterwards.
        CallError: the creation, or a step before it, did not succeed.
    """
    session = record.session
    creation = session.creation(operation, record.id, written(body, operation.id), options)
    if creation is None:
        raise InvalidRequestError(f"{operation.id}: it has no members that identify it")

    async def once(flight: Flight[_Found[T]]) -> tuple[_Found[T], bool]:
        return await _Ensuring(record, entries, wanted, creation, body, options, flight).run()

    found, created = await session.share(creation, once, options)
    if found.record is record:
        return Ensured(found.entry, created)
    record.take(found.order.again())
    return Ensured(next(filter(wanted, entries())), created)


def shared(options: CallOptions | None) -> CallOptions:
    """The settings of a flight's calls: without a queue timeout, because the callers limit their waits themselves."""
    return replace(options or CallOptions(), queue_timeout=None)


class _Ensuring(Generic[T]):
    """One flight."""

    def __init__(
        self,
        record: OrderRecord,
        entries: Callable[[], Iterable[T]],
        wanted: Callable[[T], bool],
        creation: Creation,
        body: Any,
        options: CallOptions | None,
        flight: Flight[_Found[T]],
    ) -> None:
        self._record = record
        self._entries = entries
        self._wanted = wanted
        self._creation = creation
        self._body = body
        self._options = shared(options)
        self._flight = flight
        self._creations = record.session.core.creations

    async def run(self) -> tuple[_Found[T], bool]:
        """Look, create, look again."""
        there = await self._look()
        while there is None and await self._creations.others_ended(self._creation.key):
            there = await self._look()
        if there is not None:
            return there, False
        self._creations.check(self._creation, self._flight)
        unknown: OutcomeUnknownError | None = None
        try:
            await self._record.create(self._creation.operation, self._body, self._options, self._flight.begun)
        except OutcomeUnknownError as error:
            unknown = error
        unread: NorceError | None = None
        try:
            there = await self._look_again()
        except NorceError as error:
            # It was created, and only the reading failed: the error of the reading would say that nothing was changed.
            unread = error
        if there is not None:
            return there, True
        if unknown is not None:
            raise unknown from (unread or unknown.__cause__)
        pending = PendingError(
            "created, but not shown when it was read back" if unread is None else "created, but could not be read back",
            operation=self._creation.operation.id,
            order_id=self._creation.order_id,
        )
        self._creations.not_shown(self._creation, pending)
        raise pending from unread

    async def _look_again(self) -> _Found[T] | None:
        """Look at once, and again after the settling pause."""
        there = await self._look()
        if there is None:
            session = self._record.session
            await session.core.clock.sleep(session.settings.changed(self._options).settling_pause)
            there = await self._look()
        return there

    async def _look(self) -> _Found[T] | None:
        await self._record.read(self._options, self._flight.begun)
        there = next(filter(self._wanted, self._entries()), None)
        if there is None:
            return None
        self._creations.confirmed(self._creation.key)
        return _Found(there, self._record, self._record.known())
