"""What follows an attempt: a pure table over the operation's kind and the attempt's outcome."""

from __future__ import annotations

import enum
from typing import assert_never

from norce_order_async.pipeline.operations import Kind
from norce_order_async.pipeline.outcome import Outcome

# The service says that it can't do this at all; asking again changes nothing.
NEVER_REPEATED = frozenset({501, 505})


class Step(enum.Enum):
    """What follows an attempt, before the number of attempts, the budget and the deadline have their say."""

    RETURN = "return"
    REFUSE = "refuse"
    """Raise what the service said."""
    REPEAT = "repeat"
    SETTLE = "settle"
    """Read back what became of it before anything else."""
    STOP = "stop"
    """Repeating could do it twice, or would change nothing."""


def step_after(kind: Kind, outcome: Outcome, status: int | None) -> Step:
    """What follows an attempt of a call of this kind."""
    match outcome:
        case Outcome.SUCCEEDED:
            return Step.RETURN
        case Outcome.REFUSED:
            return Step.REFUSE
        case Outcome.NOT_SENT | Outcome.REJECTED:
            return Step.REPEAT
        case Outcome.UNKNOWN:
            return _after_unknown(kind, status)
        case _:
            assert_never(outcome)


def _after_unknown(kind: Kind, status: int | None) -> Step:
    match kind:
        case Kind.SAFE | Kind.IDEMPOTENT:
            return Step.STOP if status in NEVER_REPEATED else Step.REPEAT
        case Kind.STATE | Kind.CREATE_ORDER | Kind.CREATE:
            return Step.SETTLE
        case Kind.EXECUTE:
            return Step.STOP
        case _:
            assert_never(kind)
