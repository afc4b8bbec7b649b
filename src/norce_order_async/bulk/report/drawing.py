"""Charts as SVG, for paper and for pages whose scripts don't run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH: Final = 720
_HEIGHT: Final = 180
_LEFT: Final = 48
_BELOW: Final = 22


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: its name, its colour, and a value or None for each time."""

    name: str
    colour: str
    values: Sequence[float | None]


def drawn(title: str, times: Sequence[float], lines: Sequence[Line], unit: str) -> str:
    """Draw a chart over time. Its vertical axis begins at 0."""
    most = max((value for line in lines for value in line.values if value is not None), default=0.0) or 1.0
    first, last = times[0], times[-1]
    span = (last - first) or 1.0

    def x(at: float) -> float:
        return _LEFT + (at - first) / span * (_WIDTH - _LEFT)

    def y(value: float) -> float:
        return (_HEIGHT - _BELOW) * (1 - value / most) + 4

    parts = [
        f'<svg class="paper" viewBox="0 0 {_WIDTH} {_HEIGHT + 8}" role="img" aria-label="{escape(title, quote=True)}">',
        f'<line x1="{_LEFT}" y1="{y(0):.1f}" x2="{_WIDTH}" y2="{y(0):.1f}" class="axis"/>',
        f'<text x="{_LEFT - 6}" y="{y(most) + 8:.1f}" text-anchor="end">{most:,.4g}</text>',
        f'<text x="{_LEFT - 6}" y="{y(0):.1f}" text-anchor="end">0 {escape(unit)}</text>',
        f'<text x="{_LEFT}" y="{_HEIGHT}">0 s</text>',
        f'<text x="{_WIDTH}" y="{_HEIGHT}" text-anchor="end">{span:,.0f} s</text>',
    ]
    for line in lines:
        pairs = zip(times, line.values, strict=True)
        points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in pairs if value is not None)
        parts.append(
            f'<polyline points="{points}" style="stroke:{line.colour}"><title>{escape(line.name)}</title></polyline>'
        )
    parts.append("</svg>")
    legend = "".join(f'<li style="--colour:{line.colour}">{escape(line.name)}</li>' for line in lines)
    return f'{"".join(parts)}<ul class="legend">{legend}</ul>'
