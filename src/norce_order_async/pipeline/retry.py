"""What follows an attempt: its outcome, the next step, the pause before it and the budget for repeats."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import assert_never

from norce_order_async.errors import OutcomeWord
from norce_order_async.pipeline.operations import Kind


class Outcome(enum.Enum):
    """The five ways an attempt can end."""

    SUCCEEDED = "succeeded"
    """A 2xx with a body that could be read where one is needed."""
    REFUSED = "refused"
    """The service answered and said no: redirects and all 4xx except 408, 425 and 429."""
    NOT_SENT = "not sent"
    """No byte of the request left this machine."""
    REJECTED = "rejected"
    """Turned away unprocessed: 429 and 425; for calls that may be done twice also 503 with Retry-After."""
    UNKNOWN = "unknown"
    """Anything after the first byte without a usable answer."""

    @property
    def word(self) -> OutcomeWord:
        """The outcome as :class:`~norce_order_async.Attempt` has it."""
        return self.value


def classify(kind: Kind, status: int, *, retry_after: bool, readable: bool) -> Outcome:
    """The outcome of an attempt that got a whole answer.

    Args:
        kind: the kind of the call.
        status: the HTTP status, any number.
        retry_after: whether the answer has a Retry-After, in any form.
        readable: whether the body could be read, or none was needed.
    """
    if 200 <= status < 300:
        return Outcome.SUCCEEDED if readable else Outcome.UNKNOWN
    if status in (425, 429):
        return Outcome.REJECTED
    if status == 503 and retry_after and kind in (Kind.SAFE, Kind.IDEMPOTENT):
        # A proxy in front of the service may send this, even after the effect. That only matters if doing it twice is
        # not like doing it once.
        return Outcome.REJECTED
    if 300 <= status < 500 and status != 408:
        return Outcome.REFUSED
    return Outcome.UNKNOWN


def throttles(status: int, *, retry_after: bool) -> bool:
    """Whether the service throttles with this answer, whatever the outcome. That pauses the client and slows a job."""
    return status in (425, 429) or (status == 503 and retry_after)


# The service can't do this at all; repeating changes nothing.
NEVER_REPEATED = frozenset({501, 505})


class Step(enum.Enum):
    """What follows an attempt. The number of attempts, the budget and the deadline may still overrule a repeat."""

    RETURN = "return"
    REFUSE = "refuse"
    """Raise what the service said."""
    REPEAT = "repeat"
    SETTLE = "settle"
    """Read back first, to see whether it took effect."""
    STOP = "stop"
    """Give up: repeating could do it twice, or would change nothing."""


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


def settles_refusal(kind: Kind, status: int | None) -> bool:
    """Whether a refusal after a lost answer may mean that the lost attempt took effect."""
    return kind is Kind.STATE or (kind is Kind.CREATE_ORDER and status == 409)


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows an attempt. The call carries it out, unless the number of attempts, the budget or the deadline
    forbids it."""

    step: Step
    wait: float
    """Seconds that the service asked to wait, with 0-10 % added; 0 if it did not ask."""
    pause: float
    """Seconds during which the client sends nothing; 0 for no pause."""


def decide(
    kind: Kind,
    outcome: Outcome,
    status: int | None,
    *,
    maybe_done: bool,
    asked: float | None,
    throttled: bool,
    max_retry_after: float,
    uniform: Callable[[float, float], float],
) -> Decision:
    """What follows an attempt that did not complete the call.

    Args:
        kind: the kind of the call.
        outcome: the outcome of the attempt.
        status: the status of its answer; None without one.
        maybe_done: whether an earlier attempt may have taken effect.
        asked: seconds that the service asked to wait; None if it did not ask.
        throttled: whether the service throttled the attempt.
        max_retry_after: seconds. The call does not wait longer than this, so a longer wait does not pause the client.
        uniform: draws a random number between two.
    """
    step = step_after(kind, outcome, status)
    if maybe_done:
        # The lost attempt may have taken effect meanwhile, and the order may have been moved on since.
        lost_may_show = step is Step.REPEAT and kind is Kind.STATE
        if lost_may_show or (step is Step.REFUSE and settles_refusal(kind, status)):
            step = Step.SETTLE
    if asked is None:
        return Decision(step, wait=0.0, pause=0.0)
    wait = stretched(asked, uniform)
    return Decision(step, wait, pause=wait if throttled and asked <= max_retry_after else 0.0)


RETRY_AFTER_STRETCH = 0.1


def jittered(retry: int, *, base: float, cap: float, uniform: Callable[[float, float], float]) -> float:
    """Seconds to wait before retry number ``retry``, which counts from 1."""
    # The cap applies long before 2**60; the limit keeps the power from overflowing.
    return uniform(0.0, min(cap, base * 2.0 ** min(retry - 1, 60)))


def stretched(retry_after: float, uniform: Callable[[float, float], float]) -> float:
    """A Retry-After with 0-10 % on top."""
    return retry_after * uniform(1.0, 1.0 + RETRY_AFTER_STRETCH)


def retry_after(headers: Mapping[str, str], wall: Callable[[], float]) -> float | None:
    """Seconds that the service asks to wait; None if there is no such header, or it can't be read.

    There are three forms: ``retry-after-ms`` (milliseconds), ``Retry-After`` in seconds, and ``Retry-After`` as an HTTP
    date (RFC 9110, 10.2.3). A date in the past counts as 0.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000.0
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return seconds
    # Imported here: services mostly send seconds, and this module loads much of a mail library.
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        # A date without a zone, or with RFC 5322's "-0000", would be read as this machine's local time.
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - wall())


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    text = text.strip()
    if not text.replace(".", "", 1).isdecimal() or not text.isascii():
        return None
    number = float(text)
    return number if math.isfinite(number) else None


CAPACITY = 500
RETRY_COST = 14
THROTTLED_RETRY_COST = 5
FIRST_TRY_REFUND = 1


class RetryBudget:
    """A bucket of retry tokens, shared by every call of a client."""

    __slots__ = ("_capacity", "_tokens")

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._tokens = capacity

    @property
    def tokens(self) -> int:
        """Tokens left."""
        return self._tokens

    def take(self, *, throttled: bool) -> int | None:
        """Take the tokens for a repeat. Returns their number, or None if there are not enough."""
        cost = THROTTLED_RETRY_COST if throttled else RETRY_COST
        if self._tokens < cost:
            return None
        self._tokens -= cost
        return cost

    def refund(self, taken: int) -> None:
        """Called after a success: give back the tokens of its repeats, or one token if there was no repeat."""
        self._tokens = min(self._capacity, self._tokens + (taken or FIRST_TRY_REFUND))
