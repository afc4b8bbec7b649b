"""Reads the results of a job from its journal, also while the job runs, and plans some of its items again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, cast

from norce_order_async.bulk.journal import reading
from norce_order_async.bulk.journal.errors import JournalError
from norce_order_async.bulk.journal.inspect import opened, read_journal
from norce_order_async.bulk.journal.place import PostgresJob
from norce_order_async.bulk.journal.place import read as read_database
from norce_order_async.bulk.journal.postgres import ROW, PostgresStore
from norce_order_async.bulk.journal.reading import State
from norce_order_async.bulk.journal.sqlite import SqliteStore, check_header, file_errors
from norce_order_async.bulk.journal.store import Store
from norce_order_async.checking import as_given, check_kind, path_of
from norce_order_async.errors import ConfigurationError

PAGE: Final = 1000
"""Orders read from a journal at once, so that a large one does not have to fit into memory."""

Result = Literal["done", "refused", "unknown", "in flight", "left"]
"""``done``: it took effect. ``refused``: it did not. ``unknown``: it may have. ``in flight``: it is being sent, or was
when the run ended. ``left``: it is still to be done."""

_RESULTS: Final[Mapping[State, Result]] = {
    "confirmed": "done",
    "refused": "refused",
    "unknown": "unknown",
    "sent": "in flight",
    "planned": "left",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """The result of one order of a job, from its journal.

    For example::

        for result in read_results("close.journal", ["refused", "unknown"]):
            print(result.key, result.verdict, result.reason)
    """

    key: str
    """The order's id."""
    verdict: Result
    """``"done"``, ``"refused"``, ``"unknown"``, ``"in flight"`` or ``"left"``."""
    reason: str
    """A short reason for counting: the status and the service's code, or the kind of error; empty if none."""
    code: str | None
    """The service's code, if it refused."""
    message: str | None = field(repr=False)
    """The service's message, if it refused. It may hold personal data."""
    attempts: int
    """Attempts of all calls made for the order."""
    sent: datetime | None
    """When it was last sent, in UTC; None if it never was."""
    changed: datetime | None
    """When its state last changed, in UTC; None if it has not."""
    correlation_id: str
    """The correlation id of the call that failed; empty if none did."""


def read_results(path: str | Path | PostgresJob, verdicts: Iterable[Result] | None = None) -> Iterator[ItemResult]:
    """Iterate over the result of each order, in the order of the source; of a job that was split, shard after shard.

    It can be called while the job runs. Blocking. The results are read in pages, so a million orders take little
    memory.

    Args:
        path: the journal.
        verdicts: only these of ``"done"``, ``"refused"``, ``"unknown"``, ``"in flight"`` and ``"left"``; all by
            default.

    Raises:
        ConfigurationError: there is no such verdict.
        JournalError: there is no journal, it is damaged, or the file is something else; also while iterating, at a
            damaged row.
    """
    path = path if isinstance(path, PostgresJob) else path_of("path", path)
    wanted = set(_RESULTS.values()) if verdicts is None else _words("verdicts", verdicts)
    if unknown := wanted - set(_RESULTS.values()):
        raise ConfigurationError(
            f"there is no verdict {as_given(min(unknown))}; there are {', '.join(_RESULTS.values())}"
        )
    if not isinstance(path, PostgresJob):
        with file_errors(path):
            there = path.exists()
        if not there:
            raise JournalError(f"there is no journal {path}")
        check_header(path)
    return _results(path, [state for state, verdict in _RESULTS.items() if verdict in wanted])


def _results(path: Path | PostgresJob, states: list[State]) -> Iterator[ItemResult]:
    # Rows with an unknown state are selected too, so that they are reported as damaged.
    others = json.dumps([state for state in _RESULTS if state not in states])
    pages = _pages_of_database(path, others) if isinstance(path, PostgresJob) else _pages_of_file(path, others)
    for page in pages:
        for row in page:
            yield ItemResult(
                key=row.key,
                verdict=_RESULTS[row.state],
                reason=row.reason,
                code=row.code,
                message=row.said,
                attempts=row.attempts,
                sent=None if row.sent is None else datetime.fromtimestamp(row.sent, UTC),
                changed=None if row.changed is None else datetime.fromtimestamp(row.changed, UTC),
                correlation_id=row.correlation_id,
            )


def _pages_of_file(path: Path, others: str) -> Iterator[list[reading.Row]]:
    query = (
        f"SELECT {reading.ROW} FROM item WHERE coalesce(state, '') NOT IN (SELECT value FROM json_each(?)) "  # noqa: S608
        "AND number > ? ORDER BY number LIMIT ?"
    )
    after = 0
    while True:
        # Each page has its own connection, so nothing stays open if the caller stops in the middle.
        with file_errors(path):
            connection = opened(path)
            try:
                rows = connection.execute(query, (others, after, PAGE)).fetchall()
            finally:
                connection.close()
        yield [reading.row(path, values) for values in rows]
        if len(rows) < PAGE:
            return
        after = rows[-1][0]


def _page(connection: Any, *, query: bytes, given: tuple[Any, ...]) -> list[Any]:
    return list(connection.execute(query, given))


def _pages_of_database(job: PostgresJob, others: str) -> Iterator[list[reading.Row]]:
    query = (
        f"SELECT shard, {ROW} FROM norce_job_item "  # noqa: S608
        "WHERE job = (SELECT id FROM norce_job WHERE name = %s) AND (shard, number) > (%s, %s) "
        "AND NOT %s::jsonb ? state ORDER BY shard, number LIMIT %s"
    ).encode()
    after = (0, 0)
    while True:
        given = (job.job, *after, others, PAGE)
        rows = read_database(job, partial(_page, query=query, given=given))
        yield [reading.row(str(job), values[1:]) for values in rows]
        if len(rows) < PAGE:
            return
        after = (rows[-1][0], rows[-1][1])


def plan_again(
    path: str | Path | PostgresJob, states: Iterable[Literal["refused", "unknown"]], *, send_again: bool = False
) -> int:
    """Plan refused or unknown items again, for the next run. Returns how many. Blocking.

    A refused item did not take effect, so the next run sends it again. An unknown item may have taken effect, so the
    next run reads the order first, and sends it only if it was not done.

    Args:
        path: the journal.
        states: ``"refused"``, ``"unknown"``, or both.
        send_again: whether to send unknown items without a read before. Those that took effect are then done twice.

    Raises:
        ConfigurationError: the action can't read if it took effect, so its unknown items would be unknown again. Check
            them by other means, and pass ``send_again=True`` if doing them twice does no harm.
        JournalError: there is no journal, it is damaged, the file is something else, or another run has it.
    """
    chosen = _words("states", states)
    if unknown := chosen - {"refused", "unknown"}:
        raise ConfigurationError(f"only refused and unknown items can be planned again, not {as_given(min(unknown))}")
    report = read_journal(path)
    if "unknown" in chosen and not (report.settles or send_again):
        raise ConfigurationError(
            f"{report.action!r} can't read if it took effect, so its {report.counts['unknown']} unknown items "
            "would stay unknown: check the orders, and pass send_again=True if doing them twice does no harm"
        )
    stores: list[Store]
    if isinstance(path, PostgresJob):
        stores = [PostgresStore(path, shard.number) for shard in report.shards] or [PostgresStore(path)]
    else:
        stores = [SqliteStore(path_of("path", path))]
    moved = 0
    for store in stores:
        store.take()
        try:
            moved += sum(store.move(state, _next_state(state, send_again)) for state in chosen)
        finally:
            store.release()
    return moved


def _words(name: str, given: object) -> set[Any]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ConfigurationError(f"{name} must be a list of words, not {type(given).__name__}")
    words = list(cast("Iterable[object]", given))
    for word in words:
        check_kind(f"each of {name}", word, str, "a string", ConfigurationError)
    return set(words)


def _next_state(state: Literal["refused", "unknown"], send_again: bool) -> State:
    return "sent" if state == "unknown" and not send_again else "planned"
