"""The numbers of a job's report, counted from its journal in one pass and constant memory.

The course of the job is counted in buckets of time. A bucket is a second wide at first. When there are too many, pairs
are merged, so a job of a month has no more buckets than a job of an hour.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from norce_order_async.bulk.journal.inspect import JournalReport, read_journal
from norce_order_async.bulk.journal.place import PostgresJob
from norce_order_async.bulk.journal.results import ItemResult, read_results

BUCKETS: Final = 600
"""Points over time, at most."""
SLOWEST: Final = 20
"""How many of the slowest orders are listed."""
UNKNOWN: Final = 100
"""How many of the orders with an unknown outcome are listed."""
REFUSALS: Final = 200
"""Reasons that are counted separately; the rest are counted together."""
PERCENTILES: Final = (0.5, 0.9, 0.99, 1.0)
_STEP: Final = 1.02
"""Two durations in one class of the histogram differ by two percent at most."""


@dataclass(slots=True)
class Moment:
    """One bucket of time."""

    verdicts: Counter[str] = field(default_factory=Counter[str])
    sent: int = 0
    """Orders whose last send was in it."""
    durations: Counter[int] = field(default_factory=Counter[int])
    """Orders by the class of their duration in the histogram."""

    def add(self, other: Moment) -> None:
        """Add the counts of another bucket."""
        self.verdicts += other.verdicts
        self.sent += other.sent
        self.durations += other.durations


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A reason why orders were refused or are unknown."""

    verdict: str
    reason: str
    message: str
    """The service's message for one of them."""
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All numbers that the page shows."""

    journal: str
    job: JournalReport
    began: float | None
    """The earliest time at which an order was last sent, in seconds since 1970; None if none was sent."""
    ended: float | None
    """When the last verdict was recorded, in seconds since 1970; None if there is none."""
    width: int
    """The width of a bucket in seconds."""
    moments: Mapping[int, Moment]
    """The buckets by number, counted from 1970."""
    durations: Counter[int]
    slowest: tuple[tuple[float, ItemResult], ...]
    unknown: tuple[ItemResult, ...]
    refusals: tuple[Refusal, ...]

    @property
    def seconds(self) -> float:
        """Seconds from the first send to the last verdict."""
        return 0.0 if self.began is None or self.ended is None else max(self.ended - self.began, 0.0)

    def percentile(self, share: float) -> float | None:
        """The duration in seconds that this share of the orders does not exceed, precise to two percent."""
        return percentile(self.durations, share)

    def over_time(self) -> Iterator[tuple[int, Moment]]:
        """Yield every bucket from the first to the last with its start in seconds since 1970; empty ones too."""
        if not self.moments:
            return
        for bucket in range(min(self.moments), max(self.moments) + 1):
            yield bucket * self.width, self.moments.get(bucket, Moment())


def percentile(durations: Counter[int], share: float) -> float | None:
    """The duration in seconds that this share of the orders does not exceed; None without orders."""
    wanted = math.ceil(durations.total() * share)
    seen = 0
    for kind in sorted(durations):
        seen += durations[kind]
        if seen >= wanted:
            return _STEP**kind / 1000
    return None


def figures_of(journal: Path | PostgresJob) -> Figures:
    """Count what a journal holds. Blocking; reads every order once.

    Raises:
        JournalError: there is no journal, it is damaged, or the file is something else.
    """
    job = read_journal(journal)
    over_time = _OverTime()
    durations: Counter[int] = Counter()
    slowest: list[tuple[float, int, ItemResult]] = []
    unknown: list[ItemResult] = []
    refusals: dict[tuple[str, str], list[int | str]] = {}
    began = ended = None
    for number, result in enumerate(read_results(journal)):
        if result.sent is not None:
            at = result.sent.timestamp()
            began = at if began is None else min(began, at)
            over_time.at(at).sent += 1
        if result.changed is not None and result.verdict in ("done", "refused", "unknown"):
            at = result.changed.timestamp()
            ended = at if ended is None else max(ended, at)
            moment = over_time.at(at)
            moment.verdicts[result.verdict] += 1
            if result.sent is not None and result.verdict == "done":
                took = max((result.changed - result.sent).total_seconds(), 0.0)
                kind = round(math.log(max(took, 0.0005) * 1000, _STEP))
                durations[kind] += 1
                moment.durations[kind] += 1
                heapq.heappush(slowest, (took, -number, result))
                if len(slowest) > SLOWEST:
                    heapq.heappop(slowest)
        if result.verdict in ("refused", "unknown"):
            _count_refusal(refusals, result)
        if result.verdict == "unknown" and len(unknown) < UNKNOWN:
            unknown.append(result)
    return Figures(
        journal=str(journal),
        job=job,
        began=began,
        ended=ended,
        width=over_time.width,
        moments=over_time.moments,
        durations=durations,
        slowest=tuple((took, result) for took, _, result in sorted(slowest, key=_by_duration)),
        unknown=tuple(unknown),
        refusals=tuple(
            Refusal(verdict=verdict, reason=reason, count=int(count), message=str(said))
            for (verdict, reason), (count, said) in sorted(refusals.items(), key=_by_count)
        ),
    )


class _OverTime:
    """Buckets of time, which get wider as the time they cover grows."""

    def __init__(self) -> None:
        self.width = 1
        self.moments: defaultdict[int, Moment] = defaultdict(Moment)
        self._first: int | None = None
        self._last = 0

    def at(self, moment: float) -> Moment:
        """Return the bucket of a time in seconds since 1970."""
        second = int(moment)
        if self._first is None:
            self._first = self._last = second
        elif second < self._first:
            self._first = second
        elif second > self._last:
            self._last = second
        while self._last // self.width - self._first // self.width >= BUCKETS:
            self.width *= 2
            wider: defaultdict[int, Moment] = defaultdict(Moment)
            for bucket, each in self.moments.items():
                wider[bucket // 2].add(each)
            self.moments = wider
        return self.moments[second // self.width]


def _count_refusal(refusals: dict[tuple[str, str], list[int | str]], result: ItemResult) -> None:
    reason = f"{result.reason}" if not result.code or result.code in result.reason else f"{result.reason} {result.code}"
    key = (result.verdict, reason)
    if key not in refusals and len(refusals) >= REFUSALS:
        key = (result.verdict, "other reasons")
    counted = refusals.setdefault(key, [0, result.message or ""])
    counted[0] = int(counted[0]) + 1


def _by_duration(entry: tuple[float, int, ItemResult]) -> float:
    return -entry[0]


def _by_count(entry: tuple[tuple[str, str], list[int | str]]) -> int:
    return -int(entry[1][0])
