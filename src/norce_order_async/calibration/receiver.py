"""Takes the service's callbacks on a port of this machine, behind the user's tunnel.

Anybody may reach a tunnel, so only paths that hold a secret of this run are answered, bodies and calls are bounded, and
of a call no more is kept than what probes look at.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from norce_order_async._json import read_json
from norce_order_async.runtime.clock import Clock

_MOST_BODY: Final = 4 * 1024 * 1024
_MOST_CALLS: Final = 500
_LONGEST_HOLD: Final = 60.0


@dataclass(frozen=True, slots=True)
class Call:
    """What is kept of a call."""

    name: str
    authorization: str | None
    at: float
    """By the clock's ``monotonic``."""
    data: Any


class Receiver:
    """Answers each name as told, 200 without a body where nothing was told.

    Args:
        port: 0 takes a free one.
        public_url: where the service reaches that port.
        clock: for the times of calls.

    Raises:
        OSError: the port can't be listened on.
    """

    def __init__(self, port: int, public_url: str, clock: Clock) -> None:
        self.clock = clock
        self._secret = secrets.token_urlsafe(16)
        self.public_url = public_url
        self._calls: list[Call] = []
        self._answers: dict[str, tuple[int, Any]] = {}
        self._held: set[str] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server = _Server(("127.0.0.1", port), partial(_Handler, self))
        self.port: int = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="norce-calibrate", daemon=True
        )
        self._thread.start()

    def url(self, name: str) -> str:
        """The address to register for a name."""
        return f"{self.public_url.rstrip('/')}/{self._secret}/{name}"

    def answer(self, name: str, status: int, data: Any = None) -> None:
        """Answer calls to a name like this from now on."""
        with self._lock:
            self._answers[name] = (status, data)
            self._held.discard(name)

    def hold(self, name: str) -> None:
        """Answer calls to a name only when the receiver closes, or after a minute."""
        with self._lock:
            self._held.add(name)

    def calls(self, name: str) -> list[Call]:
        """The calls to a name so far."""
        with self._lock:
            return [call for call in self._calls if call.name == name]

    def close(self) -> None:
        """Stop, without waiting for what is held."""
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    # For the handler

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Record a call; the status and body to answer."""
        _, secret, name = [*path.partition("?")[0].split("/", 2), "", ""][:3]
        if not secrets.compare_digest(secret.encode(), self._secret.encode()):
            return 404, b""
        call = Call(name, headers.get("authorization"), self.clock.monotonic(), read_json(body))
        with self._lock:
            if len(self._calls) < _MOST_CALLS:
                self._calls.append(call)
            status, data = self._answers.get(name, (200, None))
            held = name in self._held
        if held:
            self._stopping.wait(_LONGEST_HOLD)
        return status, b"" if data is None else json.dumps(data).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: strangers may send what they like."""


class _Handler(BaseHTTPRequestHandler):
    timeout = 20

    def __init__(self, receiver: Receiver, *connection: Any) -> None:
        self._receiver = receiver
        super().__init__(*connection)

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal() and int(length) <= _MOST_BODY):
            self.send_error(413)
            return
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, content = self._receiver.take(self.path, headers, body)
        try:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            # The caller gave up, as a probe wants it to.
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""
