"""The plan of a run, and its preparation: list the items, or continue with those that an earlier run left.

With a journal, the whole source is listed into it before the first item is sent. When the journal is continued, its
list is compared with the source. Without a journal only a filter is listed, in memory.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sized
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, cast

from anyio import to_thread

from norce_order_async.bulk.actions.base import Action, can_settle
from norce_order_async.bulk.actions.output import OutputFile, in_words
from norce_order_async.bulk.duplicates import Once, too_many
from norce_order_async.bulk.journal.errors import JournalFinishedError
from norce_order_async.bulk.journal.journal import Journal
from norce_order_async.bulk.journal.reading import SOURCE
from norce_order_async.bulk.outcome import Summary
from norce_order_async.bulk.source import Entry, Item, Items, Key, Partition, Source, as_json, check_source
from norce_order_async.orders.collection import OrderCollection
from norce_order_async.orders.filter import OrderFilter
from norce_order_async.orders.iteration import OrderIteration
from norce_order_async.orders.order import Order
from norce_order_async.pipeline.creations import lasts
from norce_order_async.pipeline.session import Session

T = TypeVar("T")

_DATES = ("date_from", "date_to")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Generic[T]):
    """A run as its caller asked for it."""

    session: Session
    action: Action[T]
    source: Source | None
    """None to continue with what is in the journal."""
    key: Key
    partition: Partition
    workers: int
    ordered: bool
    failure_limit: float | None
    dry_run: bool
    allow_duplicates: bool = False
    max_remembered: int | None = None
    """How many orders are remembered without a journal, so that each is done once; None for no bound."""
    resume: bool = False
    """Whether a finished journal is accepted although its list can't be compared with the source."""


@dataclass(frozen=True, slots=True)
class Prepared(Generic[T]):
    """What the workers of a run start with."""

    items: AsyncIterator[Item] | Journal
    output: OutputFile[T] | None
    settling: bool = False
    """Whether there are items that were in flight when an earlier run ended."""


async def begin(plan: Plan[T], journal: Journal | None, summary: Summary) -> Prepared[T]:
    """List the source if needed, and fill in the summary with what is known before the work starts.

    Raises:
        ConfigurationError: the source is not a valid one.
        JournalFinishedError: nothing is left to do, and the source may find other orders now.
        JournalError: the journal can't be written, or it belongs to another job.
    """
    if plan.source is not None:
        check_source(plan.source)
    output = None if plan.dry_run else plan.action.output()
    if journal is not None:
        return await _begin_journaled(plan, journal, output, summary)
    if output is not None:
        await to_thread.run_sync(output.check)
    items = await _items_of(plan, summary)
    if output is not None:
        await to_thread.run_sync(_open, output)
    return Prepared(items, output)


def _open(output: OutputFile[Any]) -> None:
    with in_words(output.working):
        output.open(0)


async def _items_of(plan: Plan[Any], summary: Summary) -> AsyncIterator[Item]:
    source, most = plan.source, plan.max_remembered
    if isinstance(source, OrderFilter):
        # The work may move orders into or out of the filter, so all are listed first.
        found = [order.id async for order in _found(plan, source)]
        summary.total = len(found) if plan.partition.of == 1 else None
        return _items(plan, found)
    if isinstance(source, Sized) and plan.partition.of == 1:
        summary.total = len(source)
    items = _items(plan, source)
    if plan.allow_duplicates or isinstance(source, OrderIteration):
        # A walk, like a filter, yields each order once.
        return items
    if most is not None and summary.total is not None and summary.total > most:
        raise too_many(most)
    return Once(items, summary, with_rows=bool(plan.action.columns), most=most)


async def _begin_journaled(
    plan: Plan[T], journal: Journal, output: OutputFile[T] | None, summary: Summary
) -> Prepared[T]:
    listed = await list_source(plan, journal)
    counts = await journal.counts()
    unmade = output is not None and await journal.left_unmade(output)
    is_left = unmade or bool(counts["planned"] or counts["sent"])
    if listed is not None:
        if not (is_left or plan.resume):
            raise JournalFinishedError(await _finished(journal, counts))
        summary.note = _other_dates(listed, _dates(plan.source))
    summary.total = sum(counts.values())
    summary.duplicates = await journal.duplicates()
    for state, verdict in (("confirmed", "done"), ("refused", "refused"), ("unknown", "unknown")):
        if counts[state]:
            summary.before[verdict] = counts[state]
    if not is_left:
        output = None
    if output is not None:
        await to_thread.run_sync(output.check)
        await journal.use_output(output)
    if counts["sent"] and plan.action.writes:
        await wait_for_late_requests(plan, journal)
    return Prepared(journal, output, settling=bool(counts["sent"]))


async def list_source(plan: Plan[Any], journal: Journal) -> Mapping[str, str] | None:
    """Check that the journal has the list of this plan; make the list if there is none yet.

    Returns:
        The dates of the filter that made the list, if the list was there before and is not compared: a filter or a walk
        finds other orders each time.
    """
    facts, settles = _facts(plan), can_settle(plan.action)
    if plan.source is None:
        await journal.check_listed(facts, settles=settles)
        return None
    source = plan.source
    entries = _found(plan, source) if isinstance(source, OrderFilter) else source
    compare = not isinstance(source, OrderFilter | OrderIteration)
    listed = await journal.list_items(
        facts, lambda: _items(plan, entries), dates=_dates(source), settles=settles, compare=compare
    )
    return None if compare else listed


async def _finished(journal: Journal, counts: Mapping[str, int]) -> str:
    at = await journal.last_change()
    when = "" if at is None else f" on {datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
    words = {"confirmed": "done", "refused": "refused", "unknown": "unknown"}
    came_to = ", ".join(f"{counts[state]} {word}" for state, word in words.items() if counts.get(state)) or "no orders"
    return f"journal {journal.name} finished{when}, {came_to}"


def _other_dates(listed: Mapping[str, str], now: Mapping[str, str]) -> str:
    different = [name for name in ("date_from", "date_to") if listed.get(name) != now.get(name)]
    if not different:
        return ""
    changes = ", ".join(f"{name} {listed.get(name, 'none')} instead of {now.get(name, 'none')}" for name in different)
    return f"continued with the orders that the journal was begun with: {changes}"


async def wait_for_late_requests(plan: Plan[Any], journal: Journal) -> None:
    """Wait until the last requests of an earlier run must have arrived: a read before that would be too early.

    It is not known when a run that was taken over ended. It may have begun an attempt just before.
    """
    passed, late = await journal.since_sent(), journal.since_late
    pause = plan.session.settings.settling_pause
    wait = 0.0 if passed is None else min(pause, pause - passed)
    if late is not None:
        wait = max(wait, lasts(plan.session.settings) - late)
    if wait > 0:
        await plan.session.core.clock.sleep(wait)


def _facts(plan: Plan[Any]) -> dict[str, Any]:
    """The facts by which a journal recognises this job."""
    session, source = plan.session, plan.source
    return {
        "action": plan.action.name,
        "parameters": _in_order(plan.action.parameters),
        "columns": list(plan.action.columns),
        "merchant": session.context.merchant,
        "channel": session.context.channel,
        "service": session.core.base_url,
        "partition": [plan.partition.index, plan.partition.of],
        SOURCE: _source_facts(source),
    }


def _in_order(parameters: Mapping[str, Any]) -> Any:
    """Return parameters as JSON data, in their order: that of an export's fields is the order of its columns."""
    as_json(parameters)  # raises if they are not JSON data
    return json.loads(json.dumps(parameters))


def _source_facts(source: object) -> object:
    if isinstance(source, OrderFilter):
        query = source.query()
        return {name: str(value) for name, value in query.items() if name not in _DATES}
    return "a walk" if isinstance(source, OrderIteration) else "items"


def _dates(source: object) -> dict[str, str]:
    if not isinstance(source, OrderFilter):
        return {}
    return {name: str(value) for name, value in source.query().items() if name in _DATES}


def _found(plan: Plan[Any], where: OrderFilter) -> AsyncIterator[Order]:
    return OrderCollection(plan.session).iterate(where)


def _items(plan: Plan[Any], source: Any) -> Items:
    return Items(cast("list[Entry]", source), plan.key, plan.action.columns, plan.partition)
