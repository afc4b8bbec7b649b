"""Faults on demand: a plan says which requests meet what, and the sandbox plays it.

* `kinds`: what can go wrong, and what each kind does to an answer; `fields`: what its numbers and words may be.
* `plan`: which requests meet it, and plans to take by name; `parse`: a plan from YAML or plain data.
* `player`: the decisions, from the seed and the count of requests.
* `wire`: resets, lost answers and drips below HTTP.
"""

from __future__ import annotations

from norce_order_async.sandbox.faults import kinds
from norce_order_async.sandbox.faults.kinds import *  # noqa: F403 - so that a new kind is written in one file
from norce_order_async.sandbox.faults.parse import PlanLike, plan_from_data, plan_of
from norce_order_async.sandbox.faults.plan import READY, FaultPlan, FaultRule, Window
from norce_order_async.sandbox.faults.player import NO_PLAN, Faults, PlayedFault

__all__ = [
    "NO_PLAN",
    "READY",
    "FaultPlan",
    "FaultRule",
    "Faults",
    "PlanLike",
    "PlayedFault",
    "Window",
    "plan_from_data",
    "plan_of",
]
__all__ += kinds.__all__
