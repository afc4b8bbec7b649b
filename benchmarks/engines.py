"""What the engines cost over the libraries they send with: ``python benchmarks/engines.py``.

Four contestants read whole answers of a typical order, three GET to one PUT: httpx and aiohttp as they come, and the
engines over them. The server runs in a process of its own on another core. A round gives each contestant the same
time, one after the other in turning order, so that whatever else the machine does hits all of them alike; what counts
is the ratio within a round, and of those the median. All have a hundred connections: the bare libraries by their own
pool, the engines by a first-come queue in front, as the client has one.

Options: ``--tasks``, ``--latency`` (milliseconds), ``--rounds``, ``--seconds`` (per contestant and round), ``--json``
(where to write the figures).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import aiohttp
import httpx

from norce_order_async.engines.aiohttp import AiohttpEngine
from norce_order_async.engines.base import Engine, Timeouts, WireRequest
from norce_order_async.engines.httpx import HttpxEngine

CONNECTIONS = 100
BODY = json.dumps({"id": "o1", "cart": {"items": [{"id": n, "name": "x" * 90} for n in range(48)]}}).encode()
HEADERS = {
    "user-agent": "benchmark",
    "accept": "application/json",
    "x-merchant": "acme",
    "x-channel": "se",
    "authorization": "Bearer token",
    "x-correlation-id": "0123456789abcdef0123456789abcdef",
}
PATIENT = Timeouts(connect=30.0, write=30.0, read=30.0, pool=30.0)

Send = Callable[[str, bytes | None], Awaitable[None]]
"""One request, its answer read whole."""


# The server


class _Answering(asyncio.Protocol):
    """As little HTTP as the contestants need."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._answer = (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(BODY)
        ) + BODY
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, mark, rest = self._buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        _, named, length = head.lower().partition(b"content-length:")
        expected = int(length.partition(b"\r\n")[0]) if named else 0
        if len(rest) < expected:
            return
        self._buffer = rest[expected:]
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._say)
        else:
            self._say()

    def _say(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._answer)


def serve(latency: float, core: int | None, told: Connection) -> None:
    """Runs in its own process until that is ended."""
    pin(core)

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: _Answering(latency), "127.0.0.1", 0)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def pin(core: int | None) -> None:
    """To one core, where the system can."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


# The contestants


@asynccontextmanager
async def raw_httpx(url: str) -> AsyncGenerator[Send]:
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx.AsyncClient(limits=limits, timeout=60.0, headers=HEADERS) as client:

        async def send(method: str, body: bytes | None) -> None:
            await client.request(method, url, content=body)

        yield send


@asynccontextmanager
async def raw_aiohttp(url: str) -> AsyncGenerator[Send]:
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:

        async def send(method: str, body: bytes | None) -> None:
            async with session.request(method, url, data=body) as response:
                await response.read()

        yield send


@asynccontextmanager
async def over(engine: Engine, url: str) -> AsyncGenerator[Send]:
    permits = asyncio.Semaphore(CONNECTIONS)

    async def send(method: str, body: bytes | None) -> None:
        async with permits:
            await engine.send(WireRequest(method, url, HEADERS, body, PATIENT, 30.0))

    try:
        yield send
    finally:
        await engine.aclose()


CONTESTANTS: dict[str, Callable[[str], Any]] = {
    "httpx": raw_httpx,
    "HttpxEngine": lambda url: over(HttpxEngine(), url),
    "aiohttp": raw_aiohttp,
    "AiohttpEngine": lambda url: over(AiohttpEngine(), url),
}
RATIOS = (("HttpxEngine", "httpx"), ("AiohttpEngine", "aiohttp"), ("AiohttpEngine", "HttpxEngine"))


# The measuring


@dataclass(frozen=True)
class Lap:
    """One contestant's share of a round."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


async def lap(contestant: str, url: str, tasks: int, seconds: float) -> Lap:
    """Keep so many tasks sending for so long, and count until the last has ended; the first second is left out."""
    waits: list[float] = []
    async with CONTESTANTS[contestant](url) as send:
        begin = time.perf_counter() + 1.0
        end = begin + seconds
        cpu: list[float] = []

        async def work(number: int) -> None:
            while (now := time.perf_counter()) < end:
                if now >= begin and not cpu:
                    cpu.append(time.process_time())
                number += 1
                await (send("PUT", BODY) if number % 4 == 0 else send("GET", None))
                done = time.perf_counter()
                if done >= begin:
                    waits.append(done - now)

        await asyncio.gather(*(work(number) for number in range(tasks)))
        took = time.perf_counter() - begin
        used = time.process_time() - cpu[0] if cpu else float("nan")
    waits.sort()
    count = len(waits)
    return Lap(count / took, waits[count // 2] * 1000, waits[count * 99 // 100] * 1000, used / count * 1e6)


def measure(
    tasks: int, latency: float, rounds: int, seconds: float, cores: tuple[int | None, int | None]
) -> dict[str, list[Lap]]:
    """All laps of all contestants."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(latency, cores[1], there), daemon=True)
    server.start()
    try:
        url = f"http://127.0.0.1:{here.recv()}/checkout/order/api/v0/orders/o1"
        laps: dict[str, list[Lap]] = {name: [] for name in CONTESTANTS}
        names = list(CONTESTANTS)
        for number in range(rounds):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                print(f"  round {number + 1} of {rounds}: {name}", file=sys.stderr)
                laps[name].append(asyncio.run(lap(name, url, tasks, seconds)))
        return laps
    finally:
        server.terminate()
        server.join()


def table(laps: dict[str, list[Lap]]) -> list[str]:
    """The medians, and the ratios with their spread."""
    lines = [f"{'':<16}{'requests/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'CPU us':>10}"]
    for name, done in laps.items():
        cells = [statistics.median(getattr(one, key) for one in done) for key in ("rate", "p50_ms", "p99_ms", "cpu_us")]
        lines.append(f"{name:<16}{cells[0]:>12.0f}{cells[1]:>10.1f}{cells[2]:>10.1f}{cells[3]:>10.0f}")
    for (one, other), found in ratios(laps).items():
        lines.append(f"{one} / {other}: {statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})")
    return lines


def ratios(laps: dict[str, list[Lap]]) -> dict[tuple[str, str], list[float]]:
    """Rate over rate, round by round."""
    return {pair: [a.rate / b.rate for a, b in zip(laps[pair[0]], laps[pair[1]], strict=True)] for pair in RATIOS}


def main() -> None:
    """Measure, print a table, write JSON if asked to."""
    parser = argparse.ArgumentParser(description="The engines against the libraries they send with.")
    parser.add_argument("--tasks", type=int, default=500)
    parser.add_argument("--latency", type=float, nargs="*", default=[0.0, 50.0], metavar="MS")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    available: list[int] = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    cores = (available[0], available[1]) if len(available) > 1 else (None, None)
    pin(cores[0])
    machine = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": len(available),
        "httpx": version("httpx"),
        "aiohttp": version("aiohttp"),
    }
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    figures: list[dict[str, Any]] = []
    for latency in wanted.latency:
        laps = measure(wanted.tasks, latency / 1000, wanted.rounds, wanted.seconds, cores)
        print(f"\n{wanted.tasks} tasks, {CONNECTIONS} connections, {latency:g} ms latency")
        print("\n".join(table(laps)))
        figures.append(
            {
                "tasks": wanted.tasks,
                "latency_ms": latency,
                "laps": {name: [asdict(one) for one in done] for name, done in laps.items()},
                "ratios": {f"{one} / {other}": found for (one, other), found in ratios(laps).items()},
            }
        )
    if wanted.json is not None:
        wanted.json.write_text(json.dumps({"machine": machine, "figures": figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
