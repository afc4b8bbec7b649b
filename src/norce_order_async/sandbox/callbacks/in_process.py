"""Calls of an ASGI application in this process: what a server would give it, and what it would make of the answer."""

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
    """The application returned or failed in the middle of an answer, or its answer is too long."""


async def answer(app: ASGIApp, request: httpx.Request, *, most: int, within: float) -> tuple[int, bytes]:
    """Status and body of an answer of at most so many bytes.

    An application that fails before it has answered gets the status 500, as from any server. Its code runs in a
    context of its own: nothing of the caller's (time limits, spans) reaches it. After its answer it has as much time
    again, for what it does in the background; then it is cancelled.

    Raises:
        TimeoutError: The answer was not complete within so many seconds. The application is cancelled.
        NoAnswerError: The application sent no answer that a client could read.
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
    """One request and what has come of its answer."""

    def __init__(self, request: httpx.Request, most: int) -> None:
        self._request = request
        self._most = most
        self._sent = False
        self.status: int | None = None
        self.body = bytearray()
        self.complete = False
        self.answered = anyio.Event()
        """There is an answer, or there will be none."""
        self.ended = anyio.Event()
        """The application has returned."""
        self.gone = anyio.Event()
        """The caller is no longer there."""

    async def run(self, app: ASGIApp) -> None:
        try:
            await app(self._scope(), self._receive, self._send)
        except Exception:  # noqa: BLE001 - whatever an application raises
            # A server logs it too; the caller only gets a status.
            _LOG.exception("an application called by the sandbox failed")
            self._no_answer()
        else:
            self._no_answer()
        finally:
            self.answered.set()
            self.ended.set()

    def _no_answer(self) -> None:
        """What a server answers in place of an application that did not."""
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
            return  # Nobody reads it any more; a server passes over that as well.
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
