"""What a handle knows of its order, shared by the handle and its parts: the last snapshot and its age."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from norce_order_async._json import Unshown, is_mapping, list_or_empty, mapping_or_empty
from norce_order_async.display import shown
from norce_order_async.errors import NotLoadedError
from norce_order_async.orders.checking import holds_no, known_ids, written
from norce_order_async.orders.lazy import OrderBody
from norce_order_async.orders.lazy import Part as Member
from norce_order_async.pipeline.answer import Answer, make_late
from norce_order_async.pipeline.creations import untouched
from norce_order_async.pipeline.operations import GET_ORDER, Operation
from norce_order_async.pipeline.readback import Baseline
from norce_order_async.pipeline.session import Session
from norce_order_async.pipeline.settings import CallOptions
from norce_order_async.runtime.clock import Deadline

if TYPE_CHECKING:
    from norce_order_async.models import OrderData

FRESH_FOR = 5.0
"""Seconds for which a status that was read or set is trusted without asking again."""


@dataclass(slots=True, eq=False)
class _Doubt:
    """Something added whose id is not known: until it is, or the order is read again, neither is what is there."""

    member: str
    """The list of the order that it goes to."""
    key: tuple[str, ...] | None
    """What it would be recognised by; None could be like anything."""
    before: Baseline
    in_flight: bool = True

    def resembles(self, member: str, key: tuple[str, ...] | None) -> bool:
        """Whether it could be taken for another entry, or the other for it."""
        return self.member == member and (self.key is None or key is None or self.key == key)


class OrderRecord:
    """The last known state of one order, and the way to read and change it."""

    __slots__ = ("_created", "_doubts", "_read_at", "_status", "_status_at", "body", "id", "session", "stale")

    def __init__(self, session: Session, order_id: str, body: OrderBody | None = None) -> None:
        self.session = session
        # Not checked: an id that the service gave is its own, and each call checks those in its address.
        self.id = order_id
        self.body: OrderBody | None = None
        self.stale = False
        self._read_at = 0.0
        self._status: str | None = None
        self._status_at = 0.0
        self._created: set[str] = set()
        self._doubts: list[_Doubt] = []
        if body is not None:
            self.take(body)

    def known(self) -> OrderBody:
        """The snapshot.

        Raises:
            NotLoadedError: there is none yet.
        """
        if self.body is None:
            raise NotLoadedError(f"order {shown(self.id)} has not been read yet: await order.refresh() first")
        return self.body

    def take(self, body: OrderBody) -> None:
        """Replace the snapshot by one just read."""
        self.body = body
        self.stale = False
        self._read_at = self.session.core.clock.monotonic()
        self.saw_status(body.status)
        # What is in flight may land after this read, and then is not in it.
        self._doubts = [doubt for doubt in self._doubts if doubt.in_flight]

    def received(self, member: str, entry_id: str | None = None) -> Mapping[str, Any]:
        """A part of the order as the service wrote it, or one entry of a list by its id; empty when not known."""
        part: object = None if self.body is None else self.body.plain.get(member)
        if entry_id is None:
            return mapping_or_empty(part)
        entries = [entry for entry in map(mapping_or_empty, list_or_empty(part)) if entry.get("id") == entry_id]
        return entries[0] if entries else {}

    @property
    def age(self) -> float | None:
        """Seconds since the snapshot was read; None without one."""
        return None if self.body is None else self.session.core.clock.monotonic() - self._read_at

    def fresh_status(self) -> str | None:
        """The status, when it was read or set so lately that it may be believed."""
        if self.session.core.clock.monotonic() - self._status_at > FRESH_FOR:
            return None
        return self._status

    def saw_status(self, status: str | None) -> None:
        """The service said just now that the order is in this status."""
        self._status = status
        self._status_at = self.session.core.clock.monotonic()

    async def read(self, options: CallOptions | None = None, deadline: Deadline | None = None) -> OrderBody:
        """Read the order and take the result."""
        answer = await self.session.call(GET_ORDER, {"order_id": self.id}, options=options, deadline=deadline)
        if not is_mapping(answer.data):
            _ = answer.parsed  # counts what it is instead
            raise holds_no("order", answer, GET_ORDER, self.id)
        body = OrderBody(answer.data, self.session.core.drift, source=GET_ORDER.id, body=answer.body)
        if not make_late(answer, body.whole):
            # A large one, which the call has decoded in a thread; or middleware asked for the models.
            body.takes(cast("OrderData", answer.parsed))
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
        """Change something of the order. The snapshot stays, and is stale unless nothing can have changed."""
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
            # A caller that was cancelled does not know either.
            if not untouched(error):
                self._changed()
            raise
        self._changed()
        return answer

    async def create(
        self, operation: Operation, body: Any, options: CallOptions | None, deadline: Deadline | None = None
    ) -> Answer:
        """Add something to the order; an answer that is lost is settled against what was there before."""
        natural_key = operation.natural_key
        member = natural_key.member if natural_key else ""
        sent = Unshown(written(body, operation.id, is_new=True))
        key = natural_key.of(sent.to_dict()) if natural_key else None
        alike = [doubt for doubt in self._doubts if doubt.resembles(member, key)]
        for doubt in alike:
            # Two of a kind at once: what either finds on reading back may be the other's.
            doubt.before.crowded = True
        before = Baseline(ids=None if alike else self._ids(member))
        doubt = _Doubt(member, key, before)
        self._doubts.append(doubt)
        creation = self.session.creation(operation, self.id, sent.to_dict(), options)
        deadline = deadline or self.session.deadline(options)
        try:
            with self.session.core.creations.creating(creation, before, deadline):
                answer = await self.write(operation, sent, options=options, before=before, deadline=deadline)
        except BaseException as error:
            if untouched(error):
                self._doubts.remove(doubt)
            raise
        finally:
            doubt.in_flight = False
        if answer.id:
            self._created.add(answer.id)
            self._doubts.remove(doubt)
        return answer

    def _changed(self) -> None:
        self.stale = True
        self._status = None

    def _ids(self, member: str) -> frozenset[str] | None:
        if self.body is None:
            return None
        return known_ids(self.body.part(cast("Member", member)) if member else None) | self._created


class Part:
    """One part of an order: reads from the handle's snapshot, writes through its session."""

    __slots__ = ("_record",)

    def __init__(self, record: OrderRecord) -> None:
        self._record = record

    def __repr__(self) -> str:
        return f"<{type(self).__name__.removesuffix('Part')} of order {shown(self._record.id)}>"
