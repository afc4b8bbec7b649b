"""The adaptive load against a service whose capacity moves, over real sockets.

Run ``python benchmarks/adaptive.py`` (two and a half minutes); ``python -m benchmarks`` has a shorter one. A service in
a process of its own takes 50 ms a request, admits so many a second through a token bucket and answers 429 without
Retry-After beyond; it goes through ``--plan`` and counts. This process reads orders through the client, with the
adaptive limiter in front, as fast as that lets it. With ``--job`` the reads are items of a bulk job instead. Figures
are the service's own: whole seconds of what it admitted and turned away.
"""

# Here the limiter is under plain calls, for which there is no public way.
# ruff: noqa: SLF001, S106

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

from norce_order_async import NorceOrderClient
from norce_order_async.bulk.load.limiters import Adaptive, Fixed, Load
from norce_order_async.errors import NotSentError, RejectedError
from norce_order_async.orders.collection import OrderCollection
from norce_order_async.orders.order import Order
from norce_order_async.pipeline.home import Permits
from norce_order_async.pipeline.retry import RetryBudget
from norce_order_async.pipeline.session import Session
from norce_order_async.pipeline.settings import CallOptions

LATENCY = 0.05
BURST_SECONDS = 0.25
"""The requests that may come at once, so that a moment without processor time for either side does not look like
overload."""
SETTLING = 10
"""Seconds at the start of each phase that its figures leave out."""
PLAN = "200:40,100:30,200:30,400:30,200:30"
COLUMNS = ("capacity", "admitted/s", "of capacity", "turned away", "at the new level after")
ORDER = json.dumps({"state": {"currentStatus": "processing"}}).encode()


# The service


@dataclass
class Service:
    """Admits a number of requests a second, as the plan has it from the first request on."""

    plan: list[tuple[float, int]]
    began: float | None = None
    tokens: float = math.inf
    filled_at: float = 0.0
    admitted: Counter[int] = field(default_factory=Counter[int])
    away: Counter[int] = field(default_factory=Counter[int])

    def admits(self) -> bool:
        now = time.monotonic()
        if self.began is None:
            self.began = self.filled_at = now
        passed = now - self.began
        capacity = self._capacity(passed)
        burst = max(1.0, capacity * BURST_SECONDS)
        self.tokens = min(burst, self.tokens + (now - self.filled_at) * capacity)
        self.filled_at = now
        admitted = self.tokens >= 1
        self.tokens -= admitted
        (self.admitted if admitted else self.away)[int(passed)] += 1
        return admitted

    def _capacity(self, passed: float) -> float:
        end = 0
        for capacity, seconds in self.plan:
            end += seconds
            if passed < end:
                return capacity
        return self.plan[-1][0]

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET /figures"):
                    figures = json.dumps([self.admitted, self.away]).encode()
                    writer.write(_answer(b"200 OK", figures))
                    continue
                admitted = self.admits()
                await asyncio.sleep(LATENCY)
                writer.write(_answer(b"200 OK", ORDER) if admitted else _answer(b"429 Too Many Requests", b"{}"))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def _answer(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(body))
    return head + body


async def serve(plan: list[tuple[float, int]]) -> None:
    """Until standard input closes."""
    service = Service(plan)
    server = await asyncio.start_server(service.connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    # With connections still open, and nothing to be kept.
    os._exit(0)


# The client


async def read_orders(client: NorceOrderClient, load: Load, seconds: float) -> None:
    """Read through the limiter until the time is up, and again what was turned away."""
    shared: Session = cast("Any", client)._session
    settings = shared.settings.changed(CallOptions(deadline=None, max_delay=20.0))
    limiter = load.limiter(shared.core.clock, shared.core.pause)
    orders = OrderCollection(Session(shared.core, shared.context, settings, Permits(lambda _: limiter), RetryBudget()))
    until = time.monotonic() + seconds

    async def worker() -> None:
        while time.monotonic() < until:
            try:
                await orders.get("o1")
            except (RejectedError, NotSentError):
                # As in a job: an item that was turned away goes back to the end of the line.
                await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as group:
        for _ in range(120):
            group.create_task(worker())


async def run_job(client: NorceOrderClient, load: Load, seconds: float) -> None:
    """The same reads as items of a bulk job without a journal."""
    until = time.monotonic() + seconds

    async def ids() -> AsyncIterator[str]:
        number = 0
        while time.monotonic() < until:
            number += 1
            yield f"o{number}"

    async def read(order: Order) -> None:
        await order.refresh()

    async with client.bulk(load=load) as job:
        async for _ in job.run(ids(), read):
            pass


# The results


@dataclass(frozen=True)
class Phase:
    """The service's counts while it had one capacity; figures leave the first seconds out."""

    capacity: float
    admitted: float
    """A second."""
    away: float
    """The share of requests that was turned away."""
    settled: int | None
    """Seconds until the job was at the new level; None if never."""


def phases(plan: list[tuple[float, int]], admitted: Counter[int], away: Counter[int]) -> list[Phase]:
    found: list[Phase] = []
    begin = 0
    for capacity, seconds in plan:
        counted = range(begin + SETTLING, begin + seconds)
        done, refused = (sum(count[second] for second in counted) for count in (admitted, away))
        settled = _settled(capacity, begin, seconds, admitted, away)
        found.append(Phase(capacity, done / len(counted), refused / max(1, done + refused), settled))
        begin += seconds
    return found


def rows(found: list[Phase]) -> list[list[str]]:
    """The rows of the table."""
    return [
        [
            f"{phase.capacity:g}/s",
            f"{phase.admitted:.1f}",
            f"{phase.admitted / phase.capacity:.1%}",
            f"{phase.away:.2%}",
            "never" if phase.settled is None else f"{phase.settled} s",
        ]
        for phase in found
    ]


def _settled(capacity: float, begin: int, seconds: int, admitted: Counter[int], away: Counter[int]) -> int | None:
    """The start of the first three seconds that together have 90 % of the capacity and under 5 % turned away."""
    for second in range(begin, begin + seconds - 2):
        done, refused = (sum(count[at] for at in range(second, second + 3)) for count in (admitted, away))
        if done >= 0.9 * 3 * capacity and refused < 0.05 * (done + refused):
            return second - begin
    return None


async def measure(plan: list[tuple[float, int]], load: Load, *, job: bool) -> list[Phase]:
    seconds = sum(length for _, length in plan)
    words = ",".join(f"{capacity:g}:{length}" for capacity, length in plan)
    command = [sys.executable, __file__, "--serve", "--plan", words]
    service = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    if service.stdout is None or service.stdin is None:
        raise RuntimeError("the service has no pipes")
    port = int(await service.stdout.readline())
    async with NorceOrderClient(base_url=f"http://127.0.0.1:{port}", merchant="m", channel="c", token="t") as client:
        await (run_job if job else read_orders)(client, load, seconds)
    figures = await _figures(port)
    service.stdin.close()
    await service.wait()
    admitted, away = (Counter({int(second): count for second, count in each.items()}) for each in figures)
    return phases(plan, admitted, away)


async def _figures(port: int) -> list[dict[str, int]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /figures HTTP/1.1\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    figures = json.loads(await reader.readexactly(length))
    writer.close()
    return list(figures)


def plan_of(words: str) -> list[tuple[float, int]]:
    plan = [(float(capacity), int(seconds)) for capacity, seconds in (part.split(":") for part in words.split(","))]
    if any(seconds <= SETTLING for _, seconds in plan):
        raise argparse.ArgumentTypeError(f"every phase must be longer than {SETTLING} s")
    return plan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", type=plan_of, default=PLAN, help="capacity:seconds,...")
    parser.add_argument("--job", action="store_true", help="through a bulk job instead of plain calls")
    parser.add_argument("--fixed", type=int, metavar="IN_FLIGHT", help="compare: a fixed number in flight")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.plan))
        return
    load: Load = Fixed(in_flight=given.fixed) if given.fixed else Adaptive()
    print(f"{load}\n")
    for row in [[*COLUMNS], ["---"] * len(COLUMNS), *rows(asyncio.run(measure(given.plan, load, job=given.job)))]:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
