"""The other tests of this folder run on the loops and engines that their ids name."""

from __future__ import annotations

import pytest
import sniffio

from tests.support.wires import CHOSEN

from .service import Truth


@pytest.mark.anyio
@pytest.mark.every_loop
async def test_each_loop_with_each_engine_it_can_have(truth: Truth, request: pytest.FixtureRequest) -> None:
    async with truth.client() as norce:
        found = (sniffio.current_async_library(), norce.engine)
    loop, _, named = str(request.node.callspec.id).partition("-")
    assert found == (loop, named or CHOSEN[loop])
