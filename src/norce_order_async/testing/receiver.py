"""A receiver for what the local order service calls: hooks, validations, notifications, payment actions.

A small HTTP server on loopback, in threads of its own: its user may start and stop it on any event loop or none.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias
from urllib.parse import urlsplit

_POLL = 0.01


@dataclass(frozen=True, slots=True)
class CallbackCall:
    """One call as it came in. ``path`` has no query; header names are in lower case."""

    path: str
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The body: the order, for hooks, notifications and payment actions."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer: a status, a body unless None, after so many seconds."""

    status: int = 200
    json: Any = field(default=None, repr=False)
    delay: float = 0.0


Answer: TypeAlias = Reply | Callable[[CallbackCall], Reply]
"""A reply, or a function that makes one; it is called on the server's thread."""

OK = Reply()


class CallbackReceiver:
    """Records calls and answers as told; 200 without a body where nothing was told."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[CallbackCall] = []
        self._answers: dict[str, deque[Answer]] = {}
        self._wrong: list[Exception] = []
        self._stopping = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL,), name="norce-callbacks")
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens; every path below is answered."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def calls(self) -> Sequence[CallbackCall]:
        """All calls so far, oldest first."""
        with self._lock:
            return tuple(self._calls)

    def at(self, path: str) -> Sequence[CallbackCall]:
        """The calls to one path."""
        return [call for call in self.calls if call.path == path]

    def answer(self, path: str, *answers: Answer) -> str:
        """Answer calls to a path with these in turn; the last one stays.

        Returns:
            The address to register.
        """
        if not path.startswith("/") or not answers:
            raise ValueError("give a path that begins with a slash, and at least one answer")
        with self._lock:
            self._answers[path] = deque(answers)
        return self.url + path

    def close(self) -> None:
        """Stop, without waiting out delays.

        Raises:
            Exception: what a function that was to make an answer raised first.
        """
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        if self._wrong:
            raise self._wrong[0]

    # For the server

    def take(self, call: CallbackCall) -> Reply:
        """Record a call; what to answer, when its delay is over."""
        with self._lock:
            self._calls.append(call)
            answers = self._answers.get(call.path)
            if not answers:
                return OK
            answer = answers[0] if len(answers) == 1 else answers.popleft()
        if not isinstance(answer, Reply):
            try:
                answer = answer(call)
            except Exception as error:  # noqa: BLE001 - raised again when the test ends; the caller gets an answer
                self._wrong.append(error)
                return Reply(500)
        if answer.delay:
            self._stopping.wait(answer.delay)
        return answer


class _Server(ThreadingHTTPServer):
    # Closing waits for the answers on their way: a thread left over would fall into the next test.
    daemon_threads = False

    def __init__(self, receiver: CallbackReceiver) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Handler, receiver))


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, receiver: CallbackReceiver, *connection: Any) -> None:
        self._receiver = receiver
        super().__init__(*connection)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        address = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self._receiver.take(CallbackCall(address.path, address.query, headers, body))
        content = b"" if reply.json is None else json.dumps(reply.json).encode()
        try:
            self.send_response(reply.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            # The caller gave up, as some tests want it to.
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: tests look at the calls."""
