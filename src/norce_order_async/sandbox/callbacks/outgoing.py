"""Calls of the sandbox to registered addresses: applications in this process, loopback, and hosts allowed by name.

Redirects are not followed. A call has the order in the version that its receiver asked for: v0 is the order as it is
kept, v1 has only the members of v1's schema.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from urllib.parse import quote

import anyio
from starlette.types import ASGIApp

from norce_order_async.sandbox import json_text
from norce_order_async.sandbox.callbacks import in_process
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.policy import HOOK_TIMEOUT, VALIDATION_TIMEOUT
from norce_order_async.sandbox.readings import ReadingsInUse
from norce_order_async.sandbox.service.presentation import Presentation
from norce_order_async.sandbox.storage.store import Scope

if TYPE_CHECKING:
    import httpx

_MOST_READ = 1024 * 1024
"""Bytes of an answer."""

_SCHEMES = ("http", "https")
_APP_SCHEMES = (*_SCHEMES, "asgi")


class CallFailedError(Exception):
    """No answer came. The text completes a sentence that begins with the called thing; it has no address."""


class TooLateError(CallFailedError):
    """There was no answer within the time allowed."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer from the called address."""

    status: int
    body: bytes = field(repr=False)

    @property
    def success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


class Caller:
    """Posts JSON to addresses that are registered with an order.

    Args:
        allowed_hosts: Hosts besides loopback that may be called.
        token: A bearer token for every call; None for none.
        merchant_token: The token of the service's callers, which a reading sends along.
        readings: The readings in force.

    Raises:
        ValueError: The token can't be put in a header.
    """

    def __init__(
        self, allowed_hosts: Collection[str], token: str | None, merchant_token: str, readings: ReadingsInUse
    ) -> None:
        if token is not None and not (token.isascii() and token.isprintable() and token.strip()):
            raise ValueError("callback_token must be printable ASCII and not empty")
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self._token = token
        self._merchant_token = merchant_token
        self._readings = readings
        self.apps: dict[str, ASGIApp] = {}
        """Applications by their host, in lower case."""
        self._trust: ssl.SSLContext | None = None

    async def post(self, url: str, body: bytes, scope: Scope, *, within: float) -> Reply:
        """POST a body, and return the whole answer; ``within`` is in seconds.

        Raises:
            TooLateError: The answer did not come in time.
            CallFailedError: The address may not be called, can't be reached, or gave no answer that can be read.
        """
        import httpx

        try:
            # The same parsed address is checked and called, so that no second parser can read it differently.
            target = httpx.URL(url)
        except (httpx.InvalidURL, ValueError):
            raise CallFailedError("has an address that can't be read") from None
        app = self.apps.get(target.host.lower()) if target.scheme in _APP_SCHEMES else None
        if app is None and not self._may_call(target):
            raise CallFailedError(
                "has a host that may not be called from here; Sandbox(allowed_hosts=[...]) or --allow-host allows it"
            )
        request = httpx.Request("POST", target, headers=self._headers(scope, body), content=body)
        try:
            if app is not None:
                return Reply(*await in_process.answer(app, request, most=_MOST_READ, within=within))
            with anyio.fail_after(within):
                return await self._exchange(request)
        except TimeoutError:
            raise TooLateError(f"did not answer within {within:g} s") from None
        except httpx.ConnectError:
            raise CallFailedError("could not be reached") from None
        except (httpx.HTTPError, in_process.NoAnswerError, OSError, ValueError):
            raise CallFailedError("gave no answer that could be read") from None

    async def _exchange(self, request: httpx.Request) -> Reply:
        import httpx

        chunks: list[bytes] = []
        size = 0
        async with httpx.AsyncHTTPTransport(verify=self._context(request.url.scheme), trust_env=False) as transport:
            response = await transport.handle_async_request(request)
            try:
                async for chunk in response.aiter_raw():
                    size += len(chunk)
                    if size <= _MOST_READ:
                        chunks.append(chunk)
                    else:
                        # Closed, but read on until that fails: trio complains about a generator that is left open.
                        await response.aclose()
            finally:
                await response.aclose()
        if size > _MOST_READ:
            raise ValueError("the answer is too long")
        return Reply(response.status_code, b"".join(chunks))

    def _may_call(self, url: httpx.URL) -> bool:
        host = url.host.lower()
        if url.scheme not in _SCHEMES:
            return False
        return host == "localhost" or host in self._allowed_hosts or _is_loopback(host)

    def _headers(self, scope: Scope, body: bytes) -> list[tuple[bytes, bytes]]:
        # Latin-1, as they were decoded: a header goes out as the bytes that came in.
        headers = [
            (b"accept-encoding", b"identity"),
            (b"x-merchant", scope.merchant.encode("latin-1")),
            (b"x-channel", scope.channel.encode("latin-1")),
        ]
        if body:
            headers.append((b"content-type", b"application/json"))
        if (token := self._bearer()) is not None:
            headers.append((b"authorization", b"Bearer " + token.encode()))
        return headers

    def _bearer(self) -> str | None:
        if self._token is not None:
            return self._token
        return self._merchant_token if self._readings.of("callback-bearer") == "callers-token" else None

    def _context(self, scheme: str) -> ssl.SSLContext:
        """For https a context with the usual certificates, loaded once; otherwise an empty one, which is cheap."""
        if scheme != "https":
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._trust is None:
            self._trust = ssl.create_default_context()
        return self._trust


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


Configuration: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Settings by adapter id; those under "*" are for every adapter that has no entry of its own."""

EVERY_ADAPTER = "*"

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def filled(template: str, order: Json, configuration: Mapping[str, Any]) -> str:
    """The address with its placeholders filled.

    Raises:
        CallFailedError: A placeholder names nothing.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1]
        root, _, path = name.partition(".")
        if name == "order_id":
            return quote(str(order["id"]), safe="")
        if root == "order" and path:
            return quote(_text(order, path, name), safe="")
        if root in ("config", "configuration") and path:
            return _text(configuration, path, name)
        raise _unknown(name)

    return _PLACEHOLDER.sub(value, template)


def _text(holder: Mapping[str, Any], path: str, name: str) -> str:
    value: Any = holder
    for step in path.split("."):
        if not isinstance(value, Mapping) or step not in value:
            raise _unknown(name)
        value = cast("Mapping[str, Any]", value)[step]
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise _unknown(name)
    return str(value)


def _unknown(name: str) -> CallFailedError:
    return CallFailedError(f"has the placeholder {{{name}}} in its address, which names nothing")


@dataclass(frozen=True, slots=True)
class CallbackClient:
    """Calls hooks, validations and notifications, with their timeouts and the values of placeholders.

    A timeout that is set replaces that of the readings.
    """

    caller: Caller
    configuration: Configuration
    set_hook_timeout: float | None
    set_validation_timeout: float | None
    readings: ReadingsInUse
    presentation: Presentation

    @property
    def hook_timeout(self) -> float:
        """Seconds that a hook has to answer."""
        given = self.set_hook_timeout
        return HOOK_TIMEOUT[self.readings.of("hook-timeout")] if given is None else given

    @property
    def validation_timeout(self) -> float:
        """Seconds that a validation has to answer."""
        given = self.set_validation_timeout
        return VALIDATION_TIMEOUT[self.readings.of("validation-timeout")] if given is None else given

    def body(self, order: Json, version: str | None) -> bytes:
        """An order as a receiver gets it, in v0 unless the receiver asked for v1."""
        versioned = in_version(order, version)
        return json_text.text(self.presentation.order(order) if versioned is order else versioned).encode()

    async def invoke(self, adapter_id: str | None, address: str, order: Json, body: bytes, *, within: float) -> Reply:
        """Call an address that an adapter has registered with an order, and return the answer.

        Raises:
            CallFailedError: There is no answer.
        """
        configuration = self.configuration.get(adapter_id or "", self.configuration.get(EVERY_ADAPTER, {}))
        url = filled(address, order, configuration)
        return await self.caller.post(url, body, Scope(order["merchant"], order["channel"]), within=within)


_RENAMED = {"validations": ("url", "invoke"), "hooks": ("subscribeTo", "scope")}


def in_version(order: Json, version: str | None) -> Json:
    """The order for a receiver, in v0 unless the receiver asked for v1."""
    return _v1(order) if version == "v1" else order


def _v1(order: Json) -> Json:
    body = dict(order)
    for name, (old, new) in _RENAMED.items():
        body[name] = [{new if key == old else key: value for key, value in entry.items()} for entry in order[name]]
    body["notifications"] = [_without(entry, "delay") for entry in order["notifications"]]
    body["payments"] = [_without(payment, "merchant", "channel", "upsell") for payment in order["payments"]]
    body["shippings"] = [_shipping(shipping) for shipping in order["shippings"]]
    if "cart" in order:
        body["cart"] = _with_plain_discounts(_with_plain_items(order["cart"]))
    return body


def _shipping(shipping: Json) -> Json:
    plain = _without(shipping, "merchant", "channel")
    if "deliveryDetails" in plain:
        plain["deliveryDetails"] = _without(plain["deliveryDetails"], "carrierProductId")
    return plain


def _with_plain_items(holder: Json) -> Json:
    """A cart, or a bundle in it, with its items as v1 has them."""
    if "items" not in holder:
        return holder
    items: Iterable[Json] = holder["items"]
    plain = [_with_plain_discounts(_with_plain_items(_without(item, "logistics", "upsell"))) for item in items]
    return {**holder, "items": plain}


def _with_plain_discounts(holder: Json) -> Json:
    if "discounts" not in holder:
        return holder
    discounts: Iterable[Json] = holder["discounts"]
    return {**holder, "discounts": [_without(discount, "reference", "description") for discount in discounts]}


def _without(entry: Json, *names: str) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in names}
