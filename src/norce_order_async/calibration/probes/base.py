"""Probes and their verdicts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from norce_order_async.calibration.bench import Bench
from norce_order_async.calibration.wire import Exchange


@dataclass(frozen=True, slots=True)
class Follows:
    """The service follows this reading, as these exchanges show."""

    reading: str
    shown_by: Sequence[Exchange] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Neither:
    """The service does something that none of the rule's readings describes."""

    does: str
    """What it does, without words of the service; those are in the exchanges."""
    shown_by: Sequence[Exchange] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CouldNotTell:
    """The answers do not distinguish the readings."""

    why: str
    may_ask_again: bool = False
    """Whether an answer was missing, so that another try may help."""


Verdict: TypeAlias = Follows | Neither | CouldNotTell

Needs: TypeAlias = Literal["nothing", "other-channel", "public-url"]


@dataclass(frozen=True, slots=True)
class Probe:
    """The question of one rule."""

    rule: str
    asks: str
    """What the probe does, in one sentence."""
    answers: Mapping[str, str]
    """For each reading, what the probe sees if the service follows it."""
    ask: Callable[[Bench], Awaitable[Verdict]]
    needs: Needs = "nothing"


def alike(*exchanges: Exchange) -> bool:
    """Whether all of them have the same status."""
    return len({exchange.status for exchange in exchanges}) == 1
