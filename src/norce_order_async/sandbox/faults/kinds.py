"""What can go wrong: one small record for each kind of fault, saying how bad it is.

A fault checks its own numbers when it is made. Its name in a plan stands in `KINDS`; the first field of each is the
one that a plan may give alone (`answer: 503` is `answer: {status: 503}`).
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

RetryAfterForm: TypeAlias = Literal["seconds", "milliseconds", "date"]

_PAGES = frozenset({502, 504, 520, 521, 522, 523, 524})
"""Statuses that come from whatever stands in front of a service, which answers with a page."""

_LONGEST = 3600.0


class FaultPlanError(ValueError):
    """A plan that can't be played; the text names the place in it and what is right."""


@dataclass(frozen=True, slots=True)
class Delay:
    """The answer takes so much longer."""

    seconds: float

    def __post_init__(self) -> None:
        within("seconds", self.seconds, 0, _LONGEST)

    def drawn(self, _source: random.Random) -> float:
        """The delay in seconds."""
        return self.seconds


@dataclass(frozen=True, slots=True)
class UniformDelay:
    """The answer takes longer by something between two bounds."""

    low: float
    high: float

    def __post_init__(self) -> None:
        within("low", self.low, 0, _LONGEST)
        within("high", self.high, self.low, _LONGEST)

    def drawn(self, source: random.Random) -> float:
        """A delay in seconds between ``low`` and ``high``."""
        return source.uniform(self.low, self.high)


@dataclass(frozen=True, slots=True)
class LognormalDelay:
    """The answer takes longer as real services do: mostly about the median, now and then far longer."""

    median: float
    sigma: float = 0.5
    at_most: float = 10.0

    def __post_init__(self) -> None:
        within("median", self.median, 0.000001, _LONGEST)
        within("sigma", self.sigma, 0, 10)
        within("at_most", self.at_most, self.median, _LONGEST)

    def drawn(self, source: random.Random) -> float:
        """A delay in seconds, ``at_most`` at most."""
        return min(source.lognormvariate(math.log(self.median), self.sigma), self.at_most)


@dataclass(frozen=True, slots=True)
class RefuseConnection:
    """A new connection is reset as soon as it is there: as near to a refused one as a server that runs can get."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset instead of an answer, before the change took effect or after it."""

    when: Literal["before", "after"] = "before"


@dataclass(frozen=True, slots=True)
class LoseAnswer:
    """The change takes effect, and the connection is closed without a word."""


@dataclass(frozen=True, slots=True)
class CutBody:
    """The change takes effect; only a part of the answer's body arrives. Without a body, its head is cut."""

    keep: float = 0.5

    def __post_init__(self) -> None:
        within("keep", self.keep, 0, 0.99)


@dataclass(frozen=True, slots=True)
class Respond:
    """An answer of this status, instead of the request's effect or in spite of it.

    `retry_after` is in seconds, whatever the form it is sent in; "window" is the time left of the rule's window.
    `html` is whether the body is a page: as it comes, those of 502, 504 and 520 to 524 are.
    """

    status: int
    retry_after: float | Literal["window"] | None = None
    form: RetryAfterForm = "seconds"
    after_effect: bool = False
    html: bool | None = None

    def __post_init__(self) -> None:
        within("status", self.status, 400, 599)
        if isinstance(self.retry_after, int | float):
            within("retry_after", self.retry_after, 0, _LONGEST)

    @property
    def is_page(self) -> bool:
        """Whether the body is an HTML page."""
        return self.status in _PAGES if self.html is None else self.html


@dataclass(frozen=True, slots=True)
class TakeIn:
    """202: the change is taken in and carried out so many seconds later, or dropped. For status and cart alone.

    It is carried out when the first request after its time comes in, and then dropped if it is no longer possible.
    """

    apply_after: float = 0.5
    dropped: bool = False

    def __post_init__(self) -> None:
        within("apply_after", self.apply_after, 0, _LONGEST)


@dataclass(frozen=True, slots=True)
class Drip:
    """The answer's body arrives a few bytes at a time."""

    every: float = 0.05
    chunk: int = 16

    def __post_init__(self) -> None:
        within("every", self.every, 0, _LONGEST)
        within("chunk", self.chunk, 1, 1_000_000)


@dataclass(frozen=True, slots=True)
class ExpireToken:
    """The token that a request carries is refused from then on, for a while: 401 to everything that carries it."""

    seconds: float = 1.0

    def __post_init__(self) -> None:
        within("seconds", self.seconds, 0, _LONGEST)


@dataclass(frozen=True, slots=True)
class LimitRate:
    """429 to what comes faster than this, once `burst` requests have come at once."""

    per_second: float
    burst: int = 1
    form: RetryAfterForm = "seconds"

    def __post_init__(self) -> None:
        within("per_second", self.per_second, 0.001, 1_000_000)
        within("burst", self.burst, 1, 1_000_000)


@dataclass(frozen=True, slots=True)
class LimitConcurrency:
    """429 to what comes while so many are being answered. `schedule` moves the limit: pairs of seconds and limit.

    Answers are quick, so few are ever being answered at once; a delay in the same plan makes it felt.
    """

    limit: int
    schedule: tuple[tuple[float, int], ...] = ()
    retry_after: float = 1.0
    form: RetryAfterForm = "seconds"

    def __post_init__(self) -> None:
        within("limit", self.limit, 0, 1_000_000)
        within("retry_after", self.retry_after, 0, _LONGEST)
        earlier = 0.0
        for index, (seconds, limit) in enumerate(self.schedule):
            within(f"schedule[{index}][0]", seconds, earlier, 1_000_000)
            within(f"schedule[{index}][1]", limit, 0, 1_000_000)
            earlier = seconds

    def at(self, seconds: float) -> int:
        """The limit so many seconds after the plan began."""
        limit = self.limit
        for start, moved in self.schedule:
            if start <= seconds:
                limit = moved
        return limit


AnyDelay: TypeAlias = Delay | UniformDelay | LognormalDelay
Breaking: TypeAlias = Reset | LoseAnswer | CutBody | Respond | TakeIn | Drip
"""What decides how one request ends."""

Fault: TypeAlias = AnyDelay | RefuseConnection | Breaking | ExpireToken | LimitRate | LimitConcurrency

KINDS: Mapping[str, tuple[type[Fault], ...]] = {
    "delay": (Delay, UniformDelay, LognormalDelay),
    "refuse-connection": (RefuseConnection,),
    "reset": (Reset,),
    "lose-answer": (LoseAnswer,),
    "cut-body": (CutBody,),
    "answer": (Respond,),
    "take-in": (TakeIn,),
    "drip": (Drip,),
    "expire-token": (ExpireToken,),
    "limit-rate": (LimitRate,),
    "limit-concurrency": (LimitConcurrency,),
}


def within(name: str, value: float, low: float, high: float) -> None:
    """Demand a number between two bounds; NaN is between none."""
    if not low <= value <= high:
        raise FaultPlanError(f"{name}: must be between {low:g} and {high:g}, not {value}")
