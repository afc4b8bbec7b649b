"""How a job goes on, from one look at its journal to the next: rates, who works on it, and how long it will take."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from norce_order_async.display import printable

if TYPE_CHECKING:
    from norce_order_async.bulk.journal.inspect import JournalReport, ShardReport

OVER: Final = 30.0
"""Rates are those of so many seconds."""


class Progress:
    """What has come of a job."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, Counter[str]]] = deque()
        """When, and what each process had finished by then, since the first look."""
        self._by: Counter[str] = Counter()
        self._shards: dict[int, tuple[str, int]] = {}
        """Who had each shard at the last look, and how much of it was finished."""

    def lines(self, report: JournalReport, now: float) -> list[str]:
        """The job in one line, and each process that has shards of it in one more.

        Args:
            report: what the journal holds.
            now: the moment it was read, by a clock that never goes back.
        """
        if not report.listed:
            return ["being listed"]
        rates = self._rates(report, now)
        total, rate = report.counts.total(), sum(rates.values())
        words = [f"{total - report.left:,} of {total:,}", f"{rate:,.0f}/s"]
        if report.max_rate is not None and report.members:
            words[-1] += f" of at most {report.max_rate:,g} for {report.members} together"
        if rate:
            words.append(f"about {_duration(report.left / rate)} left")
        if report.shards:
            words.append(f"{sum(bool(shard.left) for shard in report.shards)} of {len(report.shards)} shards left")
        return [", ".join(words), *(_owner(name, shards, rates) for name, shards in _owned(report).items())]

    def _rates(self, report: JournalReport, now: float) -> dict[str, float]:
        """Items a second of each process; of a job that is not split, all under an empty name."""
        parts = [(shard.number, shard.owner, shard.counts.total() - shard.left) for shard in report.shards]
        for number, owner, finished in parts or [(0, "", report.counts.total() - report.left)]:
            had, before = self._shards.get(number, (owner, finished))
            # What was done of a shard that nobody has any more was done by who had it at the last look.
            self._by[owner or had] += finished - before
            self._shards[number] = owner, finished
        self._looks.append((now, self._by.copy()))
        while now - self._looks[1 if len(self._looks) > 1 else 0][0] >= OVER:
            self._looks.popleft()
        began, first = self._looks[0]
        return {name: (count - first[name]) / (now - began) for name, count in self._by.items()} if now > began else {}


def _owned(report: JournalReport) -> dict[str, list[ShardReport]]:
    owned: dict[str, list[ShardReport]] = {}
    for shard in sorted(report.shards, key=lambda shard: shard.owner):
        if shard.owner and shard.left:
            owned.setdefault(shard.owner, []).append(shard)
    return owned


def _owner(name: str, shards: list[ShardReport], rates: dict[str, float]) -> str:
    numbers = ", ".join(str(shard.number) for shard in shards)
    left = sum(shard.left for shard in shards)
    return f"  {printable(name)}: {rates.get(name, 0.0):,.0f}/s, {left:,} left of shard {numbers}"


def _duration(seconds: float) -> str:
    """Seconds in words, as exact as it can be known."""
    if seconds < 90:
        return f"{seconds:,.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"
