"""``order.transition_to`` over a socket and with scripted answers: the number of calls, the results, the contents of a
refusal."""

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
    """Build an order in a status, with a log of ``(status, time)``."""
    transitions = [{"status": each, "timeStamp": f"2026-01-01T{time}Z"} for each, time in log]
    return {"id": "o1", "state": {"currentStatus": status, "transitions": transitions}}


async def test_one_put_and_no_more(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """Every method makes one PUT if nothing goes wrong, and returns the earlier status."""
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
    """``decline`` and ``remove`` lead to their statuses."""
    order = await an_order(norce, paid=True)
    await order.transition_to("processing")
    assert (await order.decline()).to == "declined"
    other = await an_order(norce)
    assert (await other.remove()).to == "removed"
    assert (await other.refresh()).status == "removed"


async def test_confirm_reads_afterwards_and_returns_all_facts(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """With ``confirm`` the result has the earlier status, the new one and the time, and the handle is fresh."""
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


async def test_confirm_uses_what_it_reads() -> None:
    """If the confirming read shows that another client moved the order on, the handle has the newer status and a later
    call is sent."""
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
    """If the log has a status twice, the result has the time of the last entry."""
    log = [("processing", "10:00:00"), ("checkout", "10:05:00"), ("processing", "10:07:00")]
    service = stand([answer(200), answer(200, body("processing", *log))])
    done = await service.client.orders("o1").transition_to("processing", confirm=True)
    assert (done.origin, done.at) == ("checkout", datetime.fromisoformat("2026-01-01T10:07:00Z"))


async def test_202_is_read_until_it_shows() -> None:
    """After a 202 the result has the earlier status and the time from the read that shows the new status."""
    pending = answer(200, body("checkout"))
    shown = answer(200, body("completed", ("completed", "10:00:00")))
    service = stand([answer(202), pending, pending, shown])
    done = await service.client.orders("o1").transition_to("completed")
    assert service.sent == [PUT, GET, GET, GET]
    assert (done.called, done.origin, done.at) == (True, "checkout", datetime.fromisoformat("2026-01-01T10:00:00Z"))


async def test_the_missing_parts_are_reported(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """If the service's own validation refuses an order without hooks, the client validates the order."""
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


async def test_a_refusal_for_another_reason_makes_no_further_call(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """If the edge does not exist, the error lists the known ones and no validation is called."""
    order = await an_order(norce)
    sandbox.requests.clear()
    with pytest.raises(TransitionRefusedError, match="from checkout to declined: known ways out of checkout") as caught:
        await order.decline()
    assert caught.value.problems == ()
    assert asked(sandbox) == ["UpdateCheckoutOrderState"]


async def test_the_missing_parts_are_not_always_known() -> None:
    """If the validation fails too, the refusal is raised without problems. The validation is sent with the call's
    options."""
    service = stand([answer(400, {"code": "order-validation"}), answer(404)])
    options = CallOptions(headers={"x-shop": "1"})
    with pytest.raises(TransitionRefusedError, match=r"refused with 400 \(order-validation\)") as caught:
        await service.client.orders("o1").transition_to("completed", explain=True, options=options)
    assert caught.value.problems == ()
    assert service.sent == [PUT, CHECK]
    assert [request.headers["x-shop"] for request in service.engine.requests] == ["1", "1"]


async def test_after_a_lost_answer_it_is_sent_again_only_from_a_possible_status() -> None:
    """After a lost answer the order is read. If its status leads to the target, the PUT is sent again; if it has the
    target, the call is done; a third status is left alone and reported."""
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


async def test_a_lost_answer_without_a_read_is_reported() -> None:
    """If the read after a lost answer fails, the outcome is unknown and nothing is sent again."""
    service = stand([lost("read"), answer(404)])
    with pytest.raises(OutcomeUnknownError):
        await service.client.orders("o1").complete()
    assert service.sent == [PUT, GET]


@pytest.mark.parametrize("word", ["complete", "", None, 3])
async def test_a_wrong_word_is_reported_before_anything_is_sent(word: Any) -> None:
    """The error lists the known statuses, and nothing is sent."""
    service = stand([])
    with pytest.raises(InvalidRequestError, match="known are checkout, processing"):
        await service.client.orders("o1").transition_to(word)
    assert service.sent == []
