"""The parts of the demo by themselves: what the recorder keeps, how bodies are shortened, what the batch admits."""

from __future__ import annotations

import io

import click
import pytest
from rich.console import Console
from rich.text import Text

from norce_order_async import NorceOrderClient
from norce_order_async.cli.demo import goods
from norce_order_async.cli.demo.batch import complete_many, listed_as_completed
from norce_order_async.cli.demo.recorder import RecordingEngine
from norce_order_async.cli.demo.service import Service
from norce_order_async.cli.demo.show import show
from norce_order_async.cli.demo.timeline import essence, hanging
from norce_order_async.engines.base import Engine, MaybeSentError, Timeouts, WireRequest, WireResponse
from norce_order_async.engines.httpx import HttpxEngine
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
    """Only the named members are shown, and only where they are."""
    assert essence(body, members) == expected


def test_hanging_lines_stay_under_the_first() -> None:
    out = io.StringIO()
    hanging(Console(file=out, width=30), "  → ", Text("one two three four five six seven"))
    assert out.getvalue() == "  → one two three four five\n    six seven\n"


class Scripted:
    """An engine whose answers are given."""

    name = "scripted"

    def __init__(self, *answers: WireResponse | MaybeSentError) -> None:
        self._answers = list(answers)

    async def send(self, request: WireRequest) -> WireResponse:
        answer = self._answers.pop(0)
        if isinstance(answer, MaybeSentError):
            raise answer
        return answer

    async def aclose(self) -> None:
        self._answers.clear()


@pytest.mark.anyio
async def test_recorder_keeps_what_passed_but_no_token() -> None:
    """Answers and failures alike, without headers and query, until they are taken."""
    recorder = RecordingEngine(
        Scripted(
            WireResponse(201, {}, b'{"id": "o1"}'),
            WireResponse(502, {}, b"<html>"),
            MaybeSentError("read", "the server closed"),
        ),
        "http://127.0.0.1/checkout/order",
        SystemClock(),
    )
    request = WireRequest(
        "post",
        "http://127.0.0.1/checkout/order/api/v0/checkout/orders?search=ada",
        {"authorization": "Bearer secret"},
        b'{"culture": "sv-SE"}',
        Timeouts(),
    )
    assert (await recorder.send(request)).status == 201
    assert (await recorder.send(request)).status == 502
    with pytest.raises(MaybeSentError):
        await recorder.send(request)
    created, page, lost = recorder.take()
    assert (created.method, created.path) == ("POST", "/api/v0/checkout/orders")
    assert (created.sent, created.status, created.received) == ({"culture": "sv-SE"}, 201, {"id": "o1"})
    assert (page.status, page.received) == (502, None)
    assert (lost.status, lost.failure) == (None, "the server closed (read)")
    assert "secret" not in repr([created, page, lost])
    assert recorder.take() == []


@pytest.mark.anyio
async def test_list_is_asked_and_not_assumed() -> None:
    """An order that is not completed in the service's list is not counted, whatever the client thinks."""
    clock = SystemClock()
    async with Sandbox() as sandbox, _client(sandbox, HttpxEngine()) as norce:
        batch = await complete_many(norce, "run", count=3, concurrency=2, advance=lambda: None)
        assert batch.failures == ()
        unpaid = await goods.create_order(norce, "unpaid")
        asked = batch.ids | {unpaid.id}
        assert await listed_as_completed(norce, asked, clock.wall() - 60) == batch.ids
        assert await listed_as_completed(norce, asked, clock.wall() + 60) == frozenset()


class NoShippings:
    """An engine that has every second shipping of the batch refused."""

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
async def test_orders_that_fail_are_told() -> None:
    """One that fails does not stop the others, and the demo ends as failed."""
    async with Sandbox() as sandbox:
        async with _client(sandbox, NoShippings()) as norce:
            through: list[None] = []
            batch = await complete_many(norce, "run", count=4, concurrency=1, advance=lambda: through.append(None))
        assert (len(batch.ids), len(batch.failures), len(through)) == (2, 2, 4)

        def connect(engine: Engine) -> NorceOrderClient:
            return _client(sandbox, NoShippings())

        service = Service(sandbox.base_url, "demo", "se", local=True, connect=connect)
        out = io.StringIO()
        with pytest.raises(click.ClickException, match="2 of 4 orders failed; the first: CreateOrderShipping") as told:
            await show(service, Console(file=out, width=80), 4, 1, "either")
        assert "the service said: private" in told.value.message
        assert "Done" not in out.getvalue()


def _client(sandbox: Sandbox, engine: Engine) -> NorceOrderClient:
    return NorceOrderClient(
        base_url=sandbox.base_url, merchant="demo", channel="se", token=sandbox.token, engine=engine
    )
