"""The tables of jobs in PostgreSQL. They are made when they are first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from norce_order_async.bulk.journal import curves, members

if TYPE_CHECKING:
    from psycopg import Connection

FORMAT: Final = 1
WHOLE: Final = 0
"""The shard of a job that is not split; in a split job, the lease of its list."""
_LOCK: Final = 0x6E6F726365
"""The key of the advisory lock under which the tables are made: two runs that make them at once would fail."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS norce_job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    format integer NOT NULL,
    shards integer NOT NULL
);
CREATE TABLE IF NOT EXISTS norce_job_fact (
    job bigint NOT NULL REFERENCES norce_job ON DELETE CASCADE,
    name text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (job, name)
);
CREATE TABLE IF NOT EXISTS norce_job_shard (
    job bigint NOT NULL REFERENCES norce_job ON DELETE CASCADE,
    shard integer NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    owner text NOT NULL DEFAULT '',
    leased_until timestamptz,
    written bigint NOT NULL DEFAULT 0,
    spooled bigint,
    planned bigint NOT NULL DEFAULT 0,
    sent bigint NOT NULL DEFAULT 0,
    confirmed bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    unknown bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (job, shard)
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS norce_job_item (
    job bigint NOT NULL,
    shard integer NOT NULL,
    number bigint NOT NULL,
    key text NOT NULL,
    asked text NOT NULL,
    hash bytea NOT NULL,
    state text NOT NULL DEFAULT 'planned',
    attempts integer NOT NULL DEFAULT 0,
    reason text NOT NULL DEFAULT '',
    code text,
    said text,
    correlation_id text NOT NULL DEFAULT '',
    sent timestamptz,
    changed timestamptz,
    PRIMARY KEY (job, shard, number),
    UNIQUE (job, key)
) WITH (fillfactor = 80);
"""
_PARTS: Final = """
CREATE TABLE IF NOT EXISTS norce_job_part (
    job bigint NOT NULL REFERENCES norce_job ON DELETE CASCADE,
    shard integer NOT NULL,
    mark text,
    lines_of bigint,
    made_by bigint,
    made_of bigint,
    rows bigint,
    bytes bigint,
    sha256 text,
    listed boolean NOT NULL DEFAULT false,
    PRIMARY KEY (job, shard)
);
"""
THERE: Final = "SELECT to_regclass('norce_job_member')"
"""Finds a table, to see whether there are jobs."""
ALL_THERE: Final = "SELECT to_regclass('norce_job_sample')"
"""Finds the table that is made last, to see whether all tables exist."""


def make_tables(connection: Connection[Any]) -> None:
    """Make the tables that don't exist."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        # IF NOT EXISTS decides: to_regclass does not see a table that another process has just made.
        connection.execute((_SCHEMA + members.TABLE + _PARTS + curves.TABLE).encode())
