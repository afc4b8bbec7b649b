"""The libraries without anything around them: aiohttp, httpx and httpx2, reading bytes, and aiohttp with orjson."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
import orjson

from benchmarks.contestants.base import HEADERS, MOST_OVER_HTTPX, PATH, PATIENCE, Contestant, Read, library
from benchmarks.server import Target

AIOHTTP = "aiohttp"
HTTPX = "httpx"


@asynccontextmanager
async def session(target: Target, connections: int) -> AsyncGenerator[aiohttp.ClientSession]:
    """An aiohttp session that sends the headers."""
    context = target.context()
    connector = aiohttp.TCPConnector(limit=connections, ssl=True if context is None else context)
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS, timeout=timeout) as opened:
        yield opened


@asynccontextmanager
async def _aiohttp(target: Target, connections: int) -> AsyncGenerator[Read]:
    url = target.url + PATH
    async with session(target, connections) as opened:

        async def read() -> bytes:
            async with opened.get(url) as response:
                return await response.read()

        yield read


@asynccontextmanager
async def _aiohttp_and_orjson(target: Target, connections: int) -> AsyncGenerator[Read]:
    url = target.url + PATH
    async with session(target, connections) as opened:

        async def read() -> object:
            async with opened.get(url) as response:
                return orjson.loads(await response.read())

        yield read


@asynccontextmanager
async def _httpx(name: str, target: Target, connections: int) -> AsyncGenerator[Read]:
    """httpx, or httpx2, which has the same API."""
    module = library(name)
    url = target.url + PATH
    limits = module.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with module.AsyncClient(
        limits=limits, timeout=PATIENCE, headers=HEADERS, verify=target.context() or True
    ) as client:

        async def read() -> object:
            return (await client.get(url)).content

        yield read


CONTESTANTS = (
    Contestant(AIOHTTP, "bytes", _aiohttp),
    Contestant("aiohttp + orjson", "plain data", _aiohttp_and_orjson),
    Contestant(HTTPX, "bytes", partial(_httpx, "httpx"), most_tasks=MOST_OVER_HTTPX),
    Contestant("httpx2", "bytes", partial(_httpx, "httpx2"), partial(library, "httpx2")),
)
