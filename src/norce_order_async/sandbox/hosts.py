"""Which host a request over a socket names, and from which page it comes.

A page in a browser can send requests to this machine, and one whose name has been pointed here (DNS rebinding) may read
the answers too. It can't lie about the name that the browser was given, nor about where it comes from: so the server
answers to addresses and to names that nobody outside can point anywhere, and to pages from there alone.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from norce_order_async.sandbox import json_text

_MISDIRECTED, _FORBIDDEN = 421, 403


class OwnHosts:
    """Lets a request through if it names this server and no page of another host sends it.

    Args:
        names: Names besides localhost under which the server is reached.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = frozenset(name.lower().rstrip(".") for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it by its Host header (ASGI)."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        status, code, message = refusal
        body = json_text.text({"code": code, "message": message}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]})
        await send({"type": "http.response.body", "body": body})

    def _refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        raw: list[tuple[bytes, bytes]] = scope["headers"]
        for name, value in raw:
            given = value.decode("latin-1").strip()
            if name.lower() == b"host" and not self._is_own(f"http://{given}"):
                said = "The Host header is no address and no name of this sandbox; served_as or --served-as adds one."
                return _MISDIRECTED, "misdirected-request", said
            if name.lower() == b"origin" and not self._is_own(given):
                return _FORBIDDEN, "forbidden", "Origin says that a page from another host sends this."
        return None

    def _is_own(self, url: str) -> bool:
        """Whether the host of a URL is an address, localhost, or a name that was given."""
        try:
            host = (urlsplit(url).hostname or "").rstrip(".")
        except ValueError:
            return False
        if host in self._names or host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return True
