"""``order.transition_to`` over a socket and by script: how many calls, what is told, what a refusal holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from norce_order_async import (
    CallOptions,
    InvalidRequestError,
    NorceOrderClient,
    OutcomeUnknownError,
    Transitioned,
    TransitionRefusedError,
    TransitionSupersededError,
)
from norce_order_async.sandbox import Sandbox
from tests.support.engine import answer, lost
from tests.support.orders import an_order, asked
from tests.support.pipeline import stand

pytestmark = pytest.mark.anyio

PUT = "PUT /orders/o1/state"
GET = "GET /orders/o1"
CHECK = "POST /orders/o1/validate"


def body(status: str, *log: tuple[str, str]) -> dict[str, Any]:
    """An order in a status, with a log of ``(status, time)``."""
    transitions = [{"status": each, "timeStamp": f"2026-01-01T{time}Z"} for each, time in log]
    return {"id": "o1", "state": {"currentStatus": status, "transitions": transitions}}


async def test_one_put_and_no_more(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """On the plain path, by every way there is."""
    order = await an_order(norce, paid=True)
    sandbox.requests.clear()
    first = await order.transition_to("processing")
    assert asked(sandbox) == ["UpdateCheckoutOrderState"]
    assert (first.to, first.called, first.origin, first.at, len(first.attempts)) == (
        "processing",
        True,
        "checkout",
        None,
        1,
    )
    assert (await order.reopen()).origin == "processing"
    assert (await order.accept()).origin == "checkout"
    assert (await order.complete()).origin == "accepted"
    assert asked(sandbox) == ["UpdateCheckoutOrderState"] * 4


async def test_the_other_shorthands(norce: NorceOrderClient) -> None:
    """Declined and removed."""
    order = await an_order(norce, paid=True)
    await order.transition_to("processing")
    assert (await order.decline()).to == "declined"
    other = await an_order(norce)
    assert (await other.remove()).to == "removed"
    assert (await other.refresh()).status == "removed"


async def test_confirm_reads_afterwards_and_returns_everything(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """From where, to where, when; and the handle is fresh."""
    order = norce.orders((await an_order(norce, paid=True)).id)
    sandbox.requests.clear()
    done = await order.transition_to("processing", confirm=True)
    assert asked(sandbox) == ["UpdateCheckoutOrderState", "GetCheckoutOrder"]
    assert (done.origin, done.at) == ("checkout", order.transitions[0].entered)
    done = await order.transition_to("accepted", confirm=True)
    assert (done.origin, done.at) == ("processing", order.transitions[1].entered)
    assert not order.stale
    sandbox.requests.clear()
    again = await order.transition_to("accepted", confirm=True)
    assert again == Transitioned(to="accepted", called=False, origin="accepted", at=order.transitions[1].entered)
    assert asked(sandbox) == []


async def test_confirm_believes_what_it_reads() -> None:
    """Somebody moved the order on meanwhile: the handle knows, and a later call does not take it for done."""
    service = stand(
        [
            answer(200),
            answer(200, body("completed", ("accepted", "10:00:00"), ("completed", "10:00:01"))),
            answer(400, {"code": "order-bad-request"}),
        ]
    )
    order = service.client.orders("o1")
    done = await order.transition_to("accepted", confirm=True)
    assert (done.to, done.origin, done.at) == ("accepted", "checkout", datetime.fromisoformat("2026-01-01T10:00:00Z"))
    assert order.status == "completed"
    with pytest.raises(TransitionRefusedError, match="completed is final"):
        await order.transition_to("accepted")
    assert service.sent == [PUT, GET, PUT]


async def test_a_status_that_was_entered_twice_has_the_last_time() -> None:
    """Back and forth between checkout and processing."""
    log = [("processing", "10:00:00"), ("checkout", "10:05:00"), ("processing", "10:07:00")]
    service = stand([answer(200), answer(200, body("processing", *log))])
    done = await service.client.orders("o1").transition_to("processing", confirm=True)
    assert (done.origin, done.at) == ("checkout", datetime.fromisoformat("2026-01-01T10:07:00Z"))


async def test_202_is_read_until_it_shows() -> None:
    """And with what was read it tells from where and when."""
    pending = answer(200, body("checkout"))
    shown = answer(200, body("completed", ("completed", "10:00:00")))
    service = stand([answer(202), pending, pending, shown])
    done = await service.client.orders("o1").transition_to("completed")
    assert service.sent == [PUT, GET, GET, GET]
    assert (done.called, done.origin, done.at) == (True, "checkout", datetime.fromisoformat("2026-01-01T10:00:00Z"))


async def test_what_is_missing_is_reported(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """When the service's own validation refuses an order without hooks, it is asked what does not hold."""
    order = await an_order(norce)
    sandbox.requests.clear()
    with pytest.raises(TransitionRefusedError) as caught:
        await order.complete()
    error = caught.value
    assert asked(sandbox) == ["UpdateCheckoutOrderState", "Validate"]
    assert (error.current, error.target, error.code) == ("checkout", "completed", "order-validation")
    assert error.problems == (("order", "payment-missing"),)
    assert "validation also reports order: payment-missing" in str(error)
    assert error.message is not None
    assert not order.stale


async def test_a_refusal_for_another_reason_asks_nothing_more(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """An edge that is not there."""
    order = await an_order(norce)
    sandbox.requests.clear()
    with pytest.raises(TransitionRefusedError, match="from checkout to declined: known ways out of checkout") as caught:
        await order.decline()
    assert caught.value.problems == ()
    assert asked(sandbox) == ["UpdateCheckoutOrderState"]


async def test_what_is_missing_is_not_always_known() -> None:
    """A validation that fails too leaves the refusal as it is; the call's options go with it."""
    service = stand([answer(400, {"code": "order-validation"}), answer(404)])
    options = CallOptions(headers={"x-shop": "1"})
    with pytest.raises(TransitionRefusedError, match=r"refused with 400 \(order-validation\)") as caught:
        await service.client.orders("o1").transition_to("completed", explain=True, options=options)
    assert caught.value.problems == ()
    assert service.sent == [PUT, CHECK]
    assert [request.headers["x-shop"] for request in service.engine.requests] == ["1", "1"]


async def test_after_a_lost_answer_it_is_asked_again_only_from_where_it_may() -> None:
    """From a status that leads there: again. It is there: done. Elsewhere: left alone, and both are told."""
    service = stand([lost("read"), answer(200, body("accepted")), answer(200)])
    assert (await service.client.orders("o1").complete()).called
    assert service.sent == [PUT, GET, PUT]

    service = stand([lost("read"), answer(200, body("completed"))])
    assert (await service.client.orders("o1").complete()).called
    assert service.sent == [PUT, GET]

    service = stand([lost("read"), answer(200, body("removed"))])
    with pytest.raises(TransitionSupersededError) as caught:
        await service.client.orders("o1").complete()
    assert (caught.value.target, caught.value.current) == ("completed", "removed")
    assert service.sent == [PUT, GET]


async def test_a_lost_answer_that_can_not_be_looked_up_is_reported() -> None:
    """Nothing is asked for again."""
    service = stand([lost("read"), answer(404)])
    with pytest.raises(OutcomeUnknownError):
        await service.client.orders("o1").complete()
    assert service.sent == [PUT, GET]


@pytest.mark.parametrize("word", ["complete", "", None, 3])
async def test_a_wrong_word_is_reported_before_anything_is_sent(word: Any) -> None:
    """With the right ones."""
    service = stand([])
    with pytest.raises(InvalidRequestError, match="known are checkout, processing"):
        await service.client.orders("o1").transition_to(word)
    assert service.sent == []
