"""A picture of throughput and p99 over the number of tasks, drawn as SVG by hand: no library needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.contestants import bare, made, ours
from benchmarks.contestants.handwritten import HTTPX_AND_PYDANTIC
from benchmarks.figures import Figures, median
from benchmarks.parts.throughput import LATENCIES, Cell

_COLOURS = {
    ours.ON_AIOHTTP: "#0b6e4f",
    ours.ON_HTTPX: "#5fb49c",
    ours.ON_HTTPX2: "#99d5c3",
    bare.AIOHTTP: "#1f2937",
    bare.HTTPX: "#b91c1c",
    "httpx2": "#ea580c",
    HTTPX_AND_PYDANTIC.name: "#a16207",
    made.STOCK: "#7c3aed",
    made.OPENAPI_GENERATOR: "#2563eb",
}
_WIDTH, _HEIGHT = 380, 250
_LEFT, _TOP, _RIGHT, _BOTTOM = 58, 34, 24, 36
_LEGEND = 60


@dataclass(frozen=True)
class _Panel:
    """One pair of axes, both logarithmic."""

    title: str
    lines: dict[str, list[tuple[float, float]]]
    column: int
    row: int

    def draw(self) -> list[str]:
        xs = sorted({x for points in self.lines.values() for x, _ in points})
        ys = [y for points in self.lines.values() for _, y in points]
        if not ys:
            return []
        across = _scale(xs[0], xs[-1], _LEFT, _WIDTH - _RIGHT)
        decades = range(math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys))) + 1)
        up = _scale(10.0 ** decades[0], 10.0 ** decades[-1], _HEIGHT - _BOTTOM, _TOP)
        drawn = [
            f'<g transform="translate({self.column * _WIDTH},{self.row * _HEIGHT})">',
            f'<text x="{_LEFT}" y="20" font-weight="bold">{escape(self.title)}</text>',
        ]
        for decade in decades:
            y = up(10.0**decade)
            drawn.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
            drawn.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0**decade:,g}</text>')
        foot = _HEIGHT - _BOTTOM + 18
        drawn += [f'<text x="{across(x):.1f}" y="{foot}" text-anchor="middle">{x:,.0f}</text>' for x in xs]
        # This project's lines come first and are drawn last, on top.
        for name, points in reversed(self.lines.items()):
            path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
            drawn.append(f'<polyline points="{path}" fill="none" stroke="{_COLOURS[name]}" stroke-width="2"/>')
            drawn += [
                f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3" fill="{_COLOURS[name]}"/>' for x, y in points
            ]
        return [*drawn, "</g>"]


def _scale(low: float, high: float, first: float, last: float) -> Callable[[float], float]:
    """The place of a value on a logarithmic axis."""
    begin = math.log(low)
    length = math.log(high) - begin or 1.0
    return lambda value: first + (math.log(value) - begin) / length * (last - first)


def draw(figures: Figures) -> str:
    """Four panels: orders a second and p99, without latency and with it; plain connections."""
    panels = [
        _Panel(f"{title}, {latency * 1000:g} ms latency", _lines(figures, key, latency), column, row)
        for row, (key, title) in enumerate((("rate", "orders a second"), ("p99_ms", "p99 in ms")))
        for column, latency in enumerate(LATENCIES)
    ]
    height = 2 * _HEIGHT + _LEGEND
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * _WIDTH} {height}">',
        '<g font-family="sans-serif" font-size="11">',
        f'<rect width="{2 * _WIDTH}" height="{height}" fill="white"/>',
        *(line for panel in panels for line in panel.draw()),
        *_legend([name for name in _COLOURS if any(name in panel.lines for panel in panels)]),
        "</g>",
        "</svg>",
    ]
    return "\n".join(drawn) + "\n"


def _lines(figures: Figures, key: str, latency: float) -> dict[str, list[tuple[float, float]]]:
    lines: dict[str, list[tuple[float, float]]] = {}
    for one in figures["cells"]:
        cell = Cell(one["tasks"], one["latency"], one["tls"])
        if cell.tls or cell.latency != latency:
            continue
        for name, laps in figures["laps"][cell.key].items():
            value = median(one[key] for one in laps)
            if name in _COLOURS and value > 0:
                lines.setdefault(name, []).append((cell.tasks, value))
    return lines


def _legend(names: Sequence[str]) -> list[str]:
    drawn: list[str] = []
    for number, name in enumerate(names):
        x, y = _LEFT + number % 4 * 180, 2 * _HEIGHT + 16 + number // 4 * 22
        drawn.append(f'<rect x="{x}" y="{y - 9}" width="12" height="10" fill="{_COLOURS[name]}"/>')
        drawn.append(f'<text x="{x + 18}" y="{y}">{escape(name)}</text>')
    drawn.append(f'<text x="{_WIDTH - 30}" y="{2 * _HEIGHT - 2}" fill="#555">tasks at once</text>')
    return drawn
