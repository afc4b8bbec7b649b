"""A rule that a walk did not touch makes no difference: the same walk under its other readings has the same outcome.

Each walk sends some requests. It is walked once to see which rules it touches, and then under each reading of every
other rule. The answers, the effects and what receivers got must be the same to the byte.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import httpx
import pytest

from norce_order_async.sandbox import IN_PROCESS_URL, ManualClock, Readings, Sandbox
from norce_order_async.sandbox.rules import READINGS
from tests.sandbox.callbacks.receiver import Receiver
from tests.sandbox.support import API

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

ITEM = {"sku": "T001", "quantity": 1, "total": {"includingVat": 12.5, "excludingVat": 10}}
CART = {"items": [ITEM], "total": {"includingVat": 12.5, "excludingVat": 10}}


class Walker:
    """Sends requests to a sandbox in this process, and records the answers."""

    def __init__(self, sandbox: Sandbox, clock: ManualClock, receiver: Receiver) -> None:
        self.sandbox = sandbox
        self.clock = clock
        self.receiver = receiver
        self.answers: list[object] = []
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url=IN_PROCESS_URL + API)

    async def __call__(self, method: str, path: str, body: Any = ..., channel: str = "se") -> Any:
        headers = {"authorization": f"Bearer {self.sandbox.token}", "x-merchant": "acme", "x-channel": channel}
        given = {} if body is ... else {"json": body}
        response = await self._client.request(method, path, headers=headers, **given)
        shown = {name: value for name, value in response.headers.items() if name != "date"}
        self.answers.append((response.status_code, shown, response.content))
        return json.loads(response.content) if response.content else None

    async def order(self, **body: Any) -> str:
        """Create an order, whose answer is compared too. Returns its path."""
        await self("POST", "/orders", body)
        return f"/orders/{self.sandbox.effects[-1].order_id}"

    async def aclose(self) -> None:
        await self.sandbox.deliver_due()
        await self._client.aclose()

    def outcome(self) -> object:
        """Everything that a program could have seen."""
        got = [(one.path, one.headers.get("authorization"), one.content) for one in self.receiver.got]
        return self.answers, list(self.sandbox.effects), got


Walk: TypeAlias = Callable[[Walker], Awaitable[object]]


async def _reading(send: Walker) -> None:
    await send("GET", "/orders")
    await send("GET", "/orders?limit=50&offset=3&status=checkout")


async def _empty_order(send: Walker) -> None:
    path = await send.order()
    await send("PUT", f"{path}/reference", "r")
    await send("DELETE", path)


async def _cart(send: Walker) -> None:
    path = await send.order(cart=CART)
    await send("PUT", f"{path}/cart", CART | {"reference": "c1"})
    await send("GET", path)


async def _payment(send: Walker) -> None:
    path = await send.order(cart=CART)
    await send("PUT", f"{path}/cart", {"items": [ITEM]})
    await send("POST", f"{path}/payments", {"amount": 12.5})
    await send("POST", f"{path}/validate")


async def _status(send: Walker) -> None:
    path = await send.order(cart=CART)
    await send("POST", f"{path}/payments", {"amount": 12.5})
    await send("PUT", f"{path}/state", {"currentStatus": "processing"})
    await send("PUT", f"{path}/state", {"currentStatus": "processing"})
    await send("GET", path)


async def _wrong(send: Walker) -> None:
    await send("GET", "/orders/oNOTHERE")
    await send("POST", "/orders", {"cart": 1})
    await send("POST", "/orders", {"colour": "red"})


async def _attributes(send: Walker) -> None:
    path = await send.order(attributes={"a": 1})
    await send("PATCH", f"{path}/attributes", {"a": None, "amount": 0.125})


async def _hook(send: Walker) -> None:
    path = await send.order()
    await send("POST", f"{path}/hooks", {"subscribeTo": "/reference", "invoke": send.receiver.url + "/hook"})
    await send("PUT", f"{path}/reference", "r")
    send.receiver.answer = lambda _: (409, None)
    await send("PUT", f"{path}/reference", "s")


async def _notification(send: Walker) -> None:
    path = await send.order(
        notifications=[{"scope": "/reference", "invoke": send.receiver.url + "/n"}],
        validations=[{"url": send.receiver.url + "/v"}],
    )
    for reference in ("r", "s"):
        await send("PUT", f"{path}/reference", reference)
        await send.sandbox.deliver_due()
    await send("POST", f"{path}/validate")


async def _channels(send: Walker) -> None:
    path = await send.order(reference="r")
    await send("GET", path, channel="no")
    send.clock.advance(10)
    await send("GET", "/orders?date_from=2026-01-01T00:00:05Z")
    await send("GET", "/orders?limit=100&offset=20000")


WALKS: tuple[Walk, ...] = (
    _reading,
    _empty_order,
    _cart,
    _payment,
    _status,
    _wrong,
    _attributes,
    _hook,
    _notification,
    _channels,
)


async def outcome(walk: Walk, readings: Readings, receiver: Receiver) -> tuple[object, frozenset[str]]:
    receiver.got.clear()
    receiver.answer = lambda _: (200, None)
    clock = ManualClock()
    sandbox = Sandbox(readings=readings, clock=clock, seed=7, token="t")
    send = Walker(sandbox, clock, receiver)
    await walk(send)
    await send.aclose()
    return send.outcome(), sandbox.touched


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.__name__.strip("_"))
async def test_an_untouched_rule_makes_no_difference(walk: Walk, receiver: Receiver) -> None:
    plain, touched = await outcome(walk, Readings(), receiver)
    assert (await outcome(walk, Readings(), receiver))[0] == plain, "the same walk is the same twice"
    others = [readings for readings in Readings.each() if readings.changed[0].rule not in touched]
    assert len(others) > 10, "a walk touches few rules"
    for readings in others:
        assert (await outcome(walk, readings, receiver))[0] == plain, readings


async def test_a_late_change_counts_for_its_request(receiver: Receiver) -> None:
    clock = ManualClock()
    sandbox = Sandbox(clock=clock)
    send = Walker(sandbox, clock, receiver)
    path = await send.order()
    sandbox.faults.play({"rules": [{"operations": "UpdateCheckoutOrderState", "fault": "take-in"}]})
    await send("PUT", f"{path}/state", {"currentStatus": "removed"})
    asked = sandbox.requests[-1]
    assert "transitions" not in asked.rules
    clock.advance(1)
    await send("GET", path)
    assert "transitions" in asked.rules
    assert "transitions" not in sandbox.requests[-1].rules
    await send.aclose()


async def test_the_walks_touch_nearly_every_rule(receiver: Receiver) -> None:
    """The outcome of each walk also differs under some reading that it touched."""
    seen: set[str] = set()
    for walk in WALKS:
        plain, touched = await outcome(walk, Readings(), receiver)
        seen |= touched
        touching = [readings for readings in Readings.each() if readings.changed[0].rule in touched]
        assert [True for readings in touching if (await outcome(walk, readings, receiver))[0] != plain], walk
    assert READINGS.keys() - seen == {"unprocessed-503", "notification-retries"}, "those take faults and failures"
