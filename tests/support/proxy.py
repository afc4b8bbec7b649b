"""A TCP proxy between a client and a service over HTTP/1.1, which applies a plan of faults to the requests.

It runs in a thread and an event loop of its own, so clients on any loop use the same proxy. It reads just enough of
HTTP to know where a message ends, and passes on the bytes that it got. Each connection of a client has one connection
to the service.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from .faults import Fault, Passing, Plan, passes
from .waiting import wait_until

_RESET = struct.pack("ii", 1, 0)

_HTML = b"<html><body><h1>Something went wrong</h1></body></html>"


def _answer(status: str, *headers: str, body: bytes = _HTML) -> bytes:
    lines = [f"HTTP/1.1 {status}", "content-type: text/html", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


_OWN_ANSWERS = {
    Fault.THROTTLE: _answer("429 Too Many Requests", "retry-after-ms: 1"),
    Fault.BUSY: _answer("503 Service Unavailable", "retry-after: 0"),
    Fault.ERROR: _answer("500 Internal Server Error"),
    Fault.GATEWAY: _answer("502 Bad Gateway"),
    Fault.MASK: _answer("502 Bad Gateway"),
    Fault.BUSY_AFTER: _answer("503 Service Unavailable", "retry-after: 0"),
}


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer as it was received."""

    start: str
    """The first line."""
    head: bytes
    body: bytes
    """The body, with the marks of its chunks if it has any."""
    last: bool
    """Whether its sender closes the connection after it."""

    @property
    def wire(self) -> bytes:
        return self.head + self.body


async def read_message(reader: asyncio.StreamReader, *, answers: str | None = None) -> Message | None:
    """Return the next whole message, or None if the other side is gone.

    Args:
        reader: where it comes from.
        answers: the method of the request that it answers; None if it is a request.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        last = headers.get("connection", "").lower() == "close"
        if answers and (answers == "HEAD" or start.split(" ")[1] in ("204", "304")):
            return Message(start, head, b"", last)
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return Message(start, head, await _chunks(reader), last)
        if "content-length" in headers:
            return Message(start, head, await reader.readexactly(int(headers["content-length"])), last)
        if answers is None:
            return Message(start, head, b"", last)
        return Message(start, head, await reader.read(), last=True)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    size = -1
    while size:
        line = await reader.readuntil(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        parts.append(line)
        if size:
            parts.append(await reader.readexactly(size + 2))
    while parts[-1] != b"\r\n":
        parts.append(await reader.readuntil(b"\r\n"))
    return b"".join(parts)


class Proxy:
    """Stands in front of the service at ``upstream``; ``with Proxy(...) as proxy`` serves it at ``proxy.base_url``.

    Args:
        upstream: the service's base URL, plain http.
        plan: what happens to which request; may be changed at any time.
        delay: seconds that ``DELAY`` and ``LATE`` take.
        answers_all: whether the service answers every request. If it does not, the proxy closes the connection, as the
            service does.
    """

    def __init__(self, upstream: str, plan: Plan = passes, *, delay: float = 0.005, answers_all: bool = True) -> None:
        self.plan = plan
        self.delay = delay
        self.answers_all = answers_all
        self.counts: Counter[Fault] = Counter()
        """The faults that happened, with their number."""
        self.connections = 0
        """Clients' connections that are open now."""
        self.accepted = 0
        """All connections that clients ever made."""
        self.failures: list[Exception] = []
        """Errors here that are not part of the plan; leaving the proxy raises them."""
        self.busy = 0
        """Requests that were received and are not finished yet, late ones included."""
        address = urlsplit(upstream)
        self._upstream = (address.hostname or "", address.port or 80)
        self._path = address.path
        self._port = 0
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._let_go: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="fault-proxy", daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}{self._path}"

    @property
    def requests(self) -> int:
        """Count the requests, whatever happened to them."""
        return self.counts.total()

    @property
    def faults(self) -> int:
        return self.requests - self.counts[Fault.PASS]

    def let_go(self) -> None:
        """Pass on the held requests, now and from now on."""
        assert self._loop is not None
        assert self._let_go is not None
        self._loop.call_soon_threadsafe(self._let_go.set)

    async def while_held(self) -> None:
        """Wait on the proxy's loop until the held requests are released."""
        assert self._let_go is not None
        await self._let_go.wait()

    def settle(self) -> None:
        """Wait until everything received is finished."""
        wait_until(lambda: not self.busy)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10), "the proxy did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop and self._stop:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the proxy did not stop"
        if self.failures and error is None:
            raise self.failures[0]

    def choose(self, request: Message) -> tuple[Passing, Fault]:
        method, target, _ = request.start.split(" ")
        passing = Passing(self.requests + 1, method, target, request.head)
        fault = self.plan(passing)
        self.counts[fault] += 1
        return passing, fault

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self._upstream)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._let_go = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)
        self._port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        # The task of a connection that was accepted just now has not begun, and only a task that has begun can be
        # ended.
        await asyncio.sleep(0.001)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.accepted += 1
        self.connections += 1
        connection = _Connection(self, reader, writer)
        try:
            await connection.run()
        except ConnectionError:
            # The client left while an answer was written to it.
            pass
        except Exception as failure:
            self.failures.append(failure)
        finally:
            await connection.close()
            self.connections -= 1
            self._tasks.discard(task)


class _Connection:
    """One connection of a client."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._reader = reader
        self._writer = writer
        self._service: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self) -> None:
        keep = True
        while keep and (request := await read_message(self._reader)) is not None:
            self._proxy.busy += 1
            try:
                keep = await self._play(request) and not request.last
            finally:
                self._proxy.busy -= 1

    async def close(self) -> None:
        for writer in (self._writer, self._service[1] if self._service else None):
            if writer is not None:
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()

    async def _play(self, request: Message) -> bool:
        """Carry out the plan, and return whether the connection is kept."""
        passing, fault = self._proxy.choose(request)
        match fault:
            case Fault.PASS | Fault.DELAY | Fault.HOLD:
                if fault is Fault.HOLD:
                    await self._proxy.while_held()
                await asyncio.sleep(self._proxy.delay if fault is Fault.DELAY else 0)
                answer = await self._forward(request, passing)
                return await self._write(answer.wire) and not answer.last
            case Fault.DROP:
                await self._forward(request, passing)
                return False
            case Fault.DROP_RESET:
                await self._forward(request, passing)
                return self._reset()
            case Fault.CUT:
                answer = await self._forward(request, passing)
                # An answer without a body is cut in the middle of its head.
                await self._write(answer.wire[: len(answer.head) // 2] if not answer.body else _half(answer))
                return False
            case Fault.LATE:
                self._writer.close()
                await asyncio.sleep(self._proxy.delay)
                await self._forward(request, passing)
                return False
            case Fault.RESET:
                return self._reset()
            case Fault.HANG | Fault.SILENCE:
                if fault is Fault.HANG:
                    await self._forward(request, passing)
                await self._reader.read()
                return False
            case Fault.MASK | Fault.BUSY_AFTER:
                await self._forward(request, passing)
                return await self._write(_OWN_ANSWERS[fault])
            case Fault.THROTTLE | Fault.BUSY | Fault.ERROR | Fault.GATEWAY:
                return await self._write(_OWN_ANSWERS[fault])

    async def _forward(self, request: Message, passing: Passing) -> Message:
        """Return the service's answer to a request."""
        if self._service and self._service[0].at_eof():
            # The service closes unused connections after a while.
            self._service[1].close()
            self._service = None
        if self._service is None:
            self._service = await self._proxy.connect()
        reader, writer = self._service
        writer.write(request.wire)
        answer = await read_message(reader, answers=passing.method)
        if answer is None:
            error = RuntimeError if self._proxy.answers_all else ConnectionError
            raise error("the service closed the connection instead of answering")
        return answer

    async def _write(self, data: bytes) -> bool:
        self._writer.write(data)
        await self._writer.drain()
        return True

    def _reset(self) -> bool:
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._writer.transport.abort()
        return False


def _half(answer: Message) -> bytes:
    return answer.head + answer.body[: len(answer.body) // 2]
