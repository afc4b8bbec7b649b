"""Payments, shippings, consents and callbacks are created at most once although answers are lost, or their outcome
is reported as unknown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import pytest

from norce_order_async import CallError, NotSentError, Order, OutcomeUnknownError, RejectedError
from norce_order_async.models import HookDict, NotificationDict
from tests.support.faults import ALL_THAT_END, DROPS, Fault, Scripted, Seeded
from tests.support.proxy import Proxy

from .service import CONTEXT, Truth, cart, payment, shipping

pytestmark = pytest.mark.anyio

HOOK: HookDict = {"adapterId": "erp", "subscribeTo": "/state", "target": "/state", "version": "v1"}
NOTE: NotificationDict = {"adapterId": "erp", "scope": "/state/currentStatus", "schema": {"const": "completed"}}


@dataclass(frozen=True)
class Kind:
    """A kind of part: how a test creates one under a name, and finds that name again."""

    operation: str
    member: str
    name: str
    """The member of the part that holds the name."""
    create: Callable[[Order, str], Awaitable[str | None]]


KINDS = {
    kind.member: kind
    for kind in (
        Kind("CreateOrderPayment", "payments", "reference", lambda order, it: order.payments.create(payment(it))),
        Kind("CreateOrderShipping", "shippings", "reference", lambda order, it: order.shippings.create(shipping(it))),
        Kind("CreateCheckoutOrderConsent", "consents", "id", lambda order, it: order.consents.create({"id": it})),
        Kind(
            "CreateCheckoutOrderHook", "hooks", "invoke", lambda order, it: order.hooks.create({**HOOK, "invoke": it})
        ),
        Kind(
            "CreateCheckoutOrderNotification",
            "notifications",
            "invoke",
            lambda order, it: order.notifications.create({**NOTE, "invoke": it}),
        ),
        Kind(
            "CreateCheckoutOrderValidation",
            "validations",
            "url",
            lambda order, it: order.validations.create({"adapterId": "erp", "url": it}),
        ),
    )
}

Answer = str | type[CallError] | None
Told = dict[str, Answer]
"""The results of callers by name: the id, None for a creation without an id, or the error."""


async def tell(kind: Kind, order: Order, name: str, told: Told) -> None:
    """Create one and record the caller's result."""
    try:
        told[name] = await kind.create(order, name)
    except CallError as error:
        told[name] = type(error)


def check(kind: Kind, told: Told, truth: Truth, order_id: str) -> None:
    """Compare the results with the service."""
    there: dict[str, list[str]] = {}
    for part in truth.order(order_id)[kind.member]:
        there.setdefault(part[kind.name], []).append(part["id"])
    for name, answer in told.items():
        ids = there.get(name, [])
        assert len(ids) <= 1, "created twice"
        if answer is None:
            assert len(ids) == 1, "told created, and not there"
        elif isinstance(answer, str):
            assert ids == [answer], "told created, and not there or another one"
        elif issubclass(answer, NotSentError | RejectedError):
            assert not ids, "told not done, and it is there"
        else:
            assert issubclass(answer, OutcomeUnknownError)
    assert there.keys() <= told.keys()
    acted = [effect.subject for effect in truth.effects(kind.operation, order_id)]
    assert sorted(acted) == sorted(entry for ids in there.values() for entry in ids)


async def new_order(truth: Truth) -> str:
    async with truth.client() as direct:
        return (await direct.orders.create(**CONTEXT, cart=cart())).id


def names(count: int) -> list[str]:
    return [f"https://erp.example/{number}" for number in range(count)]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
async def test_on_an_order_that_was_read_a_lost_answer_is_settled(kind: Kind, proxy: Proxy, truth: Truth) -> None:
    """The client knows the earlier entries, so the one new part is the caller's. No result is unknown."""
    proxy.plan = Seeded(3, 0.4, DROPS, writes_only=True)
    order_id = await new_order(truth)
    told: Told = {}
    async with truth.client(proxy) as norce:
        for name in names(15):
            await tell(kind, await norce.orders.get(order_id), name, told)
    check(kind, told, truth, order_id)
    assert proxy.faults > 3
    assert OutcomeUnknownError not in told.values()
    assert len(truth.effects(kind.operation)) == 15


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
async def test_on_an_order_that_was_not_read_a_lost_answer_stays_unknown(
    kind: Kind, proxy: Proxy, truth: Truth
) -> None:
    """The client does not know the earlier entries, so it reports every lost answer as unknown, and only those."""
    proxy.plan = Seeded(3, 0.4, DROPS, writes_only=True)
    order_id = await new_order(truth)
    told: Told = {}
    async with truth.client(proxy) as norce:
        for name in names(15):
            await tell(kind, norce.orders(order_id), name, told)
    check(kind, told, truth, order_id)
    assert proxy.requests == 15, "nothing was sent twice, and nothing read in vain"
    assert proxy.faults > 3
    assert list(told.values()).count(OutcomeUnknownError) == proxy.faults


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("count", [20, pytest.param(500, marks=pytest.mark.soak)])
async def test_under_every_fault_at_once_on_one_shared_handle(
    kind: Kind, proxy: Proxy, truth: Truth, count: int
) -> None:
    """Several tasks write over one handle, which is read again now and then, while anything goes wrong."""
    order_id = await new_order(truth)
    told: Told = {}
    proxy.plan = Seeded(count, 0.3, ALL_THAT_END)
    pending = iter(names(count))
    async with truth.client(proxy) as norce:
        order = norce.orders(order_id)

        async def work() -> None:
            for index, name in enumerate(pending):
                if index % 3 == 0:
                    await refreshed(order)
                await tell(kind, order, name, told)

        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(work)
    proxy.settle()
    assert len(told) == count
    check(kind, told, truth, order_id)


async def refreshed(order: Order) -> None:
    """Read the order if the service allows it."""
    try:
        await order.refresh()
    except CallError:
        return


@pytest.mark.parametrize("member", ["payments", "shippings"])
@pytest.mark.parametrize("fault", [Fault.DROP, Fault.CUT, Fault.MASK, Fault.RESET, Fault.ERROR])
async def test_an_earlier_part_is_not_taken_for_the_new_one(
    member: str, fault: Fault, proxy: Proxy, truth: Truth
) -> None:
    """A part with the same reference exists before. A new one is found beside it. If there is no new one, no caller
    gets the id of the old one."""
    kind = KINDS[member]
    order_id = await new_order(truth)
    told: Told = {}
    async with truth.client(proxy) as norce:
        first = await kind.create(norce.orders(order_id), "same")
        order = await norce.orders.get(order_id)
        proxy.plan = Scripted(fault)
        await tell(kind, order, "same", told)
    others = [part["id"] for part in truth.order(order_id)[member] if part["id"] != first]
    assert len(others) == int(fault.reaches)
    assert told["same"] == (others[0] if fault.reaches else OutcomeUnknownError)


SAME: dict[str, tuple[Fault, ...]] = {
    "both arrive": (),
    "the first is lost": (Fault.DROP,),
    "the second is lost": (Fault.PASS, Fault.DROP),
    "the first never arrives": (Fault.RESET,),
    "the second never arrives": (Fault.PASS, Fault.RESET),
}


@pytest.mark.parametrize("member", ["payments", "shippings"])
@pytest.mark.parametrize("faults", SAME.values(), ids=SAME)
async def test_two_of_one_reference_at_once_are_never_taken_for_each_other(
    member: str, faults: tuple[Fault, ...], proxy: Proxy, truth: Truth
) -> None:
    """Two callers create parts of one reference over one handle at the same time. No id goes to both."""
    kind = KINDS[member]
    order_id = await new_order(truth)
    answers: list[Answer] = []
    async with truth.client(proxy) as norce:
        order = await norce.orders.get(order_id)
        proxy.plan = Scripted(*faults)

        async def one() -> None:
            told: Told = {}
            await tell(kind, order, "same", told)
            answers.append(told["same"])

        async with anyio.create_task_group() as group:
            group.start_soon(one)
            group.start_soon(one)
    ids = [answer for answer in answers if isinstance(answer, str)]
    assert len(set(ids)) == len(ids), "one part was told to two callers"
    assert set(ids) <= {part["id"] for part in truth.order(order_id)[kind.member]}
