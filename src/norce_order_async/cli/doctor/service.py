"""One question to the service, through the client as programs use it: what its answer means, and what time it is there.

The question is a list of one order. Nothing is changed, and nothing of the answer is shown.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from norce_order_async.cli.connection import Connection
from norce_order_async.cli.doctor.finding import Finding
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
"""Seconds that the Date header, which has whole ones, and the way may account for."""
_TOO_FAR = 60.0
"""Seconds from which what is asked by time is not what was meant."""

_REFUSALS = {
    400: "the service does not take the question: merchant or channel may be spelled as it does not know them",
    401: "the service does not know the token: wrong, expired, or one of another environment",
    403: "the service knows the token, but it does not reach this merchant and channel",
    404: "something answers, but has no orders at this address: check the path of the base URL, merchant and channel",
}


async def asked(connection: Connection, clock: Clock) -> list[Finding]:
    """What the service says, what sends, and how far its clock is from ours."""
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
            answer = Finding("answer", "ok", f"the service took token, merchant and channel, in {took}")
        except NorceError as error:
            answer = Finding("answer", "wrong", meaning(error))
        engine = Finding("engine", "ok", norce.engine)
    return [answer, engine, *(clocks(*date) for date in dates[-1:])]


def meaning(error: NorceError) -> str:
    """What a failed question says about the way there."""
    match error:
        case RefusedError():
            code = f", code {shown_code(error.code)}" if error.code else ""
            known = _REFUSALS.get(error.status) or (
                "a redirect, which is not followed: the address is not the service's own"
                if error.status < 400
                else "the service refused the question"
            )
            return f"{known} (HTTP {error.status}{code})"
        case RejectedError():
            return f"the service is there, but takes nothing just now (HTTP {error.status}): try again later"
        case UnavailableError() if error.status == 200:
            return "what answers there is no order service: its answer can't be read (HTTP 200)"
        case UnavailableError() if error.status is not None:
            return f"the service, or something in front of it, is out of order (HTTP {error.status})"
        case NotSentError() | CallError():
            reason = error.attempts[-1].reason if error.attempts else one_line(error)
            return f"no answer: {reason}"
        case _:
            return one_line(error)


def clocks(ours: float, date: str) -> Finding:
    """How far the service's Date header is from our time, in seconds since 1970."""
    try:
        apart = ours - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return Finding("clock", "doubt", "the service's Date header can't be read")
    if abs(apart) <= _ROUGH:
        return Finding("clock", "ok", "the same as the service's")
    which = f"{abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} the service's"
    if abs(apart) < _TOO_FAR:
        return Finding("clock", "doubt", f"{which}: filters by time are off by as much")
    return Finding("clock", "wrong", f"{which}: set this machine's clock; filters by time and tokens rely on it")
