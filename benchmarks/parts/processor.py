"""The processor time of a call, against aiohttp reading bytes: the ratio hardly depends on other work of the machine.

All contestants run in one process and take turns in short blocks; only that process's own time counts, so that a busy
or slow machine slows all alike. A head is the status, the reference and the times of an order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any

from benchmarks.contestants import bare, ours
from benchmarks.contestants.base import CONNECTIONS, HEADERS, ORDER_ID, PATH, Read
from benchmarks.figures import Figures, Table, Tell, interleaved, median, spread
from benchmarks.orders import TYPICAL
from benchmarks.parts.calls import block
from benchmarks.scale import Scale
from benchmarks.server import Door, Target, service
from benchmarks.worker import apart
from norce_order_async import Order
from norce_order_async._json import read_json
from norce_order_async.engines.aiohttp import AiohttpEngine
from norce_order_async.engines.base import Timeouts, WireRequest

TITLE = "Processor time"

GET, PUT = "aiohttp, GET", "aiohttp, PUT"
HEAD = "GET, head read"
MODELS = "GET, every model touched"
REFERENCE = "PUT of a small body"
RUST = "pyreqwest, GET"
ENGINE = "aiohttp engine, bare"
PARSING = "parsing alone"

RATIOS = ((HEAD, GET), (MODELS, GET), (REFERENCE, PUT), (RUST, GET))
"""The pairs that are compared."""
_BODY = b'"our-1"'


def measure(scale: Scale, tell: Tell) -> Figures:
    """Blocks of calls, one contestant after the other."""
    figures: Figures = {}
    with service([Door()]) as answering:
        for tasks in scale.processor_tasks:
            tell(f"{tasks} tasks, {scale.processor_rounds} rounds")
            figures[str(tasks)] = apart(_measured, answering.targets[Door()], scale, tasks)
    return figures


def _measured(target: Target, scale: Scale, tasks: int) -> dict[str, list[float]]:
    return asyncio.run(_blocks(target, scale, tasks))


async def _blocks(target: Target, scale: Scale, tasks: int) -> dict[str, list[float]]:
    calls = scale.processor_calls if tasks == 1 else scale.processor_calls * 5
    found: dict[str, list[float]] = {}
    async with _callers(target) as callers:
        if tasks > 1:
            # These show how much processor time the client takes with a single task.
            del callers[ENGINE], callers[PARSING]
        for _, name in interleaved(list(callers), scale.processor_rounds):
            used, _ = await block(callers[name], calls, tasks)
            found.setdefault(name, []).append(used)
    return found


@asynccontextmanager
async def _callers(target: Target) -> AsyncGenerator[dict[str, Read]]:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(bare.session(target, CONNECTIONS))
        norce = await stack.enter_async_context(ours.client(target, engine="aiohttp"))
        engine = AiohttpEngine()
        stack.push_async_callback(engine.aclose)
        url = target.url + PATH
        handle = norce.orders(ORDER_ID)
        request = WireRequest("GET", url, HEADERS, None, Timeouts(), 30.0)

        async def get() -> bytes:
            async with session.get(url) as response:
                return await response.read()

        async def put() -> bytes:
            async with session.put(
                f"{url}/reference", data=_BODY, headers={"content-type": "application/json"}
            ) as response:
                return await response.read()

        async def head() -> object:
            order = await norce.orders.get(ORDER_ID)
            return order.status, order.reference, order.created, order.last_modified

        async def models() -> object:
            return touched(await norce.orders.get(ORDER_ID))

        async def reference() -> object:
            await handle.set_reference("our-1")
            return handle

        async def parsing() -> object:
            return read_json(TYPICAL)

        callers: dict[str, Read] = {GET: get, HEAD: head, MODELS: models, PUT: put, REFERENCE: reference}
        rust = await _rust(stack, url)
        if rust is not None:
            callers[RUST] = rust
        callers[ENGINE] = lambda: engine.send(request)
        callers[PARSING] = parsing
        yield callers


async def _rust(stack: AsyncExitStack, url: str) -> Read | None:
    """A client in Rust, if it is installed; bytes read, as with aiohttp."""
    try:
        # It is not a dependency of the tests, so type checkers do not look for its types.
        made: Any = import_module("pyreqwest.client").ClientBuilder()
    except ImportError:
        return None
    client: Any = await stack.enter_async_context(made.max_connections(CONNECTIONS).default_headers(HEADERS).build())

    async def get() -> object:
        response: Any = await client.get(url).build().send()
        return await response.bytes()

    return get


def touched(order: Order) -> list[object]:
    """Every model of the order, even if it is decoded only when it is read."""
    data = order.data
    customer, cart = data.customer, data.cart
    found: list[object] = [data.total, data.attributes, data.created, data.last_modified]
    if customer:
        found += [customer.billing, customer.shipping]
    for line in (cart.items if cart else None) or []:
        found += [line.price, line.total, line.original_total, line.logistics, line.discounts]
    for shipping in data.shippings or []:
        found += [shipping.total, shipping.delivery_details]
    for payment in data.payments or []:
        found += [payment.amount, payment.state]
    for consent in data.consents or []:
        found.append(consent.checked)
    for transition in (data.state.transitions if data.state else None) or []:
        found.append(transition.time_stamp)
    return found


def ratios(figures: Figures, one: str, tasks: int) -> list[float]:
    """aiohttp's time as a part of ours, block by block: 0.5 means that ours takes twice as much."""
    found = figures.get(str(tasks), {})
    other = dict(RATIOS)[one]
    return [its / mine for mine, its in zip(found.get(one, []), found.get(other, []), strict=False)]


def added(figures: Figures, tasks: int) -> list[float]:
    """Microseconds that a read takes beyond the bare engine and the parsing, block by block."""
    found = figures.get(str(tasks), {})
    if ENGINE not in found:
        return []
    parts = zip(found[HEAD], found[ENGINE], found[PARSING], strict=True)
    return [whole - sent - parsed for whole, sent, parsed in parts]


def beyond(figures: Figures, tasks: int) -> list[float]:
    """Microseconds that a read takes beyond aiohttp's, block by block."""
    found = figures.get(str(tasks), {})
    return [mine - its for mine, its in zip(found.get(HEAD, []), found.get(GET, []), strict=False)]


def tables(figures: Figures) -> list[Table]:
    """Microseconds of all contestants, and the ratios."""
    counts = list(figures)
    names = list(dict.fromkeys(name for tasks in counts for name in figures[tasks]))
    columns = [f"{int(tasks):,} task{'s' * (tasks != '1')}" for tasks in counts]
    micros = [[name, *(_micros(figures[tasks].get(name)) for tasks in counts)] for name in names]
    against = [
        [f"{one} / {other}", *(spread(ratios(figures, one, int(tasks))) for tasks in counts)]
        for one, other in RATIOS
        if one in names
    ]
    more = [["GET, head read, beyond aiohttp's", *(spread(beyond(figures, int(tasks)), "{:.0f}") for tasks in counts)]]
    return [
        Table(["CPU µs a call, no latency", *columns], micros),
        Table(
            ["ratio of processor time", *columns],
            against,
            "What aiohttp takes for the bytes, in parts of what this client takes; median of the rounds and its range:",
        ),
        Table(["CPU µs a call", *columns], more),
    ]


def _micros(values: list[float] | None) -> str:
    return f"{median(values):.0f}" if values else "-"
