"""The sandbox's server. It has its own thread and event loop, so the caller can use asyncio, trio or neither."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from norce_order_async.sandbox import json_text
from norce_order_async.sandbox.faults import Faults
from norce_order_async.sandbox.faults.wire import protocol

_START_WITHIN = 10.0
_STOP_WITHIN = 5.0
_LAST_ANSWERS_WITHIN = 1
_DATE_EVERY = 1.0
_TICK = 0.005

_log = logging.getLogger("norce_order_async.sandbox")

_MISDIRECTED, _FORBIDDEN = 421, 403


class SandboxStartError(RuntimeError):
    """The server could not be started; the text says why.

    Example::

        try:
            with Sandbox(port=8700):
                ...
        except SandboxStartError as error:
            print(error)
    """


class PromptServer(uvicorn.Server):
    """uvicorn's server, stopped without delay.

    uvicorn looks only ten times a second whether it should stop, and then waits a tenth of a second for connections
    that may be closed already. That is 0.2 s for each sandbox of a test run.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked_to_stop = asyncio.Event()

    def stop(self) -> None:
        """Ask the server to stop; can be called from any thread."""
        self.should_exit = True
        if self._loop is not None:
            # RuntimeError: the loop is closed, because the server has ended.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._asked_to_stop.set)

    async def main_loop(self) -> None:
        """Wait until the server should stop, and keep the Date header up to date."""
        self._loop = asyncio.get_running_loop()
        # `on_tick` renews the header at a count of 0.
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(_DATE_EVERY):
                    await self._asked_to_stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, let requests end for a second, cancel the rest, and stop the application."""
        for server in self.servers:
            server.close()
        for each in sockets or []:
            each.close()
        state = self.server_state
        asked: set[object] = set()
        try:
            async with asyncio.timeout(_LAST_ANSWERS_WITHIN):
                while True:
                    # Connections that were being accepted appear a moment later.
                    await asyncio.sleep(_TICK)
                    for connection in state.connections - asked:
                        asked.add(connection)
                        connection.shutdown()
                    if not (state.connections or state.tasks):
                        break
        except TimeoutError:
            _log.error("the server stops, and cancels %d requests that it is still answering", len(state.tasks))
            for task in state.tasks:
                task.cancel()
        await self.lifespan.shutdown()


class Serving:
    """A server in a thread. `starting()` and `stopping()` yield each time that the caller should wait a little.

    `exempt` has the starts of paths whose connections no fault refuses.
    """

    def __init__(self, app: OwnHosts, faults: Faults, host: str, port: int, exempt: Sequence[str] = ()) -> None:
        self._socket = _listening(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._faults = faults
        faults.hurry = False
        self._server = PromptServer(
            uvicorn.Config(
                app,
                http=protocol(faults.refuses_connection, exempt),
                loop="asyncio",
                lifespan="on",
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
            )
        )
        self._thread = threading.Thread(target=self._serve, name=f"order-sandbox-{self.port}", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with self._socket:
            self._server.run(sockets=[self._socket])

    def starting(self) -> Iterator[None]:
        """Wait until the server answers.

        Raises:
            SandboxStartError: The server ended, or did not start in time.
        """
        give_up = time.monotonic() + _START_WITHIN
        while not self._server.started:
            if not self._thread.is_alive():
                raise SandboxStartError("the sandbox's server ended while it was starting")
            if time.monotonic() > give_up:
                self._server.stop()
                raise SandboxStartError(f"the sandbox's server did not start within {_START_WITHIN:g} s")
            yield

    def stopping(self) -> Iterator[None]:
        """Stop the server.

        Raises:
            RuntimeError: The server did not stop in time.
        """
        self._faults.hurry = True
        self._server.stop()
        give_up = time.monotonic() + _STOP_WITHIN
        while self._thread.is_alive():
            if time.monotonic() > give_up:
                raise RuntimeError(f"the sandbox's server did not stop within {_STOP_WITHIN:g} s")
            yield
        self._thread.join()


def _listening(host: str, port: int) -> socket.socket:
    """A listening socket. It is bound on the caller's thread, so that a port in use raises there.

    Raises:
        SandboxStartError: The socket can't listen on this host and port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # TCP is named because asyncio turns off Nagle's delay, 40 ms an answer, only for sockets that name it.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise SandboxStartError(f"can't listen on {host} port {port}: {error.strerror or error}") from error
    return listener


class OwnHosts:
    """Lets a request through only if its Host names this server, and its Origin, if any, too.

    A page in a browser can send requests to this machine. If the page's host name is made to point to this machine (DNS
    rebinding), the page can even read the answers. The browser sends the true host name in Host, and the true origin of
    the page in Origin. So both must be an IP address, localhost or one of ``names``: no outsider can make these point
    elsewhere.

    Args:
        app: The application that gets the requests.
        names: Names besides localhost under which clients reach the server.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = frozenset(name.lower().rstrip(".") for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it because of its Host or Origin header (ASGI)."""
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
                said = "The Host header does not name this sandbox; add the name with served_as or --served-as."
                return _MISDIRECTED, "misdirected-request", said
            if name.lower() == b"origin" and not self._is_own(given):
                return _FORBIDDEN, "forbidden", "The Origin header shows that a page of another host sends this."
        return None

    def _is_own(self, url: str) -> bool:
        """Whether the host of a URL is an IP address, localhost, or one of the given names."""
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
