"""Who calls whom, a line for each call. No secret, query, header or body is shown."""

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
_PASSED_ON = frozenset([b"x-merchant", b"x-channel", b"content-type", b"authorization", b"traceparent"])
_LIMIT = 60.0
"""Seconds, beyond what the service waits for."""


class View:
    """Prints calls as they end."""

    def __init__(self, console: Console, adapter_id: str = "adapter") -> None:
        self._console = console
        self._adapter = adapter_id

    def request(self, request: ReceivedRequest) -> None:
        """A call to the service: by the adapter, if it names itself, or by another program."""
        named = request.headers.get("x-adapterid")
        who, style = (named, "magenta") if named else ("you", "cyan")
        path = request.path.partition(_PATH_OF_ORDERS)[2] or request.path
        self._line(who, "service", f"{request.method} {path}", request.status, request.seconds or 0, style)

    def callback(self, path: str, status: int | None, body: bytes, seconds: float) -> None:
        """A call of the service to the adapter."""
        kind, name = path.split("/")[-3:-1] if path.count("/") >= 4 else ("?", "?")
        self._line("service", self._adapter, f"{kind} {name}", status, seconds, "yellow", _said(kind, status, body))

    def _line(
        self, who: str, whom: str, what: str, status: int | None, seconds: float, style: str, said: str = ""
    ) -> None:
        shown = "---" if status is None else str(status)
        colour = "red" if status is None or status >= 500 else "yellow" if status >= 400 else "green"
        self._console.print(
            f"[{style}]{printable(who):>10} -> {printable(whom):<10}[/] {_plain(what):<46} [{colour}]{shown}[/] "
            f"{seconds * 1000:7.1f} ms  {_plain(said)}",
            soft_wrap=True,
        )


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(printable(text))


def _said(kind: str, status: int | None, body: bytes) -> str:
    """In a word, what was answered."""
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


class Passage:
    """An ASGI app that the local service calls in the adapter's place: it passes calls on, and shows them."""

    def __init__(self, address: str, shown: Callable[[str, int | None, bytes, float], None]) -> None:
        self._address = address
        self._shown = shown

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Pass one call on; 502 if the adapter is not there, as while it is started anew."""
        import httpx

        started = time.monotonic()
        body = (await receive())["body"]
        headers = [(name, value) for name, value in scope["headers"] if name in _PASSED_ON]
        target = self._address + scope["raw_path"].decode("ascii")
        status: int | None = None
        answered = b""
        try:
            # Plain http on loopback needs no authorities, whose loading takes its time.
            transport = httpx.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False)
            async with httpx.AsyncClient(transport=transport, timeout=_LIMIT) as client:
                answer = await client.post(target, headers=headers, content=body)
            status, answered = answer.status_code, answer.content
        except httpx.HTTPError:
            pass
        finally:
            self._shown(scope["path"], status, answered, time.monotonic() - started)
        await send({"type": "http.response.start", "status": status or 502, "headers": []})
        await send({"type": "http.response.body", "body": answered})
