"""One request on an aiohttp connection that is open already: written at once, and answered without a task.

aiohttp's own way from a request to its answer takes a task, a dozen objects and several rounds of the event loop. A
request on an idle connection needs none of them: its bytes are written at once, and what the connection receives goes
straight to the :class:`Exchange`, which checks the head like any other. Only plain answers are read here: a whole head
that came at once, and a body that is short and has a length or came in few pieces. All others are handed to aiohttp's
parser with everything received so far.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from contextvars import Context
from functools import lru_cache
from typing import Final, Protocol, final

from aiohttp import ClientOSError, ClientPayloadError, ServerDisconnectedError
from aiohttp.streams import StreamReader

from norce_order_async.engines._answer import CODINGS, Body, Head, plain_head, whole_chunks
from norce_order_async.engines._errors import CALLER_LEFT, OUT_OF_TIME, failure, refined, system_error
from norce_order_async.engines.base import KEEP_IDLE, MaybeSentError, SendError, UnsentError, WireRequest, WireResponse
from norce_order_async.errors import Phase
from norce_order_async.runtime.timers import Watch

SHORT: Final = 256 * 1024
"""Bytes of a body up to which it is read here, without holding the connection back."""

_FEW: Final = 8
"""Pieces in which a chunked body may come."""

_SPECIAL: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "cookie",
        "expect",
        "host",
        "proxy-authorization",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers of a request that aiohttp has rules for."""

_METHODS: Final = frozenset({"GET", "PUT", "POST", "PATCH", "DELETE"})
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Carrier(Protocol):
    """The connection of an exchange."""

    @property
    def received(self) -> int:
        """Bytes received in all."""
        ...

    def drop(self) -> None:
        """Close it at once."""
        ...

    def done(self, *, close: bool) -> None:
        """The exchange is over: keep the connection for another one, or close it."""
        ...

    def hand_over(self, data: bytes) -> None:
        """Have aiohttp's parser read the answer, of which so much has come already."""
        ...

    async def head(self) -> tuple[int, Mapping[str, str], StreamReader]:
        """The head that the parser read, and the body behind it."""
        ...


class Step:
    """How far one send got; each send has its own."""

    __slots__ = ("answered", "connection", "max_idle", "request", "sent", "watch", "writing")

    def __init__(self, request: WireRequest, watch: Watch) -> None:
        self.request = request
        self.watch = watch
        self.max_idle = KEEP_IDLE if request.max_idle is None else min(request.max_idle, KEEP_IDLE)
        self.connection: Carrier | None = None
        self.sent = False
        self.writing = False
        self.answered = False

    def failed(self, exc: Exception, *, closed: bool) -> SendError:
        """The error to raise for ``exc``."""
        if self.sent:
            return failure(MaybeSentError, self._phase(), exc)
        if closed:
            return UnsentError("closed", "the engine was closed meanwhile")
        return failure(UnsentError, refined("connect", exc), exc)

    def ended(self, why: str = OUT_OF_TIME) -> SendError:
        """The error to raise when the total time is over, or the caller has left."""
        if self.sent:
            return MaybeSentError(self._phase(), why)
        return UnsentError("connect", why)

    def over(self) -> SendError:
        """The error to raise when the watch has ended the send."""
        if self.watch.silent:
            return self.failed(TimeoutError(), closed=False)
        return self.ended(CALLER_LEFT if self.watch.left_alone else OUT_OF_TIME)

    def _phase(self) -> Phase:
        if self.answered:
            return "body"
        return "write" if self.writing else "read"


def head_of(method: str, host: str, path: str, headers: Mapping[str, str], body: bytes | None) -> bytes | None:
    """The head of a request, byte by byte as aiohttp writes it; None where that depends on more than is known here."""
    values = "".join(headers.values())
    if method not in _METHODS or not (values.isascii() and values.isprintable()):
        return None
    lines = [f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: {CODINGS}\r\n"]
    for name, value in headers.items():
        begin = _begin_of_line(name)
        if begin is None:
            return None
        lines.append(f"{begin}{value}\r\n")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}\r\n\r\n")
    else:
        lines.append("\r\n" if method == "GET" else "Content-Length: 0\r\n\r\n")
    return "".join(lines).encode("ascii")


@lru_cache(maxsize=256)
def _begin_of_line(name: str) -> str | None:
    return f"{name}: " if _NAME.fullmatch(name) and name.lower() not in _SPECIAL else None


@final
class Exchange:
    """One request and its answer, on a connection of its own meanwhile.

    ``ended`` is called once, when there is an answer or an error, from a callback of the event loop; it must not raise.
    """

    __slots__ = (
        "_chunks",
        "_connection",
        "_ended",
        "_error",
        "_head",
        "_loop",
        "_missing",
        "_parts",
        "_reading",
        "_response",
        "_step",
        "_surplus",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, step: Step, connection: Carrier, ended: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._step = step
        self._connection = connection
        self._ended = ended
        self._head: Head | None = None
        self._parts: list[bytes] = []
        self._chunks = 0
        self._missing = 0
        self._surplus = False
        self._reading: asyncio.Task[None] | None = None
        """Reads what is not read here: a task, once there is one."""
        self._response: WireResponse | None = None
        self._error: SendError | None = None

    @property
    def out_of_time(self) -> bool:
        """Whether it ended because its total time was over."""
        watch = self._step.watch
        return self._error is not None and watch.over and not watch.silent and not watch.left_alone

    @property
    def cancelled(self) -> bool:
        """Whether it was cancelled, and not ended by its own time."""
        return self._error is None and self._response is None

    def result(self) -> WireResponse:
        """The answer, once it has ended.

        Raises:
            MaybeSentError: there is none.
        """
        if self._response is not None:
            return self._response
        raise self._error or self._step.ended("the send was cancelled")

    def cancel(self) -> None:
        """End it at once, and close its connection: its time is over, or nobody waits for it."""
        if self._ended is nothing:
            return
        if self._step.watch.over:
            self._error = self._step.over()
        if self._reading is not None:
            self._reading.cancel()
        self._connection.done(close=True)
        self._end()

    def lost(self, exc: BaseException | None) -> None:
        """Called by the connection when it was closed."""
        if self._reading is not None:
            # All of the answer is there, and is being decoded.
            return
        if self._head is not None:
            self._fail(ClientPayloadError())
        else:
            self._fail(ClientOSError(*exc.args) if isinstance(exc, OSError) else ServerDisconnectedError())

    def take(self, data: bytes) -> None:
        """Called by the connection with the bytes received."""
        if self._reading is not None:
            self._surplus = True
            return
        self._step.watch.heard()
        head = self._head
        if head is None:
            head = plain_head(data)
            if head is None or head.length > min(SHORT, self._step.request.max_answer_size):
                self._hand_over(data)
                return
            self._head = head
            self._step.answered = True
            if head.length >= 0:
                self._missing = head.length - (len(data) - head.end)
                if self._missing <= 0:
                    self._whole(head, data[head.end : head.end + head.length], surplus=self._missing < 0)
                    return
            self._parts.append(data)
        else:
            self._parts.append(data)
            self._missing -= len(data)
        if head.length < 0:
            self._take_chunks(head)
        elif self._missing <= 0:
            received = b"".join(self._parts)
            self._whole(head, received[head.end : head.end + head.length], surplus=self._missing < 0)

    def _take_chunks(self, head: Head) -> None:
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts = [data]
        self._chunks += 1
        found = whole_chunks(data, head.end)
        most = min(SHORT, self._step.request.max_answer_size)
        if found is None or len(data) - head.end > most or (not found[1] and self._chunks >= _FEW):
            self._hand_over(data)
        elif found[1]:
            self._whole(head, found[0], surplus=found[1] < len(data))

    def _whole(self, head: Head, content: bytes, *, surplus: bool) -> None:
        """All bytes of the answer are there."""
        self._surplus = surplus
        if not content or "content-encoding" not in head.headers:
            self._answer(head.status, head.headers, content, None, close=surplus or head.closes)
            return
        body = Body(head.headers, self._step.request.max_answer_size)
        if body.take(content):
            self._reading = self._loop.create_task(self._decode(head, body), context=Context())
        else:
            self._answer(head.status, head.headers, body.whole(), body, close=surplus or head.closes)

    async def _decode(self, head: Head, body: Body) -> None:
        more = True
        while more:
            await asyncio.sleep(0)
            more = body.take(b"")
        self._reading = None
        self._answer(head.status, head.headers, body.whole(), body, close=self._surplus or head.closes)

    def _hand_over(self, data: bytes) -> None:
        self._parts = []
        self._head = None
        self._step.answered = False
        self._connection.hand_over(data)
        self._reading = self._loop.create_task(self._read(), context=Context())

    async def _read(self) -> None:
        """Read the answer by aiohttp's parser."""
        try:
            status, headers, content = await self._connection.head()
            self._step.answered = True
            body = Body(headers, self._step.request.max_answer_size)
            await read_body(content, body, self._step.watch)
        except Exception as exc:  # noqa: BLE001 - nothing but our two exceptions may leave an engine
            self._reading = None
            self._fail(exc)
        else:
            self._reading = None
            self._answer(status, headers, body.whole(), body, close=False)

    def _answer(
        self, status: int, headers: Mapping[str, str], content: bytes, body: Body | None, *, close: bool
    ) -> None:
        fault = None if body is None else body.fault
        connection = self._connection
        self._response = WireResponse(status, headers, content, connection.drop, fault)
        connection.done(close=close or fault is not None)
        self._end()

    def _fail(self, exc: Exception) -> None:
        if isinstance(exc, SendError):
            self._error = exc
        else:
            self._error = self._step.failed(exc, closed=False)
            self._error.__cause__ = system_error(exc)
        self._connection.done(close=True)
        self._end()

    def _end(self) -> None:
        self._step.watch.finish()
        ended, self._ended = self._ended, nothing
        ended()

    def abandon(self) -> None:
        """Forget it: it could not be begun."""
        self._step.watch.finish()
        self._ended = nothing
        self._connection.done(close=True)


async def read_body(content: StreamReader, body: Body, watch: Watch) -> None:
    """Read an answer's body, as far as it can be read; each piece restarts the watch's time without bytes."""
    watch.heard()
    while piece := await content.readany():
        watch.heard()
        while body.take(piece):
            piece = b""
            await asyncio.sleep(0)
        if body.fault:
            return


def nothing() -> None:
    """In place of what is to be called, once it was."""
