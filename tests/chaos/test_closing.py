"""A client closes within its grace although the service never answers. It does not hang, and nothing is left."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import logging
import time
from collections.abc import Callable, Coroutine

import anyio
import pytest
import trio

from norce_order_async import CallError, NorceOrderClient, NotSentError, OutcomeUnknownError
from norce_order_async.engines.select import ENGINES
from norce_order_async.scope import session_of
from tests.support.faults import Fault, Passing, Seeded
from tests.support.proxy import Proxy
from tests.support.waiting import Ticks, until, wait_until

from .leftovers import descriptors, tasks
from .service import AT_ONCE, CONTEXT, Truth, cart, payment

GRACE = 0.2
GRACE_IN_TICKS = 10 * 20
"""Ten times the grace, in hundredths of a second."""
NEVER = dataclasses.replace(AT_ONCE, deadline=None, write_timeout=3600.0, read_timeout=3600.0)
"""Only closing or a cancellation ends such a call. Without either, the test hangs."""

Make = Callable[[NorceOrderClient], Coroutine[None, None, object]]

CALLS: dict[str, tuple[Make, type[CallError]]] = {
    "read": (lambda norce: norce.orders.list(limit=1), NotSentError),
    "order": (lambda norce: norce.orders.create(**CONTEXT, cart=cart("one")), OutcomeUnknownError),
    "payment": (lambda norce: norce.orders("oAbcdefg").payments.create(payment("one")), OutcomeUnknownError),
    "status": (lambda norce: norce.orders("oAbcdefg").transition_to("processing"), OutcomeUnknownError),
    "delete": (lambda norce: norce.orders.delete("oAbcdefg"), OutcomeUnknownError),
}
"""Each call with the error that its caller gets if the client closes meanwhile."""


def silent(_request: Passing) -> Fault:
    return Fault.SILENCE


async def in_flight(proxy: Proxy, count: int) -> None:
    """Wait until the proxy holds this many requests."""
    await until(lambda: proxy.busy >= count)


async def nothing_left(proxy: Proxy, tasks_before: int, descriptors_before: int) -> None:
    await until(lambda: not proxy.connections and tasks() <= tasks_before and descriptors() <= descriptors_before)


@pytest.mark.anyio
@pytest.mark.every_loop
@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice at the same time"])
async def test_closing_from_another_task_releases_every_caller(proxy: Proxy, truth: Truth, twice: bool) -> None:
    """Closing ends after the grace. Callers get an error that says what is known of the outcome, and no task, socket
    or permit is left."""
    proxy.plan = silent
    tasks_before, descriptors_before = tasks(), descriptors()
    norce = truth.client(proxy, options=NEVER)
    told: dict[str, BaseException] = {}

    async def call(name: str) -> None:
        try:
            await CALLS[name][0](norce)
        except CallError as error:
            told[name] = error

    async with anyio.create_task_group() as group:
        for name in CALLS:
            group.start_soon(call, name)
        await in_flight(proxy, len(CALLS))
        started = time.monotonic()
        async with Ticks() as ticks, anyio.create_task_group() as closers:
            for _ in range(1 + twice):
                closers.start_soon(norce.aclose, GRACE)
        assert time.monotonic() - started >= GRACE
        assert ticks.count < GRACE_IN_TICKS
    assert {name: type(error) for name, error in told.items()} == {name: kind for name, (_, kind) in CALLS.items()}
    assert session_of(norce).limiter.in_flight == 0
    await nothing_left(proxy, tasks_before, descriptors_before)
    with pytest.raises(NotSentError):
        await norce.orders.list()


@pytest.mark.anyio
@pytest.mark.every_loop
async def test_calls_that_wait_for_a_permit_report_that_nothing_was_sent(proxy: Proxy, truth: Truth) -> None:
    """They wait behind two sends that are never answered, until closing ends them."""
    proxy.plan = silent
    norce = truth.client(proxy, max_in_flight=2, options=NEVER)
    told: list[type[CallError]] = []

    async def call() -> None:
        try:
            await norce.orders("oAbcdefg").payments.create(payment("one"))
        except CallError as error:
            told.append(type(error))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(call)
        await in_flight(proxy, 2)
        await norce.aclose(GRACE)
    assert sorted(kind.__name__ for kind in told) == ["NotSentError"] * 18 + ["OutcomeUnknownError"] * 2
    assert proxy.requests == 2
    assert session_of(norce).limiter.waiting == 0


@pytest.mark.anyio
@pytest.mark.every_loop
async def test_closing_waits_for_slow_answers(proxy: Proxy, truth: Truth) -> None:
    """A caller gets a slow answer that comes within the grace."""
    proxy.plan = Seeded(1, 1.0, [Fault.DELAY])
    proxy.delay = 0.1
    norce = truth.client(proxy, options=NEVER)
    created: list[str] = []

    async def call() -> None:
        created.append((await norce.orders.create(**CONTEXT, cart=cart("slow"))).id)

    async with anyio.create_task_group() as group:
        group.start_soon(call)
        await in_flight(proxy, 1)
        await norce.aclose(3600.0)
    assert truth.orders_by_cart() == {"slow": created}


@pytest.mark.anyio
@pytest.mark.every_loop
async def test_a_task_that_closes_may_be_cancelled(proxy: Proxy, truth: Truth) -> None:
    """Closing is cancelled while it waits for its grace. It ends at once and leaves nothing in flight."""
    proxy.plan = silent
    tasks_before, descriptors_before = tasks(), descriptors()
    norce = truth.client(proxy, options=NEVER)
    async with anyio.create_task_group() as group:

        async def call() -> None:
            with pytest.raises(CallError):
                await norce.orders.list()

        group.start_soon(call)
        await in_flight(proxy, 1)
        with anyio.move_on_after(0.05) as scope:
            await norce.aclose(3600.0)
        assert scope.cancelled_caught
    await norce.aclose(GRACE)
    await nothing_left(proxy, tasks_before, descriptors_before)


async def _never_answered(proxy: Proxy, truth: Truth, *, closed: bool) -> None:
    """Make calls that are never answered, with a client that is closed on the way out or not at all."""
    norce = truth.client(proxy, options=NEVER)
    try:
        async with anyio.create_task_group() as group:
            for make, _ in CALLS.values():
                group.start_soon(make, norce)
    finally:
        if closed:
            with anyio.CancelScope(shield=True):
                await norce.aclose(0.0)


@pytest.mark.parametrize("engine", [name for name in ENGINES if "asyncio" in ENGINES[name].loops])
@pytest.mark.parametrize("closed", [True, False], ids=["closed on the way out", "never closed"])
def test_a_run_of_asyncio_cancelled_in_the_middle(
    proxy: Proxy, truth: Truth, caplog: pytest.LogCaptureFixture, closed: bool
) -> None:
    """The loop ends with sends in flight. Its log has nothing, and no warning follows."""
    proxy.plan = silent

    async def main() -> None:
        task = asyncio.ensure_future(_never_answered(proxy, truth, closed=closed))
        await in_flight(proxy, len(CALLS))
        task.cancel()
        await task

    before = descriptors()
    with caplog.at_level(logging.WARNING), pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    _left_clean(proxy, caplog, before)


@pytest.mark.parametrize("closed", [True, False], ids=["closed on the way out", "never closed"])
def test_a_run_of_trio_cancelled_in_the_middle(
    proxy: Proxy, truth: Truth, caplog: pytest.LogCaptureFixture, closed: bool
) -> None:
    """A system task that raised would end a run of trio with an internal error. None does."""
    proxy.plan = silent

    async def calls() -> None:
        await _never_answered(proxy, truth, closed=closed)

    async def main() -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(calls)
                await in_flight(proxy, len(CALLS))
                scope.cancel()

    before = descriptors()
    with caplog.at_level(logging.WARNING):
        trio.run(main)
    _left_clean(proxy, caplog, before)


def _left_clean(proxy: Proxy, caplog: pytest.LogCaptureFixture, before: int) -> None:
    gc.collect()
    assert not [record.getMessage() for record in caplog.records]
    wait_until(lambda: not proxy.connections and descriptors() <= before)
