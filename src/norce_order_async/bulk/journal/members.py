"""The members of a job's shared rate, in its database: the list of them, the rate, and a pause for all.

A member that joins may not send before every other member has counted it. Its first beat adds its row. Its second beat
begins when that row can be seen, and records the time as ``announced``. Beats of other members that begin later read
the row. So the new member may send when every other has made such a beat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from norce_order_async.bulk.journal.reading import MAX_RATE
from norce_order_async.bulk.load.shared import OLD, Beat, Share

if TYPE_CHECKING:
    from psycopg import Connection

TABLE: Final = """
CREATE TABLE IF NOT EXISTS norce_job_member (
    job bigint NOT NULL REFERENCES norce_job ON DELETE CASCADE,
    member text NOT NULL,
    owner text NOT NULL,
    max_rate float8,
    seen timestamptz NOT NULL,
    announced timestamptz,
    paused_until timestamptz,
    PRIMARY KEY (job, member)
) WITH (fillfactor = 50);
"""
ALIVE: Final = f"seen > statement_timestamp() - interval '{OLD} s'"
"""The condition under which a member is counted."""
_LIMIT: Final = (
    f"(SELECT nullif(value, 'null')::float8 FROM norce_job_fact WHERE job = %(job)s AND name = '{MAX_RATE}')"  # noqa: S608
)
# In one statement, so that all that it reads is at least as new as the time that it writes as seen.
_BEAT: Final = f"""
WITH mine AS (
    INSERT INTO norce_job_member AS me (job, member, owner, max_rate, seen, paused_until)
    VALUES (
        %(job)s, %(member)s, %(owner)s, %(max_rate)s, statement_timestamp(),
        clock_timestamp() + make_interval(secs => %(pause)s)
    )
    ON CONFLICT (job, member) DO UPDATE SET
        owner = EXCLUDED.owner,
        max_rate = EXCLUDED.max_rate,
        seen = EXCLUDED.seen,
        announced = CASE WHEN me.{ALIVE} THEN coalesce(me.announced, EXCLUDED.seen) END,
        paused_until = greatest(me.paused_until, EXCLUDED.paused_until)
    RETURNING max_rate, announced
), others AS (
    SELECT * FROM norce_job_member WHERE job = %(job)s AND member <> %(member)s
)
SELECT
    least(
        (SELECT max_rate FROM mine),
        (SELECT min(max_rate) FROM others WHERE {ALIVE}),
        {_LIMIT}
    ),
    (SELECT count(*) FROM others WHERE {ALIVE}),
    coalesce(
        (SELECT announced FROM mine) < coalesce((SELECT min(seen) FROM others WHERE {ALIVE}), 'infinity'), false
    ),
    coalesce(extract(epoch FROM (SELECT max(paused_until) FROM others) - clock_timestamp())::float8, 0)
"""  # noqa: S608 - words of ours
_FORGET: Final = (
    "DELETE FROM norce_job_member WHERE job = %s AND seen < statement_timestamp() - interval '1 min' "
    "AND coalesce(paused_until, seen) < statement_timestamp()"
)


def join(connection: Connection[Any], job: int, share: Share, owner: str) -> None:
    """Add a member. If there is no other, it may send at once."""
    if not share.rate:
        # A member that continues from an earlier run keeps its part and needs one beat only.
        connection.execute(_FORGET, (job,))
        beat(connection, job, share, owner)
    beat(connection, job, share, owner)


def beat(connection: Connection[Any], job: int, share: Share, owner: str) -> None:
    """Make a beat: record that a member is there, and take over its part of the rate."""
    began = share.now
    given = {"job": job, "member": share.name, "owner": owner, "max_rate": share.max_rate, "pause": share.own_pause}
    rate, others, counts, paused = connection.execute(_BEAT.encode(), given).fetchone() or (None, 0, False, 0.0)
    share.heard(Beat(rate, others, counts, max(0.0, paused)), began)


def rate_of(connection: Connection[Any], job: int) -> tuple[float | None, int]:
    """Return the rate that a job's members share, and how many members are counted."""
    query = f"SELECT least(min(max_rate), {_LIMIT}), count(*) FROM norce_job_member WHERE job = %(job)s AND {ALIVE}"  # noqa: S608
    rate, members = connection.execute(query.encode(), {"job": job}).fetchone() or (None, 0)
    return rate, members
