"""An engine that plays a service by script and records every request.

A script is a list of steps in the order of the sends, or a function from request to step. A step takes its time by the
clock and, as in a real engine, at most the request's read timeout and total.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from norce_order_async.engines.base import (
    MaybeSentError,
    SendError,
    UnsentError,
    WireRequest,
    WireResponse,
)
from norce_order_async.errors import Phase
from norce_order_async.runtime.clock import Clock

UNSENT_PHASES: tuple[Phase, ...] = ("resolve", "connect", "tls", "pool")
LOST_PHASES: tuple[Phase, ...] = ("write", "read", "body")


@dataclass(frozen=True)
class Step:
    """The service's reaction to one request."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    phase: Phase | None = None
    """If set, there is no answer; the send ends in this phase."""
    takes: float = 0.0
    unreadable: str | None = None


def answer(
    status: int = 200, data: Any = None, *, body: bytes | None = None, takes: float = 0.0, **headers: str
) -> Step:
    """Return a step that answers with JSON data or with a raw body; ``retry_after="1"`` becomes the header
    ``retry-after``."""
    if body is None:
        body = b"" if data is None else json.dumps(data).encode()
    return Step(status, body, {name.replace("_", "-"): value for name, value in headers.items()}, takes=takes)


def lost(phase: Phase = "read", *, takes: float = 0.0) -> Step:
    """Return a step without an answer that ends in this phase. The phase decides whether anything was sent."""
    return Step(phase=phase, takes=takes)


HANG = Step(takes=math.inf)
"""Accepts the request and never answers."""

Script = Iterable[Step] | Callable[[WireRequest], Step]


class ScriptedEngine:
    """An engine that plays a script; ``requests`` and ``times`` are what was sent and when."""

    name = "scripted"

    def __init__(self, script: Script, clock: Clock) -> None:
        self.requests: list[WireRequest] = []
        self.times: list[float] = []
        self.in_flight = 0
        self.peak = 0
        self.closed = False
        self._clock = clock
        self._steps = None if callable(script) else iter(script)
        self._choose = script if callable(script) else self._next

    async def send(self, request: WireRequest) -> WireResponse:
        self.requests.append(request)
        self.times.append(self._clock.monotonic())
        step = self._choose(request)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            return await self._play(request, step)
        finally:
            self.in_flight -= 1

    async def aclose(self) -> None:
        self.closed = True

    async def _play(self, request: WireRequest, step: Step) -> WireResponse:
        patience = request.timeouts.read if request.total is None else min(request.timeouts.read, request.total)
        wait: Callable[[float], Any] = getattr(self._clock, "wait", self._clock.sleep)
        if step.takes:
            await wait(min(step.takes, patience))
        if step.takes >= patience:
            raise MaybeSentError("read", "no answer in time")
        if step.phase:
            raise _error(step.phase)
        return WireResponse(step.status, step.headers, step.body, unreadable=step.unreadable)

    def _next(self, request: WireRequest) -> Step:
        assert self._steps is not None
        step = next(self._steps, None)
        assert step is not None, f"one request more than the script has: {request.method} {request.url}"
        return step


def _error(phase: Phase) -> SendError:
    kind = UnsentError if phase in UNSENT_PHASES or phase == "closed" else MaybeSentError
    return kind(phase, f"{phase} failed")
