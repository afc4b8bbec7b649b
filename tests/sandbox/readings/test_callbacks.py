"""Hooks, validations and notifications under each reading."""

from __future__ import annotations

import time
from typing import Any

import pytest

from norce_order_async.sandbox import Delivery
from tests.sandbox.callbacks.receiver import Got, Receiver, Reply

from .support import Wire, under, waits

pytestmark = pytest.mark.anyio


def slow(seconds: float) -> Any:
    def answer(_got: Got) -> Reply:
        time.sleep(seconds)
        return (200, None)

    return answer


@under("hook-timeout", {"10-s": 200, "2-s": 400})
async def test_a_hook_that_takes_three_seconds(wire: Wire, receiver: Receiver, expected: int) -> None:
    receiver.answer = slow(3)
    path = await wire.order()
    await wire.ok("POST", f"{path}/hooks", {"subscribeTo": "/reference", "invoke": receiver.url})
    response = await wire.send("PUT", f"{path}/reference", "r")
    assert response.status_code == expected
    assert expected == 200 or "did not answer within 2 s" in response.json()["message"]


@under("validation-timeout", {"5-s": 1, "1-s": 0})
async def test_a_validation_that_takes_two_seconds(wire: Wire, receiver: Receiver, expected: int) -> None:
    def answer(got: Got) -> Reply:
        slow(2)(got)
        return (400, [{"code": "late"}])

    receiver.answer = answer
    path = await wire.order()
    await wire.ok("POST", f"{path}/validations", {"url": receiver.url})
    entries = (await wire.send("POST", f"{path}/validate")).json()
    assert [entry["code"] for entry in entries].count("late") == expected


@under(
    "hook-denial",
    {"order-validation": (400, "order-validation"), "hook-body": (400, None), "conflict": (409, "order-conflict")},
)
async def test_the_answer_for_a_hook_that_denies(wire: Wire, receiver: Receiver, expected: Any) -> None:
    """The hook answers with a body of its own or without one. Without one there is nothing to pass on."""
    status, code = expected
    path = await wire.order()
    await wire.ok("POST", f"{path}/hooks", {"subscribeTo": "/reference", "invoke": receiver.url})
    for said in ({"reason": "no stock"}, b"no stock", None):
        receiver.answer = lambda _, said=said: (418, said)  # type: ignore[misc]
        response = await wire.send("PUT", f"{path}/reference", "r")
        assert response.status_code == status
        if code is None and said is not None:
            assert response.content == (said if isinstance(said, bytes) else b'{"reason": "no stock"}')
            assert response.headers["content-type"] == ("text/plain" if isinstance(said, bytes) else "application/json")
        else:
            assert response.json()["code"] == (code or "order-validation")
            assert "it answered 418" in response.json()["message"]


@under("callback-bearer", {"none-unless-set": None, "callers-token": "Bearer the-token"}, token="the-token")
async def test_the_bearer_of_a_call(wire: Wire, receiver: Receiver, expected: str | None) -> None:
    path = await wire.order()
    await wire.ok("POST", f"{path}/hooks", {"subscribeTo": "/reference", "invoke": receiver.url})
    await wire.ok("PUT", f"{path}/reference", "r")
    assert receiver.got[0].headers.get("authorization") == expected


@under(
    "notification-retries",
    {"3-times": [0, 1, 2, 4], "none": [0], "10-in-an-hour": [0, *[360] * 10]},
)
async def test_how_often_a_notification_that_fails_is_sent(wire: Wire, receiver: Receiver, expected: list[int]) -> None:
    """The times are those of the sandbox's clock. Nothing is sent before its time or after the last attempt."""
    receiver.answer = lambda _: (500, None)
    path = await wire.order()
    await wire.ok("POST", f"{path}/notifications", {"scope": "/reference", "invoke": receiver.url})
    await wire.ok("PUT", f"{path}/reference", "r")
    (delivery,) = wire.sandbox.deliveries
    for number, seconds in enumerate(expected):
        wire.clock.advance(max(0, seconds - 0.5))
        await wire.sandbox.deliver_due()
        if seconds:
            assert len(receiver.got) == number
            wire.clock.advance(0.5)
        await waits(lambda number=number: len(delivery.attempts) == number + 1)  # type: ignore[misc]
    assert delivery.state == "failed"
    wire.clock.advance(10_000)
    await wire.sandbox.deliver_due()
    assert len(receiver.got) == len(expected)
    wire.sandbox.redeliver(delivery.id)
    await waits(lambda: len(delivery.attempts) > len(expected))


@under("notification-order", {"in-order": ["a", "b", "c"], "any-order-twice": ["b", "a", "c", "a", "c", "b"]})
async def test_the_order_of_notifications(wire: Wire, receiver: Receiver, expected: list[str]) -> None:
    path = await wire.order()
    await wire.ok("POST", f"{path}/notifications", {"scope": "/reference", "invoke": receiver.url})
    for reference in ("a", "b", "c"):
        await wire.ok("PUT", f"{path}/reference", reference)
        await wire.sandbox.deliver_due()
        wire.clock.advance(0.1)
    deliveries: list[Delivery] = list(wire.sandbox.deliveries)
    for _ in range(400):
        wire.clock.advance(0.01)
        await wire.sandbox.deliver_due()
    assert all(delivery.state == "delivered" for delivery in deliveries)
    assert [got.order["reference"] for got in receiver.got] == expected
