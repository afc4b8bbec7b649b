"""Plans to take by name.

They are made so that a careful client comes through and a careless one does not: no request of one operation fails
twice in a row where sending again is all that helps, and what is turned away is told when to come back.
"""

from __future__ import annotations

from collections.abc import Mapping

from norce_order_async.sandbox.faults.kinds import (
    CutBody,
    Drip,
    LimitRate,
    LognormalDelay,
    LoseAnswer,
    RefuseConnection,
    Reset,
    Respond,
    TakeIn,
    UniformDelay,
)
from norce_order_async.sandbox.faults.plan import READS, WRITES, FaultPlan, FaultRule, Window

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
    # Forty requests a second, twenty at once; told in milliseconds when there is room again.
    "rate-limited": FaultPlan((FaultRule(LimitRate(40, burst=20, form="milliseconds")),)),
    # Every third change takes effect and nobody is told.
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
