"""A server that says more than it was asked: the surplus must never pass as the answer to the next request."""

from __future__ import annotations

import anyio
import pytest

from norce_order_async.engines.base import MaybeSentError

from .conftest import EngineFactory
from .faultserver import FaultServer
from .wire import wire

pytestmark = pytest.mark.anyio

HTTPX_DEFECT = "httpcore keeps what came in the same packet and takes it for the next answer"


@pytest.mark.parametrize("play", ["extra", "extra-later", "extra-half", "extra-half-later"])
async def test_bytes_after_an_answer_are_not_the_next_answer(
    request: pytest.FixtureRequest, make_engine: EngineFactory, engine_name: str, server: FaultServer, play: str
) -> None:
    """Whether they come with the answer or after it, whole or half: the next request gets its own answer."""
    if (engine_name, play) == ("httpx", "extra"):
        request.applymarker(pytest.mark.xfail(reason=HTTPX_DEFECT, strict=True, raises=AssertionError))
    engine = make_engine()
    try:
        assert (await engine.send(wire(f"{server.url}/{play}"))).body == b"first"
        await anyio.sleep(0.06)

        answer = await engine.send(wire(f"{server.url}/echo/second", "POST", body=b"{}"))

        assert answer.body.startswith(b"POST /echo/second")
        assert server.counts == {play: 1, "echo": 1}
    finally:
        await engine.aclose()
    assert server.settle() == 0


async def test_bytes_that_are_no_answer_fail_a_request_at_most(make_engine: EngineFactory, server: FaultServer) -> None:
    """The one they came with or the one after it, and that as "maybe"; nobody gets an answer made of them."""
    engine = make_engine()
    answers: list[bytes] = []
    for target in ("extra-garbage", "echo/second", "echo/third"):
        try:
            answers.append((await engine.send(wire(f"{server.url}/{target}", "POST", body=b"{}"))).body)
        except MaybeSentError:
            continue
    assert len(answers) >= 2
    assert all(body == b"first" or body.startswith(b"POST /echo/") for body in answers)
    await engine.aclose()
    assert server.settle() == 0
