"""Two calls of ``ensure`` create once, also if the answer is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from norce_order_async import (
    Ensured,
    InvalidRequestError,
    NorceOrderClient,
    Order,
    OutcomeUnknownError,
    PendingError,
    UnavailableError,
)
from norce_order_async.models import HookDict, NotificationDict, Payment
from norce_order_async.sandbox import Sandbox
from tests.support.engine import answer, lost
from tests.support.orders import AT_ONCE, CHECK, HOOK, NOTE, an_order, asked, client_of
from tests.support.pipeline import stand

from .losing import LosingEngine

pytestmark = pytest.mark.anyio

Ensure = Callable[[Order], Awaitable[Ensured[Any]]]

ENSURED: dict[str, Ensure] = {
    "payments": lambda order: order.payments.ensure({"amount": 125.0}, reference="psp-1"),
    "shippings": lambda order: order.shippings.ensure({"reference": "tms-1", "total": {}, "vatRate": 0.25}),
    "hooks": lambda order: order.hooks.ensure(HOOK),
    "notifications": lambda order: order.notifications.ensure(NOTE),
    "validations": lambda order: order.validations.ensure(CHECK),
    "consents": lambda order: order.consents.ensure({"id": "terms", "required": True}),
}
every_kind = pytest.mark.parametrize("kind", ENSURED)


def there(order: Order, kind: str) -> list[str]:
    """Return the ids in one list of the order's record."""
    return [entry.id for entry in getattr(order, kind)]


@every_kind
async def test_two_calls_create_once(norce: NorceOrderClient, sandbox: Sandbox, kind: str) -> None:
    """The second call finds the first one's entry with one read, also through another handle."""
    order = await an_order(norce)
    first = await ENSURED[kind](order)
    assert first.created
    assert not order.stale
    sandbox.requests.clear()
    second = await ENSURED[kind](norce.orders(order.id))
    assert not second.created
    assert second.value.id == first.value.id
    assert asked(sandbox) == ["GetCheckoutOrder"]
    assert there(await order.refresh(), kind) == [first.value.id]


@every_kind
async def test_a_lost_answer_is_settled(sandbox: Sandbox, kind: str) -> None:
    """A read after a lost answer shows the entry, which counts as created and was created once."""
    engine = LosingEngine()
    async with client_of(sandbox, engine=engine, options=AT_ONCE) as norce:
        order = await an_order(norce)
        engine.lose("POST", f"/{kind}")
        done = await ENSURED[kind](order)
        assert done.created
        assert there(await order.refresh(), kind) == [done.value.id]


@every_kind
async def test_an_entry_that_never_shows_is_reported_and_not_created_again(kind: str) -> None:
    """If the answer is lost and the entry never shows, the outcome is unknown after one POST."""
    order_body = answer(200, {"id": "o1", "state": {"currentStatus": "checkout"}})
    service = stand(lambda request: lost("read") if request.method == "POST" else order_body)
    with pytest.raises(OutcomeUnknownError):
        await ENSURED[kind](service.client.orders("o1"))
    assert len([request for request in service.engine.requests if request.method == "POST"]) == 1
    assert service.clock.sleeps[-1] == 1.0


async def test_a_late_entry_is_found_after_the_settling_pause() -> None:
    """An entry that shows late after a lost answer is found by a later read."""
    empty = {"id": "o1"}
    full = {"id": "o1", "payments": [{"id": "p1", "reference": "psp-1", "state": "intent"}]}
    replies = [answer(200, empty), lost("read"), answer(200, empty), answer(200, empty), answer(200, full)]
    service = stand(replies)
    done = await service.client.orders("o1").payments.ensure({"amount": 1.0}, reference="psp-1")
    assert (done.value.id, done.created) == ("p1", True)


async def test_a_service_that_reports_a_creation_and_does_not_show_it() -> None:
    """A confirmed creation that does not show raises ``PendingError``, unlike a lost answer."""
    order_body = answer(200, {"id": "o1"})
    service = stand(lambda request: answer(201, {"id": "p1"}) if request.method == "POST" else order_body)
    with pytest.raises(PendingError, match="not shown when it was read back"):
        await service.client.orders("o1").payments.ensure({"amount": 1.0}, reference="psp-1")


@every_kind
@pytest.mark.parametrize("created", [False, True])
async def test_a_creation_is_reported_even_if_the_order_can_not_be_read_back(kind: str, created: bool) -> None:
    """The creation was sent, so the error never says that nothing was changed. The next call reads, and creates
    nothing."""
    reads = 0

    def service_of(request: Any) -> Any:
        nonlocal reads
        if request.method == "POST":
            return answer(201, {"id": "n1"}) if created else lost("read")
        reads += 1
        return answer(200, {"id": "o1"}) if reads in (1, 8) else answer(500)

    service = stand(service_of)
    with pytest.raises(PendingError if created else OutcomeUnknownError) as told:
        await ENSURED[kind](service.client.orders("o1"))
    assert not told.value.may_call_again
    assert "nothing was changed" not in str(told.value)
    assert isinstance(told.value.__cause__, UnavailableError)
    reads = 7
    with pytest.raises(PendingError if created else OutcomeUnknownError):
        await ENSURED[kind](service.client.orders("o1"))
    assert len([request for request in service.engine.requests if request.method == "POST"]) == 1


async def test_a_removed_payment_does_not_count(norce: NorceOrderClient) -> None:
    """A removed payment's reference is free for another payment."""
    order = await an_order(norce)
    first = await order.payments.ensure({"amount": 125.0}, reference="psp-1")
    assert first.value.id is not None
    await order.payments.remove(first.value.id)
    second = await order.payments.ensure({"amount": 125.0}, reference="psp-1")
    assert second.created
    assert second.value.id != first.value.id
    assert [payment.id for payment in order.payments.active] == [second.value.id]
    assert len(order.payments) == 2


async def test_the_key_of_callbacks(norce: NorceOrderClient) -> None:
    """Callbacks are the same if they have the same adapter and address; hooks and notifications also need the same part
    of the order."""
    order = await an_order(norce)
    await order.hooks.ensure(HOOK)
    changes: list[HookDict] = [
        {"adapterId": "a2"},
        {"invoke": "http://127.0.0.1:9/x"},
        {"subscribeTo": "/cart"},
        {"target": "/cart"},
    ]
    for change in changes:
        assert (await order.hooks.ensure({**HOOK, **change})).created, change
    await order.notifications.ensure(NOTE)
    others: list[NotificationDict] = [{"adapterId": "a2"}, {"invoke": "http://127.0.0.1:9/x"}, {"scope": "/cart"}]
    for other in others:
        assert (await order.notifications.ensure({**NOTE, **other})).created, other
    assert (len(order.hooks), len(order.notifications)) == (5, 4)


async def test_an_entry_without_a_key_is_refused() -> None:
    """An entry without the members that identify it is refused, and nothing is sent."""
    service = stand([])
    order = service.client.orders("o1")
    with pytest.raises(InvalidRequestError, match="needs a reference"):
        await order.payments.ensure({"amount": 1.0})
    with pytest.raises(InvalidRequestError, match="another reference"):
        await order.payments.ensure({"reference": "a"}, reference="b")
    hooks: list[HookDict] = [{"adapterId": "a1"}, {"invoke": "http://127.0.0.1:9"}]
    for hook in hooks:
        with pytest.raises(InvalidRequestError, match=r"hook\.adapterId and hook\.invoke"):
            await order.hooks.ensure(hook)
    with pytest.raises(InvalidRequestError, match=r"validation\.url"):
        await order.validations.ensure({"adapterId": "a1"})
    with pytest.raises(InvalidRequestError, match=r"consent\.id"):
        await order.consents.ensure({"required": True})
    assert service.sent == []


async def test_an_argument_is_not_changed_and_the_result_shows_no_personal_data(norce: NorceOrderClient) -> None:
    """The reference goes into a copy of the payment, and the result's repr does not show the payment."""
    payment = Payment(amount=1.0, name="Åsa's card")
    done = await (await an_order(norce)).payments.ensure(payment, reference="psp-2")
    assert payment.reference is None
    assert done.value.reference == "psp-2"
    assert repr(done) == "Ensured(created=True)"
