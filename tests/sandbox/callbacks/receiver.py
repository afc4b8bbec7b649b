"""A receiver of callbacks: a real HTTP server on loopback that answers as a test says and records its calls."""

import json
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Got:
    """One call."""

    path: str
    headers: Mapping[str, str]
    content: bytes

    @property
    def order(self) -> Any:
        return json.loads(self.content)


Reply: TypeAlias = tuple[int, Any]
"""A status and the contents of the body: None for no body, or bytes as they are."""

OK: Reply = (200, None)


class _Server(ThreadingHTTPServer):
    # If the queue had only five places, some of thirty callers at once would wait a second before they try again.
    request_queue_size = 128


class Receiver:
    """Answers each call with the result of `answer`. A path in `routes` comes first."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.answer: Callable[[Got], Reply] = lambda _got: OK
        self.routes: dict[str, Callable[[Got], Reply]] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                got = Got(self.path, headers, content)
                outer.got.append(got)
                status, value = outer.routes.get(self.path, outer.answer)(got)
                body = b"" if value is None else value if isinstance(value, bytes) else json.dumps(value).encode()
                try:
                    self.send_response(status)
                    self.send_header("content-length", str(len(body)))
                    self.send_header("location", outer.url + "/elsewhere")
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # the caller has given up, as some tests intend

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def paths(self) -> list[str]:
        return [got.path for got in self.got]


@contextmanager
def receiving() -> Generator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        thread.join()
        receiver.server.server_close()
