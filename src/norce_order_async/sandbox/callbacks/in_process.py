"""Calls an ASGI application in this process, in the way that a server would."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from contextvars import Context
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import anyio
from starlette.types import ASGIApp

if TYPE_CHECKING:
    import httpx

_LOG = logging.getLogger("norce_order_async.sandbox")

_CALLER = ("127.0.0.1", 1)


class NoAnswerError(Exception):
    """The application ended in the middle of an answer, or its answer is too long."""


async def answer(app: ASGIApp, request: httpx.Request, *, most: int, within: float) -> tuple[int, bytes]:
    """Call the application; returns the status and the body.

    If the application fails before it answers, the status is 500, as from any server. It runs in a context of its own,
    without the caller's context variables. After its answer it has the same time again for work in the background; then
    it is cancelled.

    Args:
        app: The application.
        request: The request.
        most: Largest size of the body in bytes.
        within: Seconds for the answer.

    Raises:
        TimeoutError: The answer was not complete in time. The application is cancelled.
        NoAnswerError: The application sent no complete answer.
    """
    exchange, late = _Exchange(request, most), True
    async with anyio.create_task_group() as tasks:
        Context().run(tasks.start_soon, exchange.run, app)
        with anyio.move_on_after(within):
            await exchange.answered.wait()
        late = not exchange.answered.is_set()
        if exchange.complete:
            with anyio.move_on_after(within):
                await exchange.ended.wait()
        exchange.gone.set()
        tasks.cancel_scope.cancel()
    if late:
        raise TimeoutError
    if exchange.status is None or not exchange.complete:
        raise NoAnswerError
    return exchange.status, bytes(exchange.body)


class _Exchange:
    """One request and its answer so far."""

    def __init__(self, request: httpx.Request, most: int) -> None:
        self._request = request
        self._most = most
        self._sent = False
        self.status: int | None = None
        self.body = bytearray()
        self.complete = False
        self.answered = anyio.Event()
        """Set when the answer is complete, or when there will be none."""
        self.ended = anyio.Event()
        """Set when the application has returned."""
        self.gone = anyio.Event()
        """Set when the caller has disconnected."""

    async def run(self, app: ASGIApp) -> None:
        try:
            await app(self._scope(), self._receive, self._send)
        except Exception:  # noqa: BLE001 - an application may raise anything
            # A server logs it too; the caller gets only a status.
            _LOG.exception("an application called by the sandbox failed")
            self._no_answer()
        else:
            self._no_answer()
        finally:
            self.answered.set()
            self.ended.set()

    def _no_answer(self) -> None:
        """Answer 500, as a server does for an application that sends no answer."""
        if self.status is None:
            self.status, self.complete = 500, True

    def _scope(self) -> MutableMapping[str, Any]:
        url = self._request.url
        path, _, query = url.raw_path.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self._request.method,
            "scheme": "http" if url.scheme == "asgi" else url.scheme,
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in self._request.headers.raw],
            "client": _CALLER,
            "server": (url.host, url.port or (443 if url.scheme == "https" else 80)),
        }

    async def _receive(self) -> MutableMapping[str, Any]:
        if not self._sent:
            self._sent = True
            return {"type": "http.request", "body": self._request.content, "more_body": False}
        if not self.complete:
            await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Mapping[str, Any]) -> None:
        if self.answered.is_set():
            return  # The answer is complete; a server ignores the rest, too.
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        if message["type"] != "http.response.body":
            return
        if self.status is None:
            raise RuntimeError("http.response.body came before http.response.start")
        self.body += message.get("body", b"")
        if len(self.body) > self._most:
            self.answered.set()
        elif not message.get("more_body", False):
            self.complete = True
            self.answered.set()
