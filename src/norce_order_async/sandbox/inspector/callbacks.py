"""The page of callbacks: each notification with its attempts, and sending one again."""

from __future__ import annotations

from itertools import islice
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from norce_order_async.sandbox.inspector.context import Inspected
from norce_order_async.sandbox.inspector.forms import FormError, back_to, done_on, fields

_PAGE = 100

_STATES = ("waiting", "delivered", "failed")


async def callbacks(inspected: Inspected, request: Request) -> Response:
    """Show the latest notifications."""
    return _page(inspected, request)


async def send_again(inspected: Inspected, request: Request) -> Response:
    """Send a notification again, and go back to the page."""
    try:
        given = await fields(request)
        inspected.control.send_again(given.get("id", ""))
    except FormError as error:
        return _page(inspected, request, str(error))
    except (LookupError, ValueError):
        return _page(inspected, request, "There is no such notification any more.")
    return back_to(inspected, "/callbacks", "sent")


def _page(inspected: Inspected, request: Request, refusal: str | None = None) -> Response:
    state = request.query_params.get("state", "")
    kept = inspected.control.world.deliveries
    found = (one for one in reversed(kept[:]) if not state or one.state == state)
    still = "still" in request.query_params
    chosen = {"state": state} if state else {}
    return inspected.page(
        "callbacks.html",
        {
            "at": "callbacks",
            "deliveries": list(islice(found, _PAGE)),
            "count": len(kept),
            "most": _PAGE,
            "state": state,
            "states": _STATES,
            "done": done_on(request),
            "refusal": refusal,
            "live": None if still else f"?{urlencode(chosen)}",
            "stop": f"?{urlencode({**chosen, 'still': 1})}",
            "go_on": f"?{urlencode(chosen)}",
        },
        status=200 if refusal is None else 400,
    )
