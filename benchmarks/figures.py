"""Figures and how they are shown: plain data that goes to JSON, and tables made from it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from benchmarks.scale import Scale

Figures = dict[str, Any]
"""JSON data; each part has its own shape."""

Tell = Callable[[str], None]
"""Reports the progress."""


class Part(Protocol):
    """One thing that is measured: a module of :mod:`benchmarks.parts`."""

    TITLE: str

    def measure(self, scale: Scale, tell: Tell) -> Figures:
        """Take the figures."""
        ...

    def tables(self, figures: Figures) -> list[Table]:
        """Show them."""
        ...


@dataclass(frozen=True)
class Table:
    """One table, with the text around it."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    before: str = ""
    after: Sequence[str] = field(default=())

    def markdown(self) -> str:
        """As in the documentation; the first column holds words, the others figures."""
        head = f"| {' | '.join(self.columns)} |"
        rule = f"|---|{'---:|' * (len(self.columns) - 1)}"
        body = [f"| {' | '.join(row)} |" for row in self.rows]
        parts = [self.before, "\n".join((head, rule, *body)), *self.after]
        return "\n\n".join(part for part in parts if part)


def spread(values: Iterable[float], form: str = "{:.2f}") -> str:
    """The median, and the range of the values."""
    found = sorted(values)
    middle = form.format(statistics.median(found))
    if len(found) < 2:
        return middle
    return f"{middle} ({form.format(found[0])} to {form.format(found[-1])})"


def median(values: Iterable[float]) -> float:
    """The middle of the values."""
    return statistics.median(values)


def interleaved(names: Sequence[str], rounds: int) -> Iterable[tuple[int, str]]:
    """Round and name. Each round begins with another name, so that disturbances of the machine affect all alike."""
    for number in range(rounds):
        turned = number % len(names) if names else 0
        for name in (*names[turned:], *names[:turned]):
            yield number, name
