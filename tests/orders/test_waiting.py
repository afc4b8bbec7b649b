"""``order.wait_for`` in virtual time, and ``order.transitions``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from norce_order_async import (
    CallOptions,
    InvalidRequestError,
    NorceOrderClient,
    NotFoundError,
    StatusPeriod,
    StatusUnreachableError,
    WaitTimeoutError,
)
from norce_order_async.engines.base import WireRequest
from norce_order_async.models import OrderStatus
from norce_order_async.sandbox import ManualClock, Sandbox
from tests.support.clock import highest
from tests.support.engine import HANG, Step, answer
from tests.support.orders import an_order, client_of
from tests.support.pipeline import Stand, stand

pytestmark = pytest.mark.anyio


def reading(status: str, **members: Any) -> Step:
    return answer(200, {"id": "o1", "state": {"currentStatus": status}, **members})


def always(status: str) -> Callable[[WireRequest], Step]:
    return lambda _request: reading(status)


async def test_until_the_status_is_there() -> None:
    """An order that has the status needs one read; otherwise the reads have growing pauses between them."""
    service = stand([reading("checkout")] * 5 + [reading("accepted")], uniform=highest)
    order = service.client.orders("o1")
    assert await order.wait_for("accepted", timeout=60) is order
    assert order.status == "accepted"
    assert service.clock.sleeps == [0.25, 0.5, 1.0, 2.0, 4.0]

    service = stand([reading("accepted")])
    await service.client.orders("o1").wait_for("accepted", timeout=60)
    assert service.clock.sleeps == []


async def test_pauses_are_jittered_and_bounded() -> None:
    """Pauses are drawn from the upper half of a step that grows to 5 s at most."""
    service = stand([reading("checkout")] * 9 + [reading("accepted")])
    await service.client.orders("o1").wait_for("accepted", timeout=600)
    assert service.clock.sleeps == [0.125, 0.25, 0.5, 1.0, 2.0, 2.5, 2.5, 2.5, 2.5]


async def test_until_a_function_returns_true() -> None:
    """The function gets the handle as it was read. A final status does not end the wait."""
    service = stand([reading("completed"), reading("completed", reference="exported-1")])
    order = await service.client.orders("o1").wait_for(lambda order: order.reference is not None, timeout=9)
    assert order.reference == "exported-1"


@pytest.mark.parametrize("timeout", [0.1, 3.0, 30.0])
async def test_a_wait_in_vain(timeout: float) -> None:
    """The wait ends in time, after a last read close to its end."""
    service = stand(always("processing"))
    with pytest.raises(WaitTimeoutError) as caught:
        await service.client.orders("o1").wait_for("completed", timeout=timeout)
    assert isinstance(caught.value, TimeoutError)
    assert (caught.value.order_id, caught.value.current) == ("o1", "processing")
    assert str(caught.value) == f"order o1 did not show completed within {timeout:g} s; it is processing"
    assert service.clock.passed <= timeout
    assert service.clock.passed >= timeout - 0.5


async def test_a_late_status_is_seen() -> None:
    """A status that shows in the last half second is seen, although the next pause would have gone past the end."""
    service: Stand = stand(lambda _: reading("completed" if service.clock.passed >= 9.5 else "accepted"))
    await service.client.orders("o1").wait_for("completed", timeout=10)
    assert 9.5 <= service.clock.passed <= 10


async def test_a_hanging_service_does_not_make_it_longer() -> None:
    """Reads count towards the timeout of the wait."""
    service = stand(lambda _request: HANG)
    with pytest.raises(WaitTimeoutError, match="it could not be read") as caught:
        await service.client.orders("o1").wait_for("completed", timeout=7)
    assert caught.value.current is None
    assert service.clock.passed <= 7


@pytest.mark.parametrize("final", ["completed", "declined", "removed"])
async def test_a_status_that_can_not_come_any_more(final: str) -> None:
    """A final status other than the awaited one is reported at once."""
    service = stand([reading("processing"), reading(final)])
    with pytest.raises(StatusUnreachableError, match=f"is {final}, which is final: it will not be accepted") as caught:
        await service.client.orders("o1").wait_for("accepted", timeout=60)
    assert (caught.value.target, caught.value.current) == ("accepted", final)
    assert len(service.sent) == 2


@pytest.mark.every_loop
async def test_cancelling_ends_it_at_once() -> None:
    """Cancelling during a pause ends the wait, and no further read is sent."""
    service = stand(always("processing"))
    with service.clock.move_on_after(4.0):
        await service.client.orders("o1").wait_for("completed", timeout=600)
    assert service.clock.passed == pytest.approx(4.0)
    sent = len(service.sent)
    await anyio.lowlevel.checkpoint()
    assert len(service.sent) == sent


async def test_a_refused_read_ends_it() -> None:
    """A refused read ends the wait with its own error. The options go with every read."""
    service = stand([reading("processing"), answer(404)])
    with pytest.raises(NotFoundError):
        await service.client.orders("o1").wait_for(
            "completed", timeout=60, options=CallOptions(headers={"x-shop": "1"})
        )
    assert [request.headers["x-shop"] for request in service.engine.requests] == ["1", "1"]


@pytest.mark.parametrize(("awaited", "timeout"), [("complete", 5), ("completed", 0), ("completed", float("nan"))])
async def test_impossible_waits_are_refused(awaited: OrderStatus, timeout: float) -> None:
    service = stand([])
    with pytest.raises(InvalidRequestError):
        await service.client.orders("o1").wait_for(awaited, timeout=timeout)
    assert service.sent == []


async def test_over_a_socket(norce: NorceOrderClient) -> None:
    """The wait over a socket ends when another handle moves the order."""
    order = await an_order(norce, paid=True)
    other = norce.orders(order.id)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other.transition_to, "completed")
        await order.wait_for("completed", timeout=10)
    assert order.status == "completed"


async def test_history_with_durations() -> None:
    """``transitions`` is the service's log in the order of time. The first status is not in it."""
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    with Sandbox(clock=clock) as sandbox:
        async with client_of(sandbox) as norce:
            order = await an_order(norce, paid=True)
            assert list(order.transitions) == []
            clock.advance(60)
            await order.transition_to("processing")
            clock.advance(90)
            await order.transition_to("accepted")
            await order.refresh()
    entered, accepted = datetime(2026, 3, 1, 0, 1, tzinfo=UTC), datetime(2026, 3, 1, 0, 2, 30, tzinfo=UTC)
    assert order.transitions == (
        StatusPeriod("processing", entered, accepted),
        StatusPeriod("accepted", accepted, None),
    )
    assert [period.duration for period in order.transitions] == [timedelta(seconds=90), None]


async def test_a_log_out_of_order_with_holes() -> None:
    """The log is sorted, and entries without a status or a time are left out."""
    log = [
        {"status": "completed", "timeStamp": "2026-01-01T10:00:02Z"},
        {"status": "accepted", "timeStamp": None},
        {"timeStamp": "2026-01-01T10:00:01Z"},
        {"status": "processing", "timeStamp": "2026-01-01T12:00:00+02:00"},
    ]
    service = stand([answer(200, {"id": "o1", "state": {"currentStatus": "completed", "transitions": log}})])
    order = await service.client.orders.get("o1")
    assert [(period.status, period.duration) for period in order.transitions] == [
        ("processing", timedelta(seconds=2)),
        ("completed", None),
    ]
