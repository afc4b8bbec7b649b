"""What visitors send: the fields of a form, and where they are shown what came of it."""

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
    "forgotten": "The snapshot was forgotten.",
    "playing": "The plan plays from its beginning.",
    "reset": "Everything was forgotten: orders, requests, callbacks. The clock stayed.",
    "restored": "Orders and effects are again what they were.",
    "seeded": "The orders were added.",
    "sent": "It is due once more, and is being sent.",
    "stopped": "No faults are played any longer.",
    "taken": "The snapshot was taken.",
}
"""What is said after something was done, by the word for it in the address."""


class FormError(ValueError):
    """A form can't be carried out; the text says why."""


async def fields(request: Request) -> Mapping[str, str]:
    """The fields of the form that was sent.

    Raises:
        FormError: It is too long, or no form.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST:
            raise FormError("That is too long.")
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS, errors="strict"))
    except ValueError:
        raise FormError("That is no form.") from None


def whole(given: str, what: str, least: int, most: int) -> int:
    """A whole number that a visitor wrote.

    Raises:
        FormError: It is none, or beyond its bounds.
    """
    text = given.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 18 and least <= int(text) <= most):
        raise FormError(f"{what} must be a whole number from {least:,} to {most:,}.")
    return int(text)


def back_to(inspected: Inspected, path: str, done: str) -> Response:
    """Back to a page, which says what was done; loading that again does nothing again."""
    return RedirectResponse(f"{inspected.path}{path}?done={done}", 303)


def done_on(request: Request) -> str | None:
    """What a page says was done."""
    return DONE.get(request.query_params.get("done", ""))
