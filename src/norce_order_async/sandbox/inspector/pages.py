"""Renders templates to pages.

Jinja2 escapes all text from outside. Control characters and marks that change the direction of text are spelled out, so
that they can't make a text look like another one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

_MOST_SHOWN = 100_000
"""Largest number of characters of a body on a page."""

_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=: )|(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\d[\d.eE+-]*)'
    r"|(?P<word>\b(?:true|false|null)\b)"
)


def visible(text: str) -> str:
    """The text with invisible characters spelled out."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def visible_lines(text: str) -> str:
    """As :func:`visible`, but with line breaks as they are."""
    return "\n".join(visible(line) for line in text.split("\n"))


def pretty(body: bytes) -> str:
    """A body for people: JSON with one line for each member, anything else as text."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "backslashreplace")


def coloured(text: str) -> Markup:
    """JSON text with names, texts and numbers marked for colours; a long text is cut."""
    cut = text[:_MOST_SHOWN]
    shown, parts, at = visible_lines(cut), list[Markup](), 0
    for found in _TOKEN.finditer(shown):
        parts.append(escape(shown[at : found.start()]))
        parts.append(Markup('<span class="{}">{}</span>').format(f"j-{found.lastgroup}", found.group()))
        at = found.end()
    parts.append(escape(shown[at:]))
    if len(text) > len(cut):
        parts.append(Markup('\n<span class="j-cut">… {} more characters</span>').format(f"{len(text) - len(cut):,}"))
    return Markup("").join(parts)


def clock_time(moment: datetime) -> str:
    """The time of day to the millisecond, in UTC."""
    return moment.astimezone(UTC).strftime("%H:%M:%S.%f")[:-3]


def day_and_time(moment: datetime | str) -> str:
    """A moment to the second, in UTC."""
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            return str(moment)
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float | None) -> str:
    """A duration for people."""
    if seconds is None:
        return ""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def kind_of_status(status: int | None) -> str:
    """The class of a status, for which the style sheet has a colour."""
    if status is None:
        return "lost"
    return "good" if status < 300 else "refused" if status < 500 else "failed"


def _lines(text: str) -> Markup:
    return escape(visible_lines(text))


def breakable(name: str) -> Markup:
    """The name of an operation, with possible line breaks before its capitals."""
    return Markup("<wbr>").join(re.split(r"(?<=[a-z])(?=[A-Z])", visible(name)))


def coded(text: str) -> Markup:
    """A text of the package, with the words between backticks as code."""
    parts = enumerate(text.split("`"))
    return Markup("").join(Markup("<code>{}</code>").format(part) if odd % 2 else escape(part) for odd, part in parts)


def short_path(path: str) -> str:
    """A path without the beginning that all paths of the API share."""
    return path.removeprefix("/checkout/order/api/v0/checkout") or path


def _shown(value: Any) -> Any:
    if value is None:
        return ""
    return value if isinstance(value, Markup) else visible(str(value))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("norce_order_async.sandbox.inspector"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters.update(
        breakable=breakable,
        clock_time=clock_time,
        coded=coded,
        coloured=coloured,
        day_and_time=day_and_time,
        duration=duration,
        kind_of_status=kind_of_status,
        # Markup, so that its line breaks are left as they are.
        lines=_lines,
        short_path=short_path,
        # For a path: a slash in an id must not separate segments.
        segment=lambda text: quote(str(text), safe=""),
    )
    return environment


def rendered(template: str, values: Mapping[str, Any]) -> str:
    """Render a template with values."""
    return _environment().get_template(template).render(values)
