"""Both ways: every answer that an adapter gives is one that the local order service takes, and every body that this
sends, in v0 and v1 and under every reading of its rules, is one that the adapter reads."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx
import pytest

from norce_order_async import CallError, NorceOrderClient, Order, RefusedError
from norce_order_async.adapter import Adapter, HookCall, NotificationCall, ValidationCall, approve, deny, problems
from norce_order_async.engines.httpx import HttpxEngine
from norce_order_async.sandbox import IN_PROCESS_URL, ManualClock, Readings, Sandbox
from tests.adapter.conversation import ORDER, SECRET

pytestmark = pytest.mark.asyncio  # the loop is the other tests' concern

Version = Literal["v0", "v1"]


@asynccontextmanager
async def conversation(
    version: Version, readings: Readings | None = None
) -> AsyncGenerator[tuple[Adapter, Order, Any]]:
    sandbox = Sandbox(seed=7, clock=ManualClock(), readings=readings)
    engine = HttpxEngine(transport=httpx.ASGITransport(app=sandbox.app))
    async with NorceOrderClient(
        base_url=IN_PROCESS_URL, token=sandbox.token, merchant="acme", channel="se", engine=engine
    ) as norce:
        adapter = norce.adapter("erp", public_url="asgi://erp/norce", secret=SECRET, version=version)
        sandbox.register_app("erp", adapter)
        order = await norce.orders.create(ORDER)
        await order.payments.create({"amount": 125.0})
        yield adapter, order, sandbox
    sandbox.close()


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize(
    ("answer", "status", "reference"),
    [
        ("nothing", "completed", None),
        ("approve", "completed", None),
        ("edit", "completed", "from the hook"),
        ("deny", "checkout", None),
        ("raise", "checkout", None),
        ("stray edit", "checkout", None),
        ("nonsense", "checkout", None),
    ],
)
async def test_every_answer_of_a_hook_is_taken(
    version: Version, answer: str, status: str, reference: str | None
) -> None:
    async with conversation(version) as (adapter, order, _):

        @adapter.hook("/state", target="/payments")
        async def guard(call: HookCall) -> Any:
            match answer:
                case "edit":
                    call.draft.payments[0].reference = "from the hook"
                case "stray edit":
                    call.draft.reference = "elsewhere"
                case "deny":
                    return deny("no", "not today")
                case "raise":
                    raise RuntimeError
                case "nonsense":
                    return "yes"
                case "approve":
                    return approve()
                case _:
                    pass
            return None

        await adapter.ensure(order)
        if status == "completed":
            await order.transition_to("completed")
        else:
            with pytest.raises(RefusedError) as refused:
                await order.transition_to("completed")
            assert refused.value.status == 400
            # Denied, and not for an answer that could not be read.
            assert "it answered 400" in str(refused.value.message)
        await order.refresh()
        assert (order.status, order.payments[0].reference) == (status, reference)


@pytest.mark.parametrize("answer", ["nothing", "problems", "raise"])
async def test_every_answer_of_a_validation_is_taken(answer: str) -> None:
    async with conversation("v0") as (adapter, order, _):

        @adapter.validation()
        async def check(call: ValidationCall) -> Any:
            if answer == "raise":
                raise RuntimeError
            return problems("empty", ("stock", "none left")) if answer == "problems" else None

        await adapter.ensure(order)
        found = [(one.adapter_id, one.code) for one in (await order.validate()).problems]
    expected = {"nothing": [], "problems": ["empty", "stock"], "raise": ["adapter-error"]}[answer]
    assert found == [("erp", code) for code in expected]


@pytest.mark.parametrize("readings", [None, *Readings.each(), Readings.harsh()], ids=str)
@pytest.mark.parametrize("version", ["v0", "v1"])
async def test_every_body_is_read(version: Version, readings: Readings | None) -> None:
    async with conversation(version, readings) as (adapter, order, sandbox):
        bodies: list[Any] = []

        async def read(call: Any) -> None:
            shown: Order = call.proposed if isinstance(call, HookCall) else call.committed
            assert shown.id == order.id == shown.data.id
            assert shown.payments[0].amount == 125
            assert [hook.subscribe_to for hook in shown.hooks] == ["/state", "/reference"]
            assert all(validation.url for validation in shown.validations)
            if isinstance(call, HookCall):
                assert shown.data.to_dict().keys() == call.plain.keys()
                repr(call.draft)
                assert call.operations() == []
            bodies.append(call.plain)

        adapter.hook("/state")(read)
        adapter.hook("/reference")(read)
        adapter.notification("/reference")(read)

        @adapter.validation()
        async def check(call: ValidationCall) -> None:
            bodies.append((await call.order()).id)

        await adapter.ensure(order)
        try:
            await order.set_reference("our-1")
            await order.validate()
            await order.transition_to("processing")
        except CallError:
            pass  # what this reading allows is not this test's concern
        for _ in range(20):
            sandbox.advance(5)
            await sandbox.deliver_due()
        assert bodies
        counts = {word: count for word, count in adapter.counts.items() if count}
        wrong = ("refused.", "hook.error", "hook.edit", "notification.error", "validation.error")
        assert not [word for word in counts if word.startswith(wrong)], counts


async def test_the_types_of_calls_are_those_of_the_handlers() -> None:
    async with conversation("v0") as (adapter, order, sandbox):
        news: list[NotificationCall] = []

        @adapter.notification("/reference")
        async def told(call: NotificationCall) -> None:
            news.append(call)

        await adapter.ensure(order)
        await order.set_reference("our-1")
        await sandbox.deliver_due()
        assert [call.committed.reference for call in news] == ["our-1"]
