"""Every night: complete the orders that were accepted more than two days ago, and list those that can't be completed.

    python nightly.py FOLDER

Takes the service from the NORCE_* variables. After a kill at any moment, the same command continues where it was and
does nothing twice: a journal in FOLDER, one for each night, records what is to be done and what was done. Beside it is
a CSV of the orders that were refused or whose outcome is unknown.

Ends with 0 if all is done, with 3 if the CSV has entries, and with 4 if it was stopped and has to be run again.
"""

from __future__ import annotations

import asyncio
import csv
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from norce_order_async import JournalError, NorceOrderClient, OrderFilter
from norce_order_async.bulk import actions, read_journal, read_results, stopped_by_signals

COLUMNS = ("key", "verdict", "code", "message", "attempts", "changed", "correlation_id")


def finished(journal: Path) -> bool:
    try:
        report = read_journal(journal)
    except JournalError:
        return False  # killed before it had begun
    return report.listed and report.left == 0


def journal_of(folder: Path, now: datetime) -> Path:
    """The journal that an earlier run has left unfinished, or else a new one."""
    left = [journal for journal in sorted(folder.glob("*.journal")) if not finished(journal)]
    return left[0] if left else folder / f"{now:%Y-%m-%dT%H%M%S}.journal"


def write_failures(journal: Path) -> int:
    """Write a line for each order that was not completed, and return how many there are."""
    failures = 0
    with journal.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(COLUMNS)
        for result in read_results(journal, ["refused", "unknown"]):
            lines.writerow([getattr(result, column) for column in COLUMNS])
            failures += 1
    return failures


async def main(folder: Path) -> int:
    now = datetime.now(UTC)
    journal = journal_of(folder, now)
    ripe = OrderFilter(status="accepted", date_to=now - timedelta(days=2))
    async with (
        NorceOrderClient.from_env() as norce,
        norce.bulk(journal, failure_limit=0.5, allow_production=True) as job,
        stopped_by_signals(job),
    ):
        async for outcome in job.run(ripe, actions.transition("completed", validate=True)):
            if outcome.verdict not in ("done", "already done"):
                print(outcome.key, outcome.verdict, outcome.reason, flush=True)
    failures = write_failures(journal)
    print(f"{job.summary.done} done, {failures} failed, {job.summary.left} left; see {journal.with_suffix('.csv')}")
    return 4 if job.summary.left else 3 if failures else 0


if __name__ == "__main__":
    runs = Path(sys.argv[1])
    runs.mkdir(exist_ok=True)
    sys.exit(asyncio.run(main(runs)))
