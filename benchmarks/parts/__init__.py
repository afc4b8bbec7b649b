"""The parts that are measured, in the order in which they are shown."""

from __future__ import annotations

import importlib
from typing import cast

from benchmarks.figures import Part

NAMES = ("processor", "calls", "throughput", "codecs", "memory", "jobs", "features", "imports", "load", "adapters")


def part(name: str) -> Part:
    """One of the parts."""
    return cast("Part", importlib.import_module(f"benchmarks.parts.{name}"))
