"""The sandbox that the pages show, and the rendering of a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.responses import HTMLResponse

from norce_order_async.sandbox.control import Control
from norce_order_async.sandbox.faults import FaultPlan
from norce_order_async.sandbox.inspector.pages import rendered
from norce_order_async.sandbox.inspector.traffic import Traffic


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Orders and effects at a moment."""

    number: int
    at: datetime
    orders: int
    content: bytes = field(repr=False)


@dataclass(slots=True)
class Inspected:
    """The sandbox that is inspected. `path` is the path of the pages."""

    control: Control
    traffic: Traffic
    path: str
    first_plan: FaultPlan
    """The faults that it was started with."""
    snapshots: list[Snapshot] = field(default_factory=list[Snapshot])
    _taken: int = 0

    def next_snapshot(self) -> int:
        """The number of a new snapshot."""
        self._taken += 1
        return self._taken

    def page(self, template: str, values: Mapping[str, Any], *, status: int = 200) -> HTMLResponse:
        """Render a template as a page."""
        return HTMLResponse(rendered(template, {"root": self.path, "live": None, **values}), status)
