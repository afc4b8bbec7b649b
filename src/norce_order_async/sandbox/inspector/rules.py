"""The page of rules: the readings in force, and the rules that requests have touched."""

from __future__ import annotations

from collections import Counter

from starlette.requests import Request
from starlette.responses import Response

from norce_order_async.sandbox.inspector.context import Inspected
from norce_order_async.sandbox.rules import RULES


async def rules(inspected: Inspected, request: Request) -> Response:
    """Show all rules, those with readings, or those that were touched."""
    readings = inspected.control.world.readings
    touched = readings.touched
    by = Counter(rule for one in inspected.traffic.newest() for rule in one.request.rules)
    only = request.query_params.get("only", "")
    picked = {"touched": touched, "readings": {rule.id for rule in RULES if rule.readings}}.get(only)
    return inspected.page(
        "rules.html",
        {
            "at": "rules",
            "rules": [
                {
                    "rule": rule,
                    "certainty": readings.chosen.certainty(rule.id),
                    "in_force": readings.chosen[rule.id] if rule.readings else None,
                    "changed": bool(rule.readings) and readings.chosen[rule.id] != rule.readings[0].id,
                    "touched": rule.id in touched,
                    "requests": by[rule.id],
                }
                for rule in RULES
                if picked is None or rule.id in picked
            ],
            "only": only,
            "touched": len(touched),
            "all": len(RULES),
        },
    )
