"""Faults on demand: a plan says which requests meet which fault, and the sandbox plays it.

* `kinds`: the kinds of faults, and what each does to an answer; `fields`: checks of their settings.
* `plan`: the rules that say which requests meet a fault, and ready-made plans; `parse`: plans from YAML or plain data.
* `player`: decides, from the seed and the count of requests.
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
