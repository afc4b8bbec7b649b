"""A hook answers with an approval, a denial or edits, and denies if it can't answer."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from norce_order_async import ConfigurationError
from norce_order_async.adapter import NULL, Adapter, HookCall, approve, deny
from norce_order_async.models import Payment
from tests.adapter.conftest import ORDER, SECRET
from tests.support.clock import FakeClock

pytestmark = pytest.mark.anyio


async def test_a_hook_that_returns_nothing_approves_without_a_change(adapter: Adapter) -> None:
    seen: list[HookCall] = []

    @adapter.hook("/state")
    async def guard(call: HookCall) -> None:
        seen.append(call)
        assert call.proposed.status == "checkout"
        assert call.proposed.payments.active[0].amount == 125

    answer = await adapter.simulate.hook("/state", ORDER)
    assert (answer.status, answer.body) == (200, b"[]")
    (call,) = seen
    assert (call.order_id, call.merchant, call.channel, call.adapter_id) == ("oAbCdEfG", "acme", "se", "erp")
    assert call.norce.adapter_id == "erp"
    assert adapter.counts["hook.approved"] == 1


async def test_the_reason_of_a_denial_is_in_the_answer_the_log_and_the_record(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    @adapter.hook("/state")
    async def guard(call: HookCall) -> Any:
        call.draft.reference = "dropped"
        return deny("out-of-stock", "T001 is sold out")

    with caplog.at_level(logging.INFO, "norce_order_async.adapter"):
        answer = await adapter.simulate.hook("/state", ORDER)
    assert answer.status == 400
    assert answer.json == {"adapterId": "erp", "code": "out-of-stock", "message": "T001 is sold out"}
    assert "out-of-stock" in caplog.text
    (denial,) = adapter.denials
    assert (denial.route, denial.order_id, denial.cause, denial.code) == (
        "/state",
        "oAbCdEfG",
        "handler",
        "out-of-stock",
    )


async def test_edits_become_a_patch(adapter: Adapter) -> None:
    @adapter.hook("/state", target="/payments")
    async def cover(call: HookCall) -> Any:
        call.draft.payments[0].amount = 100.5
        call.draft.payments[0].attributes["seen"] = True  # type: ignore[index]
        return approve()

    answer = await adapter.simulate.hook("/state", ORDER)
    assert answer.success
    assert sorted(answer.operations, key=lambda one: one["path"]) == [
        {"op": "replace", "path": "/payments/0/amount", "value": 100.5},
        {"op": "add", "path": "/payments/0/attributes", "value": {"seen": True}},
    ]
    assert adapter.counts["hook.patched"] == 1


async def test_null_and_none_differ(adapter: Adapter) -> None:
    @adapter.hook("/cart")
    async def edit(call: HookCall) -> None:
        call.draft.reference = NULL
        call.draft.payments[0].amount = NULL
        call.draft.payments[1].amount = None
        call.draft.attributes["gone"] = NULL

    answer = await adapter.simulate.hook("/cart", ORDER)
    patched = answer.patched
    assert patched is not None
    assert patched["reference"] is None
    assert patched["payments"] == [{"id": "p1", "amount": None, "state": "Intent"}, {"id": "p2", "state": "removed"}]
    assert patched["attributes"] == {"gone": None}


async def test_the_draft_has_places_for_members_that_the_order_lacks(adapter: Adapter) -> None:
    @adapter.hook("/cart")
    async def fill(call: HookCall) -> None:
        assert call.draft.shippings == []
        call.draft.customer.shipping.city = "Lund"
        call.draft.payments.append(Payment(amount=1.0))

    answer = await adapter.simulate.hook("/cart", ORDER)
    assert answer.patched is not None
    assert answer.patched["customer"]["shipping"] == {"city": "Lund"}
    assert answer.patched["payments"][2] == {"amount": 1.0}
    assert "shippings" not in {one["path"].split("/")[1] for one in answer.operations}


async def test_an_edit_outside_of_the_target_denies(adapter: Adapter, caplog: pytest.LogCaptureFixture) -> None:
    @adapter.hook("/state", target="/payments")
    async def stray(call: HookCall) -> None:
        call.draft.reference = "elsewhere"

    answer = await adapter.simulate.hook("/state", ORDER)
    assert (answer.status, answer.code) == (400, "adapter-error")
    assert adapter.denials[-1].cause == "edit"
    assert "the draft was edited in /reference" in caplog.text
    assert "elsewhere" not in caplog.text


async def test_a_handler_that_raises_denies_without_the_error_in_the_answer(adapter: Adapter) -> None:
    @adapter.hook("/state")
    async def broken(call: HookCall) -> None:
        raise RuntimeError("eva@example.com")

    answer = await adapter.simulate.hook("/state", ORDER)
    assert (answer.status, answer.code) == (400, "adapter-error")
    assert b"eva" not in answer.body
    assert adapter.denials[-1].cause == "error"


@pytest.mark.every_loop
async def test_a_handler_that_passes_its_budget_is_cancelled_and_denies(adapter: Adapter, clock: FakeClock) -> None:
    ended: list[str] = []

    @adapter.hook("/state", budget=2)
    async def slow(call: HookCall) -> None:
        try:
            await clock.sleep(60)
        finally:
            ended.append("cancelled")

    answer = await adapter.simulate.hook("/state", ORDER)
    assert (answer.status, answer.code) == (400, "adapter-late")
    assert clock.passed == 2
    assert ended == ["cancelled"]
    assert adapter.counts["hook.late"] == 1


async def test_a_handler_that_blocked_past_its_budget_denies(adapter: Adapter, clock: FakeClock) -> None:
    @adapter.hook("/state")
    async def blocking(call: HookCall) -> None:
        clock.now += 4

    assert (await adapter.simulate.hook("/state", ORDER)).code == "adapter-late"


@pytest.mark.parametrize("how", ["raises", "late", "edit", "returns nonsense"])
async def test_on_error_approve_lets_the_change_pass_without_edits(
    adapter: Adapter, clock: FakeClock, how: str
) -> None:
    @adapter.hook("/state", target="/payments", on_error="approve")
    async def broken(call: HookCall) -> Any:
        call.draft.payments[0].amount = 1.0
        match how:
            case "raises":
                raise RuntimeError
            case "late":
                await clock.sleep(60)
            case "edit":
                call.draft.reference = "x"
            case _:
                return "yes"
        return None

    answer = await adapter.simulate.hook("/state", ORDER)
    assert (answer.status, answer.body) == (200, b"[]")
    assert not adapter.denials


async def test_more_hooks_at_once_than_allowed_are_denied_at_once(in_real_time: Callable[..., Adapter]) -> None:
    adapter = in_real_time(max_concurrent=3)
    go = anyio.Event()
    running = 0
    most = 0

    @adapter.hook("/state")
    async def waits(call: HookCall) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go.wait()
        running -= 1

    codes: list[str | None] = []

    async def call() -> None:
        codes.append((await adapter.simulate.hook("/state", ORDER)).code)
        if len(codes) == 7:
            go.set()

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(call)
    assert codes == ["adapter-busy"] * 7 + [None] * 3
    assert most == 3
    assert adapter.counts["hook.busy"] == 7


def test_two_hooks_on_one_part_need_names(adapter: Adapter) -> None:
    async def handler(call: HookCall) -> None: ...

    adapter.hook("/state")(handler)
    adapter.hook("/state", target="/payments")(handler)
    adapter.hook("/state", name="second")(handler)
    with pytest.raises(ConfigurationError, match="give one of them a name"):
        adapter.hook("/state")(handler)


@pytest.mark.parametrize("pointer", ["state", "/total", "/payments/0/amount", "/", "", "/state/../x", None, 1])
def test_a_part_without_hooks_is_refused(adapter: Adapter, pointer: Any) -> None:
    with pytest.raises(ConfigurationError):
        adapter.hook(pointer)


def test_a_handler_must_be_async(adapter: Adapter) -> None:
    with pytest.raises(ConfigurationError, match="async function"):
        adapter.hook("/state")(lambda call: None)  # type: ignore[type-var]


async def test_ten_thousand_at_once_are_all_answered(in_real_time: Callable[..., Adapter]) -> None:
    """At most the allowed number of handlers runs. The other calls are denied without waiting."""
    adapter = in_real_time(max_concurrent=50, budget=600)
    go = anyio.Event()
    running = most = 0
    answers: list[str | None] = []

    @adapter.hook("/state")
    async def waits(call: HookCall) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go.wait()
        running -= 1

    async def call() -> None:
        answers.append((await adapter.simulate.hook("/state", ORDER)).code)
        if len(answers) == 9_950:
            go.set()

    async with anyio.create_task_group() as tasks:
        for _ in range(10_000):
            tasks.start_soon(call)
    assert (len(answers), answers.count("adapter-busy"), most) == (10_000, 9_950, 50)
    assert len(adapter.denials) == 1_000
    assert adapter.counts["hook.busy"] == 9_950


async def test_the_budget_counts_from_the_arrival_of_the_call(adapter: Adapter, clock: FakeClock) -> None:
    """The time that the body takes to arrive counts too."""
    ran: list[str] = []

    @adapter.hook("/state")
    async def quick(call: HookCall) -> None:
        ran.append("quick")
        await clock.sleep(1)

    async def receive() -> Any:
        await clock.sleep(2.5)
        return {"type": "http.request", "body": json.dumps(ORDER).encode()}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"x-merchant", b"acme"), (b"x-channel", b"se")]
    path = f"/{SECRET}/hook/state/oAbCdEfG"
    await adapter({"type": "http", "method": "POST", "path": path, "headers": headers}, receive, send)
    assert (sent[0]["status"], ran, clock.passed) == (400, ["quick"], 3)
    assert adapter.denials[-1].cause == "late"
