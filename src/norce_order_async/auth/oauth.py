"""OAuth2 client credentials from Norce's identity service, with a cache: any number of callers share one request.

Norce documents these accounts for Norce Commerce. It does not publish whether Norce Checkout accepts their tokens. It
does publish the address ``https://{slug}.{location}[.{environment}].norce.tech/identity/1.0/connect/token``, that the
credentials go into the form body, that a token lives 3 600 s, and a limit of 3 requests a minute with a burst of 20 for
each caller's address.

A token is refreshed at two moments before its end:

* *early*, a quarter of its life but at most 300 s before the end: one refresh starts in the background, and callers use
  the token meanwhile;
* *due*, a tenth of its life but at most 60 s before the end: callers wait for the refresh that is running, or start it.

If a refresh fails, all callers who wait for it get the error; the next caller starts another one. A token that the
service refused (401) is due at once. If its successor is refused too, the next refresh waits until the limit allows one
more request: otherwise a service that accepts none of these tokens would use up the limit. All clients of a process
together keep to the published limit.
"""

from __future__ import annotations

import functools
import math
import os
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlencode, urlsplit

import anyio

from norce_order_async._json import mapping_or_empty, read_json, text_or_none
from norce_order_async.auth.providers import StaysInProcess, bearer
from norce_order_async.engines.base import SendError, Timeouts, WireRequest, WireResponse
from norce_order_async.environments import DEFAULT_LOCATION, Environment, is_loopback, service_url
from norce_order_async.errors import ConfigurationError, TokenError
from norce_order_async.runtime.clock import Clock
from norce_order_async.runtime.once import OnePerProcess

LIFE: Final = 3600.0
"""Seconds that a token lives according to the documentation; used if an answer has no ``expires_in``."""
EARLY_SHARE, EARLY_AT_MOST = 0.25, 300.0
DUE_SHARE, DUE_AT_MOST = 0.1, 60.0
TRIES: Final = 3
PAUSE_BETWEEN_TRIES: Final = 0.5
LIMIT_PER_SECOND: Final = 3 / 60
LIMIT_BURST: Final = 20
AFTER_A_FAILURE: Final = 1 / LIMIT_PER_SECOND
"""Seconds between a failed refresh in the background and the next one, and between two refreshes for refused tokens.
The limit allows one more request in that time."""

ERROR_CODES: Final = frozenset(
    {
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
    }
)
"""The codes of RFC 6749, 5.2. Only these are shown, because another text from the service may quote the credentials."""

Send = Callable[[WireRequest], Awaitable[WireResponse]]
Spawn = Callable[[Callable[[], Awaitable[None]]], None]
"""Runs an async function in a task of its own, which is not cancelled with a caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials(StaysInProcess):
    """An OAuth2 account at Norce, to be given to a client as ``token``.

    Args:
        client_id: The account's id.
        client_secret: The account's secret; never shown.
        scope: ``playground``, ``stage`` or ``prod``; several are separated by spaces.
        slug, environment, location: The parts of the published address.
        token_url: The whole address, instead of its parts.

    Raises:
        ConfigurationError: A value is missing or can't be used.

    Example::

        account = ClientCredentials(
            client_id="shop", client_secret=secret, scope="stage", slug="acme", environment="stage"
        )
        async with NorceOrderClient(..., token=account) as norce:
            order = await norce.orders.get("o1")
    """

    client_id: str
    client_secret: str = field(repr=False)
    scope: str
    slug: str | None = None
    environment: Environment | None = None
    location: str = DEFAULT_LOCATION
    token_url: str | None = None

    def __post_init__(self) -> None:
        for name in ("client_id", "client_secret", "scope"):
            value: object = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise ConfigurationError(f"{name} must be a string that is not empty")
        if self.token_url is not None:
            if self.slug is not None or self.environment is not None:
                raise ConfigurationError("give either token_url, or slug and environment, not both")
            _check_token_url(self.token_url)
        elif self.slug is None or self.environment is None:
            raise ConfigurationError("give either token_url, or slug and environment")
        else:
            service_url(self.environment, self.slug, self.location, "")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    @property
    def url(self) -> str:
        """The address that tokens are requested from."""
        if self.token_url is not None:
            return self.token_url
        return service_url(self.environment, self.slug, self.location, "identity/1.0/connect/token")


def _check_token_url(url: object) -> None:
    try:
        parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
        host, signed_in = parts.hostname, parts.username is not None
    except ValueError:
        parts, host, signed_in = urlsplit(""), None, False
    if not isinstance(url, str) or not host or any(ord(c) <= 32 or ord(c) == 127 for c in url):
        raise ConfigurationError("token_url must be an https address")
    if signed_in:
        raise ConfigurationError("token_url must not hold credentials")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(url)):
        raise ConfigurationError("token_url must be an https address: credentials must not go over plain http")


class RequestRate:
    """A token bucket for requests: ``burst`` at once, then ``per_second``. Time is passed in.

    Clients on event loops in several threads may share it.
    """

    __slots__ = ("_at", "_burst", "_left", "_lock", "_per_second")

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._left = float(burst)
        self._at: float | None = None
        self._lock = threading.Lock()

    def forked(self) -> None:
        """Replace the lock in a forked child: the thread that held it does not exist there."""
        self._lock = threading.Lock()

    def take(self, now: float) -> float:
        """Take one request; returns the seconds to wait before it may be sent, or 0."""
        with self._lock:
            elapsed = 0.0 if self._at is None else max(0.0, now - self._at)
            self._at = now
            self._left = min(float(self._burst), self._left + elapsed * self._per_second) - 1.0
            return 0.0 if self._left >= 0.0 else -self._left / self._per_second


@OnePerProcess
def process_rate(url: str) -> RequestRate:
    """The bucket for one token address, shared by the whole process: Norce's limit counts per caller's address."""
    del url
    rate = RequestRate(LIMIT_PER_SECOND, LIMIT_BURST)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=rate.forked)
    return rate


class _Refresh:
    """One refresh, awaited by any number of callers."""

    __slots__ = ("done", "error", "token")

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.token: str | None = None
        self.error: str | None = None


class ClientCredentialsProvider(StaysInProcess):
    """Hands out the tokens of one account to one client."""

    def __init__(
        self, account: ClientCredentials, *, send: Send, spawn: Spawn, clock: Clock, rate: RequestRate
    ) -> None:
        self._account = account
        self._send = send
        self._spawn = spawn
        self._clock = clock
        self._rate = rate
        self._token: str | None = None
        self._early = 0.0
        self._due = 0.0
        self._keep_refused_until = 0.0
        self._refresh: _Refresh | None = None

    def at_hand(self) -> str | None:
        """A token that is not due, without waiting; None if there is none. Starts the early refresh if it is time."""
        now = self._clock.monotonic()
        if self._token is None or now >= self._due:
            return None
        if now >= self._early and self._refresh is None:
            self._begin()
        return self._token

    async def token(self) -> str:
        """A token that is not due; waits for a refresh only if there is none.

        Raises:
            TokenError: The identity service gave no token.
        """
        return self.at_hand() or await self._refreshed()

    async def refused(self, token: str) -> bool:
        """Replace a refused token, unless it was replaced already. True if there is another token to try.

        Raises:
            TokenError: The identity service gave no token.
        """
        if self._token == token:
            now = self._clock.monotonic()
            if now < self._keep_refused_until:
                return False
            self._keep_refused_until = now + AFTER_A_FAILURE
            self._token = None
        return (self._token or await self._refreshed()) != token

    def moved(self) -> None:
        """Called when the client has moved to another event loop or a forked process.

        The token stays valid. A refresh that was running is dropped, because it can't end any more.
        """
        self._refresh = None

    async def _refreshed(self) -> str:
        refresh = self._refresh or self._begin()
        await refresh.done.wait()
        if refresh.token is None:
            raise TokenError(f"no token from the identity service: {refresh.error}")
        return refresh.token

    def _begin(self) -> _Refresh:
        refresh = self._refresh = _Refresh()
        try:
            self._spawn(functools.partial(self._run, refresh))
        except SendError as error:
            refresh.error = str(error)
            self._refresh = None
            refresh.done.set()
        return refresh

    async def _run(self, refresh: _Refresh) -> None:
        try:
            token, life = await self._fetch()
        except TokenError as error:
            refresh.error = str(error)
            self._early = self._clock.monotonic() + AFTER_A_FAILURE
        except BaseException as error:
            refresh.error = f"interrupted by {type(error).__name__}"
            self._early = self._clock.monotonic() + AFTER_A_FAILURE
            raise
        else:
            now = self._clock.monotonic()
            self._token = refresh.token = token
            self._early = now + life - min(life * EARLY_SHARE, EARLY_AT_MOST)
            self._due = now + life - min(life * DUE_SHARE, DUE_AT_MOST)
        finally:
            if self._refresh is refresh:
                self._refresh = None
            refresh.done.set()

    async def _fetch(self) -> tuple[str, float]:
        request = self._request()
        failure = ""
        for tries in range(1, TRIES + 1):
            await self._clock.sleep(self._rate.take(self._clock.monotonic()))
            try:
                response = await self._send(request)
            except SendError as error:
                failure = str(error)
            else:
                if response.status == 200:
                    return _read(response)
                failure = _described(response)
                if response.status < 500 and response.status != 429:
                    break
            if tries < TRIES:
                await self._clock.sleep(self._clock.uniform(0.0, PAUSE_BETWEEN_TRIES * 2 ** (tries - 1)))
        raise TokenError(failure)

    def _request(self) -> WireRequest:
        """The token request. A method of its own, so that no frame in a traceback holds the form."""
        account = self._account
        form = {
            "grant_type": "client_credentials",
            "client_id": account.client_id,
            "client_secret": account.client_secret,
            "scope": account.scope,
        }
        return WireRequest(
            method="POST",
            url=account.url,
            headers={"accept": "application/json", "content-type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode(),
            timeouts=Timeouts(),
            total=Timeouts().read,
        )

    def __repr__(self) -> str:
        return f"<ClientCredentialsProvider {self._account.url}>"


def _read(response: WireResponse) -> tuple[str, float]:
    answer = mapping_or_empty(read_json(response.body))
    token = text_or_none(answer.get("access_token"))
    if token is None:
        raise TokenError("the answer holds no access_token")
    life = answer.get("expires_in")
    try:
        life = LIFE if life is None else float(life)
        token = bearer(token)
    except (TypeError, ValueError, OverflowError):
        raise TokenError("the answer's access_token or expires_in can't be used") from None
    if not math.isfinite(life):
        # An infinite life would never be due.
        raise TokenError("the answer's expires_in can't be used")
    return token, max(life, 0.0)


def _described(response: WireResponse) -> str:
    """The status and the error code, without the error's description: that may quote the credentials."""
    code = text_or_none(mapping_or_empty(read_json(response.body)).get("error"))
    shown = f" ({code})" if code in ERROR_CODES else ""
    return f"answered {response.status}{shown}"
