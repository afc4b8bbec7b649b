"""A plan: rules that say which requests meet which fault. It is plain data, checked when it is made.

`share`, `every`, `first`, `after` and the lengths of delays depend only on the seed and the count of requests, so they
are the same in every run. Each operation is counted by itself, so requests for one operation do not move the faults of
another. Windows, rates, expired tokens and schedules depend on the sandbox's clock, and a limit of concurrency depends
on how many requests are really being answered.

`READY` has ready-made plans by name.
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
    """A window of time, in seconds since the plan began; with `every`, it repeats.

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
        """The seconds left of the window at a time since the plan began; None outside it."""
        into = seconds - self.start
        if self.every is not None and into >= 0:
            into %= self.every
        return self.length - into if 0 <= into < self.length else None


@dataclass(frozen=True, slots=True)
class FaultRule:
    """A fault, and the requests that meet it. A request must meet all conditions; without any, every request does.

    Args:
        fault: The fault.
        operations: operationIds, or "*", "reads", "writes"; validating is a read.
        share: This share of the requests (0 to 1), picked by the seed.
        every: Every n-th request.
        first: Only this many requests, counted after those of `after`.
        after: Not the first requests, but those after this many.
        window: Only in this window of time.

    Raises:
        FaultPlanError: An argument has the wrong type or is out of bounds, or there is no such operation.

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
        """Whether the rule covers this operation.

        Raises:
            TypeError: The operationId is not a string.
        """
        check_is("operation", operation, str, "a string")
        return any(name in (ALL, operation) or name == (READS if reads else WRITES) for name in self.operations)

    def counts(self, number: int) -> bool:
        """Whether the rule covers the n-th request, counted from 1, by `after`, `every` and `first`.

        Raises:
            TypeError: The number is not a whole number.
        """
        check_is("number", number, int, "a whole number")
        beyond = number - self.after
        return beyond >= 1 and beyond % self.every == 0 and (self.first is None or beyond <= self.first)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Rules, tried from the top: delays add up, and of the other faults, the first one that is due is played.

    Without a seed of its own, the plan uses the sandbox's.

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
        # Copied, because a list may change later. A value that is not a sequence of rules is refused below.
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


# A careful client gets through these plans, and a careless one does not. If only a retry helps, no request of an
# operation fails twice in a row; a request that is rejected is answered with a Retry-After.
READY: Mapping[str, FaultPlan] = {
    # Every fifth request to an operation is cut off, and every tenth connection is refused.
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
    # Mostly a tenth of a second, sometimes two; every eighth body comes in drips.
    "slow": FaultPlan(
        (
            FaultRule(LognormalDelay(0.1, sigma=1.0, at_most=2.0)),
            FaultRule(Drip(every=0.01, chunk=64), READS, every=8),
        )
    ),
    # Nothing is served for the first second of every ten.
    "deploy": FaultPlan(
        (FaultRule(Respond(503, retry_after="window", form="milliseconds"), window=Window(length=1.0, every=10.0)),)
    ),
    # All kinds: every third request to an operation meets a fault, and status and cart are often answered 202.
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
