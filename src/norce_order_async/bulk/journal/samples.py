"""How hard a job worked, a sample a second, in its journal.

There are at most :data:`SLOTS` of them: when all are taken, every other one is dropped, and from then on samples are
taken half as often. They are facts of the journal, written together with what became of orders, so they cost no write
of their own; while nothing is written, none is taken. The workers of a job that was split take none.
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
"""No moment, limit or count of seconds is beyond it; a chart of larger ones can't be drawn."""


class _Limiter(Protocol):
    """What is looked at."""

    limit: int
    in_flight: int
    throttled_seconds: float


@dataclass(frozen=True, slots=True)
class Sample:
    """How a job stood at one moment.

    For example::

        for sample in read_journal("close.journal").samples:
            print(sample.at, sample.in_flight, sample.limit)
    """

    at: float
    """Seconds since 1970, by this machine's clock."""
    limit: int
    """Attempts that were allowed at once."""
    in_flight: int
    throttled: float
    """Seconds for which calls were held back since the run began, because the service asked for it."""


class Sampler:
    """Takes the samples of one run."""

    def __init__(self, limiter: _Limiter, before: tuple[Sample, ...] = ()) -> None:
        self._limiter = limiter
        self._taken = list(before)
        self._every = _interval(self._taken)
        self._due = 0.0

    def facts(self) -> Mapping[str, Any]:
        """What is to be written down now; mostly nothing."""
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
        # The rest of the slots is older than what stands before it, by which it is known to be free.
        return {_name(slot): _written(sample) for slot, sample in enumerate(self._taken)}


def samples_in(facts: Mapping[str, Any]) -> tuple[Sample, ...]:
    """The samples among a journal's facts, oldest first. What is no sample is passed over."""
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
    """Seconds between two samples, as an earlier run had come to."""
    if len(taken) < 2:
        return 1.0
    apart = sorted(later.at - earlier.at for earlier, later in pairwise(taken))
    return max(1.0, apart[len(apart) // 2])
