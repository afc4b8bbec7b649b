"""Adapters: hooks a second, more hooks at once than may run, and memory over many notifications.

The app is called as a server calls it, but without a server, on one event loop of one core: a server costs every app
the same.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.figures import Figures, Table, Tell, interleaved, median, spread
from benchmarks.machine import resident
from benchmarks.orders import BODIES
from benchmarks.scale import Scale
from benchmarks.worker import apart
from norce_order_async import NorceOrderClient
from norce_order_async.adapter import Adapter, HookCall, NotificationCall

TITLE = "Adapters"

App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

OURS = "an adapter, empty handler"
BARE = "a Starlette endpoint that awaits request.json()"
FAST = "a Starlette endpoint that parses the body with orjson, as the adapter does"
SECRET = "nobody-can-guess-this"
AT_ONCE = 100
"""Handlers that may run."""
_HANDLER_TAKES = 0.05
_SAMPLES = 20


def measure(scale: Scale, tell: Tell) -> Figures:
    """Each in a process of its own."""
    laps: dict[str, list[float]] = {OURS: [], BARE: [], FAST: []}
    for number, name in interleaved(tuple(laps), scale.rounds):
        tell(f"{scale.adapter_hooks} hooks, round {number + 1}: {name}")
        laps[name].append(apart(_rate, name, scale.adapter_hooks))
    tell(f"{scale.adapter_flood} hooks at once")
    flood = apart(_flood, scale.adapter_flood)
    tell(f"{scale.adapter_notifications} notifications")
    return {"laps": laps, "flood": flood, "soak": apart(_soak, scale.adapter_notifications)}


def ratios(figures: Figures, other: str) -> list[float]:
    """Our rate over that of a Starlette endpoint, round by round."""
    laps = figures["laps"]
    return [ours / theirs for ours, theirs in zip(laps[OURS], laps[other], strict=True)]


def tables(figures: Figures) -> list[Table]:
    """Rates, the flood, and memory."""
    laps, flood, soak = figures["laps"], figures["flood"], figures["soak"]
    rates = [[name, spread(found, "{:,.0f}")] for name, found in laps.items()]
    against = (
        f"The adapter against Starlette, round by round: {spread(ratios(figures, BARE))} with request.json(), "
        f"{spread(ratios(figures, FAST))} with orjson."
    )
    return [
        Table(("one core, no server", "hooks/s"), rates, "A typical order in each body:", (against,)),
        Table(
            (f"{flood['sent']:,} hooks at once, at most {AT_ONCE} handlers", "found"),
            [
                ["handlers that ran at the same time, at most", f"{flood['most']:,}"],
                ["answered by their handler", f"{flood['handled']:,}"],
                ["denied as busy", f"{flood['busy']:,}"],
                ["not answered", f"{flood['sent'] - flood['handled'] - flood['busy']:,}"],
                ["ms in the app until a denial as busy, median", f"{flood['busy_in_app_ms']:.2f}"],
                ["ms until a denial as busy, from when all were sent, at most", f"{flood['busy_at_most_ms']:.0f}"],
            ],
        ),
        Table(
            (f"{soak['count']:,} notifications, all different", "found"),
            [
                ["notifications/s", f"{soak['rate']:,.0f}"],
                ["MB grown over the last three fifths of them", f"{soak['grown_mb']:.1f}"],
            ],
        ),
    ]


def _adapter() -> Adapter:
    norce = NorceOrderClient(base_url="http://127.0.0.1:1", token="t" * 20, merchant="acme", channel="se")
    return norce.adapter("erp", secret=SECRET, max_concurrent=AT_ONCE, budget=60.0)


def _starlette(name: str) -> App:
    async def hook(request: Request) -> Response:
        if name == FAST:
            orjson.loads(await request.body())
        else:
            await request.json()
        return Response(b"[]", media_type="application/json")

    return cast("App", Starlette(routes=[Route("/{secret}/hook/state/{order}", hook, methods=["POST"])]))


def _body() -> tuple[str, bytes]:
    order = json.loads(BODIES["typical"])
    return order["id"], json.dumps(order).encode()


async def _call(app: App, path: str, body: bytes) -> tuple[int, bytes]:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"erp.example.com"),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-merchant", b"acme"),
            (b"x-channel", b"se"),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], sent[1]["body"]


def _demand(is_so: bool) -> None:
    if not is_so:
        raise RuntimeError("a call was not answered as it should be")


def _rate(name: str, calls: int) -> float:
    adapter = _adapter()

    @adapter.hook("/state")
    async def empty(call: HookCall) -> None:
        """Approve."""

    app = adapter if name == OURS else _starlette(name)
    order_id, body = _body()
    path = f"/{SECRET}/hook/state/{order_id}"

    async def run() -> float:
        for _ in range(calls // 10):
            await _call(app, path, body)
        began = time.perf_counter()
        for _ in range(calls):
            status, answer = await _call(app, path, body)
            _demand(status == 200 and answer == b"[]")
            await asyncio.sleep(0)
        return calls / (time.perf_counter() - began)

    return asyncio.run(run())


def _flood(sent: int) -> Figures:
    adapter = _adapter()
    running, most = 0, 0

    @adapter.hook("/state")
    async def slow(_: HookCall) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(_HANDLER_TAKES)
        running -= 1

    order_id, body = _body()
    path = f"/{SECRET}/hook/state/{order_id}"
    in_app: list[float] = []
    until: list[float] = []
    statuses: list[tuple[int, bytes]] = []

    async def one(began: float) -> None:
        entered = time.perf_counter()
        answered = await _call(adapter, path, body)
        ended = time.perf_counter()
        statuses.append(answered)
        if b"adapter-busy" in answered[1]:
            in_app.append((ended - entered) * 1000)
            until.append((ended - began) * 1000)

    async def run() -> None:
        began = time.perf_counter()
        await asyncio.gather(*(one(began) for _ in range(sent)))

    asyncio.run(run())
    handled = sum(status == 200 for status, _ in statuses)
    return {
        "sent": sent,
        "most": most,
        "handled": handled,
        "busy": len(in_app),
        "busy_in_app_ms": statistics.median(in_app) if in_app else 0.0,
        "busy_at_most_ms": max(until, default=0.0),
    }


def _soak(count: int) -> Figures:
    adapter = _adapter()

    @adapter.notification("/state")
    async def handle_news(call: NotificationCall) -> None:
        """Handled."""

    path = f"/{SECRET}/notification/state/"
    samples: list[float] = []

    async def run() -> float:
        every = max(1, count // _SAMPLES)
        began = time.perf_counter()
        for number in range(count):
            body = b'{"id":"o%d","state":{"currentStatus":"completed"},"lastModified":"2026-11-27T10:00:00Z"}' % number
            status, _ = await _call(adapter, f"{path}o{number}", body)
            _demand(status == 200)
            # A server returns to its loop between calls; there the loop drops timers that were cancelled.
            await asyncio.sleep(0)
            if number % every == 0:
                gc.collect()
                samples.append(resident())
        return count / (time.perf_counter() - began)

    rate = asyncio.run(run())
    # An adapter remembers 100,000 notifications. The growth is measured after that many.
    full = samples[len(samples) * 2 // 5 :]
    return {"count": count, "rate": rate, "grown_mb": max(0.0, median(full[-3:]) - median(full[:3]))}
