"""The client of this project, with everything on by default; only the number of permits is set."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Literal

from benchmarks.contestants.base import CHANNEL, CONNECTIONS, MERCHANT, ORDER_ID, TOKEN, Contestant, Read, library
from benchmarks.server import Target
from norce_order_async import NorceOrderClient

ON_AIOHTTP = "norce-order-async"
ON_HTTPX = "norce-order-async on httpx"
ON_HTTPX2 = "norce-order-async on httpx2"


def client(target: Target, connections: int = CONNECTIONS, **arguments: Any) -> NorceOrderClient:
    """A client of the service; the arguments override its usual ones."""
    made: dict[str, Any] = {
        "base_url": target.url,
        "merchant": MERCHANT,
        "channel": CHANNEL,
        "token": TOKEN,
        "max_in_flight": connections,
        "verify": target.context() or True,
    }
    return NorceOrderClient(**{**made, **arguments})


@asynccontextmanager
async def _open(
    engine: Literal["aiohttp", "httpx", "httpx2"], target: Target, connections: int
) -> AsyncGenerator[Read]:
    async with client(target, connections, engine=engine) as norce:
        orders = norce.orders

        async def read() -> object:
            # The models are made when they are read.
            return (await orders.get(ORDER_ID)).data

        yield read


CONTESTANTS = (
    Contestant(ON_AIOHTTP, "typed order", partial(_open, "aiohttp")),
    Contestant(ON_HTTPX, "typed order", partial(_open, "httpx")),
    Contestant(ON_HTTPX2, "typed order", partial(_open, "httpx2"), partial(library, "httpx2")),
)
