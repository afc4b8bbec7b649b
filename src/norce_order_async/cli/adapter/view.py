"""Prints each call on one line: who calls whom, the request, and the answer.

Secrets, queries, headers and bodies are not shown.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from norce_order_async.display import printable

if TYPE_CHECKING:
    from rich.console import Console

    from norce_order_async.sandbox import ReceivedRequest

_PATH_OF_ORDERS = "/api/v0/checkout"
_FORWARDED = frozenset([b"x-merchant", b"x-channel", b"content-type", b"authorization", b"traceparent"])
_TIMEOUT = 60.0
"""Seconds that a forwarded call may take; the service itself waits less."""


class View:
    """Prints calls as they end."""

    def __init__(self, console: Console, adapter_id: str = "adapter") -> None:
        self._console = console
        self._adapter = adapter_id

    def request(self, request: ReceivedRequest) -> None:
        """Print a call to the service: by the adapter if the request names it, otherwise by another program."""
        named = request.headers.get("x-adapterid")
        who, style = (named, "magenta") if named else ("you", "cyan")
        path = request.path.partition(_PATH_OF_ORDERS)[2] or request.path
        self._line(who, "service", f"{request.method} {path}", request.status, request.seconds or 0, style)

    def callback(self, path: str, status: int | None, body: bytes, seconds: float) -> None:
        """Print a call of the service to the adapter."""
        kind, name = path.split("/")[-3:-1] if path.count("/") >= 4 else ("?", "?")
        self._line("service", self._adapter, f"{kind} {name}", status, seconds, "yellow", _summary(kind, status, body))

    def _line(
        self, who: str, whom: str, what: str, status: int | None, seconds: float, style: str, answer: str = ""
    ) -> None:
        shown = "---" if status is None else str(status)
        colour = "red" if status is None or status >= 500 else "yellow" if status >= 400 else "green"
        self._console.print(
            f"[{style}]{printable(who):>10} -> {printable(whom):<10}[/] {_plain(what):<46} [{colour}]{shown}[/] "
            f"{seconds * 1000:7.1f} ms  {_plain(answer)}",
            soft_wrap=True,
        )


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(printable(text))


def _summary(kind: str, status: int | None, body: bytes) -> str:
    """The answer in a few words."""
    if status is None:
        return "no answer"
    try:
        data: Any = json.loads(body) if body else None
    except ValueError:
        return "not JSON"
    if isinstance(data, dict):
        return str(data.get("code", ""))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    if not isinstance(data, list):
        return ""
    entries: list[Any] = data  # pyright: ignore[reportUnknownVariableType]
    if kind == "hook":
        return ", ".join(f"{one.get('op')} {one.get('path')}" for one in entries) or "approved"
    return ", ".join(str(one.get("code")) for one in entries)


class Proxy:
    """An ASGI application that the local service calls in place of the adapter; it forwards each call to the adapter.

    Args:
        address: The adapter's base URL.
        on_call: Called after each call with its path, the status (None without an answer), the body and the seconds.
    """

    def __init__(self, address: str, on_call: Callable[[str, int | None, bytes, float], None]) -> None:
        self._address = address
        self._on_call = on_call

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Forward one call; the answer is 502 if the adapter does not answer, as while it restarts."""
        import httpx

        started = time.monotonic()
        body = (await receive())["body"]
        headers = [(name, value) for name, value in scope["headers"] if name in _FORWARDED]
        target = self._address + scope["raw_path"].decode("ascii")
        status: int | None = None
        answered = b""
        try:
            # Plain http needs no certificates, and loading them takes time.
            transport = httpx.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False)
            async with httpx.AsyncClient(transport=transport, timeout=_TIMEOUT) as client:
                answer = await client.post(target, headers=headers, content=body)
            status, answered = answer.status_code, answer.content
        except httpx.HTTPError:
            pass
        finally:
            self._on_call(scope["path"], status, answered, time.monotonic() - started)
        await send({"type": "http.response.start", "status": status or 502, "headers": []})
        await send({"type": "http.response.body", "body": answered})
