"""The page of faults: plans to start and stop, the rules of the current plan, and the faults that were played."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response

from norce_order_async.sandbox.faults import NO_PLAN, READY, FaultPlan, FaultPlanError, FaultRule, plan_from_data
from norce_order_async.sandbox.faults.kinds import KINDS
from norce_order_async.sandbox.inspector.context import Inspected
from norce_order_async.sandbox.inspector.forms import FormError, back_to, done_on, fields

_PAGE = 100

_SAID: Mapping[str, str] = {
    "flaky-network": "Every fifth request to an operation is cut off, and every tenth connection is refused.",
    "rate-limited": "Forty requests a second, twenty at once; the others are answered 429.",
    "lost-answers": "The answer to every third change is lost; the change takes effect.",
    "slow": "Answers mostly take a tenth of a second, sometimes two; every eighth body comes in drips.",
    "deploy": "Nothing is served for the first second of every ten.",
    "chaos": "All kinds of faults: every third request to an operation meets one.",
}


async def faults(inspected: Inspected, request: Request) -> Response:
    """Show the plans, and the faults that were played."""
    return _page(inspected, request)


async def play(inspected: Inspected, request: Request) -> Response:
    """Play another plan from its beginning."""
    given: Mapping[str, str] = {}
    try:
        given = await fields(request)
        plan = _plan(inspected, given)
    except (FormError, FaultPlanError) as error:
        return _page(inspected, request, str(error), given.get("data", ""))
    inspected.control.faults.play(plan)
    return back_to(inspected, "/faults", "stopped" if plan == NO_PLAN else "playing")


def _plan(inspected: Inspected, given: Mapping[str, str]) -> FaultPlan:
    name = given.get("plan", "")
    if name == "none":
        return NO_PLAN
    if name == "first":
        return inspected.first_plan
    if name == "own":
        try:
            return plan_from_data(json.loads(given.get("data", "")))
        except (json.JSONDecodeError, RecursionError):
            raise FormError("A plan of your own must be JSON.") from None
    if name not in READY:
        raise FormError("There is no such plan.")
    return READY[name]


def _page(inspected: Inspected, request: Request, refusal: str | None = None, data: str = "") -> Response:
    playing = inspected.control.faults
    names = [name for name, plan in READY.items() if plan == playing.plan]
    first = inspected.first_plan if inspected.first_plan not in (NO_PLAN, *READY.values()) else None
    on = names[0] if names else "none" if playing.plan == NO_PLAN else "first" if playing.plan == first else "own"
    return inspected.page(
        "faults.html",
        {
            "at": "faults",
            "plans": [(name, name, _SAID.get(name, "")) for name in READY]
            + ([("first", "The plan it was started with", f"{len(first.rules)} rules")] if first is not None else []),
            "on": on,
            "rules": [_row(rule) for rule in playing.plan.rules],
            "played": list(reversed(playing[-_PAGE:])),
            "count": len(playing),
            "data": data or (_data(playing.plan) if on == "own" else _EXAMPLE),
            "done": done_on(request),
            "refusal": refusal,
        },
        status=200 if refusal is None else 400,
    )


_EXAMPLE = '{"rules": [{"operations": "writes", "every": 3, "fault": {"answer": 503}}]}'


def _row(rule: FaultRule) -> Mapping[str, str]:
    settings = ", ".join(
        f"{field.name} {value}"
        for field in dataclasses.fields(rule.fault)
        if (value := getattr(rule.fault, field.name)) not in (None, False, field.default)
    )
    when = [
        *([f"{rule.share:.0%} of them"] if rule.share != 1 else []),
        *([f"one in {rule.every}"] if rule.every != 1 else []),
        *([f"after {rule.after}"] if rule.after else []),
        *([f"the first {rule.first}"] if rule.first is not None else []),
        *([f"for {rule.window.length:g} s from {rule.window.start:g} s"] if rule.window is not None else []),
        *([f"every {rule.window.every:g} s"] if rule.window is not None and rule.window.every is not None else []),
    ]
    return {
        "fault": _name(rule),
        "settings": settings,
        "operations": ", ".join(rule.operations).replace("*", "all"),
        "when": ", ".join(when) or "always",
    }


def _name(rule: FaultRule) -> str:
    return next(name for name, kind in KINDS.items() if isinstance(rule.fault, tuple(kind.forms)))


def _data(plan: FaultPlan) -> str:
    """A plan as JSON for the form."""
    return json.dumps({"rules": [_rule_data(rule) for rule in plan.rules]}, indent=1)


def _rule_data(rule: FaultRule) -> Mapping[str, object]:
    plain = {
        field.name: value
        for field in dataclasses.fields(rule)
        if field.name not in ("fault", "window") and (value := getattr(rule, field.name)) != field.default
    }
    operations: Sequence[str] = tuple(rule.operations)
    window = {"window": dataclasses.asdict(rule.window)} if rule.window is not None else {}
    settings = {name: value for name, value in dataclasses.asdict(rule.fault).items() if value is not None}
    kept = {} if operations == ("*",) else {"operations": list(operations)}
    return {**plain, **kept, **window, "fault": {_name(rule): settings} if settings else _name(rule)}
