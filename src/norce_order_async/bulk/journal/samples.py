"""Samples of a job's load in its journal, one a second.

There are at most :data:`SLOTS` samples. When there are so many, every other one is dropped, and samples are taken half
as often from then on. They are facts of the journal, and are written together with results of orders, so they need no
write of their own. While nothing is written, no sample is taken. A job in a database has a table of samples instead
(:mod:`.curves`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Protocol

from norce_order_async._json import is_list

SLOTS: Final = 512
_NAME: Final = "sample "
_MOST: Final = 1e15
"""The largest time, limit or number of seconds in a sample; a chart of larger ones can't be drawn."""


class Load(Protocol):
    """The values of a limiter that are sampled."""

    limit: int
    in_flight: int
    throttled_seconds: float


@dataclass(frozen=True, slots=True)
class Sample:
    """The load of a job at one time.

    For example::

        for sample in read_journal("close.journal").samples:
            print(sample.at, sample.in_flight, sample.limit)
    """

    at: float
    """Seconds since 1970, by the clock of this machine, or of the database that has the journal."""
    limit: int
    """Attempts that were allowed in flight."""
    in_flight: int
    """Attempts that were in flight."""
    throttled: float
    """Seconds since the run began for which calls were held back because the service asked for it."""


class Sampler:
    """Takes the samples of one run."""

    def __init__(self, limiter: Load, before: tuple[Sample, ...] = ()) -> None:
        self._limiter = limiter
        self._taken = list(before)
        self._every = _interval(self._taken)
        self._due = 0.0

    def facts(self) -> Mapping[str, Any]:
        """Take a sample if one is due, and return the facts to write; usually none."""
        now = time.time()
        if now < self._due:
            return {}
        self._due = now + self._every
        limiter = self._limiter
        taken = Sample(now, limiter.limit, limiter.in_flight, round(limiter.throttled_seconds, 3))
        self._taken.append(taken)
        if len(self._taken) < SLOTS:
            return {_name(len(self._taken) - 1): _written(taken)}
        self._taken = self._taken[::2]
        self._every *= 2
        # The remaining slots keep samples that are older than those before them, which marks them as free.
        return {_name(slot): _written(sample) for slot, sample in enumerate(self._taken)}


def samples_in(facts: Mapping[str, Any]) -> tuple[Sample, ...]:
    """The samples among a journal's facts, oldest first, up to the first slot without a valid one."""
    found: list[Sample] = []
    for slot in range(SLOTS):
        written = facts.get(_name(slot))
        if not is_list(written) or len(written) != 4:
            break
        at, limit, in_flight, throttled = written
        if not all(isinstance(value, int | float) and abs(value) <= _MOST for value in written):
            break
        if found and at <= found[-1].at:
            break
        found.append(Sample(float(at), int(limit), int(in_flight), float(throttled)))
    return tuple(found)


def _name(slot: int) -> str:
    return f"{_NAME}{slot}"


def _written(sample: Sample) -> list[float]:
    return [round(sample.at, 3), sample.limit, sample.in_flight, sample.throttled]


def _interval(taken: list[Sample]) -> float:
    """Seconds between two samples: the median of an earlier run's, at least 1."""
    if len(taken) < 2:
        return 1.0
    apart = sorted(later.at - earlier.at for earlier, later in pairwise(taken))
    return max(1.0, apart[len(apart) // 2])
