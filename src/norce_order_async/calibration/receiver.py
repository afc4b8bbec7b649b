"""Receives the service's callbacks on a port of this machine, behind the user's tunnel.

The tunnel is open to the internet. So only paths with a secret of this run are accepted, the size of bodies and the
number of calls are limited, and only the parts of a call that probes use are kept.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from norce_order_async._json import read_json
from norce_order_async.runtime.clock import Clock
from norce_order_async.testing.receiver import send_json

_MOST_BODY: Final = 4 * 1024 * 1024
_MOST_CALLS: Final = 500
_LONGEST_HOLD: Final = 60.0


@dataclass(frozen=True, slots=True)
class Call:
    """The part of a received call that the probes use."""

    name: str
    authorization: str | None
    at: float
    """By the clock's ``monotonic``."""
    data: Any


class Receiver:
    """Answers calls by the name in their path: as set with :meth:`answer`, otherwise with 200 and no body.

    Args:
        port: the port to listen on; 0 takes a free one.
        public_url: the address at which the service reaches this port.
        clock: the clock for the times of calls.

    Raises:
        OSError: the receiver can't listen on the port.
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
        """Set the reply to calls to a name."""
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
        """Stop, without waiting for held calls."""
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    # For the handler

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        """Record a call; returns the status and the JSON data of the reply."""
        _, secret, name = [*path.partition("?")[0].split("/", 2), "", ""][:3]
        if not secrets.compare_digest(secret.encode(), self._secret.encode()):
            return 404, None
        call = Call(name, headers.get("authorization"), self.clock.monotonic(), read_json(body))
        with self._lock:
            if len(self._calls) < _MOST_CALLS:
                self._calls.append(call)
            status, data = self._answers.get(name, (200, None))
            held = name in self._held
        if held:
            self._stopping.wait(_LONGEST_HOLD)
        return status, data


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: requests of strangers may be malformed."""


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
        send_json(self, *self._receiver.take(self.path, headers, body))

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: probes read ``calls``."""
