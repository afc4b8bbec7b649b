"""A plan: rules that say which requests meet which fault. Plain data, checked when it is made.

What is decided from the seed and the count of requests alone, and so the same in every run: `share`, `every`, `first`
and `after`, and the lengths of delays. Each operation is counted apart, so requests for one operation do not move the
faults of another. Windows, rates, expired tokens and limits that move go by the sandbox's clock; how many are being
answered at once goes by what really happens.

`READY` has plans to take by name.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from norce_order_async.sandbox.arguments import check_is, near, shown
from norce_order_async.sandbox.faults.fields import FaultPlanError, check_fields, within
from norce_order_async.sandbox.faults.kinds import (
    CutBody,
    Drip,
    Fault,
    LimitRate,
    LognormalDelay,
    LoseAnswer,
    RefuseConnection,
    Reset,
    Respond,
    TakeIn,
    UniformDelay,
)
from norce_order_async.sandbox.service.handlers import HANDLERS

ALL, READS, WRITES = "*", "reads", "writes"

_TAKEN_IN = frozenset({"UpdateCheckoutOrderState", "UpdateCheckoutOrderCart"})


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time, in seconds since the plan began; `every` makes it come again.

    Example::

        FaultRule(Respond(503), window=Window(5.0, start=10.0, every=60.0))  # five seconds of each minute
    """

    length: float
    start: float = 0.0
    every: float | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        within("length", self.length, 0, 1_000_000)
        within("start", self.start, 0, 1_000_000)
        if self.every is not None:
            within("every", self.every, self.length, 1_000_000)

    def left(self, seconds: float) -> float | None:
        """How long it still lasts at a moment; None outside it."""
        into = seconds - self.start
        if self.every is not None and into >= 0:
            into %= self.every
        return self.length - into if 0 <= into < self.length else None


@dataclass(frozen=True, slots=True)
class FaultRule:
    """Some requests and what they meet. What is given must all hold; nothing given means every request.

    Args:
        fault: What they meet.
        operations: operationIds, or "*", "reads", "writes"; validating is a read.
        share: Of the requests, this share (0 to 1), picked by the seed.
        every: Every n-th request.
        first: Only the first so many requests, after those of `after`.
        after: Not before so many requests have passed.
        window: Only in this time.

    Raises:
        FaultPlanError: One of them is of another type or beyond its bounds, or there is no such operation.

    Example::

        sandbox.faults.play({"rules": [{"fault": {"delay": 0.01}, "operations": "reads", "share": 0.1}]})
        rule: FaultRule = sandbox.faults.plan.rules[0]
        sandbox.faults.stop()
    """

    fault: Fault
    operations: str | Sequence[str] = ALL
    share: float = 1.0
    every: int = 1
    first: int | None = None
    after: int = 0
    window: Window | None = None

    def __post_init__(self) -> None:
        if isinstance(self.operations, str):
            object.__setattr__(self, "operations", (self.operations,))
        elif isinstance(self.operations, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
            object.__setattr__(self, "operations", tuple(self.operations))
        check_fields(self)
        if not self.operations:
            raise FaultPlanError("operations: must name at least one, or be left out for all")
        for name in self.operations:
            _check_operation(name)
        within("share", self.share, 0, 1)
        within("every", self.every, 1, 1_000_000_000)
        within("after", self.after, 0, 1_000_000_000)
        if self.first is not None:
            within("first", self.first, 1, 1_000_000_000)
        if isinstance(self.fault, TakeIn) and not _TAKEN_IN.issuperset(self.operations):
            raise FaultPlanError(f"operations: take-in is for {' and '.join(sorted(_TAKEN_IN))} only")
        if isinstance(self.fault, RefuseConnection) and tuple(self.operations) != (ALL,):
            raise FaultPlanError("operations: refuse-connection comes before any request, so it is for * only")
        if isinstance(self.fault, Respond) and self.fault.retry_after == "window" and self.window is None:
            raise FaultPlanError("fault.answer.retry_after: there is no window in this rule")

    def covers(self, operation: str, reads: bool) -> bool:
        """Whether the rule is about this operation.

        Raises:
            TypeError: its operationId is not a string.
        """
        check_is("operation", operation, str, "a string")
        return any(name in (ALL, operation) or name == (READS if reads else WRITES) for name in self.operations)

    def counts(self, number: int) -> bool:
        """Whether the n-th request, the first being 1, is one of those meant, before shares and windows.

        Raises:
            TypeError: this is no whole number.
        """
        check_is("number", number, int, "a whole number")
        beyond = number - self.after
        return beyond >= 1 and beyond % self.every == 0 and (self.first is None or beyond <= self.first)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Rules, tried from the top: delays add up, and the first other fault that is due is the one that is played.

    Without a seed of its own it takes the sandbox's.

    Raises:
        FaultPlanError: One of the rules is not a rule, or the seed is not a whole number of 64 bits.

    Example::

        sandbox.faults.play("rate-limited")
        plan: FaultPlan = sandbox.faults.plan
        print(plan.rules)
        sandbox.faults.stop()
    """

    rules: Sequence[FaultRule] = ()
    seed: int | None = None

    def __post_init__(self) -> None:
        # A list, which may change later, is copied. What is no sequence of rules is refused below.
        if isinstance(self.rules, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
            object.__setattr__(self, "rules", tuple(self.rules))
        check_fields(self)
        if self.seed is not None:
            within("seed", self.seed, -sys.maxsize, sys.maxsize)


def _check_operation(name: str) -> None:
    if name in HANDLERS or name in (ALL, READS, WRITES):
        return
    hint = near(name, HANDLERS)
    raise FaultPlanError(f"operations: must be operationIds, *, reads or writes, not {shown(name)}{hint}")


# A careful client comes through these plans and a careless one does not: no request of one operation fails twice in a
# row where sending again is all that helps, and a request that is turned away learns when to come back.
READY: Mapping[str, FaultPlan] = {
    # Every fifth request to an operation is cut off somewhere, every tenth connection is not taken.
    "flaky-network": FaultPlan(
        (
            FaultRule(LognormalDelay(0.005, sigma=0.8, at_most=0.2)),
            FaultRule(RefuseConnection(), every=10),
            FaultRule(CutBody(), every=10),
            FaultRule(Reset("before"), READS, every=5),
            FaultRule(Reset("after"), WRITES, every=5),
        )
    ),
    # Forty requests a second, twenty at once; Retry-After is in milliseconds.
    "rate-limited": FaultPlan((FaultRule(LimitRate(40, burst=20, form="milliseconds")),)),
    # Every third change takes effect, and its answer is lost.
    "lost-answers": FaultPlan((FaultRule(LoseAnswer(), WRITES, every=3),)),
    # Mostly a tenth of a second, now and then two; every eighth body comes in drips.
    "slow": FaultPlan(
        (
            FaultRule(LognormalDelay(0.1, sigma=1.0, at_most=2.0)),
            FaultRule(Drip(every=0.01, chunk=64), READS, every=8),
        )
    ),
    # A second in which nothing is served, at once and then every ten seconds.
    "deploy": FaultPlan(
        (FaultRule(Respond(503, retry_after="window", form="milliseconds"), window=Window(length=1.0, every=10.0)),)
    ),
    # All of it: every third request to an operation meets something, and status and cart are often only taken in.
    "chaos": FaultPlan(
        (
            FaultRule(UniformDelay(0.0, 0.02)),
            FaultRule(RefuseConnection(), every=15),
            FaultRule(Respond(502), READS, every=12),
            FaultRule(Respond(502, after_effect=True), WRITES, every=12),
            FaultRule(CutBody(), READS, every=9),
            FaultRule(Respond(503, retry_after=0.05, form="milliseconds"), WRITES, every=9),
            FaultRule(Respond(520), READS, every=6),
            FaultRule(LoseAnswer(), WRITES, every=6),
            FaultRule(Respond(429, retry_after=0.05, form="milliseconds"), every=3),
            FaultRule(TakeIn(apply_after=0.1), ("UpdateCheckoutOrderState", "UpdateCheckoutOrderCart"), every=4),
        )
    ),
}
