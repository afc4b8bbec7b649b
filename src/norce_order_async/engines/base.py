"""The contract between the pipeline and whatever sends bytes.

An engine turns one :class:`WireRequest` into one :class:`WireResponse`, or raises one of two exceptions that answer
the only question the pipeline has: *may the service have acted on this request?*

===========================  =============================================================================
:class:`UnsentError`        no byte of the request left this machine: name resolution, connect refused or timed out,
                             TLS handshake failed, no connection free in time, the engine is closed
:class:`MaybeSentError`      anything later without a whole answer: write or read timeout, reset, closed by the
                             server, a cut or garbled answer
===========================  =============================================================================

An engine may raise :class:`UnsentError` only when it knows. In doubt it raises :class:`MaybeSentError`.

An engine never retries, never follows redirects, never keeps cookies, never reads proxies or credentials from the
environment unless asked to, and raises nothing but these two and the event loop's own cancellation. A connection on
which more came than the answer is closed, as the surplus would pass as the answer to its next request. A body is read
whole, in chunks, with a look at ``WireRequest.total`` in between, so that a slow drip ends too. Content codings the
engine asked for are undone, and others get a turn in between. An answer whose head is whole and whose body is larger
than ``WireRequest.max_answer_size``, or in a coding that can't be undone, is an answer all the same: its status is
known. It says so with ``WireResponse.unreadable``, and its connection is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, final

from norce_order_async.errors import Phase, revived

MAX_ANSWER_SIZE: Final = 64 * 1024 * 1024
"""Bytes of an answer's body, its coding undone, unless a request sets another bound."""

KEEP_IDLE: Final = 4.0
"""Seconds that engines keep an unused connection: many servers close theirs after five."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Bounds of one attempt, in seconds; each is already cut to what the deadline leaves."""

    connect: float = 5.0
    write: float = 10.0
    read: float = 20.0
    pool: float = 5.0

    def cut(self, seconds: float) -> Timeouts:
        """The same bounds, none longer than ``seconds``."""
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
    """Who waits for the answer to a read, and may leave before it comes. Writes have none: they are seen through."""

    __slots__ = ("_on_leave", "gone")

    def __init__(self) -> None:
        self.gone = False
        """Whether nobody waits any more."""
        self._on_leave: Callable[[], object] | None = None

    def on_leave(self, call: Callable[[], object]) -> None:
        """Have this called when the caller leaves, in a step of the event loop that must not be held up. An engine
        that can end a send without harm to others does so here, and closes its connection."""
        self._on_leave = call

    def leave(self) -> bool:
        """Nobody waits any more. False when the engine has not asked to be told, so that the send goes on."""
        self.gone = True
        call, self._on_leave = self._on_leave, None
        if call is None:
            return False
        call()
        return True


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One request, ready for the wire: an absolute, encoded address, headers as they go out, a body or none."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    timeouts: Timeouts
    total: float | None = None
    """Seconds the whole send may take, answer body included; None leaves only the bounds in ``timeouts``."""
    max_idle: float | None = None
    """Seconds that a connection may have been idle to be used for this request; None for as long as the engine keeps
    one. A server closes idle connections, and what is written to one at that very moment is lost, as far as anybody can
    tell: for what can't be repeated a new connection is better than one that was idle for long."""
    caller: Caller | None = field(default=None, repr=False, compare=False)
    """Of a read; None for a write."""
    max_answer_size: int = MAX_ANSWER_SIZE
    """Bytes that the answer's body may have, its coding undone. Of a larger one nothing is handed over."""


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class WireResponse:
    """One whole answer. ``headers`` has lower-case names; repeated ones are joined by a comma and a space."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    drop_connection: Callable[[], None] = field(default=_nothing, repr=False, compare=False)
    """Closes the connection it came over, at once and whatever is on it by now: for an answer that turns out to be
    another request's, because then no further answer of that connection can be believed. Does nothing a second time,
    and nothing where an engine has no way to do it."""
    unreadable: str | None = None
    """Why the body could not be read, which is empty then; None for a body that was read whole."""


class SendError(Exception):
    """A send that brought no whole answer. The text names the phase and the cause's type, never an address or body."""

    def __init__(self, phase: Phase, reason: str) -> None:
        super().__init__(f"{reason} ({phase})")
        self.phase: Phase = phase
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return revived, (type(self), self.args), self.__dict__


class UnsentError(SendError):
    """No byte of the request was sent; the service can't know of it."""


class MaybeSentError(SendError):
    """Something may have been sent; whether the service acted on it is unknown."""


class Engine(Protocol):
    """Sends requests. One engine serves one client, on one event loop."""

    @property
    def name(self) -> str:
        """What ``client.engine`` says: ``"httpx"``, ``"aiohttp"``."""
        ...

    async def send(self, request: WireRequest) -> WireResponse:
        """Send once and read the whole answer.

        Raises:
            UnsentError: no byte left.
            MaybeSentError: no whole answer, and the service may have acted.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection. Closing twice is fine; sending afterwards raises :class:`UnsentError`."""
        ...
