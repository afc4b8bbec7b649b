"""Reads posted forms, and redirects to the page that says what was done."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from norce_order_async.sandbox.inspector.context import Inspected

_MOST = 256 * 1024
_FIELDS = 50

DONE: Mapping[str, str] = {
    "clock": "The clock was moved ahead.",
    "forgotten": "The snapshot was deleted.",
    "playing": "The plan plays from its beginning.",
    "reset": "All orders, requests and callbacks were removed. The clock was not changed.",
    "restored": "Orders and effects were set back to the snapshot.",
    "seeded": "The orders were added.",
    "sent": "The notification is being sent again.",
    "stopped": "No more faults are played.",
    "taken": "The snapshot was taken.",
}
"""The messages after an action, by the word in the address."""


class FormError(ValueError):
    """A form can't be carried out; the text says why."""


async def fields(request: Request) -> Mapping[str, str]:
    """The fields of a posted form.

    Raises:
        FormError: The body is too long, or is not a form.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST:
            raise FormError("The form is too long.")
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS, errors="strict"))
    except ValueError:
        raise FormError("The body is not a form.") from None


def whole(given: str, what: str, least: int, most: int) -> int:
    """A whole number from a field.

    Raises:
        FormError: The field is not a whole number, or out of bounds.
    """
    text = given.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 18 and least <= int(text) <= most):
        raise FormError(f"{what} must be a whole number from {least:,} to {most:,}.")
    return int(text)


def back_to(inspected: Inspected, path: str, done: str) -> Response:
    """Redirect to a page that says what was done. Reloading that page does not repeat the action."""
    return RedirectResponse(f"{inspected.path}{path}?done={done}", 303)


def done_on(request: Request) -> str | None:
    """The message about the action in a page's address; None if there is none."""
    return DONE.get(request.query_params.get("done", ""))
