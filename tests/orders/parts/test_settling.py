"""What a handle remembers to settle a lost answer to an addition, and when it can't."""

from __future__ import annotations

from typing import Any

import pytest

from norce_order_async import CallError, CallOptions, Order, OutcomeUnknownError
from norce_order_async.models import PaymentDict
from tests.support.engine import Step, answer, lost
from tests.support.orders import order_body
from tests.support.pipeline import Stand, stand

pytestmark = pytest.mark.anyio

PAYMENT: PaymentDict = {"amount": 5, "reference": "psp-1"}


def order_with(*ids: str) -> Step:
    """Return an answer with the order and payments of these ids, which all have the same reference."""
    return answer(200, order_body(payments=[{**PAYMENT, "id": each} for each in ids]))


async def read(*script: Step, options: CallOptions | None = None) -> tuple[Order, Stand]:
    service = stand(script, options=options)
    return await service.client.orders.get("oAbCdEfG"), service


async def test_the_one_new_entry_is_adopted() -> None:
    """The record has p1, so after a lost answer the new p2 is the entry that was created."""
    order, service = await read(order_with("p1"), lost("read"), order_with("p1", "p2"))
    assert await order.payments.create(PAYMENT) == "p2"
    assert len(service.sent) == 3


async def test_an_id_from_an_answer_is_known() -> None:
    """The handle created p2 itself, so after a lost answer the new entry is p3."""
    order, _ = await read(order_with("p1"), answer(201, {"id": "p2"}), lost("read"), order_with("p1", "p2", "p3"))
    assert await order.payments.create(PAYMENT) == "p2"
    assert await order.payments.create(PAYMENT) == "p3"


async def test_without_a_snapshot_nothing_is_adopted() -> None:
    """Without an earlier read the existing entries are not known, so the outcome of a lost answer is unknown."""
    service = stand([lost("read")])
    with pytest.raises(OutcomeUnknownError, match="what was there before the send is not known") as caught:
        await service.client.orders("oAbCdEfG").payments.create(PAYMENT)
    assert caught.value.request == PAYMENT
    assert "psp-1" not in str(caught.value)


async def test_a_doubt_lasts_until_the_order_is_read_again() -> None:
    """A lost payment may still take effect, so a later one can't be told from it until the order is read again,
    whatever succeeds in between."""
    order, _ = await read(
        order_with(),
        lost("read"),
        order_with(),
        answer(201, {"id": "p2"}),
        lost("read"),
        order_with("p2", "p3"),
        lost("read"),
        order_with("p2", "p3", "p4"),
    )
    with pytest.raises(OutcomeUnknownError, match="0 new payments match"):
        await order.payments.create(PAYMENT)
    assert await order.payments.create(PAYMENT) == "p2"
    with pytest.raises(OutcomeUnknownError, match="not known"):
        await order.payments.create(PAYMENT)
    await order.refresh()
    assert await order.payments.create(PAYMENT) == "p4"


@pytest.mark.parametrize("step", [answer(400, {"code": "x"}), answer(429)], ids=["refused", "turned away"])
async def test_a_clear_failure_leaves_no_doubt(step: Step) -> None:
    """After a clear failure the next lost answer can be settled."""
    order, _ = await read(
        order_with("p1"), step, lost("read"), order_with("p1", "p2"), options=CallOptions(max_attempts=1)
    )
    with pytest.raises(CallError):
        await order.payments.create(PAYMENT)
    assert await order.payments.create(PAYMENT) == "p2"


async def test_of_two_that_match_none_is_chosen() -> None:
    """If two new payments match, the outcome is unknown, because either may be ours."""
    order, _ = await read(order_with("p1"), lost("read"), order_with("p1", "p2", "p3"))
    with pytest.raises(OutcomeUnknownError, match="2 new payments match"):
        await order.payments.create(PAYMENT)


async def test_a_doubt_about_payments_does_not_concern_shippings() -> None:
    """A doubt about payments does not keep a lost shipping from being settled."""
    shipping: Any = {"total": {"includingVat": 1}, "vatRate": 0.25, "reference": "tms"}
    order, _ = await read(
        order_with(),
        lost("read"),
        order_with(),
        lost("read"),
        answer(200, order_body(shippings=[{**shipping, "id": "s1"}])),
    )
    with pytest.raises(OutcomeUnknownError):
        await order.payments.create(PAYMENT)
    assert await order.shippings.create(shipping) == "s1"


async def test_an_entry_without_a_natural_key_stays_unknown() -> None:
    """An entry of a payment's log is never repeated and never adopted."""
    order, service = await read(order_with("p1"), lost("read"))
    with pytest.raises(OutcomeUnknownError, match="it has no members that identify it"):
        await order.payments.add_transaction("p1", {"amount": 1})
    assert len(service.sent) == 2
