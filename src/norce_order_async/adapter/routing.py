"""Routes calls to handlers, and checks who may call.

An address is ``{public_url}/{secret}/{kind}/{name}/{order id}``. Only the last four segments of a path count, so an
adapter works under any prefix, whether a framework or a proxy strips it or not. The service documents no signature, so
only the secret keeps other callers out.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from norce_order_async.adapter.answers import HttpAnswer, error_answer
from norce_order_async.adapter.bodies import MAX_BODY
from norce_order_async.adapter.patches import PARTS
from norce_order_async.checking import check_kind
from norce_order_async.context import check_header_value
from norce_order_async.environments import is_loopback
from norce_order_async.errors import ConfigurationError, InvalidRequestError
from norce_order_async.pipeline.request import check_id

Kind = Literal["hook", "validation", "notification"]
OnError = Literal["deny", "approve"]
Ack = Literal["after", "first"]
Handler = Callable[[Any], Awaitable[Any]]

_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{16,200}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_MOST_HEADERS: Final = 200
_LONGEST_ID: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One handler: what it is called for, and how."""

    kind: Kind
    name: str
    """Its segment in addresses."""
    label: str
    """Its name in texts: the part of the order, such as ``"/state"``, or its own name, such as ``"/paid"``."""
    handler: Handler = field(repr=False)
    pointer: str = ""
    """The part of the order whose changes a hook or a notification is called for."""
    target: str | None = None
    budget: float | None = None
    """Seconds that a call may take."""
    on_error: OnError = "deny"
    ack: Ack = "after"
    schema: Any = field(default=None, repr=False)
    delay: int | None = None
    reference: str | None = None
    description: str | None = None

    @property
    def source(self) -> str:
        """The name under which unexpected members of its bodies are counted."""
        return f"{self.kind} {self.label}"


class Secrets:
    """Secrets, one of which a caller must send: several while they are being exchanged. No repr shows them."""

    __slots__ = ("_words",)

    def __init__(self, words: Iterable[str]) -> None:
        self._words = tuple(word.encode() for word in words)

    def accept(self, given: bytes) -> bool:
        """Whether ``given`` is one of the secrets. Takes the same time for every wrong one of the same length."""
        found = False
        for word in self._words:
            found |= hmac.compare_digest(word, given)
        return found

    @property
    def newest(self) -> str:
        """The secret that new addresses get."""
        return self._words[0].decode()

    def __bool__(self) -> bool:
        return bool(self._words)

    def __repr__(self) -> str:
        return f"<{len(self._words)} secrets, not shown>"


def path_secrets(given: str | Sequence[str]) -> Secrets:
    """Check the secrets of addresses.

    Raises:
        ConfigurationError: one is too short, or has characters that an address can't hold. The text does not show it.
    """
    words = _words("secret", given)
    if not words or not all(_SECRET.fullmatch(word) for word in words):
        raise ConfigurationError(
            "secret must be 16 to 200 letters, digits, '-' or '_' that nobody can guess: "
            "secrets.token_urlsafe(32) makes one"
        )
    return Secrets(words)


def bearer_secrets(given: str | Sequence[str] | None) -> Secrets:
    """Check the bearer tokens that callers may send; without any, callers need no token.

    Raises:
        ConfigurationError: one can't be a header. The text does not show it.
    """
    if given is None:
        return Secrets(())
    words = [word.removeprefix("Bearer ") for word in _words("bearer", given)]
    for word in words:
        check_header_value("bearer", word)
        if " " in word:
            raise ConfigurationError("bearer must be one word")
    if not words or not all(words):
        raise ConfigurationError("bearer must hold a token; leave it out if the service sends none")
    return Secrets(words)


def _words(name: str, given: str | Sequence[str]) -> list[str]:
    check_kind(name, given, (str, list, tuple), "a string or a list of strings, the newest first", ConfigurationError)
    words = [given] if isinstance(given, str) else list(given)
    for word in words:
        check_kind(name, word, str, "a string", ConfigurationError)
    return words


def check_pointer(name: str, pointer: object, *, deep: bool) -> str:
    """Check and return the JSON pointer of a hook (``deep`` is False) or of a notification.

    Raises:
        ConfigurationError: it is not such a pointer.
    """
    check_kind(name, pointer, str, "a JSON pointer such as '/state'", ConfigurationError)
    text = str(pointer)
    steps = text.split("/")[1:]
    if not text.startswith("/") or not all(re.fullmatch(r"[A-Za-z_][\w-]*", step) for step in steps):
        raise ConfigurationError(f"{name} must be a JSON pointer through objects, such as '/state'; got {text[:80]!r}")
    if not deep and steps[0] not in PARTS:
        parts = ", ".join(f"/{part}" for part in PARTS)
        raise ConfigurationError(f"{name} must lie in one of {parts}; got {text[:80]!r}")
    return text


def check_public_url(given: str | None) -> str | None:
    """Check the address at which the service reaches the adapter, and return it without a slash at its end.

    Raises:
        ConfigurationError: it is not an address, or a secret would go over plain http through other networks.
    """
    if given is None:
        return None
    check_kind("public_url", given, str, "an address", ConfigurationError)
    try:
        parts = urlsplit(given)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise ConfigurationError("public_url must be an address, such as https://erp.example.com/norce") from None
    if parts.scheme not in ("https", "http", "asgi") or not host or parts.query or parts.fragment:
        raise ConfigurationError("public_url must be an address without a query, such as https://erp.example.com/norce")
    if parts.username is not None or re.search(r"[{}\s]", given):
        raise ConfigurationError("public_url must hold no user name, spaces or braces")
    if parts.scheme == "http" and "." in host and not is_loopback(given):
        raise ConfigurationError(
            "a secret must not go over plain http: public_url must be https, except on a loopback address or for a "
            "host without a dot, as in a compose network"
        )
    return given.rstrip("/")


def name_of(kind: Kind, name: str | None, pointer: str, target: str | None) -> tuple[str, str]:
    """Return the segment of a handler in addresses, and its name in texts.

    Raises:
        ConfigurationError: the name can't be a segment.
    """
    if name is not None:
        check_kind("name", name, str, "a string", ConfigurationError)
        if not _NAME.fullmatch(name):
            raise ConfigurationError("name must be letters, digits, '-', '_' and '.', such as 'paid'")
        return name, f"/{name}"
    if kind == "validation":
        return "order", "/order"
    parts = [pointer, target] if target is not None and target != pointer else [pointer]
    return "-".join(part[1:].replace("/", ".") for part in parts), " to ".join(parts)


@dataclass(frozen=True, slots=True)
class Admitted:
    """An admitted call."""

    route: Route
    order_id: str
    merchant: str
    channel: str
    trace: Mapping[str, str]
    """The caller's trace headers."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that reaches no handler: the reason, as a word to count, and the answer."""

    reason: str
    answer: HttpAnswer


_NOT_FOUND: Final = error_answer(404, "not-found", "There is nothing here.")
_UNAUTHORIZED: Final = error_answer(401, "unauthorized", "A bearer token is needed.", (b"www-authenticate", b"Bearer"))
_TRACE: Final = {b"traceparent": "traceparent", b"tracestate": "tracestate", b"baggage": "baggage"}


class Gate:
    """Admits calls of the service."""

    __slots__ = ("_bearer", "_channels", "_merchants", "_routes", "_secret")

    def __init__(self, secret: Secrets, bearer: Secrets, merchants: Collection[str], channels: Collection[str]) -> None:
        self._secret = secret
        self._bearer = bearer
        # Headers are bytes in Latin-1, and looked up as such.
        self._merchants = {word.encode("latin-1"): word for word in merchants}
        self._channels = {word.encode("latin-1"): word for word in channels}
        self._routes: dict[tuple[str, str], Route] = {}

    @property
    def routes(self) -> Collection[Route]:
        """The handlers, in the order in which they were added."""
        return self._routes.values()

    def add(self, route: Route) -> None:
        """Add a handler.

        Raises:
            ConfigurationError: there is another handler at its address.
        """
        if self._routes.setdefault((route.kind, route.name), route) is not route:
            raise ConfigurationError(
                f"there is a {route.kind} {route.label!r} already: give one of them a name, as in name='paid'"
            )

    def admit(self, scope: Mapping[str, Any]) -> Admitted | Refused:
        """Admit or refuse a request, by its path and headers. Its body is not read."""
        # Litestar hands a mounted app paths that end with a slash.
        segments: list[str] = scope["path"].removesuffix("/").rsplit("/", 4)
        known = len(segments) == 5
        secret, kind, name, order_id = segments[1:] if known else ("", "", "", "")
        # Checked in any case, so that a short path takes as long as a wrong secret.
        if not self._secret.accept(secret.encode("utf-8", "surrogatepass")) or not known:
            return Refused("secret", _NOT_FOUND)
        headers = scope["headers"]
        if len(headers) > _MOST_HEADERS:
            return Refused("headers", error_answer(431, "too-many-headers", "There are too many headers."))
        merchants: list[bytes] = []
        channels: list[bytes] = []
        bearers: list[bytes] = []
        trace: dict[str, str] = {}
        for header, value in headers:
            if header == b"x-merchant":
                merchants.append(value)
            elif header == b"x-channel":
                channels.append(value)
            elif header == b"authorization":
                bearers.append(value)
            elif header in _TRACE:
                trace[_TRACE[header]] = value.decode("latin-1")
            elif header == b"content-length" and not _fits(value):
                return Refused("size", error_answer(413, "too-large", f"A body may have {MAX_BODY} bytes."))
        if self._bearer and not (len(bearers) == 1 and self._bearer.accept(_token(bearers[0]))):
            return Refused("bearer", _UNAUTHORIZED)
        route = self._routes.get((kind, name))
        if route is None:
            return Refused("route", _NOT_FOUND)
        if scope["method"] != "POST":
            return Refused(
                "method", error_answer(405, "method-not-allowed", "Calls are made by POST.", (b"allow", b"POST"))
            )
        merchant = self._merchants.get(merchants[0]) if len(merchants) == 1 else None
        channel = self._channels.get(channels[0]) if len(channels) == 1 else None
        if merchant is None or channel is None:
            return Refused(
                "merchant", error_answer(403, "forbidden", "This adapter does not serve this merchant and channel.")
            )
        try:
            check_id("order_id", order_id)
        except InvalidRequestError:
            return Refused("id", _NOT_FOUND)
        if len(order_id) > _LONGEST_ID:
            return Refused("id", _NOT_FOUND)
        return Admitted(route, order_id, merchant, channel, trace)


def _token(header: bytes) -> bytes:
    scheme, _, token = header.partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""


def _fits(length: bytes) -> bool:
    return not (length.isdigit() and (len(length) > 12 or int(length) > MAX_BODY))
