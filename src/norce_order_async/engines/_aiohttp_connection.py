"""One connection of aiohttp's, and the requests that are written to it at once.

:class:`WatchedConnection` checks what aiohttp's own connections do not: bytes that no request asked for, the time that
the connection was idle, and heads of answers that two parsers could read in two ways.

:class:`Exchange` is one request on a connection that is open already. aiohttp's own way from a request to its answer
takes a task, a dozen objects and several rounds of the event loop. A request on an idle connection needs none of them:
its bytes are written at once, and the bytes that the connection receives go straight to the exchange, which checks the
head like any other. It reads only plain answers: a complete head that came at once, and a body that is short and has a
length or came in few pieces. All others are handed to aiohttp's parser with everything received so far.

The functions between the two classes write the head of such a request and read plain answers. They are in this file so
that a reader who follows a call has one file less to open.
"""

from __future__ import annotations

import asyncio
import re
import select
from collections.abc import Callable, Mapping
from contextvars import Context
from functools import lru_cache
from typing import Any, Final, NamedTuple, cast, final

from aiohttp import ClientOSError, ClientPayloadError, ClientResponseError, ServerDisconnectedError
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError, RawResponseMessage
from aiohttp.streams import StreamReader

from norce_order_async.engines._answer import CODINGS, HEAD, LONGEST, Body, Heads
from norce_order_async.engines._errors import CALLER_LEFT, OUT_OF_TIME, failure, refined, system_error
from norce_order_async.engines.base import KEEP_IDLE, MaybeSentError, SendError, UnsentError, WireRequest, WireResponse
from norce_order_async.errors import Phase
from norce_order_async.runtime.timers import Watch

MOST_HEADERS: Final = LONGEST // 4
"""As many as fit into a head. aiohttp's own limits on the number and length of headers are lower than what gateways
send."""

SHORT: Final = 256 * 1024
"""The longest body in bytes that an exchange reads itself."""

_FEW: Final = 8
"""The most pieces in which a chunked body may come."""

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

_ONCE: Final = frozenset({"content-length", "transfer-encoding"})
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,7})\r\n")
_CHUNK_BEGUN: Final = re.compile(rb"(?:[0-9A-Fa-f]{1,7}\r?)?")


@final
class WatchedConnection(ResponseHandler):
    """One connection. It is closed if bytes come outside an answer: the next request would take them for its answer."""

    def __init__(self, now: Callable[[], float], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._now = now
        self._heard = now()
        self._asked: bool | None = None
        """Whether an answer is expected; None before the first request."""
        self._answer: StreamReader | None = None
        """The answer that is being received."""
        self._heads: Heads | None = None
        """Checks the head of the expected answer; None once the head has come."""
        self.spoke_first = False
        """Whether bytes came before the first request."""
        self.received = 0
        """Bytes received in all."""
        self._exchange: Exchange | None = None
        """The exchange that takes the received bytes; None if aiohttp's parser reads them."""
        self._release: Callable[[bool], None] | None = None
        self._poll: select.poll | None = None

    @property
    def fresh(self) -> bool:
        """Whether it has carried no request yet."""
        return self._asked is None

    @property
    def idle(self) -> float:
        """Seconds since it was opened or last received bytes."""
        return self._now() - self._heard

    def is_readable(self) -> bool:
        """Whether bytes have come, or the server has closed it, before the event loop noticed. There may be no round of
        the loop between an answer and the next request on the connection."""
        if self._poll is None:
            sock = None if self.transport is None else self.transport.get_extra_info("socket")
            if sock is None or not hasattr(select, "poll"):
                return False
            self._poll = select.poll()
            self._poll.register(sock.fileno(), select.POLLIN)
        return bool(self._poll.poll(0))

    def ask(self) -> None:
        """Expect an answer: a request is about to be sent."""
        self._asked = True
        self._heads = Heads()

    def begin(self, exchange: Exchange, release: Callable[[bool], None]) -> None:
        """Expect an answer for ``exchange``, whose request is about to be sent."""
        self._asked = True
        self._heads = None
        self._exchange = exchange
        self._release = release

    def write(self, data: bytes) -> None:
        """Send a whole request."""
        if self.transport is not None:
            self.transport.write(data)

    def done(self, *, close: bool) -> None:
        """The exchange is over: keep the connection for another one, or close it."""
        self._exchange = None
        self._asked = False
        release, self._release = self._release, None
        if release is not None:
            release(close)

    def hand_over(self, data: bytes) -> None:
        """Let aiohttp's parser read the answer. ``data`` is what has come of it so far."""
        self._exchange = None
        self._heads = Heads()
        self.received -= len(data)
        self.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            max_line_size=LONGEST,
            max_field_size=LONGEST,
            max_headers=MOST_HEADERS,
        )
        self.data_received(data)

    async def head(self) -> tuple[int, dict[str, str], StreamReader]:
        """Status and headers as the parser reads them, and the stream of the body."""
        while True:
            try:
                message, content = await self.read()
            except HttpProcessingError as exc:
                # The error that aiohttp's own response raises.
                raise ClientResponseError(cast("Any", None), ()) from exc
            if message.code >= 200 or message.code == 101:
                return message.code, joined(message.headers), content

    def connection_lost(self, exc: BaseException | None) -> None:
        """Called by the event loop when the connection was closed."""
        super().connection_lost(exc)
        if self._exchange is not None:
            self._exchange.lost(exc)

    def close(self) -> None:
        """Close it. aiohttp would leave the reader of an answer that has not ended waiting: here it fails."""
        answer = self._answer
        super().close()
        if answer is not None and not answer.is_eof():
            answer.set_exception(ClientPayloadError("the connection was closed"))

    def drop(self) -> None:
        """Close it at once, even in the middle of an answer."""
        self.force_close()
        self.close()

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Called by aiohttp's parser for each complete head."""
        message, content = data
        if message.code >= 200 or message.code == 101:
            if self._answer is not None:
                self.force_close()
            self._answer = content
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        """Called with the bytes received; empty when reading resumes after a pause."""
        if data:
            self.received += len(data)
            self._heard = self._now()
            if self._exchange is not None:
                self._exchange.take(data)
                return
            if self._asked is None:
                # Not closed at once: a tunnel through a proxy begins like this.
                self.spoke_first = True
            elif not self._asked:
                self.drop()
                return
            elif self._heads is not None:
                try:
                    self._heads.take(data)
                except SendError as exc:
                    if self.transport is not None:
                        self.transport.close()
                    self.set_exception(exc)
                    return
                if self._heads.whole:
                    self._heads = None
        super().data_received(data)
        if self._answer is not None and self._answer.is_eof():
            self._answer = None
            if self._asked:
                self._asked = False
                if self._began_another():
                    self.force_close()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Called when the reader has caught up with an answer that was too large to be read at once."""
        Context().run(super().resume_reading, resume_parser)

    def _began_another(self) -> bool:
        """Whether the first bytes of another head came with the answer. The parser keeps them without reporting."""
        try:
            return self._parser is not None and self._parser.feed_eof() is not None
        except Exception:  # noqa: BLE001 - any exception means that the parser holds part of a head
            return True


class Progress:
    """How far one send got. Each send has its own."""

    __slots__ = ("answered", "connection", "max_idle", "request", "sent", "watch", "writing")

    def __init__(self, request: WireRequest, watch: Watch) -> None:
        self.request = request
        self.watch = watch
        self.max_idle = KEEP_IDLE if request.max_idle is None else min(request.max_idle, KEEP_IDLE)
        self.connection: WatchedConnection | None = None
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
    """The head of a request, byte by byte as aiohttp writes it. None for methods and headers that aiohttp has rules of
    its own for."""
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


class Head(NamedTuple):
    """The head of a plain answer."""

    status: int
    headers: dict[str, str]
    """With lower-case names; the values of repeated ones are joined."""
    end: int
    """Where the body begins."""
    length: int
    """Of the body; -1 if it is chunked."""
    closes: bool
    """Whether the server closes the connection."""


def plain_head(data: bytes) -> Head | None:
    """The head at the beginning of an answer. None unless it is complete, valid and of the common form: a final status,
    and a body with a length or in chunks. All other heads, also invalid ones, are left to
    :class:`~norce_order_async.engines._answer.Heads` and aiohttp's parser.
    """
    found = HEAD.match(data)
    if found is None or found[1] == b"1" or found.end() > LONGEST or data[7:8] != b"1":
        return None
    end = found.end()
    lines = data[: end - 4].decode("utf-8", "surrogateescape").split("\r\n")
    status = int(lines[0][9:12])
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip(" \t")
        if name in headers:
            if name in _ONCE:
                return None
            value = f"{headers[name]}, {value}"
        headers[name] = value
    length = headers.get("content-length")
    coding = headers.get("transfer-encoding")
    if "upgrade" in headers or status == 304:
        return None
    if length is None:
        if coding == "chunked" and status != 204:
            size = -1
        elif coding is None and status == 204:
            size = 0
        else:
            return None
    elif coding is None and length.isascii() and length.isdecimal() and len(length) <= 18:
        size = int(length)
        if size and status == 204:
            return None
    else:
        return None
    connection = headers.get("connection")
    closes = connection is not None and connection.lower() != "keep-alive"
    return Head(status, headers, end, size, closes)


def whole_chunks(data: bytes, at: int) -> tuple[bytes, int] | None:
    """Read a chunked body that begins at ``at``.

    Returns:
        The body and the position of its end, which is 0 if more bytes have to come. None if the body is malformed, or
        has rare parts such as extensions.
    """
    parts: list[bytes] = []
    while True:
        found = _CHUNK.match(data, at)
        if found is None:
            return (b"", 0) if _CHUNK_BEGUN.fullmatch(data, at) else None
        size, at = int(found[1], 16), found.end()
        end = at + size
        after = data[end : end + 2]
        if after != b"\r\n":
            return (b"", 0) if b"\r\n".startswith(after) and len(data) < end + 2 else None
        if not size:
            return b"".join(parts), end + 2
        parts.append(data[at:end])
        at = end + 2


@final
class Exchange:
    """One request and its answer. It has the connection to itself until it ends.

    Args:
        loop: the event loop.
        progress: how far the send got.
        connection: an idle connection.
        ended: called once, when there is an answer or an error, from a callback of the event loop. It must not raise.
    """

    __slots__ = (
        "_connection",
        "_ended",
        "_error",
        "_head",
        "_loop",
        "_missing",
        "_parts",
        "_pieces",
        "_progress",
        "_reading",
        "_response",
        "_surplus",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        progress: Progress,
        connection: WatchedConnection,
        ended: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._progress = progress
        self._connection = connection
        self._ended = ended
        self._head: Head | None = None
        self._parts: list[bytes] = []
        self._pieces = 0
        """Pieces of a chunked body that have come."""
        self._missing = 0
        self._surplus = False
        self._reading: asyncio.Task[None] | None = None
        """The task that decodes a long answer or reads it with aiohttp's parser; None if there is none."""
        self._response: WireResponse | None = None
        self._error: SendError | None = None

    @property
    def out_of_time(self) -> bool:
        """Whether it ended because its total time was over."""
        watch = self._progress.watch
        return self._error is not None and watch.over and not watch.silent and not watch.left_alone

    @property
    def cancelled(self) -> bool:
        """Whether it was cancelled, and not ended by its own time."""
        return self._error is None and self._response is None

    def result(self) -> WireResponse:
        """The answer of an exchange that has ended.

        Raises:
            MaybeSentError: there was no complete answer.
        """
        if self._response is not None:
            return self._response
        raise self._error or self._progress.ended("the send was cancelled")

    def cancel(self) -> None:
        """End it at once and close its connection, because its time is over or no caller waits for it."""
        if self._ended is nothing:
            return
        if self._progress.watch.over:
            self._error = self._progress.over()
        if self._reading is not None:
            self._reading.cancel()
        self._connection.done(close=True)
        self._end()

    def lost(self, exc: BaseException | None) -> None:
        """Called by the connection when it was closed."""
        if self._reading is not None:
            # The answer is complete and is being decoded.
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
        self._progress.watch.heard()
        head = self._head
        if head is None:
            head = plain_head(data)
            if head is None or head.length > min(SHORT, self._progress.request.max_answer_size):
                self._hand_over(data)
                return
            self._head = head
            self._progress.answered = True
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
        self._pieces += 1
        found = whole_chunks(data, head.end)
        most = min(SHORT, self._progress.request.max_answer_size)
        if found is None or len(data) - head.end > most or (not found[1] and self._pieces >= _FEW):
            self._hand_over(data)
        elif found[1]:
            self._whole(head, found[0], surplus=found[1] < len(data))

    def _whole(self, head: Head, content: bytes, *, surplus: bool) -> None:
        """Called when all bytes of the answer have come."""
        self._surplus = surplus
        if not content or "content-encoding" not in head.headers:
            self._answer(head.status, head.headers, content, None, close=surplus or head.closes)
            return
        body = Body(head.headers, self._progress.request.max_answer_size)
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
        self._progress.answered = False
        self._connection.hand_over(data)
        self._reading = self._loop.create_task(self._read(), context=Context())

    async def _read(self) -> None:
        """Read the answer with aiohttp's parser."""
        try:
            status, headers, content = await self._connection.head()
            self._progress.answered = True
            body = Body(headers, self._progress.request.max_answer_size)
            await read_body(content, body, self._progress.watch)
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
            self._error = self._progress.failed(exc, closed=False)
            self._error.__cause__ = system_error(exc)
        self._connection.done(close=True)
        self._end()

    def _end(self) -> None:
        self._progress.watch.finish()
        ended, self._ended = self._ended, nothing
        ended()

    def abandon(self) -> None:
        """End it without calling ``ended``, because its request could not be written."""
        self._progress.watch.finish()
        self._ended = nothing
        self._connection.done(close=True)


async def read_body(content: StreamReader, body: Body, watch: Watch) -> None:
    """Read an answer's body until its end or a fault. Each piece restarts the watch's time without bytes."""
    watch.heard()
    while piece := await content.readany():
        watch.heard()
        while body.take(piece):
            piece = b""
            await asyncio.sleep(0)
        if body.fault:
            return


def nothing() -> None:
    """Replaces ``ended`` once that was called."""


def joined(received: Mapping[str, str]) -> dict[str, str]:
    """Headers with lower-case names; the values of repeated ones are joined."""
    headers: dict[str, str] = {}
    for name, value in received.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers
