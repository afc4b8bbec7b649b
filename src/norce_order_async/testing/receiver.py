"""A server for the callbacks of the local order service: hooks, validations, notifications, payment actions.

It is a small HTTP server on loopback in threads of its own, so a test may start and stop it on any event loop or none.
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
    """One call that was received. ``path`` has no query; header names are in lower case.

    Example::

        call = norce_callbacks.calls[0]
        assert call.path == "/stock"
        assert call.json["cart"]["items"]
    """

    path: str
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The body, decoded. For hooks, notifications and payment actions it is the order.

        Raises:
            ValueError: It is not JSON.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise ValueError(f"the body of the call to {self.path} is not JSON") from None


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: a status, a JSON body unless it is None, and a delay in seconds.

    Raises:
        TypeError, ValueError: The status is not from 200 to 599, the body can't be written as JSON, or the delay is
            negative or not finite.

    Example::

        Reply(status=409, json={"code": "sold-out"}, delay=0.2)
    """

    status: int = 200
    json: Any = field(default=None, repr=False)
    delay: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.status, int) or isinstance(self.status, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"status must be a whole number, not {type(self.status).__name__}")
        if not 200 <= self.status <= 599:
            raise ValueError("status must be from 200 to 599")
        if not isinstance(self.delay, int | float) or isinstance(self.delay, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"delay must be a number of seconds, not {type(self.delay).__name__}")
        if not 0 <= self.delay <= threading.TIMEOUT_MAX:
            raise ValueError("delay must be a finite number of seconds, 0 or more")
        try:
            json.dumps(self.json)
        except (TypeError, ValueError, RecursionError):
            raise ValueError(f"json must be data that JSON can hold, not this {type(self.json).__name__}") from None


Answer: TypeAlias = Reply | Callable[[CallbackCall], Reply]
"""A reply, or a function that makes one from the call. The function is called on the server's thread."""

OK = Reply()


class CallbackReceiver:
    """Records calls, and sends the replies that a test sets. By default it replies 200 without a body.

    Example::

        async def test_stock(norce_order, norce_callbacks):
            url = norce_callbacks.answer("/stock", Reply(409), Reply(200))
            await norce_order.hooks.create({"adapterId": "stock", "subscribeTo": "/cart", "invoke": url})
    """

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
        """The server's address. It replies to every path below it."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def calls(self) -> Sequence[CallbackCall]:
        """All calls so far, oldest first."""
        with self._lock:
            return tuple(self._calls)

    def at(self, path: str) -> Sequence[CallbackCall]:
        """The calls to one path.

        Raises:
            TypeError: ``path`` is not a string.
        """
        _check_path(path)
        return [call for call in self.calls if call.path == path]

    def answer(self, path: str, *answers: Answer) -> str:
        """Set the replies to the calls of a path, used in turn; the last one is repeated.

        Returns:
            The address to register.

        Raises:
            TypeError: The path is not a string, or one of the answers is neither a reply nor a function.
            ValueError: The path does not begin with a slash, or there is no answer.
        """
        _check_path(path)
        for one in answers:
            if not isinstance(one, Reply) and not callable(one):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"each of answers must be a Reply or a function, not {type(one).__name__}")
        if not path.startswith("/") or not answers:
            raise ValueError("give a path that begins with a slash, and at least one answer")
        with self._lock:
            self._answers[path] = deque(answers)
        return self.url + path

    def close(self) -> None:
        """Stop the server. It does not wait for the delays of replies.

        Raises:
            Exception: The first exception of a function that makes replies.
        """
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        if self._wrong:
            raise self._wrong[0]

    # For the server

    def take(self, call: CallbackCall) -> Reply:
        """Record a call, and return its reply after the reply's delay.

        Raises:
            TypeError: ``call`` is not a ``CallbackCall``.
        """
        if not isinstance(call, CallbackCall):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"call must be a CallbackCall, not {type(call).__name__}")
        with self._lock:
            self._calls.append(call)
            answers = self._answers.get(call.path)
            if not answers:
                return OK
            answer = answers[0] if len(answers) == 1 else answers.popleft()
        if not isinstance(answer, Reply):
            try:
                answer = _replied(answer(call), call.path)
            except Exception as error:  # noqa: BLE001 - raised again when the test ends; the caller gets a reply
                self._wrong.append(error)
                return Reply(500)
        if answer.delay:
            self._stopping.wait(answer.delay)
        return answer


def _check_path(path: object) -> None:
    if not isinstance(path, str):
        raise TypeError(f"path must be a string, not {type(path).__name__}")


def _replied(reply: object, path: str) -> Reply:
    if not isinstance(reply, Reply):
        raise TypeError(f"the function that answers {path} must return a Reply, not {type(reply).__name__}")
    return reply


class _Server(ThreadingHTTPServer):
    # Closing waits for replies in flight: a thread that is left would disturb the next test.
    daemon_threads = False

    def __init__(self, receiver: CallbackReceiver) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Handler, receiver))


def send_json(handler: BaseHTTPRequestHandler, status: int, data: Any) -> None:
    """Reply to a request; without a body if the data is None."""
    content = b"" if data is None else json.dumps(data).encode()
    try:
        handler.send_response(status)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
    except OSError:
        # The caller has given up, as some tests and probes intend.
        handler.close_connection = True


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, receiver: CallbackReceiver, *connection: Any) -> None:
        self._receiver = receiver
        super().__init__(*connection)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        address = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self._receiver.take(CallbackCall(address.path, address.query, headers, body))
        send_json(self, reply.status, reply.json)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: tests read ``calls``."""
