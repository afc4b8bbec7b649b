"""The adaptive load against a service whose capacity moves; ``benchmarks/adaptive.py`` is the longer run of it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from benchmarks import adaptive
from benchmarks.figures import Figures, Table, Tell
from benchmarks.scale import Scale
from benchmarks.worker import apart
from norce_order_async import Adaptive

TITLE = "Adaptive load"


def measure(scale: Scale, tell: Tell) -> Figures:
    """Plain calls through the limiter, for the seconds that the plan has."""
    if not scale.load_plan:
        return {"phases": []}
    tell(f"a service that admits {scale.load_plan}")
    return {"phases": [asdict(phase) for phase in apart(_measured, scale.load_plan)]}


def _measured(words: str) -> list[adaptive.Phase]:
    return asyncio.run(adaptive.measure(adaptive.plan_of(words), Adaptive(), job=False))


def tables(figures: Figures) -> list[Table]:
    """The share of the service's capacity that was used."""
    found = [adaptive.Phase(**phase) for phase in figures["phases"]]
    if not found:
        return []
    before = (
        "50 ms a request, 429 without Retry-After beyond the capacity, which changes from row to row; each row leaves "
        f"its first {adaptive.SETTLING} seconds out, but for the last column:"
    )
    return [Table(adaptive.COLUMNS, adaptive.rows(found), before)]
