"""Connections for aiohttp that check what its own do not: bytes that no request asked for, the time a connection was
idle, and heads of answers that two parsers could read in two ways.

aiohttp has no public way to choose the class of its connections, so :class:`Connector` sets a private attribute. If a
version of aiohttp no longer uses the attribute, the tests fail; at run time it uses its own connections, without these
checks.
"""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Callable, Mapping
from contextvars import Context
from functools import partial
from typing import Any, Final, cast, final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError, RawResponseMessage
from aiohttp.streams import StreamReader

from norce_order_async.engines._aiohttp_exchange import Exchange
from norce_order_async.engines._answer import LONGEST, Heads
from norce_order_async.engines.base import SendError

MOST_HEADERS: Final = LONGEST // 4
"""As many as fit into a head. aiohttp's own limits on the number and length of headers are lower than what gateways
send."""


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
        """What the bytes received belong to, unless aiohttp's parser reads them."""
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

    def speaks(self) -> bool:
        """Whether bytes have come, or the server has closed it, without the event loop having looked yet. Between an
        answer and the next request on its connection there may be no round of the loop."""
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
        """Expect an answer, which goes to ``exchange``: its request is about to be sent."""
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
        """Have aiohttp's parser read the answer, of which so much has come already."""
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
        """The head that the parser read, and the body behind it."""
        while True:
            try:
                message, content = await self.read()
            except HttpProcessingError as exc:
                # As aiohttp's own response has it.
                raise aiohttp.ClientResponseError(cast("Any", None), ()) from exc
            if message.code >= 200 or message.code == 101:
                return message.code, joined(message.headers), content

    def connection_lost(self, exc: BaseException | None) -> None:
        """Called by the event loop when the connection was closed."""
        super().connection_lost(exc)
        if self._exchange is not None:
            self._exchange.lost(exc)

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


class Connector(aiohttp.TCPConnector):
    """Opens :class:`WatchedConnection` objects and keeps idle ones for ``keep_idle`` seconds.

    Connections and timers are made in an empty context: asyncio keeps their context as long as a connection lives, and
    must not keep a caller's.
    """

    def __init__(self, now: Callable[[], float], keep_idle: float) -> None:
        # No limit here: the number of sends in flight is limited above the engine.
        self._keep_idle = keep_idle
        super().__init__(limit=0, keepalive_timeout=keep_idle)  # pyright: ignore[reportUnknownMemberType]
        factory: Any = partial(WatchedConnection, now, self._loop)
        self._factory = factory
        self.known: dict[str, tuple[Any, str]] = {}
        """By the begin of their addresses: servers that a request was sent to, without a proxy. aiohttp's key for their
        connections, and the header ``Host``."""

    def take(self, key: Any) -> WatchedConnection | None:
        """An idle connection that carried a request before; the one that aiohttp would take."""
        idle = self._conns.get(key)
        now = time.monotonic()
        while idle:
            connection, since = idle[0]
            if not isinstance(connection, WatchedConnection) or connection.fresh:
                return None
            idle.popleft()
            if connection.is_connected() and now - since <= self._keep_idle:
                self._acquired.add(connection)
                return connection
            connection.close()
        return None

    def give_back(self, key: Any, connection: WatchedConnection, close: bool) -> None:
        """Keep a connection that was taken, or close it."""
        if close or self._closed or self._cleanup_handle is None or connection.should_close:
            self._release(key, connection, should_close=close)
        else:
            # What aiohttp does then, without its look at requests that wait for a connection: there are none.
            self._acquired.discard(connection)
            self._conns[key].append((connection, time.monotonic()))

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        """aiohttp's hook that opens a connection."""
        opening = self._loop.create_task(super()._create_connection(req, traces, timeout), context=Context())
        try:
            return await opening
        except asyncio.CancelledError:
            if opening.done() and not opening.cancelled() and opening.exception() is None:
                opening.result().close()
            raise

    def _release(self, key: Any, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        """Called with each connection that is no longer in use; sets the timer that closes idle ones."""
        if self._cleanup_handle is not None:
            super()._release(key, protocol, should_close=should_close)
        else:
            Context().run(super()._release, key, protocol, should_close=should_close)


def joined(received: Mapping[str, str]) -> dict[str, str]:
    """Headers with lower-case names; the values of repeated ones are joined."""
    headers: dict[str, str] = {}
    for name, value in received.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers
