"""Access to the inspector: a link that works once sets a cookie, and posted forms must come from the inspector's pages.

A page of another site can neither read the cookie (HttpOnly) nor make the browser send it (SameSite=Strict), and its
posts have its own Origin. The pages only run the scripts in the package (Content-Security-Policy).
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
    # Not no-referrer: with that, browsers send "Origin: null" with the forms of these pages.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Access:
    """The unused links, and the cookies of the browsers that came in by a link."""

    def __init__(self, path: str) -> None:
        self._path = path
        # All ports of a host share their cookies, so each sandbox has its own name for the cookie.
        self._name = f"norce_inspector_{secrets.token_hex(4)}"
        self._links: deque[str] = deque(maxlen=_LINKS)
        self._visitors: deque[str] = deque(maxlen=_VISITORS)

    def new_link(self) -> str:
        """The path and query of a link that works once."""
        key = secrets.token_urlsafe(24)
        self._links.append(key)
        return f"{self._path}/enter?key={key}"

    def cookie_for(self, key: str) -> str | None:
        """Use up a link, and return the cookie to set; None if the link does not work."""
        used = next((link for link in self._links if _same(link, key)), None)
        if used is None:
            return None
        self._links.remove(used)
        visitor = secrets.token_urlsafe(24)
        self._visitors.append(visitor)
        return f"{self._name}={visitor}; Path={self._path}; HttpOnly; SameSite=Strict"

    def is_visitor(self, headers: Headers) -> bool:
        """Whether a request has a valid cookie."""
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
    """Whether a request comes from a page of this server. Browsers send the origin with every posted form."""
    return headers.get("origin") == f"{scope['scheme']}://{headers.get('host', '')}"


def with_headers(send: Send) -> Send:
    """Adds the headers for browsers to an answer, except those that it has already."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
