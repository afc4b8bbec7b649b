"""The client: the service, merchant and token it calls with, and everything that its calls share.

A client works with and without ``async with``, may be built before any event loop runs, and belongs to the loop of
its first call (:mod:`~norce_order_async.pipeline.home`). Its orders, jobs and views are in
:mod:`~norce_order_async.scope`.
"""

from __future__ import annotations

import os
import platform
import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeGuard, cast

from norce_order_async._version import __version__
from norce_order_async.auth.oauth import ClientCredentials, ClientCredentialsProvider, process_rate
from norce_order_async.auth.providers import TokenProvider, Tokens, TokenSource, provider_of
from norce_order_async.checking import check_kind, check_number
from norce_order_async.context import Context, HeaderValue
from norce_order_async.engines.base import Engine
from norce_order_async.engines.select import EngineName, choose
from norce_order_async.environments import Environment, is_loopback, resolve_base_url
from norce_order_async.errors import ConfigurationError
from norce_order_async.pipeline.core import Core, HttpOptions, permits_for
from norce_order_async.pipeline.creations import Creations
from norce_order_async.pipeline.events import Observer, Reporter
from norce_order_async.pipeline.home import LoopGuard, call_factory
from norce_order_async.pipeline.limiter import MAX_IN_FLIGHT
from norce_order_async.pipeline.middleware import AttemptMiddleware, CallMiddleware, Telemetry, check_middleware
from norce_order_async.pipeline.response import DriftRecord
from norce_order_async.pipeline.retry import CAPACITY, RetryBudget
from norce_order_async.pipeline.session import Session
from norce_order_async.pipeline.settings import CallOptions, Settings, context_with
from norce_order_async.runtime.clock import Clock, SystemClock
from norce_order_async.scope import Scope, check_limits

if TYPE_CHECKING:
    import httpx

    from norce_order_async.adapter.app import Adapter
    from norce_order_async.adapter.handling import AdapterTelemetry
    from norce_order_async.adapter.inbox.protocol import Inbox


ENVIRONMENT_VARIABLES = {
    "environment": "NORCE_ENVIRONMENT",
    "base_url": "NORCE_BASE_URL",
    "slug": "NORCE_SLUG",
    "location": "NORCE_LOCATION",
    "merchant": "NORCE_MERCHANT",
    "channel": "NORCE_CHANNEL",
    "adapter_id": "NORCE_ADAPTER_ID",
    "token": "NORCE_TOKEN",
}
"""What :meth:`NorceOrderClient.from_env` reads; an empty variable counts as not set."""

FAILED_GRACE = 5.0
"""Seconds that writes in flight have to end when an exception leaves the client's ``async with``."""
CLOSE_GRACE = 25.0
"""Seconds that closing waits for sends in flight: past the longest attempt timeout, so that they end by themselves."""


class NorceOrderClient(Scope):
    """An async client for the Order Management API of Norce Checkout, on asyncio and trio.

    ``norce.orders`` finds, creates and reads orders; an :class:`~norce_order_async.Order` changes itself.
    ``norce.bulk(...)`` runs one action on many orders. ``norce.scoped(...)`` is a view for another merchant or channel.

    For example::

        async with NorceOrderClient(
            environment="playground", slug="acme", merchant="acme", channel="se", token="..."
        ) as norce:
            order = await norce.orders.get("o1")

    Args:
        environment: ``"playground"``, ``"stage"`` or ``"production"``; goes with ``slug``.
        slug: the customer's host name at Norce.
        location: the region part of the host, ``"api-se"`` by default.
        base_url: the whole address before ``/api/v0``, instead of the three above.
        merchant: sent as ``x-merchant``.
        channel: sent as ``x-channel``.
        adapter_id: sent as ``x-adapterid``: the adapter that makes the calls, whose own hooks are then not run.
        token: a string with or without ``Bearer``, an async function that returns one, ``ClientCredentials``, or a
            ``TokenProvider`` of your own.
        secondary_token: another token, used from the moment that the service refuses ``token``.
        headers: sent with every call.
        options: values other than the defaults of :class:`~norce_order_async.Settings`.
        max_in_flight: the most attempts in flight at once. Attempts of calls that have begun go before new calls.
        retry_budget: tokens in the bucket that pays for repeats: a repeat costs 14, or 5 after the service throttled.
        call_middleware: async functions around every call, the first one outermost.
        attempt_middleware: async functions around every attempt, the first one outermost.
        observers: their methods are called after every attempt and call, for metrics.
        telemetry: ``norce_order_async.telemetry.OpenTelemetry()``, with the ``otel`` extra.
        log_bodies: whether bodies are logged at DEBUG, with personal data masked.
        http_client: your own ``httpx.AsyncClient`` (or ``httpx2.AsyncClient``) to send with, which you close; or a
            function without arguments that makes one, for use on several event loops one after another or in forked
            processes: each loop or process has its own, which closes with it.
        verify: whether the server's certificate is checked, or your own TLS context. False only for a test server.
        cert: path of a client certificate, or ``(certificate, key)``.
        proxy: address of a proxy.
        trust_env: whether proxies are also read from the environment.
        engine: ``"httpx"``, ``"httpx2"`` or ``"aiohttp"``. ``"auto"`` takes aiohttp on asyncio if it is installed,
            else httpx2 if that is installed, else httpx. Or your own engine, or a function without arguments that
            makes one.
        clock: time, sleep and randomness; for tests.

    Raises:
        ConfigurationError: an argument is missing or wrong; no connection is opened.
    """

    def __init__(
        self,
        *,
        environment: Environment | None = None,
        slug: str | None = None,
        location: str | None = None,
        base_url: str | None = None,
        merchant: str,
        channel: str,
        adapter_id: str | None = None,
        token: str | TokenSource | TokenProvider | ClientCredentials,
        secondary_token: str | None = None,
        headers: Mapping[str, HeaderValue] | None = None,
        options: CallOptions | None = None,
        max_in_flight: int = MAX_IN_FLIGHT,
        retry_budget: int = CAPACITY,
        call_middleware: Sequence[CallMiddleware] = (),
        attempt_middleware: Sequence[AttemptMiddleware] = (),
        observers: Sequence[Observer] = (),
        telemetry: Telemetry | None = None,
        log_bodies: bool = False,
        http_client: httpx.AsyncClient | Callable[[], httpx.AsyncClient] | Any | None = None,
        verify: ssl.SSLContext | bool = True,
        cert: str | tuple[str, str] | None = None,
        proxy: str | None = None,
        trust_env: bool = False,
        engine: Engine | Callable[[], Engine] | EngineName = "auto",
        clock: Clock | None = None,
    ) -> None:
        _check_kinds(
            headers=(headers, Mapping),
            options=(options, CallOptions),
            observers=(observers, Sequence),
            proxy=(proxy, str),
        )
        clock = clock or SystemClock()
        address = resolve_base_url(environment=environment, slug=slug, location=location, base_url=base_url)
        context = Context.create(merchant=merchant, channel=channel, adapter_id=adapter_id, headers=headers)
        if address.startswith("http:") and not is_loopback(address):
            raise ConfigurationError("a token must not go over plain http: use https, except on a loopback address")
        check_limits(max_in_flight, retry_budget)
        check_middleware("call_middleware", call_middleware, 2)
        check_middleware("attempt_middleware", attempt_middleware, 3)
        if telemetry is not None:
            check_middleware("telemetry", [getattr(telemetry, "call", None)], 2)
            check_middleware("telemetry", [getattr(telemetry, "attempt", None)], 3)
            # Outermost around a call, innermost around an attempt: spans hold what other middleware does, and the
            # request as it goes out.
            call_middleware = (telemetry.call, *call_middleware)
            attempt_middleware = (*attempt_middleware, telemetry.attempt)
        http = HttpOptions(verify=verify, cert=cert, proxy=proxy, trust_env=trust_env)
        addresses = [address, token.url] if isinstance(token, ClientCredentials) else [address]
        loop_guard = _loop_guard(engine, http_client, http, clock, addresses)
        if isinstance(token, ClientCredentials):
            if secondary_token is not None:
                raise ConfigurationError("secondary_token needs a token given as a string")
            auth: TokenProvider = ClientCredentialsProvider(
                token, send=loop_guard.send, spawn=loop_guard.start, clock=clock, rate=process_rate(token.url)
            )
        else:
            try:
                auth = provider_of(token, secondary_token)
            except ConfigurationError as error:
                # Without its traceback, because the frames there hold the token.
                raise error.with_traceback(None) from None
        settings = Settings() if options is None else Settings().changed(options)
        core = Core(
            base_url=address,
            loop_guard=loop_guard,
            auth=Tokens(auth),
            clock=clock,
            creations=Creations(clock),
            call_middleware=tuple(call_middleware),
            attempt_middleware=tuple(attempt_middleware),
            drift=DriftRecord(clock),
            http=http,
            reporter=Reporter(tuple(observers), log_bodies),
            product=f"norce-order-async/{__version__} python/{platform.python_version()}",
        )
        if options is not None:
            context = context_with(options, context)
        loop_guard.on_move(core.auth.moved)
        loop_guard.on_move(core.creations.reset)
        super().__init__(Session(core, context, settings, permits_for(max_in_flight, clock), RetryBudget(retry_budget)))

    @classmethod
    def from_env(cls, **overrides: Any) -> Self:
        """A client from environment variables.

        They are ``NORCE_ENVIRONMENT`` or ``NORCE_BASE_URL``, ``NORCE_SLUG``, ``NORCE_LOCATION``, ``NORCE_MERCHANT``,
        ``NORCE_CHANNEL``, ``NORCE_ADAPTER_ID`` and ``NORCE_TOKEN``.

        Args:
            **overrides: arguments of the constructor, which win over the environment.

        Raises:
            ConfigurationError: a needed value is in neither; the text names the variable.
        """
        found: dict[str, Any] = {
            name: value for name, variable in ENVIRONMENT_VARIABLES.items() if (value := os.environ.get(variable))
        }
        if "base_url" in overrides:
            found = {name: value for name, value in found.items() if name not in ("environment", "slug", "location")}
        elif overrides.keys() & {"environment", "slug", "location"}:
            found.pop("base_url", None)
        settings = found | overrides
        _check_complete(settings)
        try:
            return cls(**settings)
        except ConfigurationError as error:
            used = ", ".join(ENVIRONMENT_VARIABLES[name] for name in found if name not in overrides)
            raise ConfigurationError(f"{error} (read from the environment: {used or 'nothing'})") from error

    def adapter(
        self,
        adapter_id: str,
        *,
        public_url: str | None = None,
        secret: str | Sequence[str],
        bearer: str | Sequence[str] | None = None,
        merchants: Collection[str] | None = None,
        channels: Collection[str] | None = None,
        version: Literal["v0", "v1"] = "v0",
        budget: float = 3.0,
        max_concurrent: int = 100,
        inbox: Inbox | None = None,
        workers: int = 8,
        telemetry: AdapterTelemetry | None = None,
    ) -> Adapter:
        """An adapter: an ASGI app that the service calls before and after changes.

        Args:
            adapter_id: the adapter's id. Its own calls carry it, so that they do not call its own hooks.
            public_url: the address under which the service reaches the app, such as ``https://erp.example.com/norce``;
                needed to register.
            secret: the part of the addresses that nobody can guess, such as ``secrets.token_urlsafe(32)``. To exchange
                it, give a list with the new one first: all are accepted, the first is registered.
            bearer: a token that callers must send, or several of which they send one. By default they need none.
            merchants: the merchants that it is called for; by default only the client's.
            channels: the channels that it is called for; by default only the client's.
            version: the form in which the service sends orders; both are read alike.
            budget: seconds that a hook or a validation has, from the arrival of the call. A hook that takes longer is
                cancelled, and the change is denied.
            max_concurrent: handlers of one kind that run at the same time. Hooks beyond that are denied at once;
                notifications wait.
            inbox: keeps notifications that are answered first and handled afterwards.
            workers: how many handlers of such notifications run at the same time.
            telemetry: ``norce_order_async.telemetry.OpenTelemetry()``, with the ``otel`` extra.

        Raises:
            ConfigurationError: an argument is missing or wrong.
        """
        from norce_order_async.adapter.app import Adapter

        return Adapter(
            self,
            adapter_id,
            public_url=public_url,
            secret=secret,
            bearer=bearer,
            merchants=merchants,
            channels=channels,
            version=version,
            budget=budget,
            max_concurrent=max_concurrent,
            inbox=inbox,
            workers=workers,
            telemetry=telemetry,
        )

    async def aclose(self, grace: float = CLOSE_GRACE) -> None:
        """Wait for sends in flight, at most ``grace`` seconds, then close every connection.

        Works from any task; closing twice is fine. Calls made afterwards raise ``NotSentError``. You may call it from
        another event loop than the client's. If the client's loop has ended, there is nothing left to close. If it runs
        in another thread, the client is closed there, and this call waits for it. Connections that a forked child
        inherited are left alone.

        Raises:
            ConfigurationError: the grace is not a finite number of seconds; nothing was closed.
        """
        check_number("grace", grace, "0 s or more", ConfigurationError)
        await self._session.core.loop_guard.close(grace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self.aclose()
        else:
            # A program that fails or is interrupted does not need the answers to its reads.
            await self._session.core.loop_guard.close(FAILED_GRACE, writes_alone=True)


def _loop_guard(
    engine: Engine | Callable[[], Engine] | EngineName,
    http_client: Any,
    http: HttpOptions,
    clock: Clock,
    addresses: Sequence[str],
) -> LoopGuard:
    """The loop guard of a client with this engine, which is a name, an engine, or a function that makes one."""
    if not isinstance(engine, str):
        if http_client is not None:
            raise ConfigurationError("give either engine or http_client, not both")
        if _is_factory(engine):
            return LoopGuard(partial(call_factory, engine, "engine"), clock)
        one = cast("Engine", engine)
        return LoopGuard(lambda: one, clock, engine=one, rebuilds=False)
    given: Any = {"verify": http.verify, "cert": http.cert, "proxy": http.proxy, "trust_env": http.trust_env}
    make = partial(choose, engine, **given, clock=clock, addresses=addresses)
    if not _is_factory(http_client):
        # The engine is made at once, so that wrong arguments are found here.
        return LoopGuard(
            partial(make, client=http_client), clock, engine=make(client=http_client), rebuilds=http_client is None
        )
    if engine != "auto":
        make(client=None if engine in ("httpx", "httpx2") else http_client)
    return LoopGuard(lambda: make(client=call_factory(http_client, "http_client"), closes_client=True), clock)


def _is_factory(given: Any) -> TypeGuard[Callable[[], Any]]:
    """Whether this is a function or class that makes an engine or HTTP client, and not one of them."""
    return isinstance(given, type) or (callable(given) and not hasattr(given, "send"))


def _check_complete(settings: Mapping[str, Any]) -> None:
    """Refuse settings that lack a needed value. The error names its environment variable."""
    needed = ["merchant", "channel", "token"]
    if settings.get("base_url") is None:
        if settings.get("environment") is None:
            raise ConfigurationError(
                "no service named: set NORCE_ENVIRONMENT and NORCE_SLUG, or NORCE_BASE_URL, or give environment and "
                "slug, or base_url"
            )
        needed.insert(0, "slug")
    for name in needed:
        if settings.get(name) is None:
            raise ConfigurationError(f"{ENVIRONMENT_VARIABLES[name]} is not set, and no {name} was given")


def _check_kinds(**given: tuple[object, type]) -> None:
    """Refuse arguments of the wrong type; None means "not given"."""
    for name, (value, kind) in given.items():
        if value is not None:
            check_kind(name, value, kind, f"a {kind.__name__}", ConfigurationError)
