"""The outcome of an item, and the summary of a job."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from norce_order_async.display import shown_code, table_in_html
from norce_order_async.errors import (
    Attempt,
    InvalidRequestError,
    RefusedError,
    UnauthorizedError,
    ValidationFailedError,
)

T = TypeVar("T")

Verdict = Literal["done", "already done", "refused", "unknown", "not tried"]
"""``done``: it took effect. ``already done``: it was so before. ``refused``: the service, or a check here, refused it.
``unknown``: it may or may not have taken effect. ``not tried``: nothing was sent, or all of it was turned away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemOutcome(Generic[T]):
    """The outcome of one item of a job.

    For example::

        async for outcome in job.run(order_ids, actions.transition("completed")):
            if outcome.verdict == "refused":
                print(outcome.key, outcome.reason)
    """

    key: str
    """The order's id."""
    verdict: Verdict
    """``"done"``, ``"already done"``, ``"refused"``, ``"unknown"`` or ``"not tried"``."""
    value: T | None = field(default=None, repr=False)
    """What the action returned; None if it did not run, did not succeed, or its effect was found by reading."""
    error: Exception | None = field(default=None, repr=False)
    """Why it was not done; usually a ``CallError``."""
    attempts: tuple[Attempt, ...] = field(default=(), repr=False)
    """The attempts of all calls made for the item, in order."""
    note: str = ""
    """How the verdict was found, or in a dry run what would be done."""

    @property
    def reason(self) -> str:
        """A short reason for counting: the status and the service's code, or the kind of error; empty if none."""
        return reason_of(self.error) if self.error else ""


def reason_of(error: Exception) -> str:
    """A short name of an error for counting, without personal data."""
    if isinstance(error, RefusedError):
        return f"{error.status} {shown_code(error.code)}" if error.code else str(error.status)
    if isinstance(error, InvalidRequestError):
        return "can't be sent"
    if isinstance(error, ValidationFailedError):
        return "does not validate"
    return type(error).__name__


def failure_of(error: Exception) -> str:
    """The text of ``Summary.stopped`` for a run that an error ended."""
    if isinstance(error, UnauthorizedError):
        return f"the token was refused ({reason_of(error)})"
    return f"failed: {reason_of(error)}"


@dataclass(slots=True, kw_only=True)
class Summary:
    """The counts of a job, also while it runs.

    For example::

        print(job.summary.done, job.summary.left, dict(job.summary.refusals), job.summary.stopped)
    """

    total: int | None = None
    """Items in all; None while that is not known."""
    before: Counter[str] = field(default_factory=Counter[str])
    """Verdicts from earlier runs of the same journal."""
    verdicts: Counter[str] = field(default_factory=Counter[str])
    """Verdicts of this run."""
    refusals: Counter[str] = field(default_factory=Counter[str])
    """How many items of this run were refused for which reason."""
    retries: int = 0
    """Attempts beyond the first of each call, and items tried again after the service was away."""
    throttled: int = 0
    """Attempts that the service answered with "too much": 429, 425, or 503 with Retry-After."""
    throttled_seconds: float = 0.0
    """Seconds that the job waited because of the service."""
    failed_probes: int = 0
    """Probes of a service that was away which failed too."""
    elapsed: float = 0.0
    """Seconds since the run began."""
    duplicates: int = 0
    """Entries of the source that repeat an earlier one; they have no outcome and are not in ``total``."""
    note: str = ""
    """A remark about the source, such as that the journal's filter had other dates; empty if there is none."""
    stopped: str = ""
    """Why the job ended early; empty if it did not."""

    @property
    def done(self) -> int:
        """Items of this run that are done or already done."""
        return self.verdicts["done"] + self.verdicts["already done"]

    @property
    def finished(self) -> int:
        """Items of this run that have a verdict other than ``"not tried"``."""
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

    def _repr_html_(self) -> str:
        rows = [(word, f"{count:,}") for word, count in self.verdicts.items()]
        rows += [(f"refused: {reason}", f"{count:,}") for reason, count in self.refusals.items()]
        rows += [("before", f"{sum(self.before.values()):,}")] if self.before else []
        rows += [("left", "not known" if self.left is None else f"{self.left:,}")]
        rows += [("retries", f"{self.retries:,}"), ("throttled", f"{self.throttled:,}")]
        rows += [("seconds", f"{self.elapsed:.1f}"), ("orders per second", f"{self.rate:,.1f}")]
        rows += [("stopped", self.stopped)] if self.stopped else []
        return table_in_html(("Job", "" if self.total is None else f"{self.total:,} orders"), rows)

    def count(self, outcome: ItemOutcome[object]) -> None:
        """Count one outcome."""
        self.verdicts[outcome.verdict] += 1
        if outcome.verdict == "refused":
            self.refusals[outcome.reason] += 1
        self.throttled += sum(attempt.throttled for attempt in outcome.attempts)
        self.retries += sum(attempt.number > 1 for attempt in outcome.attempts)
