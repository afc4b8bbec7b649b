"""Clients for the endpoint functions: where to send, and what every request carries.

A copy made by `with_...` shares an httpx client that was handed in, never one made here. Leaving `with` closes the
httpx client made here; one that was handed in is its owner's to close.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Self

from attrs import define, evolve, field

from .types import UNSET, Unset, header_value

if TYPE_CHECKING:
    import httpx


@define
class Client:
    """Sends without a token.

    Attributes:
        raise_on_unexpected_status: Raise errors.UnexpectedStatus for a status that the description does not have.
    """

    _base_url: str = field(alias="base_url")
    _headers: dict[str, str] = field(factory=dict[str, str], kw_only=True, alias="headers", repr=False)
    _timeout: httpx.Timeout | float | None | Unset = field(default=UNSET, kw_only=True, alias="timeout")
    _verify_ssl: ssl.SSLContext | bool = field(default=True, kw_only=True, alias="verify_ssl")
    _httpx_args: dict[str, Any] = field(factory=dict[str, Any], kw_only=True, alias="httpx_args", repr=False)
    raise_on_unexpected_status: bool = field(default=False, kw_only=True)
    _given: httpx.Client | None = field(default=None, init=False, repr=False)
    _given_async: httpx.AsyncClient | None = field(default=None, init=False, repr=False)
    _own: httpx.Client | None = field(default=None, init=False, repr=False)
    _own_async: httpx.AsyncClient | None = field(default=None, init=False, repr=False)

    def with_headers(self, headers: dict[str, str]) -> Self:
        """A copy that sends these headers too."""
        return self._changed(headers={**self._headers, **headers})

    def with_timeout(self, timeout: httpx.Timeout | float | None) -> Self:
        """A copy with another time-out; None waits for ever."""
        return self._changed(timeout=timeout)

    def set_httpx_client(self, client: httpx.Client) -> Self:
        """Send through this one; address, headers and token stay this client's."""
        self._given = client
        return self

    def set_async_httpx_client(self, async_client: httpx.AsyncClient) -> Self:
        """Send through this one; address, headers and token stay this client's."""
        self._given_async = async_client
        return self

    def get_httpx_client(self) -> httpx.Client:
        if self._given is not None:
            return self._given
        if self._own is None:
            import httpx

            self._own = httpx.Client(verify=self._verify_ssl, **self._httpx_args)
        return self._own

    def get_async_httpx_client(self) -> httpx.AsyncClient:
        if self._given_async is not None:
            return self._given_async
        if self._own_async is None:
            import httpx

            self._own_async = httpx.AsyncClient(verify=self._verify_ssl, **self._httpx_args)
        return self._own_async

    def request(self, **kwargs: Any) -> httpx.Response:
        """Sends what a request builder made."""
        return self.get_httpx_client().request(**self._completed(kwargs))

    async def request_async(self, **kwargs: Any) -> httpx.Response:
        """Sends what a request builder made."""
        return await self.get_async_httpx_client().request(**self._completed(kwargs))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        if self._own is not None:
            self._own.close()
            self._own = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *args: object) -> None:
        if self._own_async is not None:
            await self._own_async.aclose()
            self._own_async = None

    def _changed(self, **changes: Any) -> Self:
        copy = evolve(self, **changes)
        copy._given, copy._given_async = self._given, self._given_async
        return copy

    def _auth(self) -> dict[str, str]:
        return {}

    def _completed(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        headers = {**self._auth(), **self._headers, **kwargs.get("headers", {})}
        completed = {
            "follow_redirects": False,
            **kwargs,
            "url": self._base_url.rstrip("/") + kwargs["url"],
            "headers": {name: header_value(value, name) for name, value in headers.items()},
        }
        if not isinstance(self._timeout, Unset):
            completed["timeout"] = self._timeout
        return completed


@define
class AuthenticatedClient(Client):
    """Sends with a token.

    Attributes:
        token: Sent after the prefix.
        prefix: Empty if the token brings its own.
        auth_header_name: The header that carries them.
    """

    token: str = field(repr=False, kw_only=True)
    prefix: str = field(default="Bearer", kw_only=True)
    auth_header_name: str = field(default="Authorization", kw_only=True)

    def _auth(self) -> dict[str, str]:
        return {self.auth_header_name: f"{self.prefix} {self.token}" if self.prefix else self.token}
