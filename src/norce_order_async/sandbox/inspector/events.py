"""The event stream of a page. It sends an event whenever something has changed, and the page reloads its rows.

The stream polls a few times a second. So requests cost nothing more while no page is open, on any thread or loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from norce_order_async.sandbox.inspector.context import Inspected

_TICK = 0.25
_KEEP_ALIVE_EVERY = 15.0


async def events(inspected: Inspected, _request: Request) -> Response:
    """Stream server-sent events named ``changed``, until the server stops."""
    return StreamingResponse(_changes(inspected), media_type="text/event-stream")


async def _changes(inspected: Inspected) -> AsyncIterator[str]:
    seen, quiet = state(inspected), 0.0
    yield "retry: 2000\n\n"
    while not inspected.control.faults.hurry:
        await anyio.sleep(_TICK)
        quiet += _TICK
        now = state(inspected)
        if now != seen:
            seen, quiet = now, 0.0
            yield "event: changed\ndata: \n\n"
        elif quiet >= _KEEP_ALIVE_EVERY:
            # So that the loss of a browser's connection is noticed.
            quiet = 0.0
            yield ": nothing new\n\n"


def state(inspected: Inspected) -> tuple[object, ...]:
    """A value that changes whenever a page would show something else."""
    deliveries = inspected.control.world.deliveries
    return (
        inspected.traffic.changes,
        len(deliveries),
        sum(len(delivery.attempts) for delivery in deliveries),
        inspected.control.faults.plan,
    )
