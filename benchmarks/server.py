"""A service that is never the limit: as little HTTP as the contestants need, answered from memory.

It runs in a process of its own on the server's core, with a port for each latency, plain and over TLS. A GET is
answered with the typical order, anything else with an empty 200.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import ssl
import tempfile
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

from benchmarks.machine import SERVER_CORE, cpu_seconds, pin
from benchmarks.orders import TYPICAL

BASE_PATH = "/checkout/order"

_ORDER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(TYPICAL) + TYPICAL
_DONE = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_BACKLOG = 4096


@dataclass(frozen=True)
class Door:
    """One port: how long an answer takes, in seconds, and whether it is over TLS."""

    latency: float = 0.0
    tls: bool = False

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return "https" if self.tls else "http"


@dataclass(frozen=True)
class Target:
    """The address that a contestant sends to, in front of ``/api/v0``, and the certificates that it trusts."""

    url: str
    authority: str | None = None

    def context(self) -> ssl.SSLContext | None:
        """For TLS; None without."""
        return None if self.authority is None else ssl.create_default_context(cafile=self.authority)


@dataclass(frozen=True)
class Service:
    """A running service."""

    process: int
    targets: dict[Door, Target]

    def busy(self) -> float:
        """Seconds of processor time so far."""
        return cpu_seconds(self.process)


@contextlib.contextmanager
def service(doors: Iterable[Door]) -> Generator[Service]:
    """A service with these doors, until the block ends."""
    import trustme

    doors = list(doors)
    with tempfile.TemporaryDirectory() as folder:
        authority, chain = Path(folder, "authority.pem"), Path(folder, "chain.pem")
        issuer = trustme.CA()
        issuer.cert_pem.write_to_path(str(authority))
        issuer.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(str(chain))
        here, there = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=_run, args=(doors, chain, there), daemon=True)
        process.start()
        there.close()
        try:
            ports: list[int] = here.recv()
            targets = {
                door: Target(f"{door.scheme}://127.0.0.1:{port}{BASE_PATH}", str(authority) if door.tls else None)
                for door, port in zip(doors, ports, strict=True)
            }
            yield Service(process.pid or 0, targets)
        finally:
            process.terminate()
            process.join()
            process.close()
            here.close()


class _Answering(asyncio.Protocol):
    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        data = self._received + data
        head, mark, body = data.partition(b"\r\n\r\n")
        if not mark or len(body) < _length(head):
            self._received = data
            return
        self._received = b""
        answer = _ORDER if head.startswith(b"GET ") else _DONE
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._say, answer)
        else:
            self._say(answer)

    def _say(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


def _length(head: bytes) -> int:
    if head.startswith(b"GET "):
        return 0
    _, _, length = head.lower().partition(b"content-length:")
    return int(length.partition(b"\r\n")[0] or 0)


def _run(doors: list[Door], chain: Path, parent: Connection) -> None:
    pin(SERVER_CORE)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        ports: list[int] = []
        for door in doors:
            server = await loop.create_server(
                lambda latency=door.latency: _Answering(latency),
                "127.0.0.1",
                0,
                ssl=context if door.tls else None,
                backlog=_BACKLOG,
            )
            ports.append(server.sockets[0].getsockname()[1])
        parent.send(ports)
        # The pipe becomes readable only when the process that asked for the service ends.
        gone = asyncio.Event()
        loop.add_reader(parent.fileno(), gone.set)
        await gone.wait()

    asyncio.run(main())
