"""Faults on demand: a plan says which requests meet what, and the sandbox plays it.

* `kinds`: what can go wrong.
* `plan`: which requests meet it; `reading`: the same from YAML or plain data; `ready`: plans to take by name.
* `playing`: the decisions, from the seed and the count of requests.
* `wire` and `later`: resets, lost answers and drips below HTTP; changes carried out after their answer.
"""

from __future__ import annotations

from norce_order_async.sandbox.faults.kinds import (
    CutBody,
    Delay,
    Drip,
    ExpireToken,
    Fault,
    FaultPlanError,
    LimitConcurrency,
    LimitRate,
    LognormalDelay,
    LoseAnswer,
    RefuseConnection,
    Reset,
    Respond,
    TakeIn,
    UniformDelay,
)
from norce_order_async.sandbox.faults.parse import PlanLike, plan_from_data, plan_of
from norce_order_async.sandbox.faults.plan import FaultPlan, FaultRule, Window
from norce_order_async.sandbox.faults.player import NO_PLAN, Faults, PlayedFault
from norce_order_async.sandbox.faults.presets import READY

__all__ = [
    "NO_PLAN",
    "READY",
    "CutBody",
    "Delay",
    "Drip",
    "ExpireToken",
    "Fault",
    "FaultPlan",
    "FaultPlanError",
    "FaultRule",
    "Faults",
    "LimitConcurrency",
    "LimitRate",
    "LognormalDelay",
    "LoseAnswer",
    "PlanLike",
    "PlayedFault",
    "RefuseConnection",
    "Reset",
    "Respond",
    "TakeIn",
    "UniformDelay",
    "Window",
    "plan_from_data",
    "plan_of",
]
