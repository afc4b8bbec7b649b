"""What a probe is, and what it may say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from norce_order_async.calibration.bench import Bench
from norce_order_async.calibration.wire import Exchange


@dataclass(frozen=True, slots=True)
class Told:
    """The service follows this reading, as these exchanges show."""

    reading: str
    shown_by: Sequence[Exchange] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Neither:
    """The service does something that is no reading of the rule."""

    does: str
    """In words of ours; what the service said is in the exchanges."""
    shown_by: Sequence[Exchange] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CouldNotTell:
    """Nothing that was seen tells the readings apart."""

    why: str
    may_ask_again: bool = False
    """Whether it is for want of an answer, so that another try may help."""


Verdict: TypeAlias = Told | Neither | CouldNotTell

Needs: TypeAlias = Literal["nothing", "other-channel", "public-url"]


@dataclass(frozen=True, slots=True)
class Probe:
    """One rule's question."""

    rule: str
    asks: str
    """What is done to find out, in one sentence."""
    answers: Mapping[str, str]
    """By reading: what is seen when the service follows it."""
    ask: Callable[[Bench], Awaitable[Verdict]]
    needs: Needs = "nothing"


def alike(*exchanges: Exchange) -> bool:
    """Whether all of them have the same status."""
    return len({exchange.status for exchange in exchanges}) == 1
