"""Notifications are answered after the handler or from an inbox, once for twins, and marked if they are stale."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
import pytest

from norce_order_async import ConfigurationError
from norce_order_async.adapter import Adapter, NotificationCall, SqliteInbox
from norce_order_async.adapter.deliveries import Delivery
from norce_order_async.adapter.inbox.protocol import Handle, InboxCounts, InboxEntry, InboxError, State, Taken
from tests.adapter.conftest import ORDER
from tests.support.clock import FakeClock

pytestmark = pytest.mark.anyio


class ListInbox:
    """An inbox in memory that hands out each entry once and records the errors of the handler."""

    def __init__(self) -> None:
        self.stored: list[Delivery] = []
        self.errors: list[BaseException] = []
        self.failed = anyio.Event()
        self.handled = 0
        self.refuses = False
        self.events: list[str] = []

    async def __aenter__(self) -> Self:
        self.events.append("opened")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.events.append("closed")

    async def store(self, delivery: Delivery) -> bool:
        if self.refuses:
            raise InboxError("the disk is full")
        if any(one.key == delivery.key for one in self.stored):
            return False
        self.stored.append(delivery)
        return True

    async def work(self, handle: Handle, *, workers: int = 8, adapter_id: str | None = None) -> None:
        while True:
            while self.handled < len(self.stored):
                self.handled += 1
                try:
                    await handle(Taken(self.stored[self.handled - 1], attempt=2, is_stale=True))
                except Exception as error:
                    self.errors.append(error)
                    self.failed.set()
            await anyio.sleep(0.001)

    def entries(self, state: State | None = None) -> AsyncIterator[InboxEntry]:
        raise NotImplementedError

    async def retry(self, id: int) -> State | None:
        raise NotImplementedError

    async def drop(self, id: int) -> State | None:
        raise NotImplementedError

    async def counts(self) -> InboxCounts:
        raise NotImplementedError


def changed(**members: Any) -> dict[str, Any]:
    return {**deepcopy(ORDER), **members}


async def test_a_notification_is_answered_after_its_handler(adapter: Adapter) -> None:
    seen: list[NotificationCall] = []

    @adapter.notification("/state/currentStatus", schema={"const": "completed"})
    async def export(call: NotificationCall) -> None:
        assert call.committed.status == "checkout"
        seen.append(call)

    answer = await adapter.simulate.notification("/state/currentStatus", ORDER)
    assert (answer.status, answer.body) == (200, b"")
    (call,) = seen
    assert (call.attempt, call.is_stale, call.order_id) == (1, False, "oAbCdEfG")
    assert len(call.key) == 64
    assert adapter.counts["notification.handled"] == 1


async def test_a_twin_of_a_handled_one_is_not_handled_and_one_that_failed_is(adapter: Adapter) -> None:
    ran: list[str] = []

    @adapter.notification("/cart")
    async def export(call: NotificationCall) -> None:
        ran.append(call.key)
        if len(ran) == 1:
            raise OSError("the ERP is down")

    answers = [(await adapter.simulate.notification("/cart", ORDER)).status for _ in range(4)]
    assert answers == [500, 200, 200, 200]
    assert len(ran) == 2
    await adapter.simulate.notification("/cart", changed(reference="r-2"))
    assert len(set(ran)) == 2
    assert adapter.counts["notification.twin"] == 2
    assert adapter.counts["notification.error"] == 1


async def test_twins_at_once_run_one_handler_and_get_its_answer(in_real_time: Callable[..., Adapter]) -> None:
    adapter = in_real_time()
    ran = 0

    @adapter.notification("/cart")
    async def export(call: NotificationCall) -> None:
        nonlocal ran
        ran += 1
        await anyio.wait_all_tasks_blocked()
        raise OSError("the ERP is down")

    statuses: list[int] = []

    async def call() -> None:
        statuses.append((await adapter.simulate.notification("/cart", ORDER)).status)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(call)
    assert (statuses, ran) == ([500] * 3, 1)


async def test_an_older_change_than_a_handled_one_is_stale(adapter: Adapter) -> None:
    stale: list[bool] = []

    @adapter.notification("/cart")
    async def export(call: NotificationCall) -> None:
        stale.append(call.is_stale)

    for moment in ("2026-01-02T00:00:02Z", "2026-01-02T00:00:01Z", "2026-01-02T00:00:03.5Z"):
        await adapter.simulate.notification("/cart", changed(lastModified=moment))
    assert stale == [False, True, False]


async def test_a_handler_that_passes_its_budget_fails(adapter: Adapter, clock: FakeClock) -> None:
    @adapter.notification("/cart")
    async def slow(call: NotificationCall) -> None:
        await clock.sleep(60)

    assert (await adapter.simulate.notification("/cart", ORDER)).status == 500
    assert clock.passed == 30


async def test_more_at_once_than_allowed_wait_for_their_turn(in_real_time: Callable[..., Adapter]) -> None:
    adapter = in_real_time(max_concurrent=2)
    running = 0
    most = 0

    @adapter.notification("/cart")
    async def export(call: NotificationCall) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await anyio.wait_all_tasks_blocked()
        running -= 1

    statuses: list[int] = []

    async def call(number: int) -> None:
        statuses.append((await adapter.simulate.notification("/cart", changed(reference=str(number)))).status)

    async with anyio.create_task_group() as tasks:
        for number in range(7):
            tasks.start_soon(call, number)
    assert (statuses, most) == ([200] * 7, 2)


@pytest.mark.every_loop
async def test_a_cancelled_wait_passes_its_turn_on(in_real_time: Callable[..., Adapter]) -> None:
    adapter = in_real_time(max_concurrent=1)
    go = anyio.Event()
    ran: list[str] = []

    @adapter.notification("/cart")
    async def export(call: NotificationCall) -> None:
        ran.append(str(call.committed.reference))
        await go.wait()

    async def call(reference: str) -> None:
        await adapter.simulate.notification("/cart", changed(reference=reference))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, "first")
        await anyio.wait_all_tasks_blocked()
        async with anyio.create_task_group() as leaving:
            leaving.start_soon(call, "second")
            await anyio.wait_all_tasks_blocked()
            leaving.cancel_scope.cancel()
        tasks.start_soon(call, "third")
        await anyio.wait_all_tasks_blocked()
        go.set()
    assert ran == ["first", "third"]


def test_answered_first_needs_an_inbox(adapter: Adapter) -> None:
    with pytest.raises(ConfigurationError, match="inbox="):
        adapter.notification("/cart", ack="first")


async def test_a_stored_notification_is_answered_and_then_handled(in_real_time: Callable[..., Adapter]) -> None:
    inbox = ListInbox()
    adapter = in_real_time(inbox=inbox)
    handled = anyio.Event()
    seen: list[NotificationCall] = []

    @adapter.notification("/cart", ack="first")
    async def export(call: NotificationCall) -> None:
        seen.append(call)
        assert call.committed.reference == "stored"
        handled.set()

    assert (await adapter.simulate.notification("/cart", ORDER)).status == 503
    async with adapter:
        answers = [(await adapter.simulate.notification("/cart", changed(reference="stored"))).status for _ in "ab"]
        with anyio.fail_after(30):
            await handled.wait()
    assert answers == [200, 200]
    assert inbox.errors == []
    assert (seen[0].attempt, seen[0].is_stale, seen[0].key) == (2, True, inbox.stored[0].key)
    assert inbox.events == ["opened", "closed"]
    counts = adapter.counts
    assert (counts["notification.unstored"], counts["notification.stored"], counts["notification.twin"]) == (1, 1, 1)


async def test_a_failed_one_goes_back_to_the_inbox_and_one_that_is_not_stored_is_not_answered_200(
    in_real_time: Callable[..., Adapter],
) -> None:
    inbox = ListInbox()
    adapter = in_real_time(inbox=inbox)

    @adapter.notification("/cart", ack="first")
    async def export(call: NotificationCall) -> None:
        raise OSError("the ERP is down")

    async with adapter:
        await adapter.simulate.notification("/cart", ORDER)
        with anyio.fail_after(30):
            await inbox.failed.wait()
        inbox.refuses = True
        assert (await adapter.simulate.notification("/cart", changed(reference="2"))).status == 503
    assert [type(error) for error in inbox.errors] == [OSError]


async def test_the_lifespan_opens_and_closes(make: Callable[..., Adapter]) -> None:
    inbox = ListInbox()
    adapter = make(inbox=inbox)
    send_in, receive = anyio.create_memory_object_stream[dict[str, Any]](10)
    sent: list[str] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if message["type"] == "lifespan.startup.complete":
            assert inbox.events == ["opened"]
            with pytest.raises(ConfigurationError, match="entered already"):
                await adapter.__aenter__()
            await send_in.send({"type": "lifespan.shutdown"})

    await send_in.send({"type": "lifespan.startup"})
    await adapter({"type": "lifespan"}, receive.receive, send)
    send_in.close()
    receive.close()
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert inbox.events == ["opened", "closed"]


async def test_a_notification_in_a_file_is_handled_by_the_next_process(
    in_real_time: Callable[..., Adapter], tmp_path: Path
) -> None:
    """The first adapter ends while its handler runs. The next one handles the notification."""
    started, done = anyio.Event(), anyio.Event()
    handled: list[tuple[str, int]] = []

    def made(*, finishes: bool) -> Adapter:
        adapter = in_real_time(inbox=SqliteInbox(tmp_path / "inbox.db"))

        @adapter.notification("/cart", ack="first")
        async def export(call: NotificationCall) -> None:
            started.set()
            if not finishes:
                await anyio.sleep_forever()
            handled.append((str(call.committed.reference), call.attempt))
            done.set()

        return adapter

    with anyio.fail_after(60):
        async with made(finishes=False) as first:
            answer = await first.simulate.notification("/cart", changed(reference="kept"))
            await started.wait()
        async with made(finishes=True) as second:
            await done.wait()
            again = await second.simulate.notification("/cart", changed(reference="kept"))
    assert (answer.status, again.status) == (200, 200)
    assert [reference for reference, _ in handled] == ["kept"]


async def test_a_start_that_fails_is_reported_to_the_server(make: Callable[..., Adapter]) -> None:
    class Locked(ListInbox):
        async def __aenter__(self) -> Self:
            raise InboxError("another process uses it")

    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    await make(inbox=Locked())({"type": "lifespan"}, receive, send)
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "another process uses it" in sent[0]["message"]


async def test_a_failing_inbox_is_started_again(make: Callable[..., Adapter], clock: FakeClock) -> None:
    """The adapter continues whatever error the inbox raises."""
    handled = anyio.Event()

    failures: list[Exception] = [InboxError("the disk is full"), RuntimeError("a fault of ours")]

    class Failing(ListInbox):
        async def work(self, handle: Handle, *, workers: int = 8, adapter_id: str | None = None) -> None:
            if failures:
                raise failures.pop()
            handled.set()
            await anyio.sleep_forever()

    async with make(inbox=Failing()):
        with anyio.fail_after(60):
            await handled.wait()
    assert clock.sleeps == [1.0, 1.0]
