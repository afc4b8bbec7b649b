"""Fetches a description from an address that is not trusted.

The maintainer may give any host, over https, or over http on this machine. A redirect is followed only over https, to
the same host, and not if the host's name now resolves to an address in a private network. Size and time are limited for
the whole download, not for each read: a server that sends one byte a second would pass a limit for each read.
"""

import http.client
import ipaddress
import socket
import urllib.error
import urllib.parse
import urllib.request
from typing import IO

from regenerate.failure import RegenerationError
from regenerate.limits import within

MAX_BYTES = 5_000_000
TIMEOUT = 30.0
_CHUNK = 65_536
_LATE = "the address did not answer in full"


def fetch(address: str, *, limit: float = TIMEOUT) -> bytes:
    """The body of the answer, as it came."""
    parts = urllib.parse.urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme == "http" and not _is_here(host):
        raise RegenerationError("the address must begin with https://: code is generated from what it answers")
    request = urllib.request.Request(address, headers={"Accept-Encoding": "identity"})  # noqa: S310 - checked above
    opener = urllib.request.build_opener(SameSite(host, inside=_is_inside(host)))
    try:
        with within(limit, _LATE, waits=True), opener.open(request, timeout=limit) as answer:
            return _body(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise RegenerationError(f"the address answered {error.code} {error.reason}") from error
    except http.client.IncompleteRead as error:
        raise RegenerationError("the connection broke before the whole description was there") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise RegenerationError(f"{_LATE} within {limit:g} seconds") from error
        raise RegenerationError(f"the address can't be reached: {reason}") from error


class SameSite(urllib.request.HTTPRedirectHandler):
    """Follows redirects only to the same host, and only over https."""

    max_redirections = 5

    def __init__(self, host: str, *, inside: bool) -> None:
        self._host = host
        self._inside = inside

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        target = urllib.parse.urlsplit(newurl)
        host = target.hostname or ""
        if target.scheme != "https":
            raise RegenerationError(f"the address redirects to {target.scheme}:// on {host}, which is not followed")
        if not self._inside and _is_inside(host):
            raise RegenerationError(f"the address redirects to {host}, inside a private network: not followed")
        if host != self._host:
            raise RegenerationError(f"the address redirects to another host, {host}: give that address if it is right")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _body(answer: http.client.HTTPResponse) -> bytes:
    too_long = f"the answer is longer than {MAX_BYTES} bytes, which is no description of this service"
    if (answer.length or 0) > MAX_BYTES:
        raise RegenerationError(too_long)
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise RegenerationError("the answer is compressed, although that was not asked for")
    content = bytearray()
    while chunk := answer.read(min(_CHUNK, MAX_BYTES + 1 - len(content))):
        content += chunk
        if len(content) > MAX_BYTES:
            raise RegenerationError(too_long)
    if answer.length:
        # `read` with an amount does not report that the connection ended early.
        raise http.client.IncompleteRead(bytes(content), answer.length)
    return bytes(content)


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_inside(host: str) -> bool:
    """Whether a host is, or resolves to, an address that is not on the public internet."""
    try:
        found = {str(entry[4][0]).partition("%")[0] for entry in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False  # the attempt to connect reports it
    return any(not ipaddress.ip_address(address).is_global for address in found)
