"""The parts of an export whose job is split into shards: the records of their files in a database.

Each run of a shard has an epoch and its own working file. ``lines_of`` is the epoch whose working file holds the
shard's lines, and the shard's ``spooled`` is the number of bytes of that file that count. A part was made of
``made_of`` bytes of lines by the epoch ``made_by``, so it is out of date if lines were added since. ``listed`` is
whether the manifest names it. The row of the whole job (:data:`~norce_order_async.bulk.journal.tables.WHOLE`) has the
job's mark, which is in the names of its files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from norce_order_async.bulk.journal.postgres import PostgresStore
from norce_order_async.bulk.journal.tables import WHOLE

if TYPE_CHECKING:
    from psycopg import Connection

MANIFEST: Final = "_manifest.json"
"""The file in the folder that names its parts. Programs that read a folder as one table skip names that begin with
``_``."""

_HELD: Final = """
WITH held AS (
    UPDATE norce_job_shard SET written = %(written)s
    WHERE job = %(job)s AND shard = %(shard)s AND epoch = %(epoch)s AND written = %(written)s - 1
    RETURNING job, shard, epoch
), done AS ({})
SELECT count(*) FROM held
"""
_USE_LINES: Final = _HELD.format(
    "INSERT INTO norce_job_part (job, shard, lines_of) SELECT job, shard, epoch FROM held "
    "ON CONFLICT (job, shard) DO UPDATE SET lines_of = EXCLUDED.lines_of"
)
_PUT: Final = _HELD.format(
    "UPDATE norce_job_part part SET made_by = held.epoch, made_of = %(made_of)s, rows = %(rows)s, bytes = %(bytes)s, "
    "sha256 = %(sha256)s, listed = false FROM held WHERE part.job = held.job AND part.shard = held.shard"
)
_LIST: Final = _HELD.format(
    "UPDATE norce_job_part part SET listed = true "
    "FROM held, unnest(%(shards)s::integer[], %(made_by)s::bigint[]) AS named (shard, made_by) "
    "WHERE part.job = held.job AND part.shard = named.shard AND part.made_by = named.made_by"
)
_CURRENT: Final = "coalesce(part.made_of = coalesce(shard.spooled, 0) AND shard.planned + shard.sent = 0, false)"
_ALL: Final = (
    f"SELECT shard.shard, {_CURRENT}, shard.refused + shard.unknown, part.lines_of, part.made_by, part.rows, "  # noqa: S608
    "part.bytes, part.sha256 FROM norce_job_shard shard "
    "LEFT JOIN norce_job_part part ON part.job = shard.job AND part.shard = shard.shard "
    "WHERE shard.job = %s AND shard.shard > 0 ORDER BY shard.shard"
)


@dataclass(frozen=True, slots=True)
class Part:
    """The record of one shard's part."""

    shard: int
    current: bool
    """Whether the part is made of all lines of its shard, and no order of the shard is left to do."""
    failed: int
    """Orders that were refused or are unknown, so that they may be planned again."""
    lines_of: int | None
    made_by: int | None
    rows: int | None
    bytes: int | None
    sha256: str | None


class ExportShard(PostgresStore):
    """A shard of an export, or the whole export."""

    @property
    def epoch(self) -> int:
        """The epoch of this run of the shard. Later runs have higher ones."""
        return self._epoch

    def mark(self) -> str:
        """The mark in the names of the job's files. The first call makes it."""

        def work(connection: Connection[Any]) -> str:
            connection.execute(
                "INSERT INTO norce_job_part (job, shard, mark) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (self._job, WHOLE, uuid4().hex[:8]),
            )
            (mark,) = connection.execute(
                "SELECT mark FROM norce_job_part WHERE job = %s AND shard = %s", (self._job, WHOLE)
            ).fetchone() or ("",)
            return str(mark)

        return self._call(work)

    def is_begun(self) -> bool:
        """Whether a worker has opened a file for the job."""
        query = "SELECT EXISTS (SELECT FROM norce_job_part WHERE job = %s AND shard > 0)"
        return bool(self._call(lambda connection: connection.execute(query, (self._job,)).fetchone() == (True,)))

    def is_finished(self) -> bool:
        """Whether the manifest names all parts."""
        found = self._call(lambda connection: unmade(connection, self._job))
        return found is not None and found[1]

    def lines_of(self) -> int | None:
        """The epoch whose working file holds this shard's lines; None if there are none."""
        found = self._row("SELECT lines_of FROM norce_job_part")
        return None if found is None else found[0]

    def made_of(self) -> int | None:
        """The bytes of lines of which this shard's part was made; None if it was not made."""
        found = self._row("SELECT made_of FROM norce_job_part")
        return None if found is None else found[0]

    def use_lines(self) -> None:
        """Record that this run's working file holds the shard's lines from now on."""
        self._write_statement(_USE_LINES, self._mine)

    def put_part(self, *, made_of: int, rows: int, size: int, sha256: str) -> None:
        """Record the shard's part, which this run has made and which is on disk."""
        given = {"made_of": made_of, "rows": rows, "bytes": size, "sha256": sha256}
        self._write_statement(_PUT, {**self._mine, **given})

    def parts(self) -> list[Part]:
        """The records of all shards' parts."""
        found = self._call(lambda connection: connection.execute(_ALL.encode(), (self._job,)).fetchall())
        return [Part(*row) for row in found]

    def put_listed(self, parts: Sequence[Part]) -> None:
        """Record that the manifest names these parts."""
        given = {"shards": [part.shard for part in parts], "made_by": [part.made_by for part in parts]}
        self._write_statement(_LIST, {**self._mine, **given})


def unmade(connection: Connection[Any], job: int) -> tuple[set[int], bool] | None:
    """The shards whose part is not made yet, and whether the manifest names all parts; None if the job makes none."""
    there = connection.execute("SELECT to_regclass('norce_job_part')").fetchone()
    if there == (None,):
        return None
    mark = connection.execute("SELECT mark FROM norce_job_part WHERE job = %s AND shard = %s", (job, WHOLE)).fetchone()
    if mark is None:
        return None
    query = (
        f"SELECT shard.shard, {_CURRENT}, coalesce(part.listed, false) FROM norce_job_shard shard "  # noqa: S608
        "LEFT JOIN norce_job_part part ON part.job = shard.job AND part.shard = shard.shard "
        "WHERE shard.job = %s AND shard.shard > 0 ORDER BY shard.shard"
    )
    rows = connection.execute(query.encode(), (job,)).fetchall()
    missing = {shard for shard, current, _ in rows if not current}
    return missing, bool(rows) and not missing and all(listed for _, _, listed in rows)
