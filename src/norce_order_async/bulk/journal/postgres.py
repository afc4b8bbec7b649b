"""The facts and items of a job in a PostgreSQL database, so that any machine can continue it.

Each write is for the epoch of its run (:mod:`.lease`). If possible it is one statement: a process that freezes between
two would hold the lock on its shard's row, and no other run could take over the shard. Each write increments
``written``, so that a write whose answer was lost is not done again.
"""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from norce_order_async.bulk.journal import reading
from norce_order_async.bulk.journal.errors import JournalError
from norce_order_async.bulk.journal.lease import LandedError, LeasedShard
from norce_order_async.bulk.journal.reading import LISTED, SPOOLED, STATES, State
from norce_order_async.bulk.journal.store import Change, Difference
from norce_order_async.bulk.journal.tables import WHOLE
from norce_order_async.bulk.source import HASH_BYTES, Item, hash_of
from norce_order_async.storage.postgres import driver

if TYPE_CHECKING:
    from psycopg import Connection

T = TypeVar("T")

# The database splits texts into values: the driver takes ten times as long to send a list. Neither ids nor JSON hold a
# line break.
_GIVEN: Final = f"""
given AS (
    SELECT
        key,
        asked,
        shard::integer AS shard,
        %(first)s::bigint + place - 1 AS number,
        substring(%(hashes)s::bytea FROM ({HASH_BYTES} * (place - 1) + 1)::integer FOR {HASH_BYTES}) AS hash
    FROM ROWS FROM (
        unnest(string_to_array(%(keys)s, E'\\n')),
        unnest(string_to_array(%(asked)s, E'\\n')),
        unnest(string_to_array(%(shards)s, ','))
    ) WITH ORDINALITY AS given (key, asked, shard, place)
)
"""  # noqa: S608 - a number of ours
_ADD: Final = f"""
WITH held AS (
    UPDATE norce_job_shard SET written = %(written)s
    WHERE job = %(job)s AND shard = %(shard)s AND epoch = %(epoch)s AND written = %(written)s - 1
    RETURNING job
), {_GIVEN}, added AS (
    INSERT INTO norce_job_item (job, shard, number, key, asked, hash)
    SELECT held.job, given.shard, given.number, given.key, given.asked, given.hash FROM held, given
    {{on_conflict}}
)
SELECT count(*) FROM held
"""  # noqa: S608 - words of ours
_AGAIN: Final = f"""
WITH {_GIVEN}
SELECT
    count(*) FILTER (WHERE item.number <> given.number),
    (array_agg(given.key ORDER BY given.number) FILTER (WHERE item.hash <> given.hash))[1]
FROM given JOIN norce_job_item item ON item.job = %(job)s AND item.key = given.key
"""  # noqa: S608
_COMPARED: Final = "CREATE TEMP TABLE norce_job_compared (key text PRIMARY KEY, hash bytea)"
_RECORD: Final = """
WITH change AS (
    SELECT * FROM unnest(
        %(numbers)s::bigint[], %(states)s::text[], %(attempts)s::integer[], %(reasons)s::text[], %(codes)s::text[],
        %(said)s::text[], %(correlation_ids)s::text[], %(sends)s::text[]
    ) AS change (number, state, attempts, reason, code, said, correlation_id, sends)
), delta AS (
    SELECT
        count(*) FILTER (WHERE change.state = 'planned') - count(*) FILTER (WHERE item.state = 'planned') AS planned,
        count(*) FILTER (WHERE change.state = 'sent') - count(*) FILTER (WHERE item.state = 'sent') AS sent,
        count(*) FILTER (WHERE change.state = 'confirmed') - count(*) FILTER (WHERE item.state = 'confirmed')
            AS confirmed,
        count(*) FILTER (WHERE change.state = 'refused') - count(*) FILTER (WHERE item.state = 'refused') AS refused,
        count(*) FILTER (WHERE change.state = 'unknown') - count(*) FILTER (WHERE item.state = 'unknown') AS unknown
    FROM change JOIN norce_job_item item
        ON item.job = %(job)s AND item.shard = %(shard)s AND item.number = change.number
), held AS (
    UPDATE norce_job_shard shard SET
        written = %(written)s,
        spooled = coalesce(%(spooled)s::bigint, shard.spooled),
        planned = shard.planned + delta.planned,
        sent = shard.sent + delta.sent,
        confirmed = shard.confirmed + delta.confirmed,
        refused = shard.refused + delta.refused,
        unknown = shard.unknown + delta.unknown
    FROM delta
    WHERE shard.job = %(job)s AND shard.shard = %(shard)s AND shard.epoch = %(epoch)s
        AND shard.written = %(written)s - 1
    RETURNING shard.job, shard.shard
), done AS (
    UPDATE norce_job_item item SET
        state = change.state,
        changed = clock_timestamp(),
        attempts = item.attempts + change.attempts,
        reason = change.reason,
        code = change.code,
        said = change.said,
        correlation_id = change.correlation_id,
        sent = CASE change.sends WHEN 'now' THEN clock_timestamp() WHEN 'never' THEN NULL ELSE item.sent END
    FROM change, held
    WHERE item.job = held.job AND item.shard = held.shard AND item.number = change.number
)
SELECT count(*) FROM held
"""
_PLANNED: Final = """
UPDATE norce_job_shard shard SET planned = found.planned
FROM unnest(%(shards)s::integer[], %(planned)s::bigint[]) AS found (shard, planned)
WHERE shard.job = %(job)s AND shard.shard = found.shard
"""
# MATERIALIZED, so that the items are counted once: the planner may otherwise count them again for each shard.
_COUNT: Final = """
WITH found AS MATERIALIZED (
    SELECT
        shard,
        count(*) FILTER (WHERE state = 'planned') AS planned,
        count(*) FILTER (WHERE state = 'sent') AS sent,
        count(*) FILTER (WHERE state = 'confirmed') AS confirmed,
        count(*) FILTER (WHERE state = 'refused') AS refused,
        count(*) FILTER (WHERE state = 'unknown') AS unknown
    FROM norce_job_item WHERE job = %(job)s GROUP BY shard
)
UPDATE norce_job_shard shard SET
    planned = found.planned, sent = found.sent, confirmed = found.confirmed, refused = found.refused,
    unknown = found.unknown
FROM found
WHERE shard.job = %(job)s AND shard.shard = found.shard
"""
ROW: Final = (
    "number, key, asked, hash, state, attempts, reason, code, said, correlation_id, "
    "extract(epoch FROM sent)::float8, extract(epoch FROM changed)::float8"
)
"""The columns of a :class:`~norce_order_async.bulk.journal.reading.Row`."""


_HALVES: Final = struct.Struct(f">Q{HASH_BYTES - 8}x")
"""Reads the first eight bytes of a hash, which decide about the item's shard."""


class PostgresStore(LeasedShard):
    """One shard of a job in a database: its facts and its items."""

    _planned: Counter[str] | None = None
    """How many items this run has listed, by shard. None if the database has to count them, as after a repeated one."""

    # What the job is about

    def facts(self) -> dict[str, Any]:
        """The facts about the job as a whole, and the length of this shard's file."""

        def read(connection: Connection[Any]) -> dict[str, Any]:
            found = connection.execute("SELECT name, value FROM norce_job_fact WHERE job = %s", (self._job,)).fetchall()
            (spooled,) = connection.execute(
                "SELECT spooled FROM norce_job_shard WHERE job = %s AND shard = %s", (self._job, self._shard)
            ).fetchone() or (None,)
            facts = reading.facts(self.name, found)
            return facts if spooled is None else {**facts, SPOOLED: spooled}

        return self._call(read)

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Begin a new listing, which replaces one that was not finished."""

        def work(connection: Connection[Any]) -> None:
            self._hold(connection)
            begun = connection.execute(
                "SELECT number FROM norce_job_item WHERE job = %s AND state <> 'planned' LIMIT 1", (self._job,)
            ).fetchone()
            if begun is not None:
                raise JournalError(
                    f"journal {self.name}, row {begun[0]}: it was acted on, and the journal does not say that its "
                    "list is whole; it is damaged and was left as it is"
                )
            connection.execute("DELETE FROM norce_job_item WHERE job = %s", (self._job,))
            connection.execute("DELETE FROM norce_job_fact WHERE job = %s", (self._job,))
            self._put_facts(connection, facts)

        self._write(work)
        self._planned = Counter()

    def put_facts(self, facts: Mapping[str, Any]) -> None:
        """Write facts about the job. Together with the fact that its list is whole, the counts of each shard."""

        def work(connection: Connection[Any]) -> None:
            self._hold(connection)
            self._put_facts(connection, facts)
            if facts.get(LISTED):
                connection.execute(
                    "INSERT INTO norce_job_shard (job, shard) SELECT %s, shard FROM generate_series(1, %s) AS shard "
                    "ON CONFLICT DO NOTHING",
                    (self._job, self._shards),
                )
                if self._planned is None:
                    connection.execute(_COUNT, {"job": self._job})
                else:
                    shards, planned = [int(shard) for shard in self._planned], list(self._planned.values())
                    connection.execute(_PLANNED, {"job": self._job, "shards": shards, "planned": planned})

        self._write(work)

    def prepared(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items with the texts that are sent for them, so that the database need not wait for these."""
        return _Packed(items, self._shards)

    def add(self, items: Sequence[Item]) -> tuple[int, str | None]:
        """Plan items, each in its shard."""
        given = {**self._mine, **self._texts_of(items)}

        def add(connection: Connection[Any], on_conflict: str) -> None:
            (held,) = connection.execute(_ADD.format(on_conflict=on_conflict).encode(), given).fetchone() or (0,)
            self._check_held(connection, held)

        def work(connection: Connection[Any]) -> bool:
            try:
                # To search for each order first takes twice as long, and few sources name an order twice.
                add(connection, "")
            except driver().errors.UniqueViolation:
                add(connection, "ON CONFLICT (job, key) DO NOTHING")
                return True
            return False

        def again(connection: Connection[Any]) -> tuple[int, str | None]:
            return connection.execute(_AGAIN.encode(), given).fetchone() or (0, None)

        some_again = True
        with suppress(LandedError):
            some_again = self._call(work)
        self._written += 1
        if self._planned is not None:
            self._planned.update(given["shards"].split(","))
        if not some_again:
            return 0, None
        self._planned = None
        return self._call(again)

    def begin_comparison(self) -> None:
        """Start a list of keys to compare the source with."""

        def work(connection: Connection[Any]) -> None:
            connection.execute("DROP TABLE IF EXISTS norce_job_compared")
            connection.execute(_COMPARED)

        self._call(work)

    def compare(self, items: Sequence[Item]) -> None:
        """Add items to the list that is compared."""
        # If an order comes twice, the first counts, as when it was listed.
        query = f"WITH {_GIVEN} INSERT INTO norce_job_compared SELECT key, hash FROM given ON CONFLICT DO NOTHING"  # noqa: S608
        given = self._texts_of(items)
        self._call(lambda connection: self._of_compared(connection, lambda: connection.execute(query.encode(), given)))

    def _texts_of(self, items: Sequence[Item]) -> dict[str, Any]:
        return (items if isinstance(items, _Packed) else _Packed(items, self._shards)).texts

    def _of_compared(self, connection: Connection[Any], work: Callable[[], T]) -> T:
        """Do work with the table of the list that is compared.

        Raises:
            JournalError: it is gone, because a temporary table ends with its connection.
        """
        if connection.execute("SELECT to_regclass('pg_temp.norce_job_compared')").fetchone() == (None,):
            raise JournalError(
                f"journal {self.name}: the connection to its database was lost while its list was compared with the "
                "source: run it again"
            )
        return work()

    def difference(self) -> Difference:
        """The differences between the compared list and the journal's."""

        def counted(connection: Connection[Any], found: str) -> tuple[int, tuple[str, ...]]:
            query = f"SELECT key, count(*) OVER () FROM ({found}) AS found LIMIT {Difference.EXAMPLES}"  # noqa: S608
            rows = connection.execute(query.encode(), {"job": self._job}).fetchall()
            return (rows[0][1] if rows else 0), tuple(key for key, _ in rows)

        def work(connection: Connection[Any]) -> Difference:
            planned = "(SELECT key, hash FROM norce_job_item WHERE job = %(job)s) item"
            return Difference(
                counted(
                    connection,
                    f"SELECT given.key FROM norce_job_compared given LEFT JOIN {planned} USING (key) "  # noqa: S608
                    "WHERE item.key IS NULL",
                ),
                counted(
                    connection,
                    f"SELECT item.key FROM {planned} LEFT JOIN norce_job_compared given USING (key) "  # noqa: S608
                    "WHERE given.key IS NULL",
                ),
                counted(
                    connection,
                    f"SELECT item.key FROM {planned} JOIN norce_job_compared given USING (key) "  # noqa: S608
                    "WHERE given.hash <> item.hash",
                ),
            )

        return self._call(lambda connection: self._of_compared(connection, lambda: work(connection)))

    def counts(self) -> dict[str, int]:
        """The number of items of this shard by state."""
        found = self._row("SELECT planned, sent, confirmed, refused, unknown FROM norce_job_shard")
        return {state: count for state, count in zip(STATES, found or (), strict=False) if count}

    def since_sent(self) -> float | None:
        """Seconds since the latest item in flight was sent, by the database's clock; None if none is in flight."""
        found = self._row(
            "SELECT extract(epoch FROM clock_timestamp() - max(changed))::float8 FROM norce_job_item", "state = 'sent'"
        )
        return None if found is None else found[0]

    def last_change(self) -> float | None:
        """When an item last changed its state, in seconds since 1970 by the database's clock; None if none has."""
        found = self._row("SELECT extract(epoch FROM max(changed))::float8 FROM norce_job_item")
        return None if found is None else found[0]

    def _row(self, query: str, where: str = "true") -> tuple[Any, ...] | None:
        whole = f"{query} WHERE job = %s AND shard = %s AND {where}".encode()
        return self._call(lambda connection: connection.execute(whole, (self._job, self._shard)).fetchone())

    def some(self, state: State, after: int, count: int) -> list[Item]:
        """The next items in a state, in the order of the source."""
        query = (
            f"SELECT {ROW} FROM norce_job_item "  # noqa: S608
            "WHERE job = %s AND shard = %s AND state = %s AND number > %s ORDER BY number LIMIT %s"
        ).encode()
        given = (self._job, self._shard, state, after, count)
        found = self._call(lambda connection: connection.execute(query, given).fetchall())
        rows = (reading.row(self.name, values) for values in found)
        return [Item(row.number, row.key, row.asked, was_sent=row.sent is not None) for row in rows]

    # Results

    def record(self, changes: Sequence[Change], facts: Mapping[str, Any]) -> None:
        """Record changes of items, with the length of this shard's file, in one statement."""
        folded = _folded(changes)
        given = {
            **self._mine,
            "spooled": facts.get(SPOOLED),
            "numbers": list(folded),
            "states": [change.state for change, _, _ in folded.values()],
            "attempts": [attempts for _, attempts, _ in folded.values()],
            "reasons": [_text(change.reason) for change, _, _ in folded.values()],
            "codes": [_text(change.code) for change, _, _ in folded.values()],
            "said": [_text(change.said) for change, _, _ in folded.values()],
            "correlation_ids": [_text(change.correlation_id) for change, _, _ in folded.values()],
            "sends": [sends for _, _, sends in folded.values()],
        }
        self._write_statement(_RECORD, given)

    def move(self, state: State, to: State) -> int:
        """Move all items of this shard in a state to another state, and return how many."""

        def work(connection: Connection[Any]) -> int:
            self._hold(connection)
            moved = connection.execute(
                # A refused item took no effect, so it counts as not sent.
                "UPDATE norce_job_item "
                "SET state = %(to)s, sent = CASE %(state)s WHEN 'refused' THEN NULL ELSE sent END "
                "WHERE job = %(job)s AND shard = %(shard)s AND state = %(state)s",
                {**self._mine, "state": state, "to": to},
            ).rowcount
            count = (
                f"UPDATE norce_job_shard SET {state} = {state} - %s, {to} = {to} + %s "  # noqa: S608 - words of ours
                "WHERE job = %s AND shard = %s"
            )
            connection.execute(count.encode(), (moved, moved, self._job, self._shard))
            return moved

        return self._write(work)

    def _put_facts(self, connection: Connection[Any], facts: Mapping[str, Any]) -> None:
        connection.cursor().executemany(
            "INSERT INTO norce_job_fact (job, name, value) VALUES (%s, %s, %s) "
            "ON CONFLICT (job, name) DO UPDATE SET value = EXCLUDED.value",
            [(self._job, name, json.dumps(value)) for name, value in facts.items()],
        )


class _Packed(list[Item]):
    """Items with their texts for :data:`_GIVEN`, each with its shard."""

    def __init__(self, items: Sequence[Item], shards: int) -> None:
        super().__init__(items)
        self.texts = _texts(items, shards)


def _texts(items: Sequence[Item], shards: int) -> dict[str, Any]:
    asked = [item.asked for item in items]
    hashes = b"".join([hash_of(item.key, text) for item, text in zip(items, asked, strict=True)])
    return {
        "first": items[0].number,
        "keys": "\n".join([item.key for item in items]),
        "asked": "\n".join(asked),
        "hashes": hashes,
        "shards": ",".join(
            [str(first_half % shards + 1 if shards else WHOLE) for (first_half,) in _HALVES.iter_unpack(hashes)]
        ),
    }


def _folded(changes: Sequence[Change]) -> dict[int, tuple[Change, int, str]]:
    """The last change of each item, the attempts of all its changes, and when it counts as sent.

    ``now``, ``never``, or empty for no change. An item may have two changes, because a worker that is cancelled while
    it marks its item as sent puts it back at once.
    """
    folded: dict[int, tuple[Change, int, str]] = {}
    for change in changes:
        _, attempts, sends = folded.get(change.number, (change, 0, ""))
        if change.state == "sent":
            sends = "now"
        elif change.state == "planned" and not change.was_sent:
            sends = "never"
        folded[change.number] = change, attempts + change.attempts, sends
    return folded


def _text(given: str | None) -> str | None:
    """Return a text that a database can store."""
    return None if given is None else given.replace("\0", "\ufffd").encode(errors="replace").decode()
