"""The fast engine: aiohttp, on asyncio, with the ``fast`` extra.

Its parts, in the order in which a request passes them:

* A request on a connection that is idle is written at once, and needs no more of aiohttp than that connection
  (:class:`~norce_order_async.engines._aiohttp_connection.Exchange`). All other requests take the rest of this list: the
  first one on each connection, those through a proxy, and those with a large body or an odd header.
* ``send`` checks what aiohttp would change or refuse late. One alarm (:class:`~norce_order_async.runtime.timers.Watch`)
  limits both the total time and the time without bytes; aiohttp's own timeouts would set a timer for each piece.
* ``_exchange`` has aiohttp send one request and reads the whole answer, within the limits of
  :class:`~norce_order_async.engines._answer.Body`.
* :class:`_Request` stands between aiohttp's connector and the socket. It is called right before the first byte of a
  request. If a send fails before that, nothing was sent; if it fails later, the service may have acted. The class of
  the exception does not matter. It also sends each request only once, because aiohttp would repeat some, and refuses a
  connection that received bytes no request asked for
  (:class:`~norce_order_async.engines._aiohttp_connection.WatchedConnection` notices them).
* :class:`Connector` opens these connections and keeps idle ones.
* :class:`_LargeBody` writes a body that does not fit into the socket's buffer, with the write timeout that aiohttp
  lacks.

The number of sends in flight is limited above the engine; aiohttp's own queue is switched off. A cancelled send closes
its own connection and no other.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import ssl
import time
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from contextvars import Context, ContextVar
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, final

import aiohttp
import certifi
import yarl

from norce_order_async.engines._aiohttp_connection import (
    MOST_HEADERS,
    Exchange,
    Progress,
    WatchedConnection,
    head_of,
    joined,
    read_body,
)
from norce_order_async.engines._answer import CODINGS, LONGEST, Body
from norce_order_async.engines._errors import CALLER_LEFT, system_error
from norce_order_async.engines.base import (
    KEEP_IDLE,
    SendError,
    Timeouts,
    UnsentError,
    WireRequest,
    WireResponse,
)
from norce_order_async.engines.proxies import from_environment
from norce_order_async.runtime.clock import Clock, SystemClock
from norce_order_async.runtime.timers import Alarms, Watch

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection

_ADDRESS: Final = re.compile(r"(https?://[^/?#@\s]+)(/[!-\"$-~]*)?", re.ASCII)
"""Absolute, encoded, without credentials and without a fragment."""

_BREAKS_A_HEADER: Final = re.compile(r"[\0\r\n]")

_AT_ONCE: Final = 64 * 1024
"""Bytes that aiohttp gives to the socket without waiting."""

_MOST_SERVERS: Final = 64
"""The most servers that are remembered."""

_AUTOMATIC: Final = ("Accept", "Content-Type", "User-Agent")
"""Headers that aiohttp would add if the request lacks them, unless they are skipped."""

_COMPLETE: Final = frozenset({"accept", "user-agent"})
_COMPLETE_WITH_BODY: Final = _COMPLETE | {"content-type"}
"""A request with these headers needs no list of headers to skip."""


@final
class AiohttpEngine:
    """Sends requests with aiohttp, on the asyncio loop of its first send.

    Args:
        verify: True for certifi's authorities, False for no check, or an ``ssl.SSLContext`` of your own.
        cert: A client certificate: a path, or the arguments of ``ssl.SSLContext.load_cert_chain``.
        proxy: The address of a proxy for all requests, ``http`` or ``https``.
        trust_env: Whether proxies and certificate files are also taken from the environment.
        clock: Where time comes from.

    Example::

        engine = AiohttpEngine(cert=("client.pem", "client.key"))
        async with NorceOrderClient(..., engine=engine) as norce:
            order = await norce.orders.get("o1")
    """

    def __init__(
        self,
        *,
        verify: ssl.SSLContext | bool = True,
        cert: str | tuple[str, str] | tuple[str, str, str] | None = None,
        proxy: str | None = None,
        trust_env: bool = False,
        clock: Clock | None = None,
    ) -> None:
        if cert is not None and isinstance(verify, ssl.SSLContext):
            raise ValueError("load the client certificate into the context given as verify")
        self._verify = verify
        self._cert = cert
        self._proxy = None if proxy is None else _Proxy(proxy)
        self._trust_env = trust_env
        self._clock: Clock = SystemClock() if clock is None else clock
        self._closed = False
        self._alarms: Alarms | None = None
        self._session: aiohttp.ClientSession | None = None
        self._tls = verify if isinstance(verify, ssl.SSLContext) else None
        self._tls_lock = asyncio.Lock()

    @property
    def name(self) -> str:
        """``"aiohttp"``."""
        return "aiohttp"

    @property
    def asks_before_first_byte(self) -> bool:
        """True: it calls ``WireRequest.before_first_byte``."""
        return True

    async def send(self, request: WireRequest) -> WireResponse:
        """Send once and read the whole answer.

        Raises:
            UnsentError: No byte was sent.
            MaybeSentError: No complete answer came, and the service may have acted on the request.
        """
        ended = asyncio.Event()
        exchange = self._begin(request, ended.set)
        if exchange is not None:
            try:
                await ended.wait()
            except asyncio.CancelledError:
                exchange.cancel()
                raise
            return exchange.result()
        session, alarms = self._opened()
        url = _address(request)
        system = type(self._clock) is SystemClock
        watch = Watch(alarms, request.total if system else None, request.timeouts.read)
        if request.caller is not None:
            if request.caller.gone:
                raise UnsentError("pool", CALLER_LEFT)
            request.caller.on_leave(watch.leave)
        progress = Progress(request, watch)
        cause: OSError | None = None
        try:
            with nullcontext() if system else self._clock.move_on_after(request.total), watch:
                return await self._exchange(session, url, request, progress)
            error = progress.over()
        except SendError as exc:
            error = exc
        except Exception as exc:  # noqa: BLE001 - nothing but our two exceptions may leave an engine
            error = progress.failed(exc, closed=self._closed)
            cause = system_error(exc)
        raise error from cause

    def _begin(self, request: WireRequest, ended: Callable[[], None]) -> Exchange | None:
        """Send on an idle connection, at once and without a task. ``ended`` is called when the exchange has ended.

        Returns:
            The exchange. None if there is no idle connection or the request is not of the common form; then call
            :meth:`send`.

        Raises:
            UnsentError: Nothing was sent: the engine is closed, the caller has left, or ``before_first_byte`` gave a
                reason not to send.
        """
        session, alarms = self._opened()
        connector = session.connector
        if self._proxy is not None or self._trust_env or not isinstance(connector, Connector):
            return None
        address = _ADDRESS.fullmatch(request.url)
        known = None if address is None else connector.known.get(address[1])
        if address is None or known is None or type(self._clock) is not SystemClock:
            return None
        key, host = known
        body = request.body
        head = head_of(request.method, host, address[2] or "/", request.headers, body)
        if head is None or (body is not None and len(body) > _AT_ONCE):
            return None
        caller = request.caller
        if caller is not None and caller.gone:
            raise UnsentError("pool", CALLER_LEFT)
        watch = Watch(alarms, request.total, request.timeouts.read)
        progress = Progress(request, watch)
        while True:
            connection = connector.take(key)
            if connection is None:
                return None
            stale = connection.should_close or connection.writing_paused or connection.idle > progress.max_idle
            if not (stale or connection.is_readable()):
                break
            connector.give_back(key, connection, close=True)
        if request.before_first_byte is not None:
            try:
                kept_back = request.keep_back()
            except BaseException:
                connector.give_back(key, connection, close=False)
                raise
            if kept_back is not None:
                connector.give_back(key, connection, close=False)
                raise kept_back
        exchange = Exchange(alarms.loop, progress, connection, ended)
        connection.begin(exchange, partial(connector.give_back, key, connection))
        progress.connection = watch.connection = connection
        progress.sent = True
        watch.begin(exchange)
        watch.heard()
        if caller is not None:
            caller.on_leave(watch.leave)
        try:
            connection.write(head if body is None else head + body)
        except Exception as exc:  # noqa: BLE001 - nothing but our two exceptions may leave an engine
            exchange.abandon()
            raise progress.failed(exc, closed=False) from system_error(exc)
        return exchange

    async def aclose(self) -> None:
        """Close every connection; a send still in flight fails."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _exchange(
        self, session: aiohttp.ClientSession, url: yarl.URL, request: WireRequest, progress: Progress
    ) -> WireResponse:
        context = await self._context() if url.scheme == "https" else True
        proxy = self._proxy_for(url) if self._trust_env else self._proxy
        headers = request.headers
        sent: Any = request.body
        if sent is not None and len(sent) > _AT_ONCE:
            sent = _LargeBody(sent, request.timeouts, progress)
        reads = sent is None and request.method == "GET"
        complete = headers.keys() >= (_COMPLETE if reads else _COMPLETE_WITH_BODY)
        arguments: dict[str, Any] = {}
        if proxy is not None:
            arguments["proxy"] = proxy.url
            if proxy.authorization and url.scheme == "https":
                arguments["proxy_headers"] = {"Proxy-Authorization": proxy.authorization}
            elif proxy.authorization:
                headers = {**headers, "Proxy-Authorization": proxy.authorization}
            if proxy.url.scheme == "https":
                context = await self._context()
        before = _PROGRESS.set(progress)
        try:
            while True:
                try:
                    response = await session.request(
                        request.method,
                        url,
                        headers=headers,
                        data=sent,
                        timeout=_timeouts(request.timeouts),
                        ssl=context,
                        skip_auto_headers=None if complete else _AUTOMATIC,
                        allow_redirects=False,
                        **arguments,
                    )
                    break
                except _StaleConnectionError:
                    # Nothing was sent, and that connection is closed: try the next one.
                    continue
            progress.answered = True
            answered = joined(response.headers)
            body = Body(answered, request.max_answer_size)
            try:
                await read_body(response.content, body, progress.watch)
            except BaseException:
                response.close()
                raise
            if body.fault:
                response.close()
            else:
                await response.wait_for_close()
        finally:
            _PROGRESS.reset(before)
        content = body.whole()
        connection = progress.connection
        if not isinstance(connection, WatchedConnection):
            return WireResponse(response.status, answered, content, unreadable=body.fault)
        if connection.should_close or body.fault:
            connection.close()
        return WireResponse(response.status, answered, content, connection.drop, body.fault)

    def _opened(self) -> tuple[aiohttp.ClientSession, Alarms]:
        """Session and alarms, made at the first send, so that an engine can be made outside a loop.

        Raises:
            UnsentError: The engine is closed, or this is not the event loop of its first send.
        """
        if self._closed:
            raise UnsentError("closed", "the engine is closed")
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise UnsentError("closed", "the aiohttp engine runs on asyncio only") from None
        if self._session is None or self._alarms is None:
            self._alarms = Alarms(loop)
            self._session = aiohttp.ClientSession(
                connector=Connector(self._clock.monotonic, KEEP_IDLE),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": CODINGS},
                auto_decompress=False,
                request_class=_Request,
                max_line_size=LONGEST,
                max_field_size=LONGEST,
                max_headers=MOST_HEADERS,
            )
            # aiohttp would open a new connection to send again, which _Request refuses. There is no public switch.
            self._session._retry_connection = False  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            # No warning for an engine that was never closed but has no open connection. With one, the connector warns.
            weakref.finalize(self, self._session.detach).atexit = False
        elif loop is not self._alarms.loop:
            raise UnsentError("closed", "the engine belongs to another loop, the event loop of its first call")
        return self._session, self._alarms

    def _proxy_for(self, url: yarl.URL) -> _Proxy | None:
        """The proxy that was given, or the environment's for this address."""
        if self._proxy is not None:
            return self._proxy
        found = from_environment(str(url))
        if found is None:
            return None
        try:
            return _Proxy(found.address)
        except ValueError:
            raise UnsentError("connect", f"the proxy in {found.named} can't be used") from None

    async def _context(self) -> ssl.SSLContext:
        """The TLS context of all connections; built once, when it is first needed, in a thread because that is slow."""
        if self._tls is not None:
            return self._tls
        async with self._tls_lock:
            if self._tls is None:
                try:
                    self._tls = await asyncio.to_thread(self._new_context)
                except Exception as exc:
                    raise UnsentError("tls", f"no TLS context could be made: {type(exc).__name__}") from exc
            return self._tls

    def _new_context(self) -> ssl.SSLContext:
        if self._verify is False:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            file, folder = _authorities(trust_env=self._trust_env)
            context = ssl.create_default_context(cafile=file, capath=folder)
        context.set_alpn_protocols(["http/1.1"])
        if self._cert is not None:
            arguments = (self._cert,) if isinstance(self._cert, str) else self._cert
            context.load_cert_chain(*arguments)
        return context

    def __repr__(self) -> str:
        return f"<AiohttpEngine{' closed' if self._closed else ''}>"


class Connector(aiohttp.TCPConnector):
    """Opens :class:`WatchedConnection` objects and keeps idle ones for ``keep_idle`` seconds.

    Connections and timers are made in an empty context: asyncio keeps their context as long as a connection lives, and
    must not keep a caller's.

    aiohttp has no public way to choose the class of its connections, so this sets a private attribute. If a version of
    aiohttp no longer uses the attribute, the tests fail; at run time it uses its own connections, without our checks.
    """

    def __init__(self, now: Callable[[], float], keep_idle: float) -> None:
        # No limit here: the number of sends in flight is limited above the engine.
        self._keep_idle = keep_idle
        super().__init__(limit=0, keepalive_timeout=keep_idle)  # pyright: ignore[reportUnknownMemberType]
        factory: Any = partial(WatchedConnection, now, self._loop)
        self._factory = factory
        self.known: dict[str, tuple[Any, str]] = {}
        """The servers that a request was sent to without a proxy, by the beginning of their addresses: aiohttp's key
        for their connections, and the header ``Host``."""

    def take(self, key: Any) -> WatchedConnection | None:
        """An idle connection that has carried a request: the one that aiohttp would take. None if there is none."""
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
            # As aiohttp does it, but without its search for requests that wait for a connection: there are none.
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


_PROGRESS: ContextVar[Progress] = ContextVar("norce_order_async.aiohttp_progress")
"""The progress of the send that a request inside aiohttp belongs to; both run in the same task."""


class _SentAlreadyError(Exception):
    """aiohttp was about to send a request again."""


class _StaleConnectionError(Exception):
    """The connection that aiohttp picked received bytes that no request asked for, was closed, or idle for too long."""


class _Request(aiohttp.ClientRequest):
    """A request that records its first byte, is sent once, and refuses a connection with unexpected bytes."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Called by aiohttp with an open connection, right before the first byte."""
        progress = _PROGRESS.get()
        if progress.sent:
            raise _SentAlreadyError
        connection = conn.protocol
        watched = connection if isinstance(connection, WatchedConnection) else None
        if watched is not None and watched.fresh and (watched.spoke_first or watched.should_close):
            # A new connection would fail in the same way.
            raise UnsentError("connect", "the server sent bytes before the request, or closed the connection")
        if connection is None or connection.should_close:
            raise _StaleConnectionError
        if watched is not None and not watched.fresh and (watched.idle > progress.max_idle or watched.is_readable()):
            raise _StaleConnectionError
        if progress.watch.expired:
            # The time ran out while the loop was blocked: a request must not start that late.
            raise progress.ended()
        if progress.request.before_first_byte is not None and (kept_back := progress.request.keep_back()) is not None:
            raise kept_back
        if watched is not None:
            watched.ask()
            progress.connection = progress.watch.connection = watched
            self._remember(progress.request.url)
        progress.sent = True
        if not isinstance(self.body, _LargeBody):
            progress.watch.heard()
        return await super().send(conn)

    def _remember(self, url: str) -> None:
        """Remember the server, so that later requests are written to its idle connections at once."""
        connector, found = self.session.connector, _ADDRESS.fullmatch(url)
        if isinstance(connector, Connector) and found is not None and self.proxy is None:
            if len(connector.known) >= _MOST_SERVERS:
                connector.known.clear()
            connector.known[found[1]] = (self.connection_key, self.url.host_port_subcomponent or "")


class _LargeBody(aiohttp.Payload):
    """A body written in pieces, each with the write timeout. A body that fits into the socket's buffer needs none."""

    def __init__(self, body: bytes, bounds: Timeouts, progress: Progress) -> None:
        super().__init__(body)
        self._size = len(body)
        self._body = memoryview(body)
        self._bounds = bounds
        self._progress = progress

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002 - aiohttp's signature
        """An empty text: aiohttp logs it on failures, and no log may hold a body."""
        return ""

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the whole body. The watch ends the request if a piece takes too long."""
        progress = self._progress
        progress.writing = True
        progress.watch.expect(self._bounds.write)
        for start in range(0, len(self._body), _AT_ONCE):
            await writer.write(self._body[start : start + _AT_ONCE])
            progress.watch.heard()
        progress.writing = False
        progress.watch.expect(self._bounds.read)


class _Proxy:
    """A proxy's address without its credentials, and the credentials as a header."""

    __slots__ = ("authorization", "url")

    def __init__(self, address: str) -> None:
        url = yarl.URL(address)
        if url.scheme not in ("http", "https") or not url.raw_host:
            raise ValueError("the aiohttp engine supports only proxies with http and https addresses")
        self.url = url.with_user(None)
        self.authorization: str | None = None
        if url.user is not None:
            credentials = f"{url.user}:{url.password or ''}".encode()
            self.authorization = f"Basic {base64.b64encode(credentials).decode('ascii')}"


def _address(request: WireRequest) -> yarl.URL:
    """The address as aiohttp's type.

    Raises:
        UnsentError: aiohttp can't send the address or a header unchanged.
    """
    if _ADDRESS.fullmatch(request.url) is None:
        raise UnsentError("connect", "the address is not a plain absolute one")
    if _BREAKS_A_HEADER.search("".join((*request.headers, *request.headers.values()))):
        raise UnsentError("connect", "the protocol does not allow this header")
    try:
        url = yarl.URL(request.url, encoded=True)
        unchanged = str(url) == request.url
    except ValueError as exc:
        raise UnsentError("connect", f"the address can't be read: {type(exc).__name__}") from None
    if not unchanged:
        raise UnsentError("connect", "aiohttp would change the address")
    return url


@lru_cache(maxsize=64)
def _timeouts(bounds: Timeouts) -> aiohttp.ClientTimeout:
    """The timeouts that aiohttp applies itself. Zero means "no timeout" there, so the smallest is a millisecond."""
    return aiohttp.ClientTimeout(total=None, connect=max(bounds.connect, 0.001), ceil_threshold=3600.0)


def _authorities(*, trust_env: bool) -> tuple[str | None, str | None]:
    """The file or folder with the authorities' certificates: from the environment, or certifi's."""
    if trust_env:
        file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
        if file or folder:
            return file, folder
    return certifi.where(), None
