"""A raw socket server that misbehaves on demand and counts the requests that it really received.

It runs in threads of its own, blocking, so that clients on any event loop meet the same server. The path's first
segment names the play: ``/cut-body/7`` plays ``cut-body``. :data:`PLAYS` lists them. A request counts when its head and
its whole body have been read, before anything is played.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import select
import socket
import ssl
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.support.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it was received; header names are lower-case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def play(self) -> str:
        path = self.target.partition("://")[2].partition("/")[2] if "://" in self.target else self.target.lstrip("/")
        return path.partition("?")[0].partition("/")[0]


Play = Callable[["Connection", Received], bool]
"""Plays an answer or something else, and returns whether the connection is kept."""


@dataclass(slots=True)
class Connection:
    """One accepted socket and the bytes that were read ahead."""

    server: FaultServer
    sock: socket.socket
    buffer: bytes = b""
    requests: int = 0
    notes: dict[str, int] = field(default_factory=dict[str, int])

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reset(self) -> None:
        """Close so that the other side sees a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def wait(self, seconds: float) -> None:
        """Do nothing for a while, or until the server stops."""
        self.server.stopping.wait(seconds)

    def wait_to_answer(self) -> None:
        """Wait before a good answer as long as the test wants, or until the other side closes."""
        end = time.monotonic() + self.server.latency
        while time.monotonic() < end or not self.server.free.is_set():
            if _is_closing(self.sock, 5):
                raise ConnectionResetError

    def wait_for_the_end(self) -> None:
        """Do nothing until the other side, or the server, closes."""
        self.server.said_all = time.monotonic()
        while self._more():
            pass

    def read_request(self) -> Received | None:
        """Return the next whole request, or None if the other side is gone."""
        head = self._read_until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = self._read_exactly(int(headers.get("content-length", "0")))
        return None if body is None else Received(method, target, headers, body)

    def _read_until(self, mark: bytes) -> bytes | None:
        while mark not in self.buffer:
            if not self._more():
                return None
        found, _, self.buffer = self.buffer.partition(mark)
        return found

    def _read_exactly(self, size: int) -> bytes | None:
        found = bytearray(self.buffer)
        while len(found) < size:
            self.buffer = b""
            if not self._more():
                return None
            found += self.buffer
        self.buffer = bytes(found[size:])
        return bytes(found[:size])

    def _more(self) -> bool:
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)


def _is_closing(sock: socket.socket, wait_ms: int = 0) -> bool:
    """Return whether the other side has closed. Under TLS this is not known and is False."""
    descriptor = sock.fileno()
    if descriptor < 0:
        return False
    closing = select.poll()
    closing.register(descriptor, select.POLLRDHUP)
    return bool(closing.poll(wait_ms))


class FaultServer:
    """Listens on a free loopback port from construction until it is left.

    Args:
        tls: Speak TLS on every connection.
        deaf: Accept and never read.
        latency: Seconds before a good answer.
        closes_after: Seconds after which an idle connection is closed.
        greeting: Said on every connection before anything was asked.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        deaf: bool = False,
        latency: float = 0.0,
        closes_after: float | None = None,
        greeting: bytes = b"",
    ) -> None:
        self.tls = tls
        self.latency = latency
        self.closes_after = closes_after
        self.greeting = greeting
        self.received: list[Received] = []
        self.accepted = 0
        self.peak = 0
        """The largest number of connections that were open at a time, and that the other side had not closed."""
        self.answered = 0
        """Requests whose play has ended, with the connection kept."""
        self.left = 0
        """Requests whose other side was gone before their play had ended."""
        self.said_all: float | None = None
        """The time when a play last became silent, or began to drip."""
        self.says = b""
        """The answer of the play "says", with its head."""
        self.keeps = True
        """Whether the play "says" keeps its connection."""
        self.free = threading.Event()
        """While it is cleared, good answers wait."""
        self.free.set()
        self.read = threading.Event()
        """While it is cleared, nothing is read from a new connection."""
        self.read.set()
        self.stopping = threading.Event()
        self._targets: Counter[str] = Counter()
        self._deaf = deaf
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for event in (self.stopping, self.free, self.read):
            event.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(5)
        with self._lock:
            sockets = list(self._open)
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    @property
    def url(self) -> str:
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self.port}"

    @property
    def counts(self) -> Counter[str]:
        """Count the whole requests received, by play."""
        with self._lock:
            return Counter(request.play for request in self.received)

    @property
    def targets(self) -> Counter[str]:
        """Count the whole requests received, by target."""
        with self._lock:
            return self._targets.copy()

    def has_received(self, target: str) -> bool:
        """Return whether a whole request for a target has arrived."""
        with self._lock:
            return target in self._targets

    @property
    def connections(self) -> int:
        """Return the number of open connections."""
        with self._lock:
            return len(self._open)

    def heard(self, play: str) -> int:
        """Return the number of requests received for a play, after waiting for the first one, because a client with a
        short timeout leaves sooner."""
        wait_until(lambda: self.counts[play])
        return self.counts[play]

    def settle(self, connections: int = 0) -> int:
        """Wait until at most this number of connections is open, and return how many are."""
        wait_until(lambda: self.connections <= connections)
        return self.connections

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            with self._lock:
                self.accepted += 1
                self._open.add(sock)
                self.peak = max(self.peak, sum(not _is_closing(one) for one in self._open))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        connection = Connection(self, sock)
        playing = False
        try:
            if self._deaf:
                self.stopping.wait()
                return
            if self.tls is not None:
                connection.sock = self.tls.wrap_socket(sock, server_side=True)
            connection.sock.settimeout(self.closes_after)
            self.read.wait(60.0)
            if self.greeting:
                connection.send(self.greeting)
            while (request := connection.read_request()) is not None:
                connection.requests += 1
                playing = True
                with self._lock:
                    self.received.append(request)
                    self._targets[request.target] += 1
                if not PLAYS[request.play if request.method != "CONNECT" else "connect"](connection, request):
                    return
                with self._lock:
                    self.answered += 1
                playing = False
        except (OSError, ValueError):
            with self._lock:
                self.left += playing
        finally:
            with contextlib.suppress(OSError):
                connection.sock.close()
            sock.close()
            with self._lock:
                self._open.discard(sock)


def answer(body: bytes = b'{"ok": true}', status: str = "200 OK", **headers: str) -> bytes:
    """Build a whole answer with its length."""
    fields = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1") + body


def _created(connection: Connection, request: Received) -> bool:
    """Answer a creation with an id, and a read with an order, which is large if its id begins with "large"."""
    connection.wait_to_answer()
    if request.method == "GET":
        order = request.target.rpartition("/")[2]
        filling = "x" * 600_000 if order.startswith("large") else ""
        connection.send(answer(json.dumps({"id": order, "attributes": {"filling": filling}}).encode()))
    else:
        connection.send(answer(b'{"id": "x1"}', "201 Created"))
    return True


def _large(connection: Connection, request: Received) -> bool:
    """Answer with a body that needs several reads, in chunks if the path asks for them."""
    connection.wait_to_answer()
    body = b"x" * 300_000
    if request.play == "large-chunks":
        chunks = (
            b"%x\r\n%b\r\n" % (len(part), part) for part in (body[i : i + 9_999] for i in range(0, len(body), 9_999))
        )
        connection.send(_CHUNKED + b"".join(chunks) + b"0\r\n\r\n")
    else:
        connection.send(answer(body))
    return True


def _flood(connection: Connection, request: Received) -> bool:
    """Send as many bytes as the other side takes."""
    connection.send(_HALF.replace(b"1000", b"100000000000"))
    while not connection.server.stopping.is_set():
        connection.send(b"x" * 65536)
    return False


def _floods(first: bytes, more: bytes) -> Play:
    """Return a play that sends a beginning, and then the same bytes again and again until the other side closes."""

    def play(connection: Connection, request: Received) -> bool:
        connection.send(first)
        while not connection.server.stopping.is_set():
            connection.send(more)
        return False

    return play


def _bomb(connection: Connection, request: Received) -> bool:
    """Send ten gigabytes of zeros, as gzip or deflate, in ten megabytes on the wire."""
    zipped = request.target.endswith("gzip")
    packing = zlib.compressobj(9, wbits=31 if zipped else 15)
    connection.send(
        _CHUNKED.replace(b"\r\n\r\n", b"\r\ncontent-encoding: %b\r\n\r\n" % (b"gzip" if zipped else b"deflate"))
    )
    first = packing.compress(bytes(1_000_000)) + packing.flush(zlib.Z_FULL_FLUSH)
    # This part has no references back, so it can be repeated any number of times.
    again = packing.compress(bytes(1_000_000)) + packing.flush(zlib.Z_FULL_FLUSH)
    for part in itertools.chain([first], itertools.repeat(again, 9_999)):
        connection.send(b"%x\r\n%b\r\n" % (len(part), part))
        connection.notes["megabytes"] = connection.notes.get("megabytes", 0) + 1
    return False


def _good(connection: Connection, request: Received) -> bool:
    connection.wait_to_answer()
    connection.send(answer())
    return True


def _echo(connection: Connection, request: Received) -> bool:
    lines = [f"{request.method} {request.target}", *(f"{name}: {value}" for name, value in request.headers.items())]
    connection.send(answer("\n".join([*lines, "", request.body.decode("latin-1")]).encode()))
    return True


def _hang(connection: Connection, request: Received) -> bool:
    connection.wait_for_the_end()
    return False


def _close(connection: Connection, request: Received) -> bool:
    return False


def _reset(connection: Connection, request: Received) -> bool:
    connection.reset()
    return False


def _says_as_set(connection: Connection, request: Received) -> bool:
    connection.send(connection.server.says)
    return connection.server.keeps


def _says(*parts: bytes, pause: float = 0.0, keep: bool = False) -> Play:
    def play(connection: Connection, request: Received) -> bool:
        for part in parts:
            connection.send(part)
            if pause:
                connection.wait(pause)
        return keep

    return play


def _says_in_one_packet(*parts: bytes) -> Play:
    """Return a play that sends all parts together. Under TLS each part is a record of its own."""

    def play(connection: Connection, request: Received) -> bool:
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        for part in parts:
            connection.send(part)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        return True

    return play


def _says_then_resets(data: bytes) -> Play:
    def play(connection: Connection, request: Received) -> bool:
        connection.send(data)
        connection.wait(0.05)  # The bytes must be read before the reset drops them.
        connection.reset()
        return False

    return play


def _says_then_hangs(data: bytes) -> Play:
    def play(connection: Connection, request: Received) -> bool:
        connection.send(data)
        connection.wait_for_the_end()
        return False

    return play


def _drips(data: bytes, pieces: Callable[[], Iterator[bytes]]) -> Play:
    def play(connection: Connection, request: Received) -> bool:
        connection.send(data)
        connection.server.said_all = time.monotonic()
        for piece in pieces():
            connection.send(piece)
            connection.wait(0.02)
            if connection.server.stopping.is_set():
                return False
        return True

    return play


def _endless() -> Iterator[bytes]:
    while True:
        yield b"x"


def _then(second: Play) -> Play:
    """Return a play that is good the first time on a connection, and then plays ``second``."""

    def play(connection: Connection, request: Received) -> bool:
        return _good(connection, request) if connection.requests == 1 else second(connection, request)

    return play


def _connect(connection: Connection, request: Received) -> bool:
    """Play a proxy that is its own target, and that refuses port 9."""
    if request.target.endswith(":9"):
        connection.send(answer(b"no", "403 Forbidden"))
        return False
    connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
    if TUNNEL_TLS:
        connection.sock = TUNNEL_TLS[-1].wrap_socket(connection.sock, server_side=True)
    return True


TUNNEL_TLS: list[ssl.SSLContext] = []
"""The TLS inside a tunnel; a test sets its context here and removes it."""

_HALF = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n" + b"a" * 500
_CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
_BAD_GZIP = b"this is no gzip at all"
_SHORT_GZIP = gzip.compress(b'{"ok": "zipped"}')


def _held_body(connection: Connection, request: Received) -> bool:
    """Send half of the body at once, and the rest when good answers are released."""
    connection.send(_HALF)
    connection.server.said_all = time.monotonic()
    connection.server.free.wait(60.0)
    connection.send(b"b" * 500)
    return True


PLAYS: dict[str, Play] = {
    "held-body": _held_body,
    "good": _good,
    "created": _created,
    "large": _large,
    "large-chunks": _large,
    "flood": _flood,
    "echo": _echo,
    "says": _says_as_set,
    "hang": _hang,
    "close": _close,
    "reset": _reset,
    "half-status": _says(b"HTTP/1.1 20"),
    "half-head": _says(b"HTTP/1.1 200 OK\r\ncontent-ty"),
    "half-head-hang": _says_then_hangs(b"HTTP/1.1 200 OK\r\ncontent-ty"),
    "half-body": _says(_HALF),
    "half-body-reset": _says_then_resets(_HALF),
    "half-body-hang": _says_then_hangs(_HALF),
    "cut-chunks": _says(_CHUNKED + b"5\r\nhello\r\n"),
    "bad-chunk": _says(_CHUNKED + b"zz\r\nhello\r\n"),
    "garbage": _says(b"\x16\x03\x01 this is not http\r\n\r\n"),
    "huge-head": _says(b"HTTP/1.1 200 OK\r\nx-big: " + b"a" * 300_000 + b"\r\ncontent-length: 0\r\n\r\n"),
    "big-head": _says(answer(x_big="a" * 50_000), keep=True),
    "drip-head": _drips(b"HTTP/1.1 200 OK\r\nx-slow: ", _endless),
    "drip-body": _drips(_HALF.replace(b"1000", b"100000000"), _endless),
    "slow-body": _drips(_HALF, lambda: iter([b"b" * 100] * 5)),
    "html-502": _says(answer(b"<html>Bad Gateway</html>", "502 Bad Gateway", content_type="text/html"), keep=True),
    "status-520": _says(answer(b"", "520 Origin Error"), keep=True),
    "status-499": _says(answer(b"", "499 Client Closed Request"), keep=True),
    "redirect": _says(answer(b"", "307 Temporary Redirect", location="/good"), keep=True),
    "cookie": _says(answer(set_cookie="session=abc; Path=/"), keep=True),
    "two-headers": _says(answer().replace(b"\r\n\r\n", b"\r\nX-Twice: a\r\nX-Twice: b\r\n\r\n", 1), keep=True),
    "gzip": _says(answer(_SHORT_GZIP, content_encoding="gzip"), keep=True),
    "bad-gzip": _says(answer(_BAD_GZIP, content_encoding="gzip"), keep=True),
    "bomb": _bomb,
    "flood-chunks": _floods(_CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    "flood-close": _floods(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
    "flood-headers": _floods(b"HTTP/1.1 200 OK\r\n", b"x-more: " + b"a" * 1000 + b"\r\n"),
    "flood-header": _floods(b"HTTP/1.1 200 OK\r\nx-more: ", b"a" * 1000),
    "flood-status": _floods(b"HTTP/1.1 200 ", b"a" * 1000),
    "flood-hints": _floods(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 20),
    "continue": _says(b"HTTP/1.1 100 Continue\r\n\r\n", answer(), keep=True),
    "continue-twice-close": _says(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"),
    "early-hints": _says(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", answer(), keep=True),
    "no-length": _says(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n", b'{"ok": true}'),
    "no-content": _says(b"HTTP/1.1 204 No Content\r\n\r\n", keep=True),
    "once": _says(answer()),
    "then-close": _then(_close),
    "then-reset": _then(_reset),
    "extra": _says(answer(b"first") + answer(b"unasked"), keep=True),
    "extra-later": _says(answer(b"first"), answer(b"unasked"), pause=0.02, keep=True),
    "extra-half": _says(answer(b"first") + answer(b"unasked")[:40], keep=True),
    "extra-half-later": _says(answer(b"first"), answer(b"unasked")[:40], pause=0.02, keep=True),
    "extra-garbage": _says(answer(b"first") + b"unasked", keep=True),
    "extra-chunked": _says(_CHUNKED + b"5\r\nfirst\r\n0\r\n\r\n" + answer(b"unasked"), keep=True),
    "extra-empty": _says(b"HTTP/1.1 204 No Content\r\n\r\n" + answer(b"unasked"), keep=True),
    "extra-packet": _says_in_one_packet(answer(b"first"), answer(b"unasked")),
    "connect": _connect,
}


@contextlib.contextmanager
def unanswered_port() -> Generator[str]:
    """Return an address where connecting never ends, because the backlog is full and nothing accepts."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(listener.getsockname())
        time.sleep(0.05)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
