"""A client as people write it by hand: httpx, pydantic, raise_for_status."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx

from benchmarks.contestants.base import HEADERS, MOST_OVER_HTTPX, PATH, PATIENCE, Contestant, Read, library
from benchmarks.schemas import pydantic_order
from benchmarks.server import Target


@asynccontextmanager
async def _open(target: Target, connections: int) -> AsyncGenerator[Read]:
    order = pydantic_order()
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with httpx.AsyncClient(
        base_url=target.url, limits=limits, timeout=PATIENCE, headers=HEADERS, verify=target.context() or True
    ) as client:

        async def read() -> object:
            response = await client.get(PATH)
            response.raise_for_status()
            return order.model_validate_json(response.content)

        yield read


HTTPX_AND_PYDANTIC = Contestant("httpx + pydantic", "typed order", _open, lambda: library("pydantic"), MOST_OVER_HTTPX)
