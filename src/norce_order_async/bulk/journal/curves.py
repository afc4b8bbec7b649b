"""Samples of the load of a job in a database: one a second, for all its runs together.

Seconds are by the database's clock. In each second, every run adds its values to the sample of that second, in a single
statement of the thread that renews its lease, so no item waits for it. When there are
:data:`~norce_order_async.bulk.journal.samples.SLOTS` samples, every other one is dropped, and each covers twice as many
seconds from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from norce_order_async.bulk.journal.samples import SLOTS, Load, Sample
from norce_order_async.runtime.clock import boottime
from norce_order_async.storage.postgres import driver

if TYPE_CHECKING:
    from psycopg import Connection

TABLE: Final = """
CREATE TABLE IF NOT EXISTS norce_job_sample (
    job bigint NOT NULL REFERENCES norce_job ON DELETE CASCADE,
    at bigint NOT NULL,
    runs integer NOT NULL,
    allowed bigint NOT NULL,
    in_flight bigint NOT NULL,
    held float8 NOT NULL,
    PRIMARY KEY (job, at)
);
"""
_EVERY: Final = "seconds of a sample"
"""The fact: the seconds that a sample covers, if it is more than one."""
# A run adds to a sample once. It does not wait for the disk, so a crash of the database loses the last samples. It does
# not wait long for a run that froze while it added to the same sample, because its own lease would end.
_BRIEFLY: Final = "set_config('synchronous_commit', 'off', true) || set_config('lock_timeout', '500ms', true) <> ''"
ADD: Final = f"""
WITH width AS MATERIALIZED (
    SELECT coalesce(
        (SELECT value::bigint FROM norce_job_fact WHERE job = %(job)s AND name = '{_EVERY}'), 1
    ) AS every, extract(epoch FROM clock_timestamp())::float8 AS now
), slot AS (
    SELECT every, now, floor(now / every)::bigint * every AS at FROM width
), added AS (
    INSERT INTO norce_job_sample AS sample (job, at, runs, allowed, in_flight, held)
    SELECT %(job)s, at, 1, %(allowed)s, %(in_flight)s, %(held)s FROM slot
    WHERE at > %(last)s::bigint AND {_BRIEFLY}
    ON CONFLICT (job, at) DO UPDATE SET
        runs = sample.runs + 1,
        allowed = sample.allowed + EXCLUDED.allowed,
        in_flight = sample.in_flight + EXCLUDED.in_flight,
        held = sample.held + EXCLUDED.held
)
SELECT at, every, at + every - now, (SELECT count(*) FROM norce_job_sample WHERE job = %(job)s) FROM slot
"""  # noqa: S608 - words of ours
# If several runs find too many samples, the first of them changes the fact and drops samples.
_THIN_OUT: Final = f"""
WITH first AS (
    INSERT INTO norce_job_fact AS fact (job, name, value)
    SELECT %(job)s, '{_EVERY}', (2 * %(every)s::bigint)::text WHERE {_BRIEFLY}
    ON CONFLICT (job, name) DO UPDATE SET value = EXCLUDED.value WHERE fact.value = %(every)s::bigint::text
    RETURNING job
)
DELETE FROM norce_job_sample sample USING first
WHERE sample.job = first.job AND sample.at %% (2 * %(every)s::bigint) <> 0
"""  # noqa: S608
_READ: Final = (
    "SELECT at, allowed, in_flight, least(held / runs, 1) FROM norce_job_sample WHERE job = %s ORDER BY at LIMIT %s"
)
_MOST: Final = 10**12
"""The highest limit in a sample, so that the database can add up those of all runs."""
_AGAIN_AFTER: Final = 5.0
"""Seconds until the next attempt if a sample could not be added."""
_AFTER: Final = 0.1
"""The share of a sample's time that has passed when a run adds to it, so that each run adds to each sample."""


class Curve:
    """The samples of one run.

    Args:
        load: the limiter of the run.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._last: int | None = None
        """The sample to which this run added last. It adds nothing to the one in which it begins, because an earlier
        run of this worker may have added to that."""
        self._due = self._looked = boottime()
        self._throttled = load.throttled_seconds

    @property
    def due_in(self) -> float:
        """Seconds until the next sample."""
        return self._due - boottime()

    def take(self, connection: Connection[Any], job: int) -> None:
        """Add this run's values to the current sample; they are left out if they can't be added."""
        now, throttled = boottime(), self._load.throttled_seconds
        held = (throttled - self._throttled) / (now - self._looked) if now > self._looked else 0.0
        self._looked, self._throttled, self._due = now, throttled, now + _AGAIN_AFTER
        given = {
            "job": job,
            "last": self._last,
            "allowed": min(self._load.limit, _MOST),
            "in_flight": self._load.in_flight,
            "held": min(max(held, 0.0), 1.0),
        }
        try:
            self._last, every, ends_in, count = connection.execute(ADD.encode(), given).fetchone() or (0, 1, 1.0, 0)
            if count >= SLOTS - 1:
                connection.execute(_THIN_OUT.encode(), {"job": job, "every": every})
        except driver().Error:
            if connection.closed:
                raise
        else:
            self._due = boottime() + ends_in + _AFTER * every


def samples_of(connection: Connection[Any], job: int) -> tuple[Sample, ...]:
    """The samples of a job, oldest first; none if the database was used only by versions without samples."""
    if connection.execute("SELECT to_regclass('norce_job_sample')").fetchone() == (None,):
        return ()
    found: list[Sample] = []
    throttled, before = 0.0, None
    for at, allowed, in_flight, held in connection.execute(_READ, (job, SLOTS)):
        throttled += held * (at - before) if before is not None else 0.0
        before = at
        found.append(Sample(float(at), allowed, in_flight, round(throttled, 3)))
    return tuple(found)
