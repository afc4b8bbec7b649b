"""The sandbox accepts every answer of an adapter, and an adapter reads every body of the sandbox."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, cast

import anyio
import httpx
import pytest

from norce_order_async import BadRequestError, CallError, NorceOrderClient
from norce_order_async.adapter import Adapter, HookCall, NotificationCall, ValidationCall, approve, deny, problems
from norce_order_async.engines.httpx import HttpxEngine
from norce_order_async.orders.order import Order
from norce_order_async.sandbox import IN_PROCESS_URL, RULES, ManualClock, Readings, Sandbox

from .conversation import SECRET

pytestmark = pytest.mark.anyio

PRICE: dict[str, float] = {"includingVat": 125.0, "excludingVat": 100.0}
ORDER: dict[str, Any] = {
    "culture": "sv-SE",
    "currency": "SEK",
    "country": "SE",
    "attributes": {"source": "web", "nested": {"list": [1, 2.5, None, True]}},
    "cart": {
        "attributes": {"gift": True},
        "items": [
            {
                "sku": "T001",
                "name": "Thing",
                "quantity": 2,
                "price": PRICE,
                "total": {"includingVat": 250.0, "excludingVat": 200.0},
                "vatRate": 0.25,
                "attributes": {"colour": "blå"},
            }
        ],
    },
    "customer": {"billing": {"type": "person", "givenName": "Eva", "email": "eva@example.com"}},
}
SHAPES = ("nulls", "times", "enum-written", "attribute-null")
"""Rules about the form of orders in bodies. The other rules are about callbacks."""
READINGS = [
    (rule.id, reading.id)
    for rule in RULES
    for reading in rule.readings
    if rule.id in SHAPES or rule.id.startswith(("hook", "notification", "validation", "callback"))
]


class World:
    """A sandbox, a client of it, and an adapter that it calls in process."""

    def __init__(self, norce: NorceOrderClient, sandbox: Sandbox, **arguments: Any) -> None:
        self.norce = norce
        self.sandbox = sandbox
        self.adapter: Adapter = norce.adapter("erp", public_url="asgi://erp", secret=SECRET, **arguments)
        sandbox.register_app("erp", self.adapter)

    async def order(self) -> Order:
        """Create an order on which everything is registered."""
        order = await self.norce.orders.create(cast("Any", ORDER))
        await self.adapter.ensure(order)
        return order

    def refused(self) -> dict[str, int]:
        return {word: count for word, count in self.adapter.counts.items() if word.startswith("refused.")}


@asynccontextmanager
async def world(readings: Readings | dict[str, str] | None = None, **arguments: Any) -> AsyncGenerator[World]:
    sandbox = Sandbox(seed=7, clock=ManualClock(), readings=readings)
    engine = HttpxEngine(transport=httpx.ASGITransport(app=sandbox.app))
    async with NorceOrderClient(
        base_url=IN_PROCESS_URL, token=sandbox.token, merchant="acme", channel="se", engine=engine
    ) as norce:
        yield World(norce, sandbox, **arguments)
    sandbox.close()


# Bodies of the sandbox


@pytest.mark.parametrize(("rule", "reading"), READINGS)
@pytest.mark.parametrize("version", ["v0", "v1"])
async def test_every_body_is_read(rule: str, reading: str, version: Literal["v0", "v1"]) -> None:
    """Both versions of a body are read to the last member under every reading, and without a difference from the
    description."""
    async with world({rule: reading}, version=version) as here:
        norce, told = here.norce, list[str]()

        @here.adapter.hook("/attributes")
        async def hook(call: HookCall) -> None:
            told.append(str(call.proposed.data.to_dict()))
            assert call.draft.to_dict()
            assert call.operations() == []

        @here.adapter.notification("/attributes")
        async def notification(call: NotificationCall) -> None:
            told.append(str(call.committed.data.to_dict()))

        @here.adapter.validation()
        async def validation(call: ValidationCall) -> None:
            told.append((await call.order()).id)

        order = await here.order()
        await order.payments.create({"amount": 250.0, "name": "Invoice", "state": "reserved"})
        await order.shippings.create(
            {"reference": "home", "vatRate": 0.25, "total": {"includingVat": 50, "excludingVat": 40}}
        )
        await order.attributes.update({"now": "changed"})
        await order.validate()
        for _ in range(3):
            here.sandbox.advance(5)
            await here.sandbox.deliver_due()
        assert len(told) >= 3, told
        assert (await order.refresh()).data.to_dict()  # read to the last member, too
        surprising = {(entry.where, entry.kind) for entry, _ in norce.drift if "/attributes" in entry.operation}
        as_read = {(entry.where, entry.kind) for entry, _ in norce.drift if entry.operation == "GetCheckoutOrder"}
        assert surprising <= (as_read if rule in SHAPES else set())
        assert here.refused() == {}
        counts = here.adapter.counts
        assert (counts["hook.error"], counts["hook.edit"], counts["notification.error"]) == (0, 0, 0)


@pytest.mark.parametrize("version", ["v0", "v1"])
async def test_every_body_is_read_under_all_harsh_readings_together(version: Literal["v0", "v1"]) -> None:
    """Some calls don't arrive under these readings. None of those that arrive is an error."""
    async with world(Readings.harsh(), version=version) as here:
        told: list[str] = []

        async def read(call: HookCall | NotificationCall) -> None:
            shown = call.proposed if isinstance(call, HookCall) else call.committed
            told.append(str(shown.data.to_dict()))

        here.adapter.hook("/reference")(read)
        here.adapter.notification("/reference")(read)
        order = await here.order()
        with contextlib.suppress(CallError):  # this test is not about the effects of these readings
            await order.set_reference("our-1")
        for _ in range(20):
            here.sandbox.advance(5)
            await here.sandbox.deliver_due()
        assert told
        wrong = ("refused.", "hook.error", "hook.edit", "notification.error")
        assert not [word for word, count in here.adapter.counts.items() if count and word.startswith(wrong)]


# Answers that the sandbox accepts


async def _raises(_call: Any) -> Any:
    raise OSError("down")


async def _sleeps(_call: Any) -> Any:
    await anyio.sleep(60)


def _edits(edit: Callable[[Any], object]) -> Callable[[HookCall], Any]:
    async def edits(call: HookCall) -> None:
        edit(call.draft)

    return edits


def _returns(answer: Any) -> Callable[[Any], Any]:
    async def returns(_call: Any) -> Any:
        return answer

    return returns


def _set(name: str, value: Any) -> Callable[[Any], object]:
    return lambda draft: setattr(draft, name, value)


APPROVING = {
    "nothing": _returns(None),
    "approve": _returns(approve()),
    "attributes": _edits(lambda draft: draft.attributes.update(a={"b": [1, None, "å", 0.1]})),
    "attribute taken out": _edits(lambda draft: draft.attributes.pop("source", None)),
    "attribute with odd names": _edits(lambda draft: draft.attributes.update({"a/b~c": 1, "": 2})),
    "reference": _edits(_set("reference", "from the hook")),
    "payment": _edits(lambda draft: setattr(draft.payments[0], "reference", "erp-1")),
    "cart attribute": _edits(lambda draft: draft.cart.attributes.update(weight=3)),
    "item": _edits(lambda draft: setattr(draft.cart.items[0], "name", "Better thing")),
    "customer": _edits(lambda draft: setattr(draft.customer.billing, "given_name", "Eve")),
}
DENYING: dict[str, Callable[[Any], Any]] = {
    "deny": _returns(deny("out-of-stock", "T001 är slut")),
    "deny without words": _returns(deny("no")),
    "the longest": _returns(deny("x" * 80, "å" * 1000)),
    "raises": _raises,
    "late": _sleeps,
    "no answer of a hook": _returns("yes"),
    "beyond its parts": _edits(_set("currency", "EUR")),
    "no order": _edits(_set("payments", "none")),
}


@pytest.mark.parametrize("answer", APPROVING)
async def test_every_approval_is_accepted(answer: str) -> None:
    async with world(budget=30.0) as here:
        here.adapter.hook("/attributes")(cast("Any", APPROVING[answer]))
        order = await here.order()
        await order.payments.create({"amount": 250.0})
        await order.attributes.update({"asked": True})
        await order.refresh()
        assert order.attributes["asked"] is True
        assert (here.adapter.counts["hook.approved"] + here.adapter.counts["hook.patched"]) >= 1
        assert here.adapter.counts["hook.patched"] == (0 if answer in ("nothing", "approve") else 1)


@pytest.mark.parametrize("answer", DENYING)
async def test_every_denial_denies_the_change(answer: str) -> None:
    """The sandbox does not make the change because the adapter denied it, and not because the answer could not be
    read."""
    async with world(budget=0.2 if answer == "late" else 30.0) as here:
        here.adapter.hook("/attributes")(cast("Any", DENYING[answer]))
        order = await here.order()
        await order.payments.create({"amount": 250.0})
        with pytest.raises(BadRequestError, match="denied the change: it answered 400"):
            await order.attributes.update({"asked": True})
        await order.refresh()
        assert "asked" not in (order.attributes or {})
        assert len(here.adapter.denials) == 1


@pytest.mark.parametrize(
    ("handler", "codes"),
    [
        (_returns(None), []),
        (_returns(problems()), []),
        (_returns(problems("a")), ["a"]),
        (_returns(problems(("a", "ett fel, å"), "b", ("x" * 80, "y" * 1000))), ["a", "b", "x" * 80]),
        (_raises, ["adapter-error"]),
        (_sleeps, ["adapter-late"]),
        (_returns("wrong"), ["adapter-error"]),
    ],
)
async def test_every_problem_of_a_validation_arrives(handler: Any, codes: list[str]) -> None:
    async with world(budget=0.2 if handler is _sleeps else 30.0) as here:
        here.adapter.validation()(handler)
        order = await here.order()
        await order.payments.create({"amount": 250.0})
        found = await order.validate()
        assert [problem.code for problem in found.problems] == codes
        assert {problem.adapter_id for problem in found.problems} <= {"erp"}


@pytest.mark.parametrize(("handler", "status"), [(_returns(None), 200), (_raises, 500), (_sleeps, 500)])
async def test_every_answer_to_a_notification_arrives(handler: Any, status: int) -> None:
    async with world() as here:
        here.adapter.notification("/attributes", budget=0.2 if handler is _sleeps else 30.0)(handler)
        order = await here.order()
        await order.attributes.update({"asked": True})
        await here.sandbox.deliver_due()
        (delivery,) = here.sandbox.deliveries
        assert [attempt.status for attempt in delivery.attempts] == [status]
        assert delivery.state == ("delivered" if status == 200 else "waiting")


async def test_a_hook_beyond_the_limit_is_denied_as_busy() -> None:
    async with world(max_concurrent=1, budget=30.0) as here:
        running, go_on = anyio.Event(), anyio.Event()

        @here.adapter.hook("/attributes")
        async def slow(call: HookCall) -> None:
            running.set()
            await go_on.wait()

        orders = [await here.order() for _ in range(2)]

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(orders[0].attributes.update, {"asked": True})
            await running.wait()
            with pytest.raises(BadRequestError, match="it answered 400"):
                await orders[1].attributes.update({"asked": True})
            go_on.set()
        assert here.adapter.counts["hook.busy"] == 1
