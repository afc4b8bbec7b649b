"""Creating something once: look first, create when it is not there, look again when the answer was lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from norce_order_async.errors import OutcomeUnknownError, PendingError
from norce_order_async.orders.snapshot import Snapshot
from norce_order_async.pipeline.operations import Operation
from norce_order_async.pipeline.settings import CallOptions

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ensured(Generic[T]):
    """What is there now."""

    value: T = field(repr=False)
    """As read from the service; after a creation, as read back."""
    created: bool
    """Whether this call created it. When an answer was lost, what was found afterwards counts as created."""


async def ensure(
    snapshot: Snapshot,
    *,
    entries: Callable[[], Iterable[T]],
    wanted: Callable[[T], bool],
    operation: Operation,
    create: Callable[[], Awaitable[object]],
    options: CallOptions | None,
) -> Ensured[T]:
    """Make sure that the order has an entry like the one wanted, without ever creating two.

    Two callers at the same moment can still both find nothing and both create: the service has no uniqueness here.

    Raises:
        OutcomeUnknownError: the answer was lost and the entry was not there afterwards, also not after the settling
            pause; it may still come, so it is not created again.
        CallError: a step did not succeed.
    """

    async def found() -> T | None:
        await snapshot.read(options)
        return next(filter(wanted, entries()), None)

    there = await found()
    if there is not None:
        return Ensured(there, created=False)
    unknown: OutcomeUnknownError | None = None
    try:
        await create()
    except OutcomeUnknownError as error:
        unknown = error
    there = await found()
    if there is None:
        session = snapshot.session
        settings = session.settings if options is None else session.settings.changed(options)
        await session.core.clock.sleep(settings.settling_pause)
        there = await found()
    if there is not None:
        return Ensured(there, created=True)
    raise unknown or PendingError(
        "created, but not shown when it was read back", operation=operation.id, order_id=snapshot.id
    )
