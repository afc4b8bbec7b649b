"""Reads a journal from outside, also while its job runs, and plans some of its items again."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, cast

from norce_order_async.bulk.journal import curves, members, parts, reading
from norce_order_async.bulk.journal.errors import JournalError, JournalLockedError
from norce_order_async.bulk.journal.lock import RunLock
from norce_order_async.bulk.journal.place import PostgresJob
from norce_order_async.bulk.journal.place import read as read_database
from norce_order_async.bulk.journal.postgres import ROW, PostgresStore
from norce_order_async.bulk.journal.reading import SETTLES, State
from norce_order_async.bulk.journal.samples import Sample, samples_in
from norce_order_async.bulk.journal.sqlite import SqliteStore, check_header, file_errors
from norce_order_async.bulk.journal.store import Store
from norce_order_async.bulk.journal.tables import THERE, WHOLE
from norce_order_async.checking import as_given, check_kind, path_of
from norce_order_async.display import table_in_html
from norce_order_async.errors import ConfigurationError

PAGE: Final = 1000
"""Orders read from a journal at once, so that a large one does not have to fit into memory."""


_SHOWN_SHARDS: Final = 20
"""Shards that get a row of their own in a notebook."""
_SHOWN_STATES: Final = ("planned", "sent", "confirmed", "refused", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardReport:
    """One shard of a job that several machines share.

    For example::

        for shard in read_journal("close.journal").shards:
            print(shard.number, shard.owner, shard.left)
    """

    number: int
    """The shard's number, from 1."""
    owner: str
    """The process that has the shard; empty if none has."""
    counts: Counter[str]
    """Items by state: planned, sent, confirmed, refused, unknown."""
    unmade: bool = False
    """Whether the shard's part of an export must still be made."""

    @property
    def left(self) -> int:
        """Items that are still to do."""
        return self.counts["planned"] + self.counts["sent"]

    @property
    def finished(self) -> bool:
        """Whether all items are done and the shard's part of an export is made."""
        return not (self.left or self.unmade)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalReport:
    """The contents of a journal, as :func:`read_journal` returns them.

    For example::

        report = read_journal("close.journal")
        print(report.action, report.counts, report.left)
    """

    action: str
    parameters: Mapping[str, Any]
    merchant: str
    channel: str
    service: str
    """The address before ``/api/v0``."""
    partition: tuple[int, int]
    listed: bool
    """Whether every item is in the journal; no item is sent before that."""
    running: bool
    """Whether a run is using the journal right now."""
    counts: Counter[str]
    """Items by state: planned, sent, confirmed, refused, unknown."""
    reasons: Mapping[str, int]
    """Refused and unknown items by reason."""
    settles: bool
    """Whether the action can read if it took effect."""
    shards: tuple[ShardReport, ...] = ()
    """The shards of a job that several machines share."""
    max_rate: float | None = None
    """Attempts a second that its workers share; None without such a limit."""
    members: int = 0
    """The number of runs that share the rate now."""
    samples: tuple[Sample, ...] = field(default=(), repr=False)
    """The load of the job over time; for a job in a database, of all its runs together."""
    manifest: Path | None = None
    """The file that names the parts of an export over shards. None before all parts are made, and for other jobs."""

    @property
    def left(self) -> int:
        """Items that are still to do."""
        return self.counts["planned"] + self.counts["sent"]

    def _repr_html_(self) -> str:
        rows = [
            ("state", "running" if self.running else "at rest"),
            ("merchant, channel", f"{self.merchant}, {self.channel}"),
        ]
        rows += [(state, f"{self.counts[state]:,}") for state in _SHOWN_STATES if self.counts[state]]
        rows += [(f"why: {reason}", f"{count:,}") for reason, count in self.reasons.items()]
        left = [shard for shard in self.shards if not shard.finished]
        rows += [("shards", f"{len(left):,} of {len(self.shards):,} left")] if self.shards else []
        rows += [(f"shard {shard.number}", f"{shard.left:,} left") for shard in left[:_SHOWN_SHARDS]]
        rows += [("and more", f"{len(left) - _SHOWN_SHARDS:,} shards")] if len(left) > _SHOWN_SHARDS else []
        if self.manifest is not None:
            rows.append(("manifest", str(self.manifest)))
        return table_in_html(("Journal of", self.action), rows)


def read_journal(path: str | Path | PostgresJob, *, reasons: bool = True) -> JournalReport:
    """Read a journal without changing it. Blocking.

    Args:
        path: the journal.
        reasons: whether to count why items were refused or are unknown. In a database, this reads all items.

    Raises:
        JournalError: there is no journal, it is damaged, or the file is something else.
    """
    if isinstance(path, PostgresJob):
        return _report_of_database(path, reasons)
    path = path_of("path", path)
    with file_errors(path):
        there = path.exists()
    if not there:
        raise JournalError(f"there is no journal {path}")
    check_header(path)
    with file_errors(path):
        connection = _opened(path)
        try:
            reading.check_items(path, connection, one_by_one=False)
            facts = reading.facts(path, connection.execute("SELECT name, value FROM fact").fetchall())
            counts = Counter(dict(connection.execute("SELECT state, count(*) FROM item GROUP BY state").fetchall()))
            whys = dict(
                connection.execute(
                    "SELECT reason, count(*) FROM item WHERE state IN ('refused', 'unknown') GROUP BY reason"
                ).fetchall()
            )
        finally:
            connection.close()
    return _report(path, facts, counts, whys if reasons else {}, running=_is_running(path))


def _report_of_database(job: PostgresJob, reasons: bool) -> JournalReport:
    def found(connection: Any) -> tuple[Any, Any, Any, Any, Any, Any]:
        nothing: tuple[Any, Any, Any, Any, Any, Any] = (None, [], [], (None, 0), None, ())
        if connection.execute(THERE).fetchone() == (None,):
            return nothing
        row = connection.execute("SELECT id FROM norce_job WHERE name = %s", (job.job,)).fetchone()
        if row is None:
            return nothing
        facts = connection.execute("SELECT name, value FROM norce_job_fact WHERE job = %s", row).fetchall()
        shards = connection.execute(
            "SELECT shard, CASE WHEN leased_until > clock_timestamp() THEN owner ELSE '' END, "
            "planned, sent, confirmed, refused, unknown FROM norce_job_shard WHERE job = %s ORDER BY shard",
            row,
        ).fetchall()
        unmade = parts.unmade(connection, *row)
        whys: list[Any] = []
        if reasons:
            whys = connection.execute(
                "SELECT reason, count(*) FROM norce_job_item WHERE job = %s AND state IN ('refused', 'unknown') "
                "GROUP BY reason",
                row,
            ).fetchall()
        rate, samples = members.rate_of(connection, *row), curves.samples_of(connection, *row)
        return facts, shards, whys, rate, unmade, samples

    facts, rows, whys, (max_rate, sharing), unmade, samples = read_database(job, found)
    if facts is None:
        raise JournalError(f"there is no journal {job}")
    missing, all_listed = unmade or (set[int](), False)
    shards = [
        ShardReport(
            number=number,
            owner=owner,
            counts=Counter(dict(zip(reading.STATES, counts, strict=True))),
            unmade=number in missing,
        )
        for number, owner, *counts in rows
    ]
    read = reading.facts(str(job), facts)
    return _report(
        job,
        read,
        # Adding up thousands of counters would take longer than to read them.
        +Counter({str(state): sum(row[place] for row in rows) for place, state in enumerate(reading.STATES, 2)}),
        dict(whys),
        running=any(shard.owner for shard in shards),
        shards=tuple(shard for shard in shards if shard.number != WHOLE),
        max_rate=max_rate,
        members=sharing,
        samples=samples,
        manifest=Path(read["parameters"]["out"], parts.MANIFEST) if all_listed else None,
    )


def _report(
    name: object,
    facts: Mapping[str, Any],
    counts: Counter[str],
    reasons: Mapping[str, int],
    *,
    running: bool,
    shards: tuple[ShardReport, ...] = (),
    max_rate: float | None = None,
    members: int = 0,
    samples: tuple[Sample, ...] = (),
    manifest: Path | None = None,
) -> JournalReport:
    if not facts:
        raise JournalError(f"journal {name} is empty: its job was ended before it began")
    index, of = facts["partition"]
    return JournalReport(
        action=facts["action"],
        parameters=facts["parameters"],
        merchant=facts["merchant"],
        channel=facts["channel"],
        service=facts["service"],
        partition=(index, of),
        listed=bool(facts.get("listed")),
        running=running,
        counts=counts,
        reasons=reasons,
        settles=bool(facts[SETTLES]),
        shards=shards,
        max_rate=max_rate,
        members=members,
        samples=samples or samples_in(facts),
        manifest=manifest,
    )


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    reading.reads_as_text(connection)
    return connection


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
            connection = _opened(path)
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


def _is_running(path: Path) -> bool:
    lock = RunLock(path)
    try:
        lock.take()
    except JournalLockedError:
        return True
    except OSError:
        return False
    lock.release()
    return False
