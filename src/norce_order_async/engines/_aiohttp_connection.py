"""What aiohttp's connections lack: they do not say whether bytes came that no request asked for, nor how long they are
idle, and they take heads of answers that can be read in two ways.

aiohttp has no public way to choose the class of its connections. :class:`Connector` sets a private attribute. A version
of aiohttp that no longer looks at it fails the tests; its own connections are then used, without what is here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Any, final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

from norce_order_async.engines._head import Heads
from norce_order_async.engines.base import SendError


@final
class WatchedConnection(ResponseHandler):
    """One connection. Bytes outside an answer close it: they would pass as part of the answer to the next request."""

    def __init__(self, now: Callable[[], float], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._now = now
        self._heard = now()
        self._asked: bool | None = None
        """Whether an answer is expected; None before the first request."""
        self._answer: StreamReader | None = None
        """The one that is being received."""
        self._heads: Heads | None = None
        """Of the answer that is expected, until its head is there."""
        self.spoke_first = False
        """Whether bytes came before the first request."""
        self.received = 0
        """Bytes, in all."""

    @property
    def fresh(self) -> bool:
        """Whether no request went over it yet."""
        return self._asked is None

    @property
    def idle(self) -> float:
        """Seconds since it was opened or last brought bytes."""
        return self._now() - self._heard

    def ask(self) -> None:
        """A request goes out: from now on an answer is expected."""
        self._asked = True
        self._heads = Heads()

    def drop(self) -> None:
        """Close it, whatever is on it."""
        self.force_close()
        self.close()

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Called for each head that was read whole."""
        message, content = data
        if message.code >= 200 or message.code == 101:
            if self._answer is not None:
                self.force_close()
            self._answer = content
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        """Called with what came off the wire, and with nothing when reading goes on after a pause."""
        if data:
            self.received += len(data)
            self._heard = self._now()
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
        """Called by the reader that has read enough of an answer that was too large to be read at once."""
        Context().run(super().resume_reading, resume_parser)

    def _began_another(self) -> bool:
        """Whether the first bytes of another head came with the answer, which the parser would keep to itself."""
        try:
            return self._parser is not None and self._parser.feed_eof() is not None
        except Exception:  # noqa: BLE001 - it may say in any way that the head is not whole
            return True


class Connector(aiohttp.TCPConnector):
    """Opens :class:`WatchedConnection` and keeps an idle one for so many seconds.

    What asyncio keeps of the context in which a connection is opened or a timer set, it keeps for as long as there are
    idle connections. That is not to be the context of a caller.
    """

    def __init__(self, now: Callable[[], float], keep_idle: float) -> None:
        # How many there are is bounded elsewhere.
        super().__init__(limit=0, keepalive_timeout=keep_idle)  # pyright: ignore[reportUnknownMemberType]
        factory: Any = partial(WatchedConnection, now, self._loop)
        self._factory = factory

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        """aiohttp's hook for opening one."""
        opening = self._loop.create_task(super()._create_connection(req, traces, timeout), context=Context())
        try:
            return await opening
        except asyncio.CancelledError:
            if opening.done() and not opening.cancelled() and opening.exception() is None:
                opening.result().close()
            raise

    def _release(self, key: Any, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        """Called with each that is not used any more; sets the timer that drops idle ones."""
        Context().run(super()._release, key, protocol, should_close=should_close)
