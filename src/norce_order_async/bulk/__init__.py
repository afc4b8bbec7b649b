"""Many orders in a job: bounded, resumable, one outcome for each order.

A job (``job.py``) has one run (``run.py``). The run lists its source (``source.py``; ``duplicates.py`` without a
journal), or continues what an earlier run left in the journal (``prepare.py``; ``journal/``: a file, or a PostgreSQL
database that several machines share). Its workers (``workers.py``) take items from a queue, run the action on each
(``process.py``), and put the outcomes (``outcome.py``) into a buffer that the caller iterates (both in ``queue.py``).
``breaker.py`` holds the workers back while the service is away, ``signals.py`` stops a job on Ctrl-C, and
``showing.py`` shows its progress.

``actions/`` has ready actions and the base class of new ones; ``load/`` limits concurrency and rate; ``shards/`` splits
a job over several machines; ``report/`` makes a page of what a journal holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from norce_order_async._exports import on_first_use

if TYPE_CHECKING:
    from norce_order_async.bulk.actions.cells import as_it_was
    from norce_order_async.bulk.journal.inspect import JournalReport, ShardReport, read_journal
    from norce_order_async.bulk.journal.results import ItemResult, plan_again, read_results
    from norce_order_async.bulk.journal.samples import Sample
    from norce_order_async.bulk.load.shared import Shared
    from norce_order_async.bulk.report.page import HtmlReport, html_report
    from norce_order_async.bulk.shards.driver import list_shards, spread
    from norce_order_async.bulk.shards.recipe import Recipe
    from norce_order_async.bulk.shards.work import PostgresJournal, run_shard
    from norce_order_async.bulk.showing import progress
    from norce_order_async.bulk.signals import stopped_by_signals

_HOMES = {
    "HtmlReport": "report.page",
    "ItemResult": "journal.results",
    "JournalReport": "journal.inspect",
    "PostgresJournal": "shards.work",
    "Recipe": "shards.recipe",
    "Sample": "journal.samples",
    "ShardReport": "journal.inspect",
    "Shared": "load.shared",
    "as_it_was": "actions.cells",
    "html_report": "report.page",
    "list_shards": "shards.driver",
    "plan_again": "journal.results",
    "progress": "showing",
    "read_journal": "journal.inspect",
    "read_results": "journal.results",
    "run_shard": "shards.work",
    "spread": "shards.driver",
    "stopped_by_signals": "signals",
}

__all__ = [
    "HtmlReport",
    "ItemResult",
    "JournalReport",
    "PostgresJournal",
    "Recipe",
    "Sample",
    "ShardReport",
    "Shared",
    "as_it_was",
    "html_report",
    "list_shards",
    "plan_again",
    "progress",
    "read_journal",
    "read_results",
    "run_shard",
    "spread",
    "stopped_by_signals",
]

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
