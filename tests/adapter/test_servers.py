"""An adapter has the same conversation over sockets and in process, on both loops, under several servers and in
several frameworks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from norce_order_async import NorceOrderClient
from norce_order_async.engines.httpx import HttpxEngine
from norce_order_async.sandbox import IN_PROCESS_URL, ManualClock, Sandbox
from tests.support.asgi import SERVERS, Server, listening, serving_app

from .conversation import BEARER, FRAMEWORKS, SECRET, Framework, Told, converse, driver, erp, mounted

pytestmark = pytest.mark.anyio


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(seed=7, clock=ManualClock(), callback_token=BEARER)
    yield sandbox
    sandbox.close()


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_in_process(sandbox: Sandbox, framework: Framework) -> None:
    told = Told()
    engine = HttpxEngine(transport=httpx.ASGITransport(app=sandbox.app))
    async with driver(sandbox, IN_PROCESS_URL, engine=engine) as norce:
        app, path = mounted(adapter := erp(norce, "https://erp.example" + path_of(framework), told), framework)
        assert adapter.public_url == f"https://erp.example{path}"
        sandbox.register_app("erp.example", app)
        async with adapter:
            await converse(norce, sandbox, adapter, told)
    assert adapter.counts["hook.denied"] == 1
    assert adapter.counts["notification.error"] == 1


@pytest.mark.parametrize(
    ("server", "framework"),
    [*((server, "alone") for server in SERVERS), *(("uvicorn", framework) for framework in FRAMEWORKS[1:])],
)
async def test_over_sockets(sandbox: Sandbox, server: Server, framework: Framework) -> None:
    """The service, the adapter with its client, and the program that makes the calls each have a loop of their own."""
    told = Told()
    listener, address = listening()
    async with sandbox, driver(sandbox, sandbox.base_url) as norce:
        its_own = NorceOrderClient(base_url=sandbox.base_url, token=sandbox.token, merchant="acme", channel="se")
        adapter = erp(its_own, address + path_of(framework), told)
        app, _ = mounted(adapter, framework)
        with serving_app(closing(app, its_own), server, on=listener):
            await converse(norce, sandbox, adapter, told)
            async with httpx.AsyncClient() as stranger:
                answer = await stranger.post(f"{adapter.public_url}/{SECRET[:-1]}x/hook/state-payments/o1")
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
    assert adapter.counts["refused.secret"] == 1


def path_of(framework: Framework) -> str:
    return "" if framework == "alone" else "/norce"


def closing(app: Any, norce: NorceOrderClient) -> Any:
    """An application that closes the adapter's client on its own loop, once the server has stopped."""

    async def then_closed(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        if scope["type"] == "lifespan":
            await norce.aclose()

    return then_closed
