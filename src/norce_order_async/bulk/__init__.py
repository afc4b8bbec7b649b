"""Many orders in a job: bounded, resumable, and told one by one.

``job.py`` is what a caller meets: a job, and in it one run (``run.py``) as it was asked for (``plan.py``).

A run begins (``beginning.py``) with its source (``source.py``; ``duplicates.py`` without a journal) and what an earlier
run left in the journal (``journal.py``, ``database.py``, ``lock.py``; ``spool.py`` for a file that the job makes). Then
its workers (``work.py``) take items (``intake.py``), do what is to be done to each, decide what came of it
(``handling.py``), and leave outcomes (``outcome.py``) for whoever iterates (``outbox.py``); ``bell.py`` wakes who waits
for whom.

``action.py`` says what an action is, ``actions.py`` and ``export.py`` (with ``fields.py`` and
``cells.py``) have the ready ones. ``load.py`` finds how much
the service bears (``ramp.py``, ``cubic.py``, ``vegas.py``, ``pacing.py``), ``outage.py`` waits while it is away,
``stopping.py`` listens for Ctrl-C, and ``report.py`` looks into a journal from outside.
"""

from __future__ import annotations

from norce_order_async.bulk.journal.inspect import ItemResult, JournalReport, plan_again, read_journal, read_results

__all__ = ["ItemResult", "JournalReport", "plan_again", "read_journal", "read_results"]
