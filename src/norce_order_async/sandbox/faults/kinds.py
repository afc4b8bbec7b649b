"""The kinds of faults. Everything about a kind is in this file.

A small dataclass holds the settings of a fault, and checks them when it is made. A plan can give the first field alone
(`answer: 503` is `answer: {status: 503}`), and docs/sandbox.md shows the first sentence of the docstring. `KINDS` has
the name of each kind in a plan, and what it does to an answer.
"""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from norce_order_async.sandbox.faults.fields import FaultPlanError, check_fields, within
from norce_order_async.sandbox.faults.wire import OutgoingAnswer, close, reset
from norce_order_async.sandbox.service.calls import ServiceAnswer, answer

__all__ = [
    "CutBody",
    "Delay",
    "Drip",
    "ExpireToken",
    "Fault",
    "FaultPlanError",
    "LimitConcurrency",
    "LimitRate",
    "LognormalDelay",
    "LoseAnswer",
    "LoseThenLate",
    "RefuseConnection",
    "Reset",
    "Respond",
    "TakeIn",
    "UniformDelay",
]

_PAGES = frozenset({502, 504, 520, 521, 522, 523, 524})
"""Statuses that come from a gateway in front of the service, which answers with an HTML page."""

_LONGEST = 3600.0

RetryAfterForm: TypeAlias = Literal["seconds", "milliseconds", "date"]


@dataclass(frozen=True, slots=True)
class Delay:
    """The answer takes longer.

    Example::

        FaultRule(Delay(0.25), operations="reads")  # each read takes a quarter of a second longer
    """

    seconds: float

    def __post_init__(self) -> None:
        check_fields(self)
        within("seconds", self.seconds, 0, _LONGEST)

    def drawn(self, _source: random.Random) -> float:
        """The delay in seconds."""
        return self.seconds


@dataclass(frozen=True, slots=True)
class UniformDelay:
    """The answer takes longer, by a random time between two bounds.

    Example::

        FaultRule(UniformDelay(0.05, 0.3))
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        check_fields(self)
        within("low", self.low, 0, _LONGEST)
        within("high", self.high, self.low, _LONGEST)

    def drawn(self, source: random.Random) -> float:
        """A delay in seconds between ``low`` and ``high``."""
        return source.uniform(self.low, self.high)


@dataclass(frozen=True, slots=True)
class LognormalDelay:
    """The answer takes longer, as in real services: mostly near the median, sometimes far longer.

    Example::

        FaultRule(LognormalDelay(median=0.08, at_most=5.0))
    """

    median: float
    sigma: float = 0.5
    at_most: float = 10.0

    def __post_init__(self) -> None:
        check_fields(self)
        within("median", self.median, 0.000001, _LONGEST)
        within("sigma", self.sigma, 0, 10)
        within("at_most", self.at_most, self.median, _LONGEST)

    def drawn(self, source: random.Random) -> float:
        """A delay in seconds, ``at_most`` at most."""
        return min(source.lognormvariate(math.log(self.median), self.sigma), self.at_most)


@dataclass(frozen=True, slots=True)
class RefuseConnection:
    """A new connection is reset at its first request: as near to a refused one as a running server can get.

    Connections to the inspector and to the admin endpoints are not refused, and not counted.

    Example::

        FaultRule(RefuseConnection(), share=0.1)  # one of ten new connections
    """


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset instead of an answer; `when` is `before` or `after` the change takes effect.

    Example::

        FaultRule(Reset("after"), operations="writes", every=10)
    """

    when: Literal["before", "after"] = "before"

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, slots=True)
class LoseAnswer:
    """The change takes effect; the connection is closed without an answer.

    Example::

        FaultRule(LoseAnswer(), operations="CreateCheckoutOrder", every=3)
    """


@dataclass(frozen=True, slots=True)
class LoseThenLate:
    """The connection is closed without an answer, and the change takes effect some seconds later.

    A running server carries the change out when it is due, and drops it if it is no longer possible then.

    Example::

        FaultRule(LoseThenLate(apply_after=2.0), operations="writes", share=0.05)
    """

    apply_after: float = 3.0

    def __post_init__(self) -> None:
        check_fields(self)
        within("apply_after", self.apply_after, 0, _LONGEST)


@dataclass(frozen=True, slots=True)
class CutBody:
    """The change takes effect; only a share of the body arrives. Without a body, the head is cut.

    Example::

        FaultRule(CutBody(keep=0.2), operations="reads", share=0.1)
    """

    keep: float = 0.5

    def __post_init__(self) -> None:
        check_fields(self)
        within("keep", self.keep, 0, 0.99)


@dataclass(frozen=True, slots=True)
class Respond:
    """An answer with this status, instead of the change or after it; 502, 504 and 520 to 524 are an HTML page.

    `retry_after` is in seconds, and `form` is how it is sent; "window" is the time left of the rule's window. `html` is
    whether the body is an HTML page; by default the status decides.

    Example::

        FaultRule(Respond(503, retry_after=2), share=0.05)
    """

    status: int
    retry_after: float | Literal["window"] | None = None
    form: RetryAfterForm = "seconds"
    after_effect: bool = False
    html: bool | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        within("status", self.status, 400, 599)
        if isinstance(self.retry_after, int | float):
            within("retry_after", self.retry_after, 0, _LONGEST)

    @property
    def is_page(self) -> bool:
        """Whether the body is an HTML page."""
        return self.status in _PAGES if self.html is None else self.html


@dataclass(frozen=True, slots=True)
class TakeIn:
    """202, only for changes of status and cart; the change is carried out later or never.

    A running server carries the change out when it is due, and drops it if it is no longer possible then.

    Example::

        FaultRule(TakeIn(apply_after=1.0), operations="UpdateCheckoutOrderState")
    """

    apply_after: float = 0.5
    dropped: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        within("apply_after", self.apply_after, 0, _LONGEST)


@dataclass(frozen=True, slots=True)
class Drip:
    """The body arrives a few bytes at a time.

    Example::

        FaultRule(Drip(every=0.1, chunk=64), operations="reads", share=0.1)
    """

    every: float = 0.05
    chunk: int = 16

    def __post_init__(self) -> None:
        check_fields(self)
        within("every", self.every, 0, _LONGEST)
        within("chunk", self.chunk, 1, 1_000_000)


@dataclass(frozen=True, slots=True)
class ExpireToken:
    """401 to every request with the same token, for some seconds; a secondary token is still accepted.

    Example::

        FaultRule(ExpireToken(seconds=5.0), every=100)
    """

    seconds: float = 1.0

    def __post_init__(self) -> None:
        check_fields(self)
        within("seconds", self.seconds, 0, _LONGEST)


@dataclass(frozen=True, slots=True)
class LimitRate:
    """429 to requests above a rate; `burst` requests may come at once.

    Example::

        FaultRule(LimitRate(per_second=40, burst=10))
    """

    per_second: float
    burst: int = 1
    form: RetryAfterForm = "seconds"

    def __post_init__(self) -> None:
        check_fields(self)
        within("per_second", self.per_second, 0.001, 1_000_000)
        within("burst", self.burst, 1, 1_000_000)


@dataclass(frozen=True, slots=True)
class LimitConcurrency:
    """429 above a number of requests at once; `schedule` changes the number: pairs of seconds and limit.

    The sandbox answers fast, so few requests are being answered at once; add a delay to the plan to reach the limit.

    Example::

        FaultRule(LimitConcurrency(20, schedule=((60.0, 5),)))  # 20 at once, 5 after a minute
    """

    limit: int
    schedule: tuple[tuple[float, int], ...] = ()
    retry_after: float = 1.0
    form: RetryAfterForm = "seconds"

    def __post_init__(self) -> None:
        check_fields(self)
        within("limit", self.limit, 0, 1_000_000)
        within("retry_after", self.retry_after, 0, _LONGEST)
        earlier = 0.0
        for index, (seconds, limit) in enumerate(self.schedule):
            within(f"schedule[{index}][0]", seconds, earlier, 1_000_000)
            within(f"schedule[{index}][1]", limit, 0, 1_000_000)
            earlier = seconds

    def at(self, seconds: float) -> int:
        """The limit at a time in seconds since the plan began."""
        limit = self.limit
        for start, moved in self.schedule:
            if start <= seconds:
                limit = moved
        return limit


AnyDelay: TypeAlias = Delay | UniformDelay | LognormalDelay
Breaking: TypeAlias = Reset | LoseAnswer | LoseThenLate | CutBody | Respond | TakeIn | Drip
"""A fault that decides how a request ends."""

Fault: TypeAlias = AnyDelay | RefuseConnection | Breaking | ExpireToken | LimitRate | LimitConcurrency

F = TypeVar("F", bound=Fault)
"""A dataclass of one kind."""

Service: TypeAlias = Callable[[], Awaitable[ServiceAnswer]]
"""Carries out a request, and returns the service's answer."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[F]):
    """A kind of fault that a plan can name, with the dataclasses of its settings."""

    forms: tuple[type[F], ...]


async def _reached(_fault: Any, service: Service) -> ServiceAnswer:
    return await service()


async def _whole(_fault: Any, outgoing: OutgoingAnswer) -> None:
    await outgoing.send()


@dataclass(frozen=True, slots=True)
class EndingKind(Kind[F]):
    """A kind that decides how a request ends.

    Args:
        said: Returns the words for it in the log and in the request's record.
        answer: Makes the answer. The change takes effect when it calls the service.
        end: Sends the answer, or a part of it.
        arrives: Whether the caller gets the whole answer.
    """

    said: Callable[[F], str]
    answer: Callable[[F, Service], Awaitable[ServiceAnswer]] = _reached
    end: Callable[[F, OutgoingAnswer], Awaitable[None]] = _whole
    arrives: bool = True


async def _reset_first(fault: Reset, service: Service) -> ServiceAnswer:
    return ServiceAnswer() if fault.when == "before" else await service()


async def _reset(_fault: Reset, outgoing: OutgoingAnswer) -> None:
    await outgoing.break_off(reset, "ReadError", "the connection was reset")


async def _lose(_fault: LoseAnswer | LoseThenLate, outgoing: OutgoingAnswer) -> None:
    await outgoing.break_off(close, "RemoteProtocolError", "it was closed without an answer")


async def _cut(fault: CutBody, outgoing: OutgoingAnswer) -> None:
    if outgoing.body:
        await outgoing.send_head()
        await outgoing.send_part(outgoing.body[: int(len(outgoing.body) * fault.keep)])
    else:
        outgoing.write(f"HTTP/1.1 {outgoing.status} \r\nserv".encode())
    await outgoing.break_off(close, "RemoteProtocolError", "the answer was cut")


async def _respond(fault: Respond, service: Service) -> ServiceAnswer:
    if fault.after_effect:
        await service()
    wait = fault.retry_after if isinstance(fault.retry_after, int | float) else None
    return _response(fault.status, wait, fault.form, page=fault.is_page)


_MEANINGS = {
    401: ("unauthorized", "The token has expired."),
    429: ("too-many-requests", "Too many requests."),
    500: ("internal-server-error", "Something went wrong."),
    503: ("service-unavailable", "The service is not available at the moment."),
}


def _response(status: int, retry_after: float | None, form: RetryAfterForm, *, page: bool) -> ServiceAnswer:
    """The answer with this status; `retry_after` is in seconds."""
    headers = {} if retry_after is None else _retry_after(retry_after, form)
    if page:
        text = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n"
        return ServiceAnswer(status, text.encode(), {**headers, "content-type": "text/html"})
    code, message = _MEANINGS.get(status, ("fault", f"A fault of the plan, with status {status}."))
    return answer({"code": code, "message": message}, status, headers)


def _retry_after(seconds: float, form: RetryAfterForm) -> dict[str, str]:
    """The header in one of its forms. Whole seconds and dates are rounded up, so that they are never too early."""
    match form:
        case "milliseconds":
            return {"retry-after-ms": str(math.ceil(seconds * 1000))}
        case "seconds":
            return {"retry-after": str(math.ceil(seconds))}
        case "date":
            # By the machine's time, because the caller compares the date with its own clock.
            moment = datetime.now(UTC) + timedelta(seconds=math.ceil(seconds) + 1)
            return {"retry-after": format_datetime(moment, usegmt=True)}


async def _drip(fault: Drip, outgoing: OutgoingAnswer) -> None:
    await outgoing.send_head()
    for offset in range(0, len(outgoing.body), fault.chunk):
        await outgoing.send_part(outgoing.body[offset : offset + fault.chunk])
        await outgoing.wait(fault.every)
    await outgoing.finish()


KINDS: Mapping[str, Kind[Any]] = {
    "delay": Kind((Delay, UniformDelay, LognormalDelay)),
    "refuse-connection": Kind((RefuseConnection,)),
    "reset": EndingKind(
        (Reset,), lambda fault: f"reset {fault.when} the change", answer=_reset_first, end=_reset, arrives=False
    ),
    "lose-answer": EndingKind((LoseAnswer,), lambda _: "answer lost", end=_lose, arrives=False),
    # The application defers the change, once it has admitted the request.
    "lost-then-late": EndingKind((LoseThenLate,), lambda _: "answer lost, change later", end=_lose, arrives=False),
    "cut-body": EndingKind((CutBody,), lambda _: "body cut", end=_cut, arrives=False),
    "answer": EndingKind(
        (Respond,),
        lambda fault: f"answer {fault.status}{' after the change' if fault.after_effect else ''}",
        answer=_respond,
    ),
    # The application defers the change, once it has admitted the request.
    "take-in": EndingKind((TakeIn,), lambda fault: "taken in and dropped" if fault.dropped else "taken in"),
    "drip": EndingKind((Drip,), lambda _: "slow drip", end=_drip),
    "expire-token": Kind((ExpireToken,)),
    "limit-rate": Kind((LimitRate,)),
    "limit-concurrency": Kind((LimitConcurrency,)),
}
"""The kinds by their names in a plan, in the order of the table in docs/sandbox.md."""

_ENDING = {form: kind for kind in KINDS.values() if isinstance(kind, EndingKind) for form in kind.forms}


def ending(fault: Breaking) -> EndingKind[Any]:
    """The kind of a fault that decides how a request ends."""
    return _ENDING[type(fault)]
