"""The cost of each feature by itself, in processor time for a call.

A feature that can be switched on is measured as the same client with and without it, over an engine that answers at
once; its cost is the difference of neighbouring blocks. Parts that are always on are measured alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from benchmarks.contestants import ours
from benchmarks.contestants.base import ORDER_ID, Read
from benchmarks.figures import Figures, Table, Tell, interleaved, median, spread
from benchmarks.instant import InstantEngine
from benchmarks.parts.calls import block
from benchmarks.scale import Scale
from benchmarks.server import Target
from benchmarks.worker import apart
from norce_order_async import (
    Adaptive,
    Answer,
    Attempt,
    AttemptInfo,
    AttemptNext,
    CallEvent,
    CallInfo,
    CallNext,
    CallOptions,
    NorceOrderClient,
    WireRequest,
    WireResponse,
    capture_answers,
)
from norce_order_async.pipeline.limiter import Limiter, Pause
from norce_order_async.pipeline.retry import RetryBudget
from norce_order_async.pipeline.tasks import SendTasks
from norce_order_async.runtime.clock import SystemClock

TITLE = "What each feature costs"

PLAIN = "a call with nothing more than usual"
_TARGET = Target("http://127.0.0.1:1/checkout/order")
_QUEUE = 50
_OFTEN = 20
"""Parts that are measured alone are short, and repeated this many times more."""


class _Observer:
    def attempt_ended(self, operation: str, attempt: Attempt, /) -> None:
        pass

    def call_ended(self, call: CallEvent, /) -> None:
        pass


async def _around_call(call: CallInfo, proceed: CallNext, /) -> Answer:  # noqa: ARG001 - the protocol's signature
    return await proceed()


async def _around_attempt(
    attempt: AttemptInfo,  # noqa: ARG001 - the protocol's signature
    request: WireRequest,
    proceed: AttemptNext,
    /,
) -> WireResponse:
    return await proceed(request)


async def _token() -> str:
    return "benchmark"


def measure(scale: Scale, tell: Tell) -> Figures:
    """Blocks with each feature on, and of each part alone."""
    tell(f"{scale.blocks} blocks of {scale.block_calls} calls each")
    return apart(_measured, scale.blocks, scale.block_calls)


def _measured(blocks: int, calls: int) -> Figures:
    return {"with": asyncio.run(_switched(blocks, calls)), "alone": asyncio.run(_parts(blocks, calls * _OFTEN))}


async def _switched(blocks: int, calls: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    async with AsyncExitStack() as stack:

        async def client(**arguments: Any) -> NorceOrderClient:
            return await stack.enter_async_context(ours.client(_TARGET, engine=InstantEngine(), **arguments))

        plain = await client()
        readers: dict[str, Read] = {PLAIN: _reader(plain)}
        readers["no deadline"] = _reader(await client(options=CallOptions(deadline=None)))
        readers["options for one call"] = _with_options(plain, CallOptions(max_attempts=2))
        readers["a token from an async function"] = _reader(await client(token=_token))
        readers["an observer"] = _reader(await client(observers=[_Observer()]))
        readers["a call middleware"] = _reader(await client(call_middleware=[_around_call]))
        readers["an attempt middleware"] = _reader(await client(attempt_middleware=[_around_attempt]))
        readers["the answers captured"] = _capturing(plain)
        for name, telemetry in _telemetries().items():
            readers[name] = _reader(await client(telemetry=telemetry))
        logged = _reader(plain)
        readers["log lines at DEBUG"] = logged
        bodies = _reader(await client(log_bodies=True))
        readers["log lines with masked bodies"] = bodies
        for _, name in interleaved(list(readers), blocks):
            _log(at_debug=readers[name] in (logged, bodies))
            found.setdefault(name, []).append((await block(readers[name], calls))[0])
    return found


def _reader(client: NorceOrderClient) -> Read:
    orders = client.orders

    async def read() -> object:
        return await orders.get(ORDER_ID)

    return read


def _with_options(client: NorceOrderClient, options: CallOptions) -> Read:
    orders = client.orders

    async def read() -> object:
        return await orders.get(ORDER_ID, options=options)

    return read


def _capturing(client: NorceOrderClient) -> Read:
    orders = client.orders

    async def read() -> object:
        with capture_answers() as answers:
            await orders.get(ORDER_ID)
        return answers

    return read


def _telemetries() -> dict[str, Any]:
    """Tracing without and with a recorder; no entries without OpenTelemetry."""
    try:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.trace import TracerProvider

        from norce_order_async.telemetry import OpenTelemetry
    except ImportError:
        return {}
    recording = OpenTelemetry(
        tracer_provider=TracerProvider(shutdown_on_exit=False), meter_provider=MeterProvider(shutdown_on_exit=False)
    )
    return {"tracing without an SDK": OpenTelemetry(), "tracing and metrics, recorded": recording}


def _log(*, at_debug: bool) -> None:
    """Lines go to a handler that formats them and drops them."""
    logger = logging.getLogger("norce_order_async")
    logger.setLevel(logging.DEBUG if at_debug else logging.WARNING)
    if not logger.handlers:
        logger.propagate = False
        logger.addHandler(_Formatting())


class _Formatting(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)


# Alone


async def _parts(blocks: int, times: int) -> dict[str, list[float]]:
    clock = SystemClock()
    pause = Pause(clock)
    limiters: dict[str, Limiter] = {
        "limiter, a permit free": Limiter(50, clock, pause),
        "adaptive limiter, a permit free": Adaptive().limiter(clock, pause),
    }
    queued = Limiter(1, clock, pause)
    budget = RetryBudget()
    owned = SendTasks(clock)

    async def refund() -> None:
        budget.refund(0)

    async def own() -> None:
        await owned.run(_nothing, _no_end)

    def permit(limiter: Limiter) -> Callable[[], Awaitable[None]]:
        async def take() -> None:
            await limiter.acquire(None)
            limiter.release()

        return take

    parts = {name: permit(limiter) for name, limiter in limiters.items()}
    parts["retry budget"] = refund
    parts["a send of its own"] = own
    found: dict[str, list[float]] = {}
    waiting = f"limiter, after a wait among {_QUEUE}"
    for _, name in interleaved([*parts, waiting], blocks):
        empty = await _timed(_nothing, times)
        taken = await _crowd(queued, times) if name == waiting else await _timed(parts[name], times)
        found.setdefault(name, []).append((taken - empty) * 1e6)
    return found


async def _nothing() -> None:
    pass


def _no_end() -> None:
    pass


async def _timed(part: Callable[[], Awaitable[None]], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        await part()
    return (time.process_time() - began) / times


async def _crowd(limiter: Limiter, times: int) -> float:
    """A number of tasks that each hold the only permit for one turn of the loop."""
    each = max(1, times // _QUEUE)

    async def wait() -> None:
        for _ in range(each):
            await limiter.acquire(None)
            await asyncio.sleep(0)
            limiter.release()

    async def only_sleep() -> None:
        for _ in range(each):
            await asyncio.sleep(0)

    began = time.process_time()
    await asyncio.gather(*(wait() for _ in range(_QUEUE)))
    between = time.process_time()
    await asyncio.gather(*(only_sleep() for _ in range(_QUEUE)))
    return (2 * between - began - time.process_time()) / (each * _QUEUE)


def tables(figures: Figures) -> list[Table]:
    """The plain call, the additional cost of each feature, and the parts of a call."""
    measured: dict[str, list[float]] = figures["with"]
    usual = measured[PLAIN]
    rows = [[PLAIN, spread(usual, "{:.0f}")]]
    rows += [
        [name, spread([one - without for one, without in zip(found, usual, strict=True)], "{:+.0f}")]
        for name, found in measured.items()
        if name != PLAIN
    ]
    alone = sorted(figures["alone"].items(), key=lambda part: -median(part[1]))
    return [
        Table(
            ["switched on", "CPU µs a call"],
            rows,
            "Over an engine that answers at once, the order decoded; median of the blocks and its range:",
        ),
        Table(
            ["in every call", "CPU µs"],
            [[name, spread(found, "{:.1f}")] for name, found in alone],
            "Parts of every call, measured alone:",
        ),
    ]
