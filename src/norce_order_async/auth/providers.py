"""Providers of the bearer token.

The client asks its provider for a token before every attempt, and reports a token that the service refused. Norce
issues a primary and a secondary token per merchant. They are opaque strings, presumably rotated by swapping the two.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import NoReturn, Protocol, SupportsIndex, runtime_checkable

from norce_order_async.context import check_header_value
from norce_order_async.errors import ConfigurationError, TokenError

TokenSource = Callable[[], Awaitable[str]]


@runtime_checkable
class TokenProvider(Protocol):
    """Provides tokens, with or without ``Bearer`` in front.

    Example::

        class FromVault:
            async def token(self) -> str:
                return await vault.read("norce/token")

            async def refused(self, token: str) -> bool:
                return await vault.read("norce/token") != token
    """

    async def token(self) -> str:
        """The token to send now. It is called for every attempt and may do I/O, so it should cache the token.

        Raises:
            TokenError: There is no token.
        """
        ...

    async def refused(self, token: str) -> bool:
        """Called after the service answered 401 to ``token``. Return True if another token is worth a try.

        ``token`` is the text that ``token()`` returned.
        """
        ...


@runtime_checkable
class _Moves(Protocol):
    """A provider with objects that belong to an event loop. ``moved`` is called when the client changes loops."""

    def moved(self) -> None: ...


@runtime_checkable
class _Ready(Protocol):
    """A provider that may return a token without waiting; ``at_hand`` is called before anything is awaited."""

    def at_hand(self) -> str | None: ...


class StaysInProcess:
    """Base class for objects with connections or tokens. They can't be pickled, so that these stay in their process."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} can't be pickled, because connections and tokens stay in their process: send ids "
            "and settings, and make a client in the other process, such as with NorceOrderClient.from_env()"
        )


class StaticToken(StaysInProcess):
    """One token, or a primary and a secondary one. After a 401 the other token is tried, and used from then on.

    Raises:
        ConfigurationError: A token is empty or can't be a header.

    Example::

        StaticToken("primary-token", "secondary-token")
    """

    __slots__ = ("_current", "_tokens")

    def __init__(self, primary: str, secondary: str | None = None) -> None:
        tokens = [bearer(primary)]
        if secondary is not None and bearer(secondary) not in tokens:
            tokens.append(bearer(secondary))
        self._tokens = tuple(tokens)
        self._current = 0

    def at_hand(self) -> str:
        """The token to send now, without waiting."""
        return self._tokens[self._current]

    async def token(self) -> str:
        """The token to send now."""
        return self.at_hand()

    async def refused(self, token: str) -> bool:
        """Switch to the other token. True if there are two."""
        if len(self._tokens) < 2:
            return False
        if bearer(token) == self._tokens[self._current]:
            self._current = 1 - self._current
        return True

    def __repr__(self) -> str:
        return f"StaticToken(<{len(self._tokens)} hidden>)"


class CallableToken(StaysInProcess):
    """Tokens from an async function of yours, which caches and renews them.

    After a 401 the function is called again. If it returns another token, the call is repeated once.

    Example::

        async def from_vault() -> str:
            return await vault.read("norce/token")

        norce = NorceOrderClient(..., token=from_vault)  # the client wraps it in CallableToken
    """

    __slots__ = ("_source",)

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    async def token(self) -> str:
        """The token that the function returns.

        Raises:
            TokenError: the function failed, is not async, or returned no usable token.
        """
        try:
            asked: object = self._source()
            token = await asked if inspect.isawaitable(asked) else None
        except TokenError:
            raise
        except Exception as error:
            raise TokenError(f"the token function failed with {type(error).__name__}") from error
        is_async, asked = inspect.isawaitable(asked), None
        if not is_async:
            raise TokenError("the token function must be async")
        try:
            return bearer(token)
        except ConfigurationError as error:
            token, problem = None, str(error)
        # Raised outside the except block, so that no frame in the traceback holds the token.
        raise TokenError(f"the token function gave no usable token: {problem}")

    async def refused(self, token: str) -> bool:
        """Ask the function again. True when it returns another token.

        Raises:
            TokenError: the function failed or returned no usable token.
        """
        return bearer(await self.token()) != bearer(token)

    def __repr__(self) -> str:
        return "CallableToken(...)"


class _GuardedProvider(StaysInProcess):
    """Wraps a user's provider: its exceptions become :class:`TokenError`.

    Any other exception would end a call between its attempts, and the record of these attempts would be lost.
    """

    __slots__ = ("_provider",)

    def __init__(self, provider: TokenProvider) -> None:
        self._provider = provider

    async def token(self) -> str:
        try:
            return await self._provider.token()
        except TokenError:
            raise
        except Exception as error:
            raise TokenError(f"the token provider failed with {type(error).__name__}") from error

    async def refused(self, token: str) -> bool:
        try:
            return await self._provider.refused(token)
        except TokenError:
            raise
        except Exception as error:
            raise TokenError(f"the token provider failed with {type(error).__name__}") from error

    def __repr__(self) -> str:
        return f"<{type(self._provider).__name__}>"


class Signed(StaysInProcess):
    """A token as the provider returned it, and its ``Authorization`` header value."""

    __slots__ = ("header", "token")

    def __init__(self, token: str, header: str) -> None:
        self.token = token
        self.header = header


class Tokens(StaysInProcess):
    """A provider's tokens after a check. The last one is cached with its header value, because it seldom changes."""

    __slots__ = ("_last", "_provider", "_ready")

    def __init__(self, provider: TokenProvider) -> None:
        self._provider = provider
        self._ready = provider if isinstance(provider, _Ready) else None
        self._last: Signed | None = None

    def at_hand(self) -> Signed | None:
        """The token to send now; None if it can't be had without waiting."""
        return None if self._ready is None else self._signed(self._ready.at_hand())

    async def signed(self) -> Signed:
        """The token to send now.

        Raises:
            TokenError: There is no token, or it can't be a header.
        """
        signed = self._signed(await self._provider.token())
        if signed is None:
            raise TokenError("the token provider gave no usable token: a token must be a string, not NoneType")
        return signed

    def moved(self) -> None:
        """Called when the client has moved to another event loop or a forked process."""
        if isinstance(self._provider, _Moves):
            self._provider.moved()

    async def token(self) -> str:
        """The provider's token, unchecked."""
        return await self._provider.token()

    async def refused(self, token: str) -> bool:
        """Report a refused token to the provider. True if another token is worth a try."""
        return await self._provider.refused(token)

    def _signed(self, token: str | None) -> Signed | None:
        if token is None:
            return None
        if self._last is None or self._last.token != token:
            try:
                self._last = Signed(token, bearer(token))
            except ConfigurationError as error:
                token, problem = None, str(error)
            else:
                return self._last
            # Raised outside the except block, so that no frame in the traceback holds the token.
            raise TokenError(f"the token provider gave no usable token: {problem}")
        return self._last

    def __repr__(self) -> str:
        return repr(self._provider)


def provider_of(token: str | TokenSource | TokenProvider | None, secondary: str | None = None) -> TokenProvider:
    """The provider for the argument ``token``: a string, an async function, or a provider.

    Raises:
        ConfigurationError: The argument is of another kind, or the string is empty.
    """
    if isinstance(token, str):
        return StaticToken(token, secondary)
    if secondary is not None:
        raise ConfigurationError("secondary_token needs a token given as a string")
    if isinstance(token, type):
        raise ConfigurationError(f"token must be an instance, not the class {token.__name__}")
    if isinstance(token, StaticToken | CallableToken):
        return token
    if isinstance(token, TokenProvider):
        return _GuardedProvider(token)
    if callable(token):
        return CallableToken(token)
    raise ConfigurationError("token is missing: give a string, an async function that returns one, or a TokenProvider")


def bearer(token: object) -> str:
    """The ``Authorization`` value for a token with or without ``Bearer`` in front.

    Raises:
        ConfigurationError: The token is empty or can't be a header. The text does not contain it.
    """
    if not isinstance(token, str):
        raise ConfigurationError(f"a token must be a string, not {type(token).__name__}")
    words = token.split()
    while words and words[0].lower() == "bearer":
        del words[0]
    if not words:
        raise ConfigurationError("token is empty")
    if len(words) > 1:
        raise ConfigurationError("token must be one word, without spaces or line breaks")
    return f"Bearer {check_header_value('token', words[0])}"


def checked_token(token: str) -> str:
    """A provider's token, unchanged.

    Raises:
        TokenError: The token is empty or can't be a header.
    """
    try:
        bearer(token)
    except ConfigurationError as error:
        raise TokenError(f"the token provider gave no usable token: {error}") from None
    return token
