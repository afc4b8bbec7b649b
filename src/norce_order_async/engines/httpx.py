"""The default engine: httpx or httpx2 on asyncio and trio, or a client that the user gives.

The two libraries have the same surface; an engine holds the module of the one it sends with.

Its parts, in the order in which a request passes them:

* ``send`` picks the least loaded :class:`_Pool` and does the bookkeeping around one exchange.
* ``_pool_for`` makes pools on demand. httpx's pool walks over all its connections several times per request, so many
  small pools are faster than one large one (twenty times the requests at 500 tasks and 50 ms). A pool never gets more
  sends than it has connections: no send waits inside httpx, where a cancelled waiter would leave the pool dead. The
  number of sends in flight is limited above the engine; the list of pools grows up to that and stays.
* ``_exchange`` sends the request and reads the answer in chunks, within the limits of
  :class:`~norce_order_async.engines._answer.Body`.
* :class:`~norce_order_async.engines._httpx_progress.Progress` records how far the send got.
* Below httpx, :mod:`~norce_order_async.engines._httpx_stream` cuts the timeout of each step to the time left.

If a send is cancelled nevertheless, its pool is retired: it gets no new sends, and its last send closes it.

Pools are bare transports, not httpx clients: no cookie jar, no redirects, no environment. A client that the user gives
keeps its own pool, headers, hooks and proxies. It is closed only with ``closes_client`` and never replaced. Its cookies
and its ``auth`` are not used: cookies would leak between calls, and ``auth`` may send a request twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import cache, partial
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal, final

import anyio
import anyio.lowlevel
import anyio.to_thread

from norce_order_async.engines._answer import CODINGS, Body
from norce_order_async.engines._errors import CALLER_LEFT, system_error
from norce_order_async.engines._httpx_progress import Progress
from norce_order_async.engines._httpx_stream import CURRENT, Stream, left_over, shut_down, watch
from norce_order_async.engines._logs import keep_quiet
from norce_order_async.engines.base import KEEP_IDLE, SendError, UnsentError, WireRequest, WireResponse
from norce_order_async.engines.proxies import from_environment
from norce_order_async.runtime.clock import Clock, SystemClock
from norce_order_async.runtime.timers import Alarms

if TYPE_CHECKING:
    import httpx

Library = Literal["httpx", "httpx2"]

_ADDRESS: Final = re.compile(r"(https?)://[^/?#@\s]+(/[^#\s]*)?", re.ASCII)
"""Absolute, without credentials and without a fragment."""

_BEYOND: Final = 1024 * 1024
"""The most bytes that are still read and dropped after an answer was given up: more than any library buffers. A
transport that a user gives may have no connection to close, and its answer may never end."""

_KILL_AFTER: Final = 0.5
"""Seconds past the total after which a send over sockets that are not ours is cancelled. httpx's own timeouts, cut to
the total, end most sends before."""


@final
class HttpxEngine:
    """Sends requests with httpx or httpx2, on asyncio or trio.

    Args:
        library: Which of the two to use. A ``client`` or ``transport`` determines it.
        client: An ``httpx.AsyncClient`` or ``httpx2.AsyncClient`` to send with. The other arguments then have no
            effect, except ``closes_client`` and ``clock``.
        closes_client: Whether closing the engine closes that client; otherwise it stays open.
        verify: True for certifi's authorities, False for no check, or an ``ssl.SSLContext`` of your own.
        cert: A client certificate: a path, or the arguments of ``ssl.SSLContext.load_cert_chain``.
        proxy: The address of a proxy for all requests.
        trust_env: Whether proxies and certificate files are also taken from the environment.
        pool_size: Number of connections in each pool.
        transport: An httpx transport to send with. Closing the engine closes it, as httpx does.
        clock: Where time comes from.

    Example::

        engine = HttpxEngine(proxy="http://proxy.example:3128")
        async with NorceOrderClient(..., engine=engine) as norce:
            order = await norce.orders.get("o1")
    """

    def __init__(
        self,
        *,
        library: Library = "httpx",
        client: httpx.AsyncClient | Any | None = None,
        closes_client: bool = False,
        verify: ssl.SSLContext | bool = True,
        cert: str | tuple[str, str] | tuple[str, str, str] | None = None,
        proxy: str | None = None,
        trust_env: bool = False,
        pool_size: int = 10,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        keep_quiet()
        if client is not None and transport is not None:
            raise ValueError("give a client or a transport, not both")
        if cert is not None and isinstance(verify, ssl.SSLContext):
            raise ValueError("load the client certificate into the context given as verify")
        if pool_size < 1:
            raise ValueError("pool_size must be at least 1")
        given = client if client is not None else transport
        self._name: Library = library if given is None else _library_of(given)
        self._library: Any = import_module(self._name)
        self._verify = verify
        self._cert = cert
        self._proxy: httpx.Proxy | None = None if proxy is None else self._library.Proxy(proxy)
        self._trust_env = trust_env
        self._pool_size = pool_size
        self._clock: Clock = SystemClock() if clock is None else clock
        self._closed = False
        self._pools: dict[tuple[bool, float, httpx.Proxy | None], list[_Pool]] = {}
        self._proxies: dict[str, httpx.Proxy | None] = {}
        """The environment's proxies, by scheme and host."""
        self._tls = verify if isinstance(verify, ssl.SSLContext) else None
        self._tls_lock = anyio.Lock()
        self._alarms: Alarms | None = None
        self._no_tls: ssl.SSLContext | None = None
        self._build: Callable[..., Any] = self._library.Request
        self._foreign: _Pool | None = None
        self._client = client
        if client is not None:
            self._build = client.build_request
            self._foreign = _Pool(_sender(client), client.aclose if closes_client else _leave_open)
        elif transport is not None:
            self._foreign = _Pool(transport.handle_async_request, transport.aclose)

    @property
    def name(self) -> str:
        """``"httpx"`` or ``"httpx2"``."""
        return self._name

    @property
    def asks_before_first_byte(self) -> bool:
        """Whether it calls ``WireRequest.before_first_byte``. It does on its own connections, and not with a client or
        transport that was given, because these may not report their steps."""
        return self._foreign is None

    async def send(self, request: WireRequest) -> WireResponse:
        """Send once and read the whole answer.

        Raises:
            UnsentError: No byte was sent.
            MaybeSentError: No complete answer came, and the service may have acted on the request.
        """
        address = _ADDRESS.fullmatch(request.url)
        if address is None:
            raise UnsentError("connect", "the address is not a plain absolute one")
        scheme, target = address.groups()
        progress = Progress(request, self._clock, self._alarms_here())
        outgoing = self._outgoing(request, target or "/", progress)
        proxy = self._proxy_for(request.url.removesuffix(target or "")) if self._trust_env else self._proxy
        pool = await self._pool_for(secure=scheme == "https", keep_idle=request.max_idle, proxy=proxy)
        if request.caller is not None:
            if request.caller.gone:
                raise UnsentError("pool", CALLER_LEFT)
            if pool.watched:
                request.caller.on_leave(progress.bounds.leave)
        pool.in_flight += 1
        before = CURRENT.set(progress.bounds)
        cause: OSError | None = None
        try:
            if pool.watched or request.total is None:
                return await self._exchange(pool, outgoing, progress, request.max_answer_size)
            with self._clock.move_on_after(request.total + _KILL_AFTER):
                return await self._exchange(pool, outgoing, progress, request.max_answer_size)
            self._retire(pool)
            error = progress.timed_out()
        except SendError as exc:
            error = exc
        except Exception as exc:  # noqa: BLE001 - nothing but our two exceptions may leave an engine
            error = progress.failure(exc, own_transport=pool is not self._foreign)
            cause = system_error(exc)
        except BaseException:
            self._retire(pool)
            raise
        finally:
            CURRENT.reset(before)
            pool.in_flight -= 1
            if pool.retired and not pool.in_flight:
                with anyio.CancelScope(shield=True):
                    await pool.close()
        # Raised here and not in the except block: the library's exception holds headers, or bytes of the answer.
        raise error from cause

    async def aclose(self) -> None:
        """Close the engine's connections; a send still in flight fails."""
        self._closed = True
        pools = [pool for alike in self._pools.values() for pool in alike]
        if self._foreign is not None:
            pools.append(self._foreign)
        with anyio.CancelScope(shield=True):
            for pool in pools:
                if not pool.retired:
                    pool.retired = True
                    await pool.close()

    def _outgoing(self, request: WireRequest, target: str, progress: Progress) -> Any:
        """The library's request object.

        Raises:
            UnsentError: The library can't build it, or would change its address.
        """
        outgoing, rewritten = self._built(request, target, progress)
        if outgoing is None:
            # Raised here and not in the except block: the library's exception holds the header or the address.
            raise UnsentError("connect", f"the request could not be built: {rewritten}")
        if rewritten:
            # httpx normalizes dot segments and encodes characters: the request would go to another address.
            raise UnsentError("connect", f"{self._name} would change the address")
        if request.body is not None and isinstance(outgoing, self._library.Request):
            outgoing.stream = _body_of(self._library)(request.body)
        headers = outgoing.headers
        headers.setdefault("accept-encoding", CODINGS)
        if "cookie" in headers and not any(name.lower() == "cookie" for name in request.headers):
            del headers["cookie"]
        return outgoing

    def _built(self, request: WireRequest, target: str, progress: Progress) -> tuple[Any, str | bool]:
        """The request and whether its address was changed; or None and the name of the library's exception."""
        try:
            outgoing = self._build(
                request.method,
                request.url,
                headers=request.headers,
                content=request.body,
                extensions={"timeout": progress.timeouts, "trace": progress.trace},
            )
            return outgoing, outgoing.url.raw_path.decode("ascii") != target
        except Exception as exc:  # noqa: BLE001 - the library may raise anything
            return None, type(exc).__name__

    async def _exchange(self, pool: _Pool, outgoing: Any, progress: Progress, most: int) -> WireResponse:
        response = await pool.send(outgoing)
        progress.answered = True
        headers: dict[str, str] = dict(response.headers.items())
        try:
            body = await _read(response, headers, progress, most)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await response.aclose()
            raise
        content = body.whole()
        drop = _dropping(response)
        if body.fault:
            with anyio.CancelScope(shield=True):
                await _hang_up(response)
                await response.aclose()
            return WireResponse(response.status_code, headers, content, drop, body.fault)
        if self._closed and pool.close is not _leave_open:
            # The pool was closed during this send and no longer tracks the connection.
            await _hang_up(response)
        elif left_over(response):
            drop()
        return WireResponse(response.status_code, headers, content, drop)

    async def _pool_for(self, *, secure: bool, keep_idle: float | None, proxy: httpx.Proxy | None) -> _Pool:
        if self._closed:
            raise UnsentError("closed", "the engine is closed")
        if self._foreign is not None:
            # Checked here, because the library's own error does not show whether something was sent.
            if getattr(self._client, "is_closed", False):
                raise UnsentError("closed", "the http_client is closed")
            return self._foreign
        context = await self._context(secure or (proxy is not None and proxy.url.scheme == "https"))
        if self._closed:
            raise UnsentError("closed", "the engine was closed meanwhile")
        # httpcore has one idle limit per pool, so requests with another limit use other pools.
        keep_idle = KEEP_IDLE if keep_idle is None else min(keep_idle, KEEP_IDLE)
        pools = self._pools.setdefault((secure, keep_idle, proxy), [])
        pool = min(pools, key=_load, default=None)
        if pool is None or pool.in_flight >= self._pool_size:
            try:
                pool = self._new_pool(context, keep_idle, proxy)
            except Exception as exc:
                raise UnsentError("pool", f"no pool could be made: {type(exc).__name__}") from exc
            pools.append(pool)
        return pool

    def _new_pool(self, context: ssl.SSLContext, keep_idle: float, proxy: httpx.Proxy | None) -> _Pool:
        size = self._pool_size
        library = self._library
        limits = library.Limits(max_connections=size, max_keepalive_connections=size, keepalive_expiry=keep_idle)
        if proxy is not None and proxy.url.scheme == "https":
            proxy = library.Proxy(proxy.url, auth=proxy.auth, headers=proxy.headers, ssl_context=context)
        transport = library.AsyncHTTPTransport(verify=context, limits=limits, trust_env=False, proxy=proxy)
        return _Pool(transport.handle_async_request, transport.aclose, watched=watch(transport, self._clock, keep_idle))

    def _proxy_for(self, origin: str) -> httpx.Proxy | None:
        """The proxy that was given, or the environment's for this scheme and host.

        The environment is read here and not by httpx's client, which fails for every address if the environment has a
        proxy for another scheme that can't be used.
        """
        if self._proxy is not None or self._foreign is not None:
            return self._proxy
        if origin not in self._proxies:
            found = from_environment(origin)
            try:
                self._proxies[origin] = None if found is None else self._library.Proxy(found.address)
            except (ValueError, self._library.InvalidURL):
                raise UnsentError("connect", f"the proxy in {found and found.named} can't be used") from None
        return self._proxies[origin]

    def _alarms_here(self) -> Alarms | None:
        """The alarms of the running loop if it is asyncio's; None on trio."""
        try:
            # In trio's guest mode an asyncio loop runs as well, but this task is not one of its tasks.
            task = asyncio.current_task()
        except RuntimeError:
            task = None
        if task is None:
            return None
        loop = asyncio.get_running_loop()
        if self._alarms is None or self._alarms.loop is not loop:
            self._alarms = Alarms(loop)
        return self._alarms

    def _retire(self, pool: _Pool) -> None:
        if pool is self._foreign:
            return
        for pools in self._pools.values():
            if pool in pools:
                pools.remove(pool)
                pool.retired = True

    async def _context(self, secure: bool) -> ssl.SSLContext:
        """The TLS context of all pools; built once, when it is first needed, in a thread because that is slow."""
        if not secure:
            if self._no_tls is None:
                # httpx requires a context even for plain http; this one trusts no certificate.
                self._no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            return self._no_tls
        if self._tls is not None:
            return self._tls
        async with self._tls_lock:
            if self._tls is None:
                try:
                    self._tls = await anyio.to_thread.run_sync(self._new_context)
                except Exception as exc:
                    raise UnsentError("tls", f"no TLS context could be made: {type(exc).__name__}") from exc
            return self._tls

    def _new_context(self) -> ssl.SSLContext:
        context: ssl.SSLContext = self._library.create_ssl_context(verify=self._verify, trust_env=self._trust_env)
        if self._cert is not None:
            arguments = (self._cert,) if isinstance(self._cert, str) else self._cert
            context.load_cert_chain(*arguments)
        return context

    def __repr__(self) -> str:
        if self._foreign is None:
            kind = "own connections"
        else:
            kind = "with a given transport" if self._build is self._library.Request else "with a given client"
        return f"<HttpxEngine {kind}{', closed' if self._closed else ''}>"


class _Pool:
    """A small pool of connections, as the functions that send over it and close it."""

    __slots__ = ("close", "in_flight", "retired", "send", "watched")

    def __init__(
        self, send: Callable[[Any], Awaitable[Any]], close: Callable[[], Awaitable[None]], *, watched: bool = False
    ) -> None:
        self.send = send
        self.close = close
        self.watched = watched
        """Whether its sockets apply the time limits of a send themselves."""
        self.in_flight = 0
        self.retired = False


def _load(pool: _Pool) -> int:
    return pool.in_flight


def _sender(client: Any) -> Callable[[Any], Awaitable[Any]]:
    async def send(request: Any) -> Any:
        response = await client.send(request, stream=True, auth=None, follow_redirects=False)
        if "set-cookie" in response.headers:
            # The client has stored the cookie for its next call: remove it.
            for cookie in response.cookies.jar:
                with contextlib.suppress(KeyError):
                    client.cookies.jar.clear(cookie.domain, cookie.path, cookie.name)
        return response

    return send


async def _leave_open() -> None:
    """Do nothing: the user closes the client."""


def _library_of(given: object) -> Library:
    """The library of a client or transport; httpx if it belongs to neither."""
    roots = {kind.__module__.partition(".")[0] for kind in type(given).__mro__}
    return "httpx2" if "httpx2" in roots else "httpx"


class _Body:
    """A request body without an async generator. The libraries' own leave one behind when writing fails."""

    def __init__(self, body: bytes) -> None:
        self._chunks = iter((body,))

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for chunk in self._chunks:
            return chunk
        raise StopAsyncIteration


@cache
def _body_of(library: ModuleType) -> Callable[[bytes], Any]:
    """A class of such bodies that derives from the library's byte stream, which the library requires."""
    return type("Body", (_Body, library.AsyncByteStream), {})


async def _read(response: Any, headers: Mapping[str, str], progress: Progress, most: int) -> Body:
    if response.is_stream_consumed:
        # A mock's answer is read and decoded already.
        body = Body({}, most)
        body.take(response.content)
        return body
    body = Body(headers, most)
    late = False
    beyond = 0
    pieces = response.aiter_raw()
    try:
        async for piece in pieces:
            if late or body.fault:
                beyond += len(piece)
                if beyond > _BEYOND:
                    await pieces.aclose()
                    break
                continue
            while body.take(piece) and not progress.bounds.over:
                piece = b""
                await anyio.lowlevel.checkpoint()
            late = progress.bounds.over
            if late or body.fault:
                # Read on over the closed connection: the exception ends every generator between here and the socket. A
                # break would leave them to the garbage collector.
                with anyio.CancelScope(shield=True):
                    await _hang_up(response)
    except Exception:
        if not (late or body.fault):
            raise
    if late:
        raise progress.timed_out()
    return body


async def _hang_up(response: Any) -> None:
    stream = _own_stream(response)
    if stream is not None:
        await stream.aclose()


def _own_stream(response: Any) -> Any | None:
    """The connection of an answer; None if other answers share it, or if there is none."""
    shared = response.extensions.get("http_version") == b"HTTP/2"
    return None if shared else response.extensions.get("network_stream")


def _dropping(response: Any) -> Callable[[], None]:
    """A function that closes the connection of an answer without waiting. Mocks have none; it does nothing then."""
    stream = response.extensions.get("network_stream")
    if isinstance(stream, Stream):
        return stream.drop
    return _nothing if stream is None else partial(shut_down, stream)


def _nothing() -> None:
    pass
