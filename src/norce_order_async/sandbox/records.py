"""The logs for tests: received requests, and changes that took effect."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from norce_order_async.sandbox.arguments import check_is, check_text, check_whole, near, shown
from norce_order_async.sandbox.live import LiveSequence
from norce_order_async.sandbox.service.handlers import HANDLERS
from norce_order_async.sandbox.storage.store import Effect, Store

_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie"})


@dataclass(slots=True)
class ReceivedRequest:
    """One request. `status` is None until the request is answered, and stays None if no answer arrived.

    Example::

        for request in sandbox.requests.of("CreateCheckoutOrder"):
            print(request.method, request.path, request.status)
    """

    method: str
    path: str
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    operation: str | None = None
    status: int | None = None
    seconds: float | None = None
    faults: Sequence[str] = ()
    """The faults that were played to it."""
    rules: set[str] = field(default_factory=set[str], repr=False)
    """The rules with readings that were used for it. Another reading of one of them might have changed the answer or
    the effect; another reading of any other rule would not."""


def check_operation(operation: object) -> None:
    """Check an operationId, because a mistyped one would silently find nothing.

    Raises:
        TypeError: It is not a string.
        ValueError: There is no such operation.
    """
    check_is("operation", operation, str, "a string")
    if operation not in HANDLERS:
        raise ValueError(f"operation must be an operationId, not {shown(operation)}{near(operation, HANDLERS)}")


class RequestLog(LiveSequence[ReceivedRequest]):
    """The latest requests, oldest first; safe to read while the server runs.

    Example::

        for request in sandbox.requests.of("CreateCheckoutOrder"):
            print(request.method, request.path, request.status)
    """

    def __init__(self, keep: int) -> None:
        check_whole("keep", keep, 0, sys.maxsize)
        self._lock = threading.Lock()
        self._requests: deque[ReceivedRequest] = deque(maxlen=keep)

    def add(self, request: ReceivedRequest) -> None:
        """Add a request; the oldest is dropped when the log is full.

        Raises:
            TypeError: It is not a request.
        """
        check_is("request", request, ReceivedRequest, "a ReceivedRequest")
        with self._lock:
            self._requests.append(request)

    def clear(self) -> None:
        """Empty the log."""
        with self._lock:
            self._requests.clear()

    def of(self, operation: str) -> Sequence[ReceivedRequest]:
        """The requests of one operation, by its operationId.

        Raises:
            TypeError, ValueError: There is no such operation; the text names one that may have been meant.
        """
        check_operation(operation)
        return [request for request in self if request.operation == operation]

    def __len__(self) -> int:
        return len(self._requests)

    def _kept(self) -> list[ReceivedRequest]:
        with self._lock:
            return list(self._requests)


@dataclass(frozen=True, slots=True)
class EndedRequest:
    """An ended request as a line of a log shows it, without its query and body, which may hold personal data."""

    number: int
    """Its place among the ended requests, from 1."""
    at: datetime
    """When it ended, by the sandbox's clock."""
    method: str
    path: str
    operation: str | None
    status: int | None
    """The status of the answer; None if its sender got no answer."""
    seconds: float
    faults: Sequence[str]
    correlation_id: str
    """The caller's header ``x-correlation-id``; empty if there is none."""


class EndedRequests:
    """The latest ended requests, in the order in which they ended."""

    def __init__(self, keep: int, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._ended: deque[EndedRequest] = deque(maxlen=keep)
        self._count = 0

    def add(self, request: ReceivedRequest) -> None:
        """Add an ended request; the oldest is dropped when there are too many."""
        with self._lock:
            self._count += 1
            self._ended.append(
                EndedRequest(
                    self._count,
                    self._now(),
                    request.method,
                    request.path,
                    request.operation,
                    request.status,
                    request.seconds or 0.0,
                    request.faults,
                    request.headers.get("x-correlation-id", ""),
                )
            )

    def after(self, number: int) -> tuple[int, Sequence[EndedRequest]]:
        """The number of the last request, and the kept requests with a number above ``number``."""
        with self._lock:
            wanted = min(self._count - number, len(self._ended))
            return self._count, [] if wanted <= 0 else list(self._ended)[-wanted:]

    def clear(self) -> None:
        """Drop all of them; the numbers continue."""
        with self._lock:
            self._ended.clear()


def masked(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers without secrets: `***` replaces the last word of a credential, so that its scheme can be checked."""
    return {name: _mask(value) if name in _CREDENTIALS else value for name, value in headers.items()}


def _mask(value: str) -> str:
    words = value.split(" ")
    return " ".join([*words[:-1], "***"])


class Effects(LiveSequence[Effect]):
    """The changes that took effect; every use reads what is committed at that moment.

    Example::

        for effect in sandbox.effects.of(order.id):
            print(effect.operation, effect.at)
    """

    def __init__(self, store: Store) -> None:
        check_is("store", store, Store, "a sandbox's store")
        self._store = store

    def of(self, order_id: str | None = None, operation: str | None = None) -> Sequence[Effect]:
        """The effects on one order, of one operation (by its operationId), or both.

        Raises:
            TypeError, ValueError: The order id can't be one, or there is no such operation.
        """
        if order_id is not None:
            check_text("order_id", order_id)
        if operation is not None:
            check_operation(operation)
        return self._store.effects(order_id, operation)

    def __len__(self) -> int:
        return len(self.of())

    def _kept(self) -> Sequence[Effect]:
        return self.of()
