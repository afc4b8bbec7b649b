"""``order.transition_to``: what it sends, when it sends nothing, and what it makes of a refusal or a 202."""

from __future__ import annotations

from typing import Any

import pytest

from norce_order_async import (
    CallOptions,
    InvalidRequestError,
    NorceOrderClient,
    PendingError,
    Transitioned,
    TransitionRefusedError,
    TransitionSupersededError,
    UnavailableError,
    ValidationFailedError,
)
from norce_order_async.sandbox import Sandbox
from tests.support.clock import highest
from tests.support.engine import HANG, answer, lost
from tests.support.orders import CART, CONTEXT, order_body
from tests.support.pipeline import stand

pytestmark = pytest.mark.anyio

PUT = "PUT /orders/oAbCdEfG/state"
GET = "GET /orders/oAbCdEfG"


async def test_from_checkout_to_completed(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """Each step on the way to completed is one PUT over a socket, without a read."""
    order = await norce.orders.create(CONTEXT | {"cart": CART})
    await order.payments.create({"amount": 125})
    sandbox.requests.clear()
    first = await order.transition_to("processing")
    assert (first.to, first.called, first.origin) == ("processing", True, None)
    second = await order.transition_to("accepted")
    assert second.origin == "processing"
    await order.transition_to("completed")
    assert [request.operation for request in sandbox.requests] == ["UpdateCheckoutOrderState"] * 3
    assert [effect.detail for effect in sandbox.effects.of(order.id, "UpdateCheckoutOrderState")] == [
        "checkout -> processing",
        "processing -> accepted",
        "accepted -> completed",
    ]
    await order.refresh()
    assert order.status == "completed"


async def test_nothing_is_sent_if_the_order_has_the_status() -> None:
    """If a fresh record has the status already, nothing is sent. With ``force`` it is sent all the same."""
    service = stand([answer(200, order_body("accepted")), answer(200)])
    order = await service.client.orders.get("oAbCdEfG")
    assert await order.transition_to("accepted") == Transitioned(to="accepted", called=False, origin="accepted")
    assert service.sent == [GET]
    forced = await order.transition_to("accepted", force=True)
    assert forced.called
    assert len(forced.attempts) == 1
    assert service.sent == [GET, PUT]


async def test_an_old_record_is_not_used() -> None:
    """A record that is older than five seconds, or that any write made stale, does not save the PUT."""
    service = stand([answer(200, order_body("accepted")), answer(200), answer(200), answer(200)])
    order = await service.client.orders.get("oAbCdEfG")
    await service.clock.sleep(5.1)
    assert (await order.transition_to("accepted")).called
    assert not (await order.transition_to("accepted")).called
    await order.set_reference("r")
    assert (await order.transition_to("accepted")).called


@pytest.mark.parametrize("word", ["Processing", "PROCESSING", "processing"])
async def test_words_are_read_in_any_case(word: Any) -> None:
    """A status is accepted in any case, and sent in the description's spelling."""
    service = stand([answer(200)])
    await service.client.orders("oAbCdEfG").transition_to(word)
    assert service.engine.requests[0].body == b'{"currentStatus":"processing"}'


@pytest.mark.parametrize("word", ["complete", "", " completed", None, 3])
async def test_an_unknown_word_lists_the_known_ones(word: Any) -> None:
    """An unknown status raises an error that is also a ValueError, and nothing is sent."""
    service = stand([])
    known = "checkout, processing, accepted, completed, declined, removed"
    with pytest.raises(InvalidRequestError, match=f"unknown status .*; known are {known}") as caught:
        await service.client.orders("oAbCdEfG").transition_to(word)
    assert isinstance(caught.value, ValueError)
    assert service.sent == []


async def test_a_refusal_explains_from_and_to(norce: NorceOrderClient) -> None:
    """The error has the service's code, both statuses and the problems of a validation, in its text and as
    attributes."""
    order = await (await norce.orders.create(CONTEXT | {"cart": CART})).refresh()
    with pytest.raises(TransitionRefusedError) as caught:
        await order.transition_to("completed")
    error = caught.value
    assert (error.current, error.target) == ("checkout", "completed")
    assert (error.status, error.code, error.maybe_changed) == (400, "order-validation", False)
    assert error.message
    assert error.order_id == order.id
    assert "from checkout to completed" in str(error)
    assert "order-validation" in str(error)
    assert str(error).endswith("; validation also reports order: payment-missing")
    assert str(error).index(f"the service said: {error.message}") < str(error).index("validation also reports")
    assert error.problems == (("order", "payment-missing"),)
    assert not order.stale
    assert (await order.validate()).problems[0].code == "payment-missing"


@pytest.mark.parametrize(
    ("current", "target", "words"),
    [
        ("completed", "checkout", "from completed to checkout: completed is final"),
        ("accepted", "checkout", "from accepted to checkout: known ways out of accepted lead to completed, declined"),
        ("processing", "completed", "from processing to completed, an edge that is assumed"),
        ("checkout", "processing", "from checkout to processing, an edge that is published"),
        ("onHold", "processing", "from onHold to processing: onHold is a status that this version does not know"),
        (None, "processing", "to processing"),
    ],
)
async def test_the_edge_is_explained(current: str | None, target: Any, words: str) -> None:
    """The error explains the change from the earlier status if a fresh record shows it."""
    refusal = answer(400, {"code": "order-bad-request", "message": "no"})
    service = stand([answer(200, order_body(current or "checkout")), refusal])
    order = await service.client.orders.get("oAbCdEfG")
    if current is None:
        await service.clock.sleep(6)
    with pytest.raises(TransitionRefusedError) as caught:
        await order.transition_to(target)
    assert f"refused with 400 (order-bad-request) {words}" in str(caught.value)
    assert caught.value.current == current


async def test_202_is_read_until_it_shows() -> None:
    """A 202 means accepted, not done, so the client reads the order with random pauses until it has the status."""
    reads = [answer(200, order_body(status)) for status in ("processing", "processing", "Completed")]
    service = stand([answer(202), *reads], uniform=highest)
    order = service.client.orders("oAbCdEfG")
    done = await order.transition_to("completed")
    assert (done.to, done.called) == ("completed", True)
    assert service.sent == [PUT, GET, GET, GET]
    assert service.clock.sleeps == [0.25, 0.5]
    assert order.status == "completed"
    assert not order.stale


async def test_202_without_a_change_is_pending() -> None:
    """If the status does not show within the deadline, ``PendingError`` has the last status that was read."""
    service = stand(
        lambda request: answer(202) if request.method == "PUT" else answer(200, order_body("processing")),
        uniform=highest,
    )
    with pytest.raises(PendingError) as caught:
        await service.client.orders("oAbCdEfG").transition_to("completed", options=CallOptions(deadline=10))
    error = caught.value
    assert (error.target, error.current, error.gave_up) == ("completed", "processing", "deadline")
    assert "completed was accepted (202)" in str(error)
    assert "processing" in str(error)
    assert service.clock.passed <= 10
    assert service.sent.count(PUT) == 1
    assert service.engine.requests[0].headers["x-correlation-id"] == error.correlation_id


async def test_202_and_failed_reads_are_pending_too() -> None:
    """After a 202 the change may still come, so failed reads raise ``PendingError`` and not an error that says nothing
    changed."""
    service = stand(lambda request: answer(202) if request.method == "PUT" else HANG)
    with pytest.raises(PendingError, match="reading it back failed") as caught:
        await service.client.orders("oAbCdEfG").transition_to("completed")
    assert caught.value.current is None
    assert caught.value.__cause__ is not None


async def test_reads_after_202_keep_the_call_s_options() -> None:
    """Headers and the adapter id that are given for a call also go with its reads."""
    service = stand([answer(202), answer(200, order_body("completed"))])
    options = CallOptions(headers={"x-shop": "1"}, adapter_id="psp")
    await service.client.orders("oAbCdEfG").transition_to("completed", options=options)
    for request in service.engine.requests:
        assert (request.headers["x-shop"], request.headers["x-adapterid"]) == ("1", "psp")


async def test_after_a_lost_answer_the_order_is_read() -> None:
    """If a read after a lost answer shows the status, the transition is done without a second PUT."""
    service = stand([lost("read"), answer(200, order_body("completed"))])
    done = await service.client.orders("oAbCdEfG").transition_to("completed")
    assert done.called
    assert [attempt.outcome for attempt in done.attempts] == ["unknown"]
    assert service.sent == [PUT, GET]


async def test_a_newer_state_is_not_rolled_back() -> None:
    """If the order has a third status after a lost answer, an error reports it and no second PUT is sent."""
    service = stand([answer(200, order_body("processing")), lost("read"), answer(200, order_body("declined"))])
    order = await service.client.orders.get("oAbCdEfG")
    with pytest.raises(TransitionSupersededError) as caught:
        await order.transition_to("accepted")
    assert (caught.value.target, caught.value.current) == ("accepted", "declined")
    assert order.stale
    assert service.sent == [GET, PUT, GET]


async def test_validate_checks_before_anything_changes(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """With ``validate`` an unpaid order is refused with its problems and no PUT is sent. Once paid it is completed."""
    order = await (await norce.orders.create(CONTEXT | {"cart": CART})).refresh()
    sandbox.requests.clear()
    with pytest.raises(ValidationFailedError, match="payment-missing") as caught:
        await order.transition_to("completed", validate=True)
    assert caught.value.problems == (("order", "payment-missing"),)
    with pytest.raises(ValidationFailedError):
        await order.complete(validate=True)
    assert [request.operation for request in sandbox.requests] == ["Validate", "Validate"]
    assert not order.stale
    await order.payments.create_for_outstanding()
    done = await order.complete(validate=True)
    assert (done.to, done.called) == ("completed", True)


async def test_a_failed_validation_changes_nothing() -> None:
    """If the validation itself fails, no PUT is sent. An order that has the status already is not validated."""
    service = stand(lambda _: answer(500))
    with pytest.raises(UnavailableError):
        await service.client.orders("o1").transition_to("completed", validate=True)
    assert {line.split()[0] for line in service.sent} == {"POST"}
    there = stand([answer(200, order_body("completed"))])
    order = await there.client.orders.get("oAbCdEfG")
    assert not (await order.complete(validate=True)).called


HOOKED = {"hooks": [{"id": "h1", "adapterId": "erp", "subscribeTo": "/state", "invoke": "https://erp.example"}]}
DENIED = {"code": "order-validation", "message": "Denied by erp."}


async def test_a_veto_is_reported_in_the_words_of_the_service() -> None:
    """After a veto no validation is called, because it would call third parties and report something else than the
    veto."""
    service = stand([answer(400, DENIED), answer(200, {**order_body("checkout"), **HOOKED})])
    with pytest.raises(TransitionRefusedError, match=r"the service said: Denied by erp.; pass explain=True") as caught:
        await service.client.orders("oAbCdEfG").transition_to("completed")
    assert caught.value.problems == ()
    assert service.sent == [PUT, GET]

    # No read is needed if the order was just read or the answer names a hook.
    service = stand([answer(200, {**order_body("checkout"), **HOOKED}), answer(400, DENIED)])
    order = await service.client.orders.get("oAbCdEfG")
    with pytest.raises(TransitionRefusedError, match="the service said: Denied by erp"):
        await order.transition_to("completed")
    assert service.sent == [GET, PUT]
    service = stand([answer(400, {"code": "order-validation", "message": "Hook h1 of psp says no."})])
    with pytest.raises(TransitionRefusedError, match="the service said: Hook h1 of psp says no"):
        await service.client.orders("oAbCdEfG").transition_to("completed")
    assert service.sent == [PUT]


@pytest.mark.parametrize("unknown", [answer(500), answer(200, order_body("checkout"))])
async def test_nothing_is_validated_if_there_may_be_hooks(unknown: Any) -> None:
    """No validation is called if the order can't be read, or if what was read does not show its hooks."""
    service = stand([answer(400, DENIED), unknown])
    with pytest.raises(TransitionRefusedError, match="the service said: Denied by erp"):
        await service.client.orders("oAbCdEfG").transition_to("completed", options=CallOptions(max_attempts=1))
    assert service.sent == [PUT, GET]


async def test_the_veto_of_a_hook_over_a_socket(sandbox: Sandbox) -> None:
    """A hook that can't be reached vetoes, and the error names it. Validations are called only with ``explain``."""
    async with NorceOrderClient(base_url=sandbox.base_url, token=sandbox.token, merchant="m", channel="c") as norce:
        order = await norce.orders.create(CONTEXT | {"cart": CART})
        await order.payments.create_for_outstanding()
        await order.hooks.create({"adapterId": "erp", "subscribeTo": "/state", "invoke": "http://127.0.0.1:9/"})
        await order.validations.create({"adapterId": "stock", "url": "http://127.0.0.1:9/"})
        sandbox.requests.clear()
        with pytest.raises(TransitionRefusedError, match=r"the service said: .*erp") as caught:
            await order.transition_to("processing")
        assert caught.value.problems == ()
        assert "stock" not in str(caught.value)
        assert "Validate" not in [request.operation for request in sandbox.requests]
        with pytest.raises(TransitionRefusedError, match=r"the service said: .*erp.*validation also reports stock: "):
            await order.transition_to("processing", explain=True)
        assert [request.operation for request in sandbox.requests].count("Validate") == 1


async def test_explain_validates_after_any_refusal() -> None:
    """With ``explain`` a validation is called after any refusal, a 409 too; without it a 409 is raised as it is."""
    problem = [{"adapterId": "stock", "code": "sold-out"}]
    service = stand([answer(409, {"code": "order-conflict", "message": "It moved on."}), answer(400, problem)])
    with pytest.raises(TransitionRefusedError) as caught:
        await service.client.orders("oAbCdEfG").transition_to("completed", explain=True)
    error = caught.value
    assert (error.status, error.problems) == (409, (("stock", "sold-out"),))
    assert str(error).endswith("; the service said: It moved on.; validation also reports stock: sold-out")
    assert service.sent == [PUT, "POST /orders/oAbCdEfG/validate"]
    service = stand([answer(409, {"code": "order-conflict"})])
    with pytest.raises(TransitionRefusedError):
        await service.client.orders("oAbCdEfG").transition_to("completed")
    assert service.sent == [PUT]


async def test_a_final_status_needs_no_explanation() -> None:
    """No validation can change a final status, so the error does not suggest ``explain``."""
    service = stand([answer(200, order_body("completed")), answer(400, {"code": "order-bad-request"})])
    order = await service.client.orders.get("oAbCdEfG")
    with pytest.raises(TransitionRefusedError) as caught:
        await order.transition_to("checkout")
    assert "completed is final" in str(caught.value)
    assert "explain" not in str(caught.value)
    assert "validat" not in str(caught.value)
