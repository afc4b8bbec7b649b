"""An engine around another that writes down what passes: what was sent, what came back, how long it took.

It sees what the service sees, repeats included, so what the demo shows is what happened. Headers are not kept: the
token is one of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from norce_order_async.engines.base import Engine, SendError, WireRequest, WireResponse
from norce_order_async.runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what became of it."""

    method: str
    path: str
    """Without the base URL and without the query."""
    sent: Any
    """The request's body, decoded; None when there was none."""
    status: int | None
    """None when no whole answer came."""
    received: Any
    """The answer's body, decoded; None when it is empty or no JSON."""
    seconds: float
    failure: str | None = None
    """Why no whole answer came."""


class RecordingEngine:
    """Sends through ``engine`` and keeps what passes until it is taken."""

    def __init__(self, engine: Engine, base_url: str, clock: Clock) -> None:
        self._engine = engine
        self._base_url = base_url
        self._clock = clock
        self._exchanges: list[Exchange] = []

    @property
    def name(self) -> str:
        """The name of the engine that sends."""
        return self._engine.name

    async def send(self, request: WireRequest) -> WireResponse:
        """Send with the engine, and record the exchange."""
        started = self._clock.monotonic()
        try:
            response = await self._engine.send(request)
        except SendError as error:
            self._keep(request, started, failure=str(error))
            raise
        self._keep(request, started, response)
        return response

    async def aclose(self) -> None:
        """Close the engine."""
        await self._engine.aclose()

    def take(self) -> list[Exchange]:
        """What passed since the last time, in the order in which it ended."""
        taken, self._exchanges = self._exchanges, []
        return taken

    def _keep(
        self, request: WireRequest, started: float, response: WireResponse | None = None, failure: str | None = None
    ) -> None:
        self._exchanges.append(
            Exchange(
                method=request.method.upper(),
                path=request.url.removeprefix(self._base_url).partition("?")[0],
                sent=_decoded(request.body),
                status=response.status if response else None,
                received=_decoded(response.body) if response else None,
                seconds=self._clock.monotonic() - started,
                failure=failure,
            )
        )


def _decoded(body: bytes | None) -> Any:
    try:
        return json.loads(body or b"null")
    except ValueError:
        return None
