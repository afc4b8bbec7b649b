"""The progress of a job between two readings of its journal: rates, the processes that work on it, the time left."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from norce_order_async.cli.tables import duration
from norce_order_async.display import printable

if TYPE_CHECKING:
    from norce_order_async.bulk.journal.inspect import JournalReport, ShardReport

OVER: Final = 30.0
"""Rates are averages over this many seconds."""
MOST_PROCESSES: Final = 30
"""Processes that get a line of their own."""
MOST_SHARDS: Final = 5
"""Shards of a process that are named."""


class Progress:
    """The progress of a job, from its readings so far."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, Counter[str]]] = deque()
        """The time of each reading, and the items that each process had finished by then, since the first reading."""
        self._finished: Counter[str] = Counter()
        self._shards: dict[int, tuple[str, int]] = {}
        """By shard, the process that owned it at the last reading, and its number of finished items."""

    def lines(self, report: JournalReport, now: float) -> list[str]:
        """One line for the job, and one for each process that owns shards of it.

        Args:
            report: The journal's report.
            now: The time of the reading, by a monotonic clock.
        """
        if not report.listed:
            return ["being listed"]
        rates = self._rates(report, now)
        total, rate = report.counts.total(), sum(rates.values())
        words = [f"{total - report.left:,} of {total:,}", f"{rate:,.0f}/s"]
        if report.max_rate is not None and report.members:
            words[-1] += f" of at most {report.max_rate:,g} for {report.members} together"
        if rate:
            words.append(f"about {duration(report.left / rate)} left")
        if report.shards:
            words.append(f"{sum(not shard.finished for shard in report.shards)} of {len(report.shards)} shards left")
        return [", ".join(words), *_owners(report, rates)]

    def _rates(self, report: JournalReport, now: float) -> dict[str, float]:
        """Items a second by process; a job that is not split has one rate under an empty name."""
        parts = [(shard.number, shard.owner, shard.counts.total() - shard.left) for shard in report.shards]
        for number, owner, finished in parts or [(0, "", report.counts.total() - report.left)]:
            had, before = self._shards.get(number, (owner, finished))
            # If no process owns the shard now, the owner at the last reading has finished these items.
            self._finished[owner or had] += finished - before
            self._shards[number] = owner, finished
        self._readings.append((now, self._finished.copy()))
        while now - self._readings[1 if len(self._readings) > 1 else 0][0] >= OVER:
            self._readings.popleft()
        began, first = self._readings[0]
        if now <= began:
            return {}
        return {name: (count - first[name]) / (now - began) for name, count in self._finished.items()}


def _owners(report: JournalReport, rates: dict[str, float]) -> list[str]:
    owned = _owned(report)
    lines = [_owner(name, shards, rates) for name, shards in list(owned.items())[:MOST_PROCESSES]]
    if len(owned) > MOST_PROCESSES:
        lines.append(f"  and {len(owned) - MOST_PROCESSES:,} more processes")
    return lines


def _owned(report: JournalReport) -> dict[str, list[ShardReport]]:
    owned: dict[str, list[ShardReport]] = {}
    for shard in sorted(report.shards, key=lambda shard: shard.owner):
        if shard.owner and shard.left:
            owned.setdefault(shard.owner, []).append(shard)
    return owned


def _owner(name: str, shards: list[ShardReport], rates: dict[str, float]) -> str:
    numbers = ", ".join(str(shard.number) for shard in shards[:MOST_SHARDS])
    more = f" and {len(shards) - MOST_SHARDS:,} more" if len(shards) > MOST_SHARDS else ""
    left = sum(shard.left for shard in shards)
    return f"  {printable(name)}: {rates.get(name, 0.0):,.0f}/s, {left:,} left of shard {numbers}{more}"
