"""Reads the report of a journal from outside, also while its job runs."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from norce_order_async.bulk.journal import curves, members, parts, reading
from norce_order_async.bulk.journal.errors import JournalError, JournalLockedError
from norce_order_async.bulk.journal.lock import RunLock
from norce_order_async.bulk.journal.place import PostgresJob
from norce_order_async.bulk.journal.place import read as read_database
from norce_order_async.bulk.journal.reading import SETTLES
from norce_order_async.bulk.journal.samples import Sample, samples_in
from norce_order_async.bulk.journal.sqlite import check_header, file_errors
from norce_order_async.bulk.journal.tables import THERE, WHOLE
from norce_order_async.checking import path_of
from norce_order_async.display import table_in_html

_SHOWN_SHARDS: Final = 20
"""Shards that get a row of their own in a notebook."""


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
        rows += [(state, f"{self.counts[state]:,}") for state in reading.STATES if self.counts[state]]
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
        connection = opened(path)
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
    def found(connection: Any) -> tuple[Any, Any, Any, Any, Any, Any] | None:
        if connection.execute(THERE).fetchone() == (None,):
            return None
        row = connection.execute("SELECT id FROM norce_job WHERE name = %s", (job.job,)).fetchone()
        if row is None:
            return None
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

    contents = read_database(job, found)
    if contents is None:
        raise JournalError(f"there is no journal {job}")
    facts, rows, whys, (max_rate, sharing), unmade, samples = contents
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


def opened(path: Path) -> sqlite3.Connection:
    """A connection that only reads a journal in a file."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    reading.reads_as_text(connection)
    return connection


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
