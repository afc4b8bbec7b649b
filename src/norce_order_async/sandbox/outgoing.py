"""Calls that the sandbox makes: to loopback and to hosts allowed by name, never along a redirect or through a proxy."""

import ipaddress
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import anyio.to_thread


class NotAllowedError(Exception):
    """The address is neither loopback nor on the list."""


class Caller:
    """Posts JSON to addresses that were registered with an order."""

    def __init__(self, allowed_hosts: Collection[str] = (), timeout: float = 10.0) -> None:
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self._timeout = timeout
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | None:
        """The status of the answer; None when there was none.

        Raises:
            NotAllowedError: The address must not be called.
        """
        if not self._may_call(url):
            raise NotAllowedError
        request = urllib.request.Request(  # noqa: S310 - the scheme was looked at
            url, data=body, headers={"Content-Type": "application/json", **headers}, method="POST"
        )
        return await anyio.to_thread.run_sync(self._send, request, abandon_on_cancel=True)

    def _may_call(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            return False
        if parts.scheme not in ("http", "https"):
            return False
        return host == "localhost" or host in self._allowed_hosts or _is_loopback(host)

    def _send(self, request: urllib.request.Request) -> int | None:
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except (OSError, ValueError, HTTPException):
            # Refused, reset, timed out, an address that can't be written, or an answer that is no HTTP.
            return None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
