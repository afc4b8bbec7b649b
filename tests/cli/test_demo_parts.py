"""The parts of the demo: the recorder, the shortened bodies, and the failures of the batch."""

from __future__ import annotations

import io
from typing import Any

import click
import pytest
from rich.console import Console
from rich.text import Text

from norce_order_async import NorceOrderClient
from norce_order_async.cli.demo.story import complete_many, create_order, listed_as_completed, show
from norce_order_async.cli.demo.timeline import Recorder, essence, hanging
from norce_order_async.engines.base import Engine, MaybeSentError, Timeouts, WireRequest, WireResponse
from norce_order_async.engines.httpx import HttpxEngine
from norce_order_async.pipeline.middleware import AttemptInfo, CallInfo
from norce_order_async.runtime.clock import SystemClock
from norce_order_async.sandbox import Sandbox

BODY = {
    "culture": "sv-SE",
    "cart": {"items": [{"sku": "A"}, {"sku": "B"}, {}], "total": {"includingVat": 12.5}},
    "state": None,
    "note": "\x1b[2J",
}


@pytest.mark.parametrize(
    ("body", "members", "expected"),
    [
        (BODY, ("culture", "cart.total.includingVat"), "culture=sv-SE, cart.total.includingVat=12.5"),
        (BODY, ("cart.items.sku",), "cart.items.sku=[A, B]"),
        (BODY, ("state", "missing", "culture.deeper"), ""),
        (BODY, ("note",), "note=\\x1b[2J"),
        ([{"code": "x", "message": "y"}, {"code": "z"}], ("code", "message"), "code=x, message=y; code=z"),
        ([], ("code",), "[]"),
        ({"checked": True}, ("checked",), "checked=true"),
        (None, ("code",), ""),
        (BODY, (), ""),
    ],
)
def test_essence(body: object, members: tuple[str, ...], expected: str) -> None:
    """Only the named members are shown, and only if they are there."""
    assert essence(body, members) == expected


def test_hanging_lines_stay_under_the_first() -> None:
    out = io.StringIO()
    hanging(Console(file=out, width=30), "  → ", Text("one two three four five six seven"))
    assert out.getvalue() == "  → one two three four five\n    six seven\n"


@pytest.mark.anyio
async def test_recorder_keeps_exchanges_but_no_token() -> None:
    """The recorder keeps answers and failures until they are read, without headers and queries."""
    recorder = Recorder(SystemClock())
    answers: list[WireResponse | MaybeSentError] = [
        WireResponse(201, {}, b'{"id": "o1"}'),
        WireResponse(502, {}, b"<html>"),
        MaybeSentError("read", "the server closed"),
    ]

    async def proceed(request: WireRequest) -> WireResponse:
        answer = answers.pop(0)
        if isinstance(answer, MaybeSentError):
            raise answer
        return answer

    request = WireRequest(
        "post",
        "http://127.0.0.1/checkout/order/api/v0/checkout/orders?search=ada",
        {"authorization": "Bearer secret"},
        b'{"culture": "sv-SE"}',
        Timeouts(),
    )
    attempt = AttemptInfo(CallInfo("CreateCheckoutOrder", None, "acme", "se", "c1"), 1)
    assert (await recorder.record(attempt, request, proceed)).status == 201
    assert (await recorder.record(attempt, request, proceed)).status == 502
    with pytest.raises(MaybeSentError):
        await recorder.record(attempt, request, proceed)
    created, page, lost = recorder.take()
    assert (created.method, created.url) == ("POST", "http://127.0.0.1/checkout/order/api/v0/checkout/orders")
    assert (created.sent, created.status, created.received) == ({"culture": "sv-SE"}, 201, {"id": "o1"})
    assert (page.status, page.received) == (502, None)
    assert (lost.status, lost.failure) == (None, "the server closed (read)")
    assert "secret" not in repr([created, page, lost])
    assert recorder.take() == []


@pytest.mark.anyio
async def test_the_status_is_read_and_not_assumed() -> None:
    """An order that is not completed in the service's list is not counted, whatever the client believes."""
    clock = SystemClock()
    async with Sandbox() as sandbox, _client(sandbox, HttpxEngine()) as norce:
        ids, failures = await complete_many(norce, "run", 3, lambda: None, at_once=2)
        assert failures == []
        assert len(ids) == 3
        unpaid = await create_order(norce, "unpaid")
        asked = ids | {unpaid.id}
        assert await listed_as_completed(norce, asked, clock.wall() - 60) == ids
        assert await listed_as_completed(norce, asked, clock.wall() + 60) == set()


class NoShippings:
    """An engine that makes every second shipping of the batch a refusal."""

    name = "no-shippings"

    def __init__(self) -> None:
        self._engine = HttpxEngine()
        self._shippings = 0

    async def send(self, request: WireRequest) -> WireResponse:
        if request.url.endswith("/shippings"):
            self._shippings += 1
            if self._shippings % 2 == 0:
                return WireResponse(400, {}, b'{"code": "shipping-error", "message": "private"}')
        return await self._engine.send(request)

    async def aclose(self) -> None:
        await self._engine.aclose()


@pytest.mark.anyio
async def test_orders_that_fail_are_reported() -> None:
    """A failing order does not stop the others, and the demo ends as failed."""
    async with Sandbox() as sandbox:
        async with _client(sandbox, NoShippings()) as norce:
            through: list[None] = []
            ids, failures = await complete_many(norce, "run", 4, lambda: through.append(None), at_once=1)
        assert (len(ids), len(failures), len(through)) == (2, 2, 4)

        def connect(**arguments: Any) -> NorceOrderClient:
            return _client(sandbox, **{**arguments, "engine": NoShippings()})

        out = io.StringIO()
        with pytest.raises(click.ClickException, match="2 of 4 orders failed; the first: CreateOrderShipping") as why:
            await show(connect, Console(file=out, width=80), 4, "either", local=True)
        assert "the service said: private" in why.value.message
        assert "Next:" not in out.getvalue()


def _client(sandbox: Sandbox, engine: Engine, **arguments: Any) -> NorceOrderClient:
    given: dict[str, Any] = {"base_url": sandbox.base_url, "token": sandbox.token, "engine": engine} | arguments
    return NorceOrderClient(merchant="demo", channel="se", **given)
