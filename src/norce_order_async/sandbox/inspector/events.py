"""The stream that a page in view listens to: a word whenever something has changed, and the page asks for itself anew.

It looks a few times a second instead of being told, so that requests cost nothing more while nobody watches, whichever
thread or loop they are answered on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from norce_order_async.sandbox.inspector.context import Inspected

_TICK = 0.25
_WORD_OF_LIFE = 15.0


async def events(inspected: Inspected, _request: Request) -> Response:
    """Server-sent events named ``changed``; at the end of the server the stream ends."""
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
        elif quiet >= _WORD_OF_LIFE:
            # So that a connection to a browser that has gone is found out.
            quiet = 0.0
            yield ": nothing new\n\n"


def state(inspected: Inspected) -> tuple[object, ...]:
    """What is another one whenever a page would show something else."""
    deliveries = inspected.control.world.deliveries
    return (
        inspected.traffic.changes,
        len(deliveries),
        sum(len(delivery.attempts) for delivery in deliveries),
        inspected.control.faults.plan,
    )
