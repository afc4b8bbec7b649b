"""Sends the service one request through the client, explains the answer, and compares the clocks.

The request asks for a list of one order. It changes nothing, and the answer's content is not shown.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from norce_order_async.cli.connection import Connection
from norce_order_async.cli.doctor import Finding
from norce_order_async.cli.failures import one_line
from norce_order_async.display import shown_code
from norce_order_async.engines.base import WireRequest, WireResponse
from norce_order_async.errors import (
    CallError,
    NorceError,
    NotSentError,
    RefusedError,
    RejectedError,
    UnavailableError,
)
from norce_order_async.pipeline.middleware import AttemptInfo, AttemptNext
from norce_order_async.pipeline.settings import CallOptions
from norce_order_async.runtime.clock import Clock

_ONCE = CallOptions(max_attempts=1, deadline=20.0)

_ROUGH = 2.0
"""The difference in seconds that the network and a Date header in whole seconds can cause."""
_TOO_FAR = 60.0
"""The difference in seconds from which filters by time return the wrong orders."""

_REFUSALS = {
    400: "the service refuses the request: check the spelling of merchant and channel",
    401: "the service refuses the token: it is wrong, has expired, or belongs to another environment",
    403: "the service accepts the token, but not for this merchant and channel",
    404: "a server answers, but has no orders at this address: check path of the base URL, merchant and channel",
}


async def asked(connection: Connection, clock: Clock) -> list[Finding]:
    """The findings about the service's answer, the engine, and the clocks."""
    dates: list[tuple[float, str]] = []

    async def remember(_attempt: AttemptInfo, request: WireRequest, proceed: AttemptNext) -> WireResponse:
        response = await proceed(request)
        if "date" in response.headers:
            dates.append((clock.wall(), response.headers["date"]))
        return response

    async with connection.client(attempt_middleware=[remember], options=_ONCE) as norce:
        try:
            started = clock.monotonic()
            await norce.orders.list(limit=1)
            took = f"{(clock.monotonic() - started) * 1000:.0f} ms"
            answer = Finding("answer", "ok", f"the service accepted token, merchant and channel, in {took}")
        except NorceError as error:
            answer = Finding("answer", "wrong", meaning(error))
        engine = Finding("engine", "ok", norce.engine)
    return [answer, engine, *(clocks(*date) for date in dates[-1:])]


def meaning(error: NorceError) -> str:
    """The probable cause of a failed request."""
    match error:
        case RefusedError():
            code = f", code {shown_code(error.code)}" if error.code else ""
            known = _REFUSALS.get(error.status) or (
                "a redirect, which the client does not follow: this is not the service's own address"
                if error.status < 400
                else "the service refused the request"
            )
            return f"{known} (HTTP {error.status}{code})"
        case RejectedError():
            return f"the service is overloaded or closed for the moment (HTTP {error.status}): try again later"
        case UnavailableError() if error.status == 200:
            return "this is not the order service: its answer can't be read (HTTP 200)"
        case UnavailableError() if error.status is not None:
            return f"the service, or a proxy in front of it, is out of order (HTTP {error.status})"
        case NotSentError() | CallError():
            reason = error.attempts[-1].reason if error.attempts else one_line(error)
            return f"no answer: {reason}"
        case _:
            return one_line(error)


def clocks(ours: float, date: str) -> Finding:
    """The difference between our time (``ours``, in seconds since 1970) and the service's Date header."""
    try:
        apart = ours - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return Finding("clock", "doubt", "the service's Date header can't be read")
    if abs(apart) <= _ROUGH:
        return Finding("clock", "ok", "agrees with the service's clock")
    which = f"{abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} the service's"
    if abs(apart) < _TOO_FAR:
        return Finding("clock", "doubt", f"{which}: filters by time are off by the same amount")
    return Finding("clock", "wrong", f"{which}: set this machine's clock; filters by time and tokens depend on it")
