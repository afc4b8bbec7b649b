"""What every page is given: the sandbox that is inspected, and how a page is made."""

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
    """Orders and effects as they were."""

    number: int
    at: datetime
    orders: int
    content: bytes = field(repr=False)


@dataclass(slots=True)
class Inspected:
    """A sandbox to look at. `path` is where the pages are."""

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
        """A page of a template."""
        return HTMLResponse(rendered(template, {"root": self.path, "live": None, **values}), status)
