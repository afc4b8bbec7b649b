"""Reports attempts and calls: log lines, and observers for metrics.

Log lines go to the logger ``norce_order_async``: successes at DEBUG, everything else at INFO. A line holds the
operation, the order's id, the attempt's number, status, timing, what follows, and the correlation id. Headers, query
values, bodies and tokens are not in it. ``NorceOrderClient(log_bodies=True)`` adds, at DEBUG, the headers on an
allow-list, the names of query parameters, and bodies. In bodies every text is masked, except plain words in the members
on a second allow-list.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, urlsplit

from norce_order_async._json import LARGE, UNREADABLE, is_api_name, is_list, is_mapping, read_json
from norce_order_async.display import shown
from norce_order_async.engines.base import WireRequest, WireResponse
from norce_order_async.errors import Attempt

logger = logging.getLogger("norce_order_async")

SHOWN_HEADERS: Final = frozenset(
    {
        "accept",
        "content-length",
        "content-type",
        "date",
        "location",
        "retry-after",
        "retry-after-ms",
        "server",
        "user-agent",
        "x-adapterid",
        "x-channel",
        "x-correlation-id",
        "x-merchant",
    }
)
"""Headers whose values may be logged. Of all others only the name is logged."""

SHOWN_MEMBERS: Final = frozenset(
    {
        "adapterId",
        "channel",
        "code",
        "country",
        "created",
        "culture",
        "currency",
        "currentStatus",
        "event",
        "id",
        "lastModified",
        "merchant",
        "orderId",
        "productType",
        "sku",
        "state",
        "status",
        "timeStamp",
        "type",
        "version",
    }
)
"""Members of bodies whose texts may be logged if they are plain words. Other texts are logged as ``***``. Truth values
and numbers of up to eight digits are logged; longer ones may be a personal or phone number. ``attributes`` can hold
anything, so nothing of it is logged."""

# An id or a code, without a space, an "@" or a run of digits as in a personal or phone number; or a time.
_WORD = re.compile(
    r"(?!.*[0-9]{6})[A-Za-z0-9_.:/#+-]{1,80}"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_FREE_FORM: Final = frozenset({"attributes"})
_LONGEST_NUMBER: Final = 10**8


@dataclass(frozen=True, slots=True)
class CallEvent:
    """A call that has ended, as an observer gets it.

    Example::

        class Timing:
            def call_ended(self, event: CallEvent) -> None:
                print(event.operation, event.seconds, event.error)

            def attempt_ended(self, operation: str, attempt: Attempt) -> None: ...

        NorceOrderClient(..., observers=[Timing()])
    """

    operation: str
    """The operation's name in the API description."""
    order_id: str | None
    """The order's id; None if the call was not about one order."""
    merchant: str
    channel: str
    correlation_id: str
    succeeded: bool
    seconds: float
    """Seconds from the beginning of the call to its end, including waits for permits."""
    attempts: tuple[Attempt, ...]
    error: str | None
    """The class name of the error; None if the call succeeded."""


class Observer(Protocol):
    """Called after every attempt and every call, for metrics.

    Its methods must be quick and not raise; an exception is logged and dropped. For example::

        class Counting:
            def attempt_ended(self, operation, attempt):
                attempts[operation, attempt.outcome] += 1

            def call_ended(self, call):
                seconds.append(call.seconds)


        NorceOrderClient(..., observers=[Counting()])
    """

    def attempt_ended(self, operation: str, attempt: Attempt, /) -> None:
        """An attempt of an operation has ended."""
        ...

    def call_ended(self, call: CallEvent, /) -> None:
        """A call has ended, with or without success."""
        ...


@dataclass(frozen=True, slots=True)
class Reporter:
    """Reports to the log and to observers."""

    observers: Sequence[Observer] = ()
    bodies: bool = False

    def attempt_ended(self, operation: str, order_id: str | None, correlation_id: str, attempt: Attempt) -> None:
        """Report an attempt that has ended."""
        level = logging.DEBUG if attempt.outcome == "succeeded" else logging.INFO
        if logger.isEnabledFor(level):
            logger.log(
                level,
                "%s order=%s attempt=%d outcome=%s status=%s seconds=%.3f next=%s correlation=%s",
                operation,
                "-" if order_id is None else shown(order_id),
                attempt.number,
                attempt.outcome,
                attempt.status or attempt.phase or "-",
                attempt.seconds,
                attempt.next,
                correlation_id,
            )
        under_way = sys.exception()
        for observer in self.observers:
            try:
                observer.attempt_ended(operation, attempt)
            except Exception as error:  # noqa: BLE001 - an error of an observer must not fail the call
                _observer_failed(error, under_way)

    def call_ended(self, event: CallEvent) -> None:
        """Report a call that has ended."""
        under_way = sys.exception()
        for observer in self.observers:
            try:
                observer.call_ended(event)
            except Exception as error:  # noqa: BLE001 - an error of an observer must not fail the call
                _observer_failed(error, under_way)

    def log_exchange(self, request: WireRequest, response: WireResponse) -> None:
        """Log a request and its answer, if the client logs bodies."""
        if not self.bodies or not logger.isEnabledFor(logging.DEBUG):
            return
        parts = urlsplit(request.url)
        logger.debug(
            "%s %s query=%s headers=%s body=%s -> %d headers=%s body=%s",
            request.method,
            parts.path,
            sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}),
            shown_headers(request.headers),
            masked_body(request.body),
            response.status,
            shown_headers(response.headers),
            masked_body(response.body),
        )


def _observer_failed(error: Exception, under_way: BaseException | None) -> None:
    """Log an observer's error. The error of the call is removed from its context, because it may quote the service."""
    first: BaseException = error
    while first.__context__ is not None and first.__context__ is not under_way:
        first = first.__context__
    first.__context__ = None
    logger.error("an observer failed", exc_info=error)


def shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers in the form that may be logged."""
    return {name: _shown_header(name.lower(), value) for name, value in headers.items()}


def masked_body(body: bytes | None) -> Any:
    """A body in the form that may be logged: JSON with masked texts, or the length of anything else."""
    if not body:
        return None
    data = read_json(body) if len(body) <= LARGE else UNREADABLE
    try:
        return f"<{len(body)} bytes>" if data is UNREADABLE else _masked(data, shown=False)
    except RecursionError:
        return f"<{len(body)} bytes>"


def _shown_header(name: str, value: str) -> str:
    if name not in SHOWN_HEADERS:
        return "***"
    return value.partition("?")[0] if name == "location" else value


def _masked(value: Any, *, shown: bool) -> Any:
    if is_mapping(value):
        return {
            name if is_api_name(name) else "***": (
                "***" if name in _FREE_FORM else _masked(one, shown=name in SHOWN_MEMBERS)
            )
            for name, one in value.items()
        }
    if is_list(value):
        return [_masked(one, shown=shown) for one in value]
    if isinstance(value, str):
        return value if shown and _WORD.fullmatch(value) else "***"
    if isinstance(value, int | float) and abs(value) >= _LONGEST_NUMBER:
        return "***"
    return value
