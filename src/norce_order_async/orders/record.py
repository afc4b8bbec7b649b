"""The last known version of an order and its age, shared by an ``Order`` and its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from norce_order_async._json import Unshown, is_mapping, list_or_empty, mapping_or_empty
from norce_order_async.display import shown
from norce_order_async.errors import NotLoadedError
from norce_order_async.orders.checking import known_ids, written, wrong_answer
from norce_order_async.orders.lazy import OrderBody
from norce_order_async.orders.lazy import Part as Member
from norce_order_async.pipeline.answer import Answer, share_models
from norce_order_async.pipeline.creations import changed_nothing
from norce_order_async.pipeline.operations import GET_ORDER, Operation
from norce_order_async.pipeline.readback import Baseline
from norce_order_async.pipeline.session import Session
from norce_order_async.pipeline.settings import CallOptions
from norce_order_async.runtime.clock import Deadline

if TYPE_CHECKING:
    from norce_order_async.models import OrderData

FRESH_FOR = 5.0
"""Seconds for which a status that was read or set is trusted without reading again."""


@dataclass(slots=True, eq=False)
class _PendingCreate:
    """An entry that was added and whose id is not known. Until the id is known or the order is read again, the contents
    of the list are not known either."""

    member: str
    """The list of the order that it is added to."""
    key: tuple[str, ...] | None
    """The values that identify it; None if nothing does, so that it could be any entry."""
    before: Baseline
    in_flight: bool = True

    def resembles(self, member: str, key: tuple[str, ...] | None) -> bool:
        """Whether it could be mistaken for an entry of this list with this key."""
        return self.member == member and (self.key is None or key is None or self.key == key)


class OrderRecord:
    """The last known version of one order, and methods to read and change it."""

    __slots__ = ("_created", "_pending", "_read_at", "_status", "_status_at", "body", "id", "session", "stale")

    def __init__(self, session: Session, order_id: str, body: OrderBody | None = None) -> None:
        self.session = session
        # Not checked here: each call checks the ids in its address.
        self.id = order_id
        self.body: OrderBody | None = None
        self.stale = False
        self._read_at = 0.0
        self._status: str | None = None
        self._status_at = 0.0
        self._created: set[str] = set()
        self._pending: list[_PendingCreate] = []
        if body is not None:
            self.take(body)

    def known(self) -> OrderBody:
        """The order as it was last read.

        Raises:
            NotLoadedError: it was not read yet.
        """
        if self.body is None:
            raise NotLoadedError(f"order {shown(self.id)} has not been read yet: await order.refresh() first")
        return self.body

    def take(self, body: OrderBody) -> None:
        """Replace the last version by one that was just read."""
        self.body = body
        self.stale = False
        self._read_at = self.session.core.clock.monotonic()
        self.saw_status(body.status)
        # Entries in flight may be added after this read, so they stay pending.
        self._pending = [pending for pending in self._pending if pending.in_flight]

    def received(self, member: str, entry_id: str | None = None) -> Mapping[str, Any]:
        """A part of the order as the service wrote it, or one entry of a list by its id; empty if it is not known."""
        part: object = None if self.body is None else self.body.plain.get(member)
        if entry_id is None:
            return mapping_or_empty(part)
        entries = [entry for entry in map(mapping_or_empty, list_or_empty(part)) if entry.get("id") == entry_id]
        return entries[0] if entries else {}

    @property
    def age(self) -> float | None:
        """Seconds since the order was last read; None if it was not read yet."""
        return None if self.body is None else self.session.core.clock.monotonic() - self._read_at

    def fresh_status(self) -> str | None:
        """The status, if it was read or set within the last :data:`FRESH_FOR` seconds."""
        if self.session.core.clock.monotonic() - self._status_at > FRESH_FOR:
            return None
        return self._status

    def saw_status(self, status: str | None) -> None:
        """Record the status that the service has just given."""
        self._status = status
        self._status_at = self.session.core.clock.monotonic()

    async def read(self, options: CallOptions | None = None, deadline: Deadline | None = None) -> OrderBody:
        """Read the order and keep the result.

        Raises:
            UnavailableError: the answer is not an order.
            CallError: it did not succeed otherwise.
        """
        answer = await self.session.call(GET_ORDER, {"order_id": self.id}, options=options, deadline=deadline)
        if not is_mapping(answer.data):
            _ = answer.parsed  # counts the difference in client.drift
            raise wrong_answer("order", answer, GET_ORDER, self.id)
        body = OrderBody(answer.data, self.session.core.drift, source=GET_ORDER.id, body=answer.body)
        if not share_models(answer, body.whole):
            # The call has decoded a large order in a thread, or middleware has asked for the models.
            body.set_model(cast("OrderData", answer.parsed))
        self.take(body)
        return body

    async def write(
        self,
        operation: Operation,
        body: Any = None,
        *,
        path: Mapping[str, str] | None = None,
        options: CallOptions | None = None,
        before: Baseline | None = None,
        deadline: Deadline | None = None,
    ) -> Answer:
        """Change the order. The last version stays, and is stale unless the write can't have changed anything."""
        try:
            answer = await self.session.call(
                operation,
                {"order_id": self.id, **(path or {})},
                body=body,
                options=options,
                before=before,
                deadline=deadline,
            )
        except BaseException as error:
            # This also covers a cancelled caller, who does not know whether the write took effect.
            if not changed_nothing(error):
                self._changed()
            raise
        self._changed()
        return answer

    async def create(
        self, operation: Operation, body: Any, options: CallOptions | None, deadline: Deadline | None = None
    ) -> Answer:
        """Add an entry to the order. If the answer is lost, a read-back compares with the entries that were there."""
        natural_key = operation.natural_key
        member = natural_key.member if natural_key else ""
        sent = Unshown(written(body, operation.id, is_new=True))
        key = natural_key.of(sent.to_dict()) if natural_key else None
        alike = [other for other in self._pending if other.resembles(member, key)]
        for other in alike:
            # Two similar entries are pending: an entry that one finds on reading back may be the other's.
            other.before.ambiguous = True
        before = Baseline(ids=None if alike else self._ids(member))
        pending = _PendingCreate(member, key, before)
        self._pending.append(pending)
        creation = self.session.creation(operation, self.id, sent.to_dict(), options)
        deadline = deadline or self.session.deadline(options)
        try:
            with self.session.core.creations.creating(creation, before, deadline):
                answer = await self.write(operation, sent, options=options, before=before, deadline=deadline)
        except BaseException as error:
            if changed_nothing(error):
                self._pending.remove(pending)
            raise
        finally:
            pending.in_flight = False
        if answer.id:
            self._created.add(answer.id)
            self._pending.remove(pending)
        return answer

    def _changed(self) -> None:
        self.stale = True
        self._status = None

    def _ids(self, member: str) -> frozenset[str] | None:
        if self.body is None:
            return None
        return known_ids(self.body.part(cast("Member", member)) if member else None) | self._created


class Part:
    """One part of an order. It reads from the last version of the order, and writes through its session."""

    __slots__ = ("_record",)

    def __init__(self, record: OrderRecord) -> None:
        self._record = record

    def __repr__(self) -> str:
        return f"<{type(self).__name__.removesuffix('Part')} of order {shown(self._record.id)}>"
