"""Who may use the inspector: a link that works once sets a cookie, and what is posted must come from its own pages.

A page of another site can neither read the cookie (HttpOnly) nor have it sent along (SameSite=Strict), and what it
posts carries its own Origin. The pages run no script but the files beside them (Content-Security-Policy).
"""

from __future__ import annotations

import secrets
from collections import deque
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Scope, Send

_LINKS, _VISITORS = 16, 64

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "cache-control": "no-store",
    # Not no-referrer: with that, browsers send "Origin: null" along with the forms of these very pages.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Access:
    """The links that have not been used, and the visitors who came by one."""

    def __init__(self, path: str) -> None:
        self._path = path
        # Cookies are shared by all ports of a host; so each sandbox has a name of its own for it.
        self._name = f"norce_inspector_{secrets.token_hex(4)}"
        self._links: deque[str] = deque(maxlen=_LINKS)
        self._visitors: deque[str] = deque(maxlen=_VISITORS)

    def new_link(self) -> str:
        """The path and query of a link that works once."""
        key = secrets.token_urlsafe(24)
        self._links.append(key)
        return f"{self._path}/enter?key={key}"

    def cookie_for(self, key: str) -> str | None:
        """The cookie for who came by a link, which does not work again; None if it does not work."""
        used = next((link for link in self._links if _same(link, key)), None)
        if used is None:
            return None
        self._links.remove(used)
        visitor = secrets.token_urlsafe(24)
        self._visitors.append(visitor)
        return f"{self._name}={visitor}; Path={self._path}; HttpOnly; SameSite=Strict"

    def is_visitor(self, headers: Headers) -> bool:
        """Whether a request carries the cookie."""
        cookies: SimpleCookie = SimpleCookie()
        try:
            for line in headers.getlist("cookie"):
                cookies.load(line)
        except CookieError:
            return False
        given = cookies.get(self._name)
        return given is not None and any(_same(visitor, given.value) for visitor in self._visitors)


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode("utf-8", "replace"))


def is_own_origin(scope: Scope, headers: Headers) -> bool:
    """Whether a request comes from a page of the server that it goes to. Browsers say so with each that is posted."""
    return headers.get("origin") == f"{scope['scheme']}://{headers.get('host', '')}"


def with_headers(send: Send) -> Send:
    """Adds what browsers are to keep to, unless the answer says something else."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
