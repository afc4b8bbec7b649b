"""``SendTasks`` alone: who gets a send's result, when its permit comes back, and what a drain does."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from norce_order_async.engines.base import MaybeSentError, UnsentError
from norce_order_async.pipeline.tasks import SendTasks, SendTimedOutError
from norce_order_async.runtime.clock import SystemClock
from tests.support.clock import FakeClock
from tests.support.virtual import in_virtual_time


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, Mapping[str, Any]]:
    return in_virtual_time(request.param)


@pytest.fixture(autouse=True)
def one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the machine's clock show the loop's time, as it does outside of tests."""

    def now(_clock: SystemClock) -> float:
        return anyio.current_time()

    monkeypatch.setattr(SystemClock, "monotonic", now)


pytestmark = pytest.mark.anyio


class Send:
    """A send that ends when the test lets it, and records whether it did."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.started = anyio.Event()
        self.go = anyio.Event()
        self.ended = 0
        self.finished = False
        self._error = error

    async def __call__(self) -> str:
        self.started.set()
        await self.go.wait()
        self.finished = True
        if self._error is not None:
            raise self._error
        return "answer"

    def on_end(self) -> None:
        self.ended += 1


async def until_empty(owned: SendTasks) -> None:
    while owned.in_flight:
        await anyio.lowlevel.checkpoint()


async def test_the_caller_gets_the_result_and_the_permit_is_back() -> None:
    owned, send = SendTasks(), Send()
    send.go.set()
    assert await owned.run(send, send.on_end) == "answer"
    assert (send.ended, owned.in_flight) == (1, 0)


async def test_the_caller_gets_the_exception() -> None:
    """The caller gets the same exception object that the send raised."""
    error = MaybeSentError("read", "no answer came")
    owned, send = SendTasks(), Send(error)
    send.go.set()
    with pytest.raises(MaybeSentError) as caught:
        await owned.run(send, send.on_end)
    assert caught.value is error
    assert (send.ended, owned.in_flight) == (1, 0)


@pytest.mark.parametrize("error", [None, ValueError("nobody is left to hear this")])
async def test_a_cancelled_caller_returns_at_once_and_the_send_continues(
    error: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The permit stays taken until the send has ended. Its result or error is dropped without a log line."""
    owned, send = SendTasks(), Send(error)
    left = anyio.Event()

    async def caller() -> None:
        try:
            await owned.run(send, send.on_end)
        finally:
            left.set()

    async with anyio.create_task_group() as group:
        group.start_soon(caller)
        await send.started.wait()
        group.cancel_scope.cancel()
    assert left.is_set()
    assert (send.ended, send.finished, owned.in_flight) == (0, False, 1)

    send.go.set()
    await until_empty(owned)
    assert (send.ended, send.finished) == (1, True)
    gc.collect()
    assert not caplog.records


async def test_a_caller_cancelled_before_the_first_step_still_has_its_send_made() -> None:
    """Once a send is handed over it runs, and its permit comes back."""
    owned, send = SendTasks(), Send()
    send.go.set()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await owned.run(send, send.on_end)
    assert scope.cancelled_caught
    await until_empty(owned)
    assert (send.ended, send.finished) == (1, True)


async def test_the_send_sees_the_callers_context() -> None:
    """The send has the caller's context variables, such as a tracing span."""
    variable = contextvars.ContextVar("variable", default="outside")
    variable.set("inside")
    owned = SendTasks()

    async def send() -> str:
        return variable.get()

    assert await owned.run(send, lambda: None) == "inside"


@pytest.mark.parametrize("within", [0.02, 3.0])
async def test_a_wait_with_a_timeout(within: float) -> None:
    """After a timeout the send continues and its permit comes back at its end, for short and long timeouts alike."""
    owned, send = SendTasks(), Send()
    began = anyio.current_time()
    with pytest.raises(SendTimedOutError):
        await owned.run(send, send.on_end, within)
    # Long timeouts share a timer for each tenth of a second.
    assert within - 1e-6 <= anyio.current_time() - began <= within + (0.1 if within > 1.0 else 0.0) + 1e-6
    assert (send.ended, owned.in_flight) == (0, 1)
    send.go.set()
    await until_empty(owned)
    assert (send.ended, send.finished) == (1, True)


@pytest.mark.parametrize("error", [None, MaybeSentError("read", "no answer came")])
async def test_a_send_that_ends_in_time_is_not_cut(error: Exception | None) -> None:
    """The caller gets the result or the exception, and the timeout does nothing later."""
    owned, send = SendTasks(), Send(error)
    send.go.set()
    if error is None:
        assert await owned.run(send, send.on_end, 0.2) == "answer"
    else:
        with pytest.raises(MaybeSentError):
            await owned.run(send, send.on_end, 0.2)
    await anyio.sleep(0.25)
    assert (send.ended, owned.in_flight) == (1, 0)


async def test_a_timeout_uses_the_clock() -> None:
    """The clock that was given is used, so that virtual time bounds a send too."""
    clock = FakeClock()
    owned, send = SendTasks(clock), Send()
    with pytest.raises(SendTimedOutError):
        await owned.run(send, send.on_end, 3_600.0)
    assert clock.passed == 3_600.0
    send.go.set()
    await until_empty(owned)


async def test_a_drain_waits_for_sends_in_flight() -> None:
    """If all sends end within the grace, their callers get the results and ``drain`` returns True."""
    owned, send = SendTasks(), Send()
    results: list[str] = []

    async def caller() -> None:
        results.append(await owned.run(send, send.on_end))

    async def let_go() -> None:
        await anyio.lowlevel.checkpoint()
        send.go.set()

    async with anyio.create_task_group() as group:
        group.start_soon(caller)
        await send.started.wait()
        group.start_soon(let_go)
        assert await owned.drain(2.0)
    assert results == ["answer"]
    assert send.ended == 1


async def test_a_drain_cancels_the_rest_and_its_callers_get_an_error() -> None:
    """A caller whose send a drain cancels gets "may have been sent" and not a cancellation."""
    owned, send = SendTasks(), Send()
    errors: list[BaseException] = []

    async def caller() -> None:
        with pytest.raises(MaybeSentError) as caught:
            await owned.run(send, send.on_end)
        errors.append(caught.value)

    async with anyio.create_task_group() as group:
        group.start_soon(caller)
        await send.started.wait()
        assert not await owned.drain(0.01)
        assert (send.ended, send.finished, owned.in_flight) == (1, False, 0)
    assert len(errors) == 1


async def test_two_drains_at_once_both_end() -> None:
    """A client may be closed from several tasks at once."""
    owned, send = SendTasks(), Send()
    with anyio.move_on_after(0.01):
        await owned.run(send, send.on_end)
    async with anyio.create_task_group() as group:
        group.start_soon(owned.drain, 2.0)
        group.start_soon(owned.drain, 2.0)
        await anyio.lowlevel.checkpoint()
        send.go.set()
    assert owned.in_flight == 0


async def test_a_cancelled_drain_leaves_nothing_in_flight() -> None:
    """A drain in a cancelled scope has no grace, but every send ends."""
    owned, send = SendTasks(), Send()
    with anyio.move_on_after(0.01):
        await owned.run(send, send.on_end)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await owned.drain(60.0)
    assert scope.cancelled_caught
    await until_empty(owned)
    assert (send.ended, send.finished) == (1, False)


async def test_the_grace_uses_the_clock() -> None:
    """A drain measures its grace with the clock that it was given."""

    class Counting(SystemClock):
        def __init__(self) -> None:
            super().__init__()
            self.asked: list[float | None] = []

        @contextmanager
        def move_on_after(self, seconds: float | None) -> Generator[None]:
            self.asked.append(seconds)
            with anyio.move_on_after(0):
                yield

    clock = Counting()
    owned, send = SendTasks(clock), Send()
    with anyio.move_on_after(0.01):
        await owned.run(send, send.on_end)
    assert not await owned.drain(12.5)
    assert clock.asked[0] == 12.5
    await until_empty(owned)


async def test_after_closing_nothing_is_sent_and_the_permit_is_back() -> None:
    """After closing, a send fails with the phase "closed", and ``on_end`` still runs."""
    owned, send = SendTasks(), Send()
    owned.close()
    with pytest.raises(UnsentError) as caught:
        await owned.run(send, send.on_end)
    assert caught.value.phase == "closed"
    assert (send.ended, send.started.is_set()) == (1, False)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_cancelled_before_its_first_step_gives_its_permit_back() -> None:
    """asyncio never enters such a coroutine, but the permit must come back all the same."""
    owned, send = SendTasks(), Send()
    others = asyncio.all_tasks()
    caller = asyncio.ensure_future(owned.run(send, send.on_end))
    await asyncio.sleep(0)
    (task,) = asyncio.all_tasks() - others - {caller}
    task.cancel()
    with pytest.raises(MaybeSentError):
        await caller
    assert (send.ended, owned.in_flight) == (1, 0)


def test_a_main_task_that_fails_ends_its_sends(caplog: pytest.LogCaptureFixture) -> None:
    """``asyncio.run`` cancels the remaining tasks, so caller and send both end without a warning."""
    owned = SendTasks()
    ended: list[int] = []

    async def main() -> None:
        send = Send()
        caller = asyncio.ensure_future(owned.run(send, lambda: ended.append(1)))
        await send.started.wait()
        assert not caller.done()
        raise ValueError("the program is broken")

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(main())
    assert (ended, owned.in_flight) == ([1], 0)
    gc.collect()
    assert not caplog.records
