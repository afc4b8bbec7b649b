"""What the other tests here are run with."""

from __future__ import annotations

import pytest
import sniffio

from .service import Truth

WIRES = {"asyncio": ("asyncio", "aiohttp"), "asyncio-httpx": ("asyncio", "httpx"), "trio": ("trio", "httpx")}


@pytest.mark.anyio
async def test_each_loop_with_each_engine_it_can_have(truth: Truth, request: pytest.FixtureRequest) -> None:
    """The names in brackets say the truth."""
    async with truth.client() as norce:
        found = (sniffio.current_async_library(), norce.engine)
    assert found == WIRES[request.node.callspec.id]
