"""The contract between the pipeline and the engines that send its requests.

An engine turns one :class:`WireRequest` into one :class:`WireResponse`, or raises one of two exceptions. They answer
the pipeline's only question: *may the service have acted on this request?*

===========================  =============================================================================
:class:`UnsentError`        no byte of the request left this machine: name resolution, connect refused or timed out,
                             TLS handshake failed, no connection free in time, the engine is closed
:class:`MaybeSentError`      any later failure without a complete answer: write or read timeout, reset, closed by the
                             server, a truncated or garbled answer
===========================  =============================================================================

An engine raises :class:`UnsentError` only when it is certain. In doubt it raises :class:`MaybeSentError`.

An engine calls ``WireRequest.before_first_byte`` as late as its library allows before the first byte of a request, and
raises :class:`UnsentError` with the reason that it returns. An engine that does so has an attribute
``asks_before_first_byte`` that is True. Without that attribute the client assumes that the engine does not call it.

An engine never retries, never follows redirects and never keeps cookies. It reads proxies or credentials from the
environment only if it is asked to. It raises only these two exceptions and the event loop's cancellation.

An engine closes a connection on which more bytes came than the answer, because the next request would take the surplus
for its answer. It reads a body in chunks and checks ``WireRequest.total`` between them, so that a slow drip ends too.
It decodes the content codings that it asked for, and lets other tasks run in between.

If the head of an answer is complete, its status is known. An answer whose body is larger than
``WireRequest.max_answer_size``, or can't be decoded, is therefore still returned: ``WireResponse.unreadable`` gives the
reason, and the connection is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, final

from norce_order_async.errors import Phase, revived

MAX_ANSWER_SIZE: Final = 64 * 1024 * 1024
"""Largest body of an answer in bytes, after decoding, unless the request sets another limit."""

KEEP_IDLE: Final = 4.0
"""Seconds that engines keep an unused connection: many servers close theirs after five."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Timeouts of one attempt, in seconds; none is longer than the time left until the deadline.

    Example::

        Timeouts(connect=2.0, read=8.0).cut(5.0)  # connect 2, write 5, read 5, pool 5
    """

    connect: float = 5.0
    write: float = 10.0
    read: float = 20.0
    pool: float = 5.0

    def cut(self, seconds: float) -> Timeouts:
        """The same timeouts, none longer than ``seconds``."""
        if seconds >= self.read and seconds >= self.write and seconds >= self.connect and seconds >= self.pool:
            return self
        return Timeouts(
            connect=min(self.connect, seconds),
            write=min(self.write, seconds),
            read=min(self.read, seconds),
            pool=min(self.pool, seconds),
        )


@final
class Caller:
    """The caller who waits for the answer to a read and may leave before it comes.

    A write has none: it is always sent to its end.

    Example::

        caller = Caller()
        caller.on_leave(lambda: print("close the connection"))
        caller.leave()  # True: the engine ends the send
    """

    __slots__ = ("_on_leave", "gone")

    def __init__(self) -> None:
        self.gone = False
        """Whether the caller has left."""
        self._on_leave: Callable[[], object] | None = None

    def on_leave(self, call: Callable[[], object]) -> None:
        """Register a function that is called when the caller leaves. It must not block.

        An engine that can end one send without harm to others registers a function that does so and closes the
        connection.
        """
        self._on_leave = call

    def leave(self) -> bool:
        """Mark the caller as gone. Returns False if the engine registered no function, so that the send goes on."""
        self.gone = True
        call, self._on_leave = self._on_leave, None
        if call is None:
            return False
        call()
        return True


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One request as it is sent: an absolute, encoded address, the headers, and a body or None.

    Example::

        WireRequest(
            method="GET",
            url="https://orders.example/api/v0/checkout/orders/o1",
            headers={"authorization": "Bearer t"},
            body=None,
            timeouts=Timeouts(),
        )
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    timeouts: Timeouts
    total: float | None = None
    """Seconds for the whole send, including the answer's body; None if only ``timeouts`` applies."""
    max_idle: float | None = None
    """Longest time in seconds that a connection may have been idle to carry this request; None for the engine's own
    limit. A server closes idle connections, and a request written at that moment is lost without a trace. For a request
    that can't be repeated, a new connection is safer than one that was idle for long."""
    caller: Caller | None = field(default=None, repr=False, compare=False)
    """The caller of a read; None for a write."""
    max_answer_size: int = MAX_ANSWER_SIZE
    """Largest body of the answer in bytes, after decoding. The body of a larger answer is dropped."""
    before_first_byte: Callable[[], str | None] | None = field(default=None, repr=False, compare=False)
    """Called when there is a connection, right before the first byte of the request is written to it. It returns None
    to send the request, or the reason not to, and must not block. With it, a worker that was suspended while it waited
    for a connection finds out that another worker has its item now."""

    def keep_back(self) -> UnsentError | None:
        """The error to raise instead of writing the first byte; None if the request may go out."""
        why = None if self.before_first_byte is None else self.before_first_byte()
        return None if why is None else UnsentError("connect", why)


def asks_before_first_byte(engine: object) -> bool:
    """Whether an engine calls ``WireRequest.before_first_byte``."""
    return getattr(engine, "asks_before_first_byte", False) is True


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class WireResponse:
    """One complete answer.

    The names in ``headers`` are in lower case; the values of a repeated header are joined by a comma and a space.

    Example::

        WireResponse(status=200, headers={"content-type": "application/json"}, body=b"{}")
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    drop_connection: Callable[[], None] = field(default=_nothing, repr=False, compare=False)
    """Closes the connection of this answer at once. It is called if the answer belongs to another request, because no
    further answer of that connection can be trusted then. A second call does nothing. Nor does the first one, if the
    engine can't close a single connection."""
    unreadable: str | None = None
    """Why the body could not be read; ``body`` is empty then. None if the body was read completely."""


class SendError(Exception):
    """A send without a complete answer. The text names the phase and the type of the cause, never an address or body.

    Example::

        raise MaybeSentError("read", "no answer came")
    """

    def __init__(self, phase: Phase, reason: str) -> None:
        super().__init__(f"{reason} ({phase})")
        self.phase: Phase = phase
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return revived, (type(self), self.args), self.__dict__


class UnsentError(SendError):
    """No byte of the request was sent, so the service can't have acted on it.

    Example::

        raise UnsentError("connect", "no connection could be made")
    """


class MaybeSentError(SendError):
    """The request may have been sent; the service may or may not have acted on it.

    Example::

        raise MaybeSentError("body", "the answer was not complete")
    """


class Engine(Protocol):
    """Sends requests. One engine serves one client, on one event loop.

    Example::

        class Canned:
            name = "canned"

            async def send(self, request: WireRequest) -> WireResponse:
                return WireResponse(200, {"content-type": "application/json"}, b'{"id": "o1"}')

            async def aclose(self) -> None:
                pass
    """

    @property
    def name(self) -> str:
        """The value of ``client.engine``; for an engine of this package, the name that a client chooses it by."""
        ...

    async def send(self, request: WireRequest) -> WireResponse:
        """Send once and read the whole answer.

        Raises:
            UnsentError: No byte was sent.
            MaybeSentError: No complete answer came, and the service may have acted on the request.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection. A second call does nothing; a later send raises :class:`UnsentError`."""
        ...
