"""What came of an item, and of the whole job so far."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from norce_order_async.display import shown_code
from norce_order_async.errors import (
    Attempt,
    InvalidRequestError,
    RefusedError,
    UnauthorizedError,
    ValidationFailedError,
)

T = TypeVar("T")

Verdict = Literal["done", "already done", "refused", "unknown", "not tried"]
"""It took effect; it was so before; the service (or a check here) said no; it may or may not have taken effect; nothing
was sent, or all of it was turned away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemOutcome(Generic[T]):
    """What came of one item."""

    key: str
    """The order's id."""
    verdict: Verdict
    value: T | None = field(default=None, repr=False)
    """What the action returned; None when it was not called, did not succeed, or its effect was found by reading."""
    error: Exception | None = field(default=None, repr=False)
    """Why not; mostly a ``CallError``."""
    attempts: tuple[Attempt, ...] = field(default=(), repr=False)
    """Of all calls made for it, in order."""
    note: str = ""
    """How it was found out, or in a dry run what would be done."""

    @property
    def reason(self) -> str:
        """Why not, in a word for counting: the service's code, or the kind of error."""
        return reason_of(self.error) if self.error else ""


def reason_of(error: Exception) -> str:
    """An error in a word for counting, which shows nothing of a customer."""
    if isinstance(error, RefusedError):
        return f"{error.status} {shown_code(error.code)}" if error.code else str(error.status)
    if isinstance(error, InvalidRequestError):
        return "can't be sent"
    if isinstance(error, ValidationFailedError):
        return "does not validate"
    return type(error).__name__


def failure_of(error: Exception) -> str:
    """Why a run ended that could not go on, for ``Summary.stopped``."""
    if isinstance(error, UnauthorizedError):
        return f"the token was refused ({reason_of(error)})"
    return f"failed: {reason_of(error)}"


@dataclass(slots=True, kw_only=True)
class Summary:
    """The job so far; also while it runs."""

    total: int | None = None
    """Items in all; None while that is not known."""
    before: Counter[str] = field(default_factory=Counter[str])
    """Verdicts from earlier runs of the same journal."""
    verdicts: Counter[str] = field(default_factory=Counter[str])
    """Verdicts of this run."""
    refusals: Counter[str] = field(default_factory=Counter[str])
    """Why items were refused, in this run."""
    retries: int = 0
    """Attempts beyond the first of each call, and items tried again after the service was away."""
    throttled: int = 0
    """Attempts that the service answered with "too much": 429, 425, or 503 with Retry-After."""
    throttled_seconds: float = 0.0
    """Time in which the job held back because of the service."""
    failed_probes: int = 0
    """Single calls made while the service was away, that showed it still was."""
    elapsed: float = 0.0
    """Seconds since the run began."""
    duplicates: int = 0
    """Entries of the source that asked for the same as an earlier one; they are no outcomes, and not in the total."""
    note: str = ""
    """What there is to know of the source: that a journal was gone on with whose filter had other dates."""
    stopped: str = ""
    """Why the job ended early; empty when it did not."""

    @property
    def done(self) -> int:
        """Done and already done, in this run."""
        return self.verdicts["done"] + self.verdicts["already done"]

    @property
    def finished(self) -> int:
        """Items of this run about which there is nothing left to do but look."""
        return sum(self.verdicts.values()) - self.verdicts["not tried"]

    @property
    def left(self) -> int | None:
        """Items still to do; None while the total is not known."""
        return None if self.total is None else self.total - sum(self.before.values()) - self.finished

    @property
    def rate(self) -> float:
        """Items finished per second."""
        return self.finished / self.elapsed if self.elapsed else 0.0

    @property
    def complete(self) -> bool:
        """Whether every item was done, now or before."""
        wrong = self.before["refused"] + self.before["unknown"]
        return not self.stopped and not wrong and self.left == 0 and self.done == self.finished

    def count(self, outcome: ItemOutcome[object]) -> None:
        """Add one item."""
        self.verdicts[outcome.verdict] += 1
        if outcome.verdict == "refused":
            self.refusals[outcome.reason] += 1
        self.throttled += sum(attempt.throttled for attempt in outcome.attempts)
        self.retries += sum(attempt.number > 1 for attempt in outcome.attempts)
