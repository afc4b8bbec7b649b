"""Walks through the domain, and through lost answers, at a service with chosen readings. Each result is compared
with what the service has stored."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from norce_order_async import CallOptions, DuplicateOrderError, NorceError, NorceOrderClient, Order, OrderFilter
from norce_order_async.engines.select import EngineName
from norce_order_async.orders.parts.entries import DeletableEntries, RemovableEntries
from norce_order_async.pipeline.creations import changed_nothing
from norce_order_async.pipeline.operations import (
    CREATE_CONSENT,
    CREATE_HOOK,
    CREATE_NOTIFICATION,
    CREATE_ORDER,
    CREATE_PAYMENT,
    CREATE_SHIPPING,
    CREATE_VALIDATION,
    DELETE_ORDER,
    PATCH_ATTRIBUTES,
    SET_STATE,
    UPDATE_PAYMENT,
    UPDATE_SHIPPING,
    Operation,
)
from norce_order_async.sandbox import FaultPlan, FaultRule, LoseAnswer, Respond, Sandbox
from norce_order_async.sandbox.faults.plan import WRITES
from tests.chaos.service import CONTEXT, cart, payment, shipping
from tests.support.orders import CHECK, HOOK, NOTE

T = TypeVar("T")
NO_PROXY = build_opener(ProxyHandler({}))
FASTER = 20
"""The service's clock is this much faster than the client's, so that a test can wait for its 2 and 3 s."""
OPTIONS = CallOptions(base_delay=0.0, throttled_base_delay=0.0, settling_pause=1.0 / FASTER)
OTHERS = 11
"""Orders beside the one of the walk: more than one page of ten together."""


class FastClock:
    """A service's clock that is faster than the machine's, and can be moved ahead as well."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._began: float | None = monotonic()

    def now(self) -> datetime:
        passed = 0.0 if self._began is None else (monotonic() - self._began) * FASTER
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=passed + self._ahead)

    @contextmanager
    def standing_still(self) -> Generator[None]:
        """Stop the clock inside, so that lists hide what they do not show yet, however slow the machine is."""
        self._ahead, self._began = (self.now() - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds(), None
        yield
        self._began = monotonic()

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


class Truth:
    """Reads the service itself without the client, and compares the results of callers with it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def order(self, order_id: str) -> dict[str, Any] | None:
        """The order as stored; None if it does not exist."""
        url = f"{self.sandbox.base_url}/api/v0/checkout/orders/{order_id}"
        headers = {"authorization": f"Bearer {self.sandbox.token}", "x-merchant": "acme", "x-channel": "se"}
        try:
            with NO_PROXY.open(Request(url, headers=headers)) as answer:
                found: dict[str, Any] = json.load(answer)
        except HTTPError as error:
            error.close()
            if error.code == 404:
                return None
            raise
        return found

    def status(self, order_id: str) -> str | None:
        order = self.order(order_id)
        return None if order is None else str(order["state"]["currentStatus"]).lower()

    def is_in(self, order_id: str, status: str, _result: object) -> bool:
        return self.status(order_id) == status

    def is_gone(self, order_id: str, _result: object = None) -> bool:
        return self.status(order_id) in (None, "removed")

    def active(self, order_id: str, member: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = (self.order(order_id) or {}).get(member) or []
        return [entry for entry in entries if str(entry.get("state")).lower() != "removed"]

    def times(self, operation: Operation, order_id: str | None = None) -> int:
        return len(self.sandbox.effects.of(order_id, operation.id))

    def steps(self, order_id: str) -> list[str]:
        """The changes of an order's status that took effect."""
        return [effect.detail for effect in self.sandbox.effects.of(order_id, SET_STATE.id)]

    async def hold(
        self,
        call: Awaitable[T],
        operation: Operation,
        order_id: str | None,
        is_so: Callable[[T], object],
    ) -> T | None:
        """Make a call and compare its result with the service, at once. A result that says that nothing was done is
        compared later."""
        before = self.times(operation, order_id)

        def took_effect() -> int:
            return self.times(operation, order_id) - before

        try:
            value = await call
        except NorceError as error:
            if changed_nothing(error):
                self._later(lambda: took_effect() == 0, f"told {error!r}, and it was done")
            return None
        assert is_so(value), f"told that {operation.id} is done, and it is not"
        assert took_effect() == 1, f"told that {operation.id} is done, and it was done {took_effect()} times"
        return value

    def _later(self, holds: Callable[[], object], told: str) -> None:
        # A change that was not done may still come late. It is checked before the next change, whose count includes it.
        self.sandbox.advance(10.0)
        self.order("o-nobody-has")
        assert holds(), told


def client_of(sandbox: Sandbox, engine: EngineName) -> NorceOrderClient:
    return NorceOrderClient(
        base_url=sandbox.base_url, token=sandbox.token, merchant="acme", channel="se", engine=engine, options=OPTIONS
    )


async def through_the_domain(told: Truth, norce: NorceOrderClient, clock: FastClock) -> None:
    """Take one order from its creation to its deletion with everything that belongs to it, and list some more."""
    with clock.standing_still():
        order = await created_once(told, norce)
        again, is_new = await norce.orders.get_or_create(**CONTEXT, cart=cart(), cart_reference="c-1")
        assert (again.id, is_new) == (order.id, False)
        assert told.times(CREATE_ORDER) == 1, "an order was created twice"
    await its_customer(told, order)
    await its_payments_and_shippings(told, order)
    await its_consents(told, order)
    await its_callbacks(told, order)
    await its_attributes(told, order)
    await order.set_reference("erp-1")
    report = await order.validate()
    assert report.ok, report
    for status in ("processing", "checkout", "completed"):
        await told.hold(order.transition_to(status), SET_STATE, order.id, partial(told.is_in, order.id, status))
        assert (await order.refresh()).status == told.status(order.id)
    others = [(await norce.orders.create(**CONTEXT, cart=cart(f"c-{number}"))).id for number in range(2, 2 + OTHERS)]
    told.sandbox.advance(10.0)
    await it_is_found(norce, order, others)
    gone = norce.orders(others[0])
    for one in (gone, order):
        await told.hold(one.delete(), DELETE_ORDER, one.id, partial(told.is_gone, one.id))
    told.sandbox.advance(10.0)
    assert await norce.orders.find_by_cart_reference("c-2") is None
    found = await norce.orders.find_by_cart_reference("c-1")
    # If only an order in checkout can be deleted, the completed one still exists.
    assert (found is None) == told.is_gone(order.id)


async def created_once(told: Truth, norce: NorceOrderClient) -> Order:
    order = await told.hold(
        norce.orders.create(**CONTEXT, cart=cart("c-1")), CREATE_ORDER, None, lambda made: told.order(made.id)
    )
    assert order is not None
    return await order.refresh()


async def its_customer(told: Truth, order: Order) -> None:
    await order.customer.set_billing({"type": "person", "givenName": "Åsa", "city": "Solna", "country": "SE"})
    assert (told.order(order.id) or {})["customer"]["billing"]["givenName"] == "Åsa"
    await order.refresh()
    assert order.customer.type is None or str(order.customer.type).lower() == "person"


async def its_payments_and_shippings(told: Truth, order: Order) -> None:
    """The first entry of each list stays, and the second is removed again."""
    p_1, p_2, s_1, s_2 = payment("p-1"), payment("p-2", 1.0), shipping("s-1"), shipping("s-2")
    await entries_of(told, order, order.payments, "payments", (p_1, p_2), CREATE_PAYMENT, UPDATE_PAYMENT)
    await entries_of(told, order, order.shippings, "shippings", (s_1, s_2), CREATE_SHIPPING, UPDATE_SHIPPING)
    await order.refresh()
    assert [each.reference for each in order.payments.active] == ["p-1"]
    assert [each.reference for each in order.shippings.active] == ["s-1"]
    assert order.outstanding == 0


async def entries_of(
    told: Truth,
    order: Order,
    part: RemovableEntries[Any, Any],
    member: str,
    entries: tuple[Any, Any],
    create: Operation,
    update: Operation,
) -> None:
    def active(name: str) -> list[Any]:
        return [each.get(name) for each in told.active(order.id, member)]

    first = (await part.ensure(entries[0])).value.id
    assert (await part.ensure(entries[0])).value.id == first
    assert active("id") == [first]
    assert told.times(create, order.id) == 1
    # The service may write nulls that it refuses to read (docs/uncertain.md). The edit is refused then, and not done.
    edit = part.update(first, lambda one: setattr(one, "name", "Card"))
    await told.hold(edit, update, order.id, lambda _: active("name") == ["Card"])
    extra = await part.create(entries[1])
    await told.hold(part.remove(extra), update, order.id, lambda _: active("id") == [first])
    if extra in active("id"):
        await part.put(extra, {**entries[1], "state": "removed"})
    assert active("id") == [first]


async def its_consents(told: Truth, order: Order) -> None:
    def stored() -> dict[str, bool]:
        return {each["id"]: bool(each.get("checked")) for each in (told.order(order.id) or {}).get("consents") or ()}

    for _ in range(2):
        await order.consents.ensure({"id": "terms", "text": "Terms", "required": True, "checked": False})
        assert stored() == {"terms": False}
    await order.consents.create({"id": "news", "text": "News"})
    assert told.times(CREATE_CONSENT, order.id) == 2
    await order.consents.check("terms", "news")
    assert stored() == {"terms": True, "news": True}
    await order.consents.delete("news")
    assert stored() == {"terms": True}
    await order.refresh()
    assert [(each.id, each.checked) for each in order.consents] == [("terms", True)]


async def its_callbacks(told: Truth, order: Order) -> None:
    """Register each once, and delete it before the service would call it."""

    async def once(part: DeletableEntries[Any, Any], entry: Any, create: Operation) -> None:
        first = (await part.ensure(entry)).value.id
        assert (await part.ensure(entry)).value.id == first
        assert told.times(create, order.id) == 1
        await part.delete(first)

    await once(order.hooks, HOOK, CREATE_HOOK)
    await once(order.notifications, NOTE, CREATE_NOTIFICATION)
    await once(order.validations, CHECK, CREATE_VALIDATION)
    await order.refresh()
    assert not [*order.hooks, *order.notifications, *order.validations]


async def it_is_found(norce: NorceOrderClient, order: Order, others: list[str]) -> None:
    """Find the order by all its keys, and find each order once in each listing."""
    payment_id = order.payments.active[0].id or ""
    found = await norce.orders.find_by_cart_reference("c-1"), await norce.orders.find_by_payment(payment_id)
    assert [each and each.id for each in (*found, *await norce.orders.find_by_reference("erp-1"))] == [order.id] * 3
    assert {each.id for each in (await norce.orders.list()).orders} == {order.id, *others}
    assert await norce.orders.count() == 1 + len(others)
    for where in (None, OrderFilter(date_from=datetime(2025, 1, 1, tzinfo=UTC))):
        given = [each.id async for each in norce.orders.iterate(where, page_size=10)]
        assert sorted(given) == sorted([order.id, *others])


async def its_attributes(told: Truth, order: Order) -> None:
    def stored() -> dict[str, Any]:
        return (told.order(order.id) or {}).get("attributes") or {}

    await order.attributes.update({"kept": 1, "gone": 2})
    assert stored() == {"kept": 1, "gone": 2}
    await told.hold(
        order.attributes.remove("gone"),
        PATCH_ATTRIBUTES,
        order.id,
        lambda _: stored().get("gone") is None,
    )
    await order.refresh()
    assert dict(order.attributes) == stored()


LOST = FaultPlan((FaultRule(LoseAnswer(), WRITES, first=1),))
TURNED_AWAY = FaultPlan((FaultRule(Respond(503, retry_after=0.05, form="milliseconds"), WRITES, first=1),))


async def created_or_told_twice(norce: NorceOrderClient, reference: str) -> tuple[Order, bool]:
    try:
        order = await norce.orders.create(**CONTEXT, cart=cart(reference))
    except DuplicateOrderError as error:
        first: Order = error.orders[0]
        return first, True
    return order, not order.uniqueness_checked


async def through_lost_answers(told: Truth, norce: NorceOrderClient, plan: FaultPlan) -> None:
    """Create two orders, and pay and complete one of them. The plan is played for each of these calls."""
    sandbox = told.sandbox
    sandbox.faults.play(plan)
    order, told_twice = await created_or_told_twice(norce, "c-1")
    assert told.order(order.id)
    assert told.times(CREATE_ORDER) == 1 or told_twice, "created twice, and told that it is alone"
    sandbox.advance(10.0)
    sandbox.faults.play(plan)
    again, is_new = await norce.orders.get_or_create(**CONTEXT, cart=cart(), cart_reference="c-2")
    assert is_new
    assert told.order(again.id)
    assert told.times(CREATE_ORDER) <= 2 + told_twice + (not again.uniqueness_checked)
    await order.refresh()
    await told.hold(
        order.payments.ensure(payment("p-1")),
        CREATE_PAYMENT,
        order.id,
        lambda ensured: [each["id"] for each in told.active(order.id, "payments")] == [ensured.value.id],
    )
    sandbox.faults.stop()
    if not told.active(order.id, "payments"):
        # The outcome was unknown; the order must be paid before its status changes.
        await order.payments.create(payment("p-1"))
    assert len(told.active(order.id, "payments")) == 1
    for status in ("processing", "completed"):
        sandbox.faults.play(plan)
        await told.hold(order.transition_to(status), SET_STATE, order.id, partial(told.is_in, order.id, status))
