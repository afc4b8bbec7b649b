"""The page of all requests, and the page of one request."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import islice
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from norce_order_async.sandbox.inspector import copies
from norce_order_async.sandbox.inspector.context import Inspected
from norce_order_async.sandbox.inspector.pages import kind_of_status, pretty
from norce_order_async.sandbox.inspector.traffic import Exchange

_PAGE = 100

_OUTCOMES: Mapping[str, Callable[[Exchange], bool]] = {
    "good": lambda one: one.request.status is not None and one.request.status < 300,
    "refused": lambda one: kind_of_status(one.request.status) == "refused",
    "failed": lambda one: kind_of_status(one.request.status) == "failed",
    "lost": lambda one: one.lost,
    "fault": lambda one: bool(one.request.faults),
}


async def requests(inspected: Inspected, request: Request) -> Response:
    """Show the latest requests, or those of the filter."""
    asked = request.query_params
    words, operation, outcome = (asked.get(name, "").strip() for name in ("find", "operation", "outcome"))
    is_outcome = _OUTCOMES.get(outcome, _any)
    folded = words.casefold()
    before = _number(asked.get("before"))

    def wanted(one: Exchange) -> bool:
        return (
            is_outcome(one)
            and (not operation or one.request.operation == operation)
            and (not words or _has(one, folded))
        )

    found = list(islice(filter(wanted, inspected.traffic.newest(before)), _PAGE + 1))
    kept = {name: value for name, value in (("find", words), ("operation", operation), ("outcome", outcome)) if value}
    older = f"?{urlencode({**kept, 'before': found[_PAGE - 1].number})}" if len(found) > _PAGE else None
    live = before == math.inf and "still" not in asked
    return inspected.page(
        "requests.html",
        {
            "at": "requests",
            "exchanges": found[:_PAGE],
            "kept": len(inspected.traffic),
            "find": words,
            "operation": operation,
            "operations": sorted(
                {one.request.operation for one in inspected.traffic.newest() if one.request.operation}
            ),
            "outcome": outcome,
            "older": older,
            "newest": f"?{urlencode(kept)}" if before != math.inf else None,
            "live": f"?{urlencode(kept)}" if live else None,
            "stop": f"?{urlencode({**kept, 'still': 1})}" if live else None,
            "go_on": f"?{urlencode(kept)}" if not live and before == math.inf else None,
        },
    )


async def one_request(inspected: Inspected, request: Request) -> Response:
    """Show one request with its answer."""
    exchange = inspected.traffic.exchange(request.path_params["number"])
    if exchange is None:
        return inspected.page("missing.html", {"what": "request"}, status=404)
    received, answer = exchange.request, exchange.answer
    origin = f"{request.url.scheme}://{request.url.netloc}"
    return inspected.page(
        "request.html",
        {
            "at": "requests",
            "exchange": exchange,
            "body": pretty(received.body) if received.body else "",
            "answer": answer,
            "answer_body": pretty(answer.body) if answer is not None and answer.body else "",
            "rules": sorted(received.rules),
            "order_id": copies.order_of(received.path),
            "curl": copies.curl(exchange, origin),
            "program": copies.program(exchange, origin),
            "test": copies.test(exchange, inspected.traffic, inspected.control.world.readings.chosen),
            "token": copies.TOKEN,
            "earlier": inspected.traffic.exchange(exchange.number - 1),
            "later": inspected.traffic.exchange(exchange.number + 1),
        },
    )


def _any(_one: Exchange) -> bool:
    return True


def _has(one: Exchange, words: str) -> bool:
    request = one.request
    texts = (request.path, request.query, one.correlation_id, request.headers.get("x-merchant", ""))
    # Joined to one text, because there may be ten thousand requests.
    return words in "\n".join(texts).casefold()


def _number(text: str | None) -> float:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 18 else math.inf
