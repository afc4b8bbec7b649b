"""An inbox behaves the same in a file and in a database."""

from __future__ import annotations

import anyio
import pytest

from norce_order_async import NorceOrderClient
from norce_order_async.adapter.inbox.protocol import InboxError, Taken
from norce_order_async.errors import ConfigurationError, InvalidRequestError
from tests.adapter.deliveries import ARRIVED, delivery
from tests.adapter.inbox.places import Inbox, Place, Worker, column, let_pass, work_until
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

DAY = 24 * 3600.0


async def states(inbox: Inbox) -> dict[str, int]:
    counts = (await inbox.counts()).counts
    return {state: count for state, count in counts.items() if count}


async def test_a_delivery_is_handled_as_it_came(place: Place) -> None:
    """The handler gets an equal delivery. The inbox does not keep its body longer than needed."""
    given = delivery({"customer": {"email": "eva@example.com"}}, modified="2026-03-01T11:59:59.5Z")
    worker = Worker()
    async with place.inbox() as inbox:
        assert await inbox.store(given)
        assert await states(inbox) == {"waiting": 1}
        await work_until(inbox, worker, lambda: column(place, "state") == ["handled"])
    assert worker.handled == [Taken(given, attempt=1, is_stale=False)]
    assert [bytes(body) for body in column(place, "body")] == [b""]


async def test_it_is_on_disk_when_it_is_stored(place: Place) -> None:
    """Another inbox at the same place has it."""
    async with place.inbox() as inbox, place.inbox() as other:
        await inbox.store(delivery())
        assert [entry.order_id async for entry in other.entries()] == ["o_1"]


async def test_a_twin_of_a_waiting_notification_is_stored_once(place: Place) -> None:
    """That holds for twins that arrive at the same moment too."""
    ends: list[bool] = []
    async with place.inbox() as inbox:

        async def arrives() -> None:
            ends.append(await inbox.store(delivery()))

        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(arrives)
        assert not await inbox.store(delivery())
        assert sorted(ends) == [False] * 9 + [True]
        assert await states(inbox) == {"waiting": 1}


async def test_a_twin_of_a_handled_notification_is_known_for_a_day(place: Place) -> None:
    """A twin that comes after a day is handled again."""
    worker = Worker()
    async with place.inbox() as inbox:
        await inbox.store(delivery())
        await work_until(inbox, worker, lambda: column(place, "state") == ["handled"])
        let_pass(place, DAY - 60)
        assert not await inbox.store(delivery())
        let_pass(place, 60)
        assert await inbox.store(delivery())
        await work_until(inbox, worker, lambda: len(worker.handled) == 2)


async def test_a_notification_that_was_handled_a_day_ago_is_forgotten(place: Place) -> None:
    """It is forgotten when new ones are stored, so that a million of them need no more space than those of a day."""
    async with place.inbox() as inbox:
        for number in range(50):
            await inbox.store(delivery(order_id=f"o_{number}"))
        worker = Worker()
        await work_until(inbox, worker, lambda: column(place, "state") == ["handled"] * 50)
        let_pass(place, DAY)
        for number in range(50, 60):
            await inbox.store(delivery(order_id=f"o_{number}"))
        assert await states(inbox) == {"waiting": 10}


async def test_a_handler_that_fails_is_tried_again(place: Place) -> None:
    """Each call of the handler has the number of its attempt."""
    worker = Worker(fails=2)
    async with place.inbox() as inbox:
        await inbox.store(delivery())
        await work_until(inbox, worker, lambda: worker.handled)
        assert [taken.attempt for taken in worker.taken] == [1, 2, 3]


async def test_an_entry_whose_handler_always_fails_is_dead_in_the_end(place: Place) -> None:
    """It is dead after the configured number of attempts. The entry names the exception without its text."""
    worker = Worker(fails=99)
    async with place.inbox(max_attempts=3) as inbox:
        await inbox.store(delivery())
        await work_until(inbox, worker, lambda: column(place, "state") == ["dead"])
        (entry,) = [entry async for entry in inbox.entries("dead")]
        assert (entry.attempts, entry.error, entry.due) == (3, "ValueError", None)
        assert "eva" not in repr(entry) + str(place.query("SELECT error FROM norce_inbox"))
        assert (await inbox.counts()).depth == 0
    assert [taken.attempt for taken in worker.taken] == [1, 2, 3]


async def test_a_twin_of_a_dead_notification_is_handled(place: Place) -> None:
    """The twin gets all attempts again."""
    async with place.inbox(max_attempts=1) as inbox:
        await inbox.store(delivery())
        await work_until(inbox, Worker(fails=9), lambda: column(place, "state") == ["dead"])
        assert await inbox.store(delivery())
        worker = Worker()
        await work_until(inbox, worker, lambda: column(place, "state") == ["handled"])
        assert [taken.attempt for taken in worker.handled] == [1]


async def test_the_pause_grows_up_to_a_limit(place: Place) -> None:
    """The pause doubles after each attempt."""
    async with place.inbox(backoff_base=1000.0, backoff_cap=3000.0) as inbox:
        await inbox.store(delivery())
        pauses: list[float] = []
        for attempt in range(1, 6):
            ended = f"SELECT 1 FROM norce_inbox WHERE state = 'waiting' AND attempts = {attempt}"
            await work_until(inbox, Worker(fails=99), lambda: place.query(ended))  # noqa: B023
            ((due, changed),) = place.query("SELECT due, changed FROM norce_inbox")
            pauses.append(due - changed)
            let_pass(place, 4000.0)
    assert all(
        0 <= pause <= longest + 0.001 for pause, longest in zip(pauses, [1000, 2000, 3000, 3000, 3000], strict=True)
    )
    assert max(pauses) > 0


async def test_handlers_run_side_by_side_up_to_the_number_of_workers(place: Place) -> None:
    worker, go = Worker(), anyio.Event()
    worker.gate = lambda taken: go
    async with place.inbox() as inbox:
        for number in range(10):
            await inbox.store(delivery(order_id=f"o_{number}"))
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: inbox.work(worker, workers=3))
            await until(lambda: worker.running == 3)
            assert await states(inbox) == {"waiting": 7, "working": 3}
            go.set()
            await until(lambda: len(worker.handled) == 10)
            group.cancel_scope.cancel()
    assert worker.most == 3
    assert {taken.delivery.order_id for taken in worker.taken[:3]} == {"o_0", "o_1", "o_2"}
    assert sorted(worker.orders) == [f"o_{number}" for number in range(10)]


async def test_a_notification_that_is_stored_meanwhile_is_handled_at_once(place: Place) -> None:
    """The handler does not wait for the next query."""
    worker = Worker()
    async with place.inbox() as inbox, anyio.create_task_group() as group:
        group.start_soon(lambda: inbox.work(worker))
        for number in range(20):
            await inbox.store(delivery(order_id=f"o_{number}"))
            await until(lambda: len(worker.handled) == number + 1)  # noqa: B023
        group.cancel_scope.cancel()


async def test_an_interrupted_entry_is_put_back(place: Place) -> None:
    """An attempt that was cut off does not count. Handled entries stay handled."""
    worker, never = Worker(), anyio.Event()
    worker.gate = lambda taken: never if taken.delivery.order_id == "o_1" else None
    async with place.inbox() as inbox:
        await inbox.store(delivery())
        await inbox.store(delivery(order_id="o_2"))
        await work_until(inbox, worker, lambda: column(place, "state") == ["working", "handled"])
        assert column(place, "state") == ["waiting", "handled"]
        assert column(place, "attempts") == [0, 1]
        worker.gate = lambda taken: None
        await work_until(inbox, worker, lambda: len(worker.handled) == 2)
    assert worker.orders == ["o_2", "o_1"]


async def test_an_older_change_than_a_handled_one_is_stale(place: Place) -> None:
    """The order's own time of change decides, and only changes of this adapter and order count."""
    late, early = "2026-03-01T12:00:01Z", "2026-03-01T12:00:00Z"
    worker = Worker()
    async with place.inbox() as inbox:
        await inbox.store(delivery(modified=late))
        await work_until(inbox, worker, lambda: column(place, "state") == ["handled"])
        await inbox.store(delivery(modified=early))
        await inbox.store(delivery(modified=early, order_id="o_2"))
        await inbox.store(delivery(modified=early, adapter_id="pim"))
        await inbox.store(delivery(modified=late, route="/payments"))
        await inbox.store(delivery())
        await work_until(inbox, worker, lambda: len(worker.handled) == 6, workers=1)
    assert [taken.is_stale for taken in worker.handled] == [False, True, False, False, False, False]


async def test_adapters_may_share_an_inbox(place: Place) -> None:
    """Each works on its own entries."""
    erp, pim = Worker(), Worker()
    async with place.inbox() as inbox:
        await inbox.store(delivery(adapter_id="erp"))
        await inbox.store(delivery(adapter_id="pim"))
        await work_until(inbox, erp, lambda: erp.handled, adapter_id="erp")
        await work_until(inbox, pim, lambda: pim.handled, adapter_id="pim")
    assert [taken.delivery.adapter_id for taken in erp.taken] == ["erp"]
    assert [taken.delivery.adapter_id for taken in pim.taken] == ["pim"]


async def test_retry_makes_a_dead_or_waiting_entry_be_handled_at_once(place: Place) -> None:
    """That holds while another process works on the inbox."""
    async with place.inbox(max_attempts=1, backoff_base=9999.0, backoff_cap=9999.0) as inbox:
        await inbox.store(delivery())
        await work_until(inbox, Worker(fails=9), lambda: column(place, "state") == ["dead"])
        worker = Worker()
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: inbox.work(worker))
            async with place.inbox() as other:
                assert await other.retry(1) == "dead"
                assert await other.retry(99) is None
            await until(lambda: column(place, "state") == ["handled"])
            group.cancel_scope.cancel()


async def test_retry_forgets_a_handled_notification(place: Place) -> None:
    """The inbox then handles it when it is sent again."""
    worker = Worker()
    async with place.inbox() as inbox:
        await inbox.store(delivery())
        await work_until(inbox, worker, lambda: column(place, "state") == ["handled"])
        assert await inbox.retry(1) == "handled"
        assert await inbox.store(delivery())
        assert [entry.id async for entry in inbox.entries()] == [2]


async def test_an_entry_that_is_being_handled_is_neither_retried_nor_dropped(place: Place) -> None:
    """Otherwise it would run twice at once, or get lost."""
    worker, go = Worker(), anyio.Event()
    worker.gate = lambda taken: go
    async with place.inbox() as inbox, anyio.create_task_group() as group:
        await inbox.store(delivery())
        group.start_soon(lambda: inbox.work(worker))
        await until(lambda: worker.running)
        assert await inbox.retry(1) == "working"
        assert await inbox.drop(1) == "working"
        go.set()
        await until(lambda: column(place, "state") == ["handled"])
        group.cancel_scope.cancel()
    assert len(worker.taken) == 1


async def test_a_dropped_entry_is_gone(place: Place) -> None:
    """The inbox stores the notification when it is sent again."""
    async with place.inbox() as inbox:
        await inbox.store(delivery())
        assert await inbox.drop(1) == "waiting"
        assert await inbox.drop(1) is None
        assert await states(inbox) == {}
        assert await inbox.store(delivery())


async def test_entries_are_read_page_by_page(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """All entries come oldest first, or those of one state."""
    monkeypatch.setattr("norce_order_async.adapter.inbox.sql.PAGE", 4)
    monkeypatch.setattr("norce_order_async.adapter.inbox.stored.PAGE", 4)
    async with place.inbox(max_attempts=1) as inbox:
        for number in range(12):
            await inbox.store(delivery(order_id=f"o_{number}"))
        found = [entry async for entry in inbox.entries()]
        assert [entry.order_id for entry in found] == [f"o_{number}" for number in range(12)]
        assert {entry.received_at for entry in found} == {ARRIVED}
        assert [entry async for entry in inbox.entries("dead")] == []
        assert len([entry async for entry in inbox.entries("waiting")]) == 12
        with pytest.raises(ConfigurationError, match="there is no state 'lost'"):
            await anext(inbox.entries("lost"))  # type: ignore[arg-type]


async def test_counts_show_how_many_wait_and_since_when(place: Place) -> None:
    """An inbox with nothing to do is not late."""
    async with place.inbox() as inbox:
        assert ((await inbox.counts()).depth, (await inbox.counts()).oldest) == (0, 0.0)
        await inbox.store(delivery())
        counts = await inbox.counts()
        assert counts.depth == 1
        assert counts.oldest > 0
        await work_until(inbox, Worker(), lambda: column(place, "state") == ["handled"])
        assert ((await inbox.counts()).depth, (await inbox.counts()).oldest) == (0, 0.0)


async def test_an_entry_that_ends_its_process_each_time_is_not_tried_for_ever(place: Place) -> None:
    """A notification that kills its process is dead after as many attempts as one that fails."""
    worker = Worker()
    async with place.inbox(max_attempts=3) as inbox:
        await inbox.store(delivery())
        place.query("UPDATE norce_inbox SET state = 'working', attempts = 3, due = 0")
        await work_until(inbox, worker, lambda: column(place, "state") == ["dead"])
        (entry,) = [entry async for entry in inbox.entries()]
        assert (entry.attempts, entry.error) == (3, "the process ended")
    assert not worker.taken


async def test_an_end_that_comes_late_changes_nothing(place: Place) -> None:
    """If another process has taken the entry, only the end of that process counts."""
    worker, go = Worker(), anyio.Event()
    worker.gate = lambda taken: go
    async with place.inbox() as inbox, anyio.create_task_group() as group:
        await inbox.store(delivery())
        group.start_soon(lambda: inbox.work(worker))
        await until(lambda: worker.running)
        place.query("UPDATE norce_inbox SET epoch = epoch + 1")
        go.set()
        await until(lambda: worker.handled)
        await inbox.store(delivery(order_id="o_2"))
        await until(lambda: len(worker.handled) == 2)
        assert column(place, "state")[0] == "working"
        group.cancel_scope.cancel()


async def test_outside_of_its_block_an_inbox_raises_its_own_error(place: Place) -> None:
    """It raises before the block and after it, and if it is entered twice."""
    inbox = place.inbox()
    with pytest.raises(InboxError, match="is not open"):
        await inbox.store(delivery())
    async with inbox:
        with pytest.raises(InboxError, match="is open already"):
            await inbox.__aenter__()
    with pytest.raises(InboxError, match="is not open"):
        await inbox.counts()


@pytest.mark.parametrize("id", [0, -1, "1", True, 2**63])
async def test_an_impossible_id_is_refused_before_the_store_sees_it(place: Place, id: object) -> None:
    async with place.inbox() as inbox:
        with pytest.raises(InvalidRequestError, match="id must be a whole number"):
            await inbox.retry(id)  # type: ignore[arg-type]
        with pytest.raises(InvalidRequestError, match="id must be a whole number"):
            await inbox.drop(id)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
async def test_an_entry_that_the_database_refuses_does_not_affect_its_group(place: Place, text: str) -> None:
    """The next delivery is stored."""
    async with place.inbox() as inbox:
        with pytest.raises(InvalidRequestError, match="a delivery can't hold"):
            await inbox.store(delivery(b"{}", order_id=text))
        assert await inbox.store(delivery(b"\0\xff"))


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"max_attempts": 0}, "max_attempts must be a whole number"),
        ({"backoff_base": -1.0}, "backoff_base must be seconds"),
        ({"backoff_cap": float("nan")}, "backoff_cap must be seconds"),
    ],
)
async def test_impossible_settings_are_refused_by_name(place: Place, settings: dict[str, float], match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        place.inbox(**settings)


async def test_an_adapter_leaves_notifications_of_other_adapters_alone(place: Place) -> None:
    """Two services may have their adapters on one database."""
    async with place.inbox() as inbox:
        await inbox.store(delivery(adapter_id="pim"))
        client = NorceOrderClient(base_url="http://127.0.0.1:9", token="t", merchant="acme", channel="se")
        adapter = client.adapter("erp", secret="nobody-can-guess-this", inbox=place.inbox())
        erp = Worker()

        @adapter.notification("/cart", ack="first")
        async def handler(call: object) -> None:
            raise AssertionError(call)

        async with client, adapter:
            await inbox.store(delivery(adapter_id="erp", order_id="o_erp"))
            await until(lambda: column(place, "attempts")[1:] != [0])
        assert column(place, "attempts")[0] == 0
        await work_until(inbox, erp, lambda: len(erp.handled) == 2)
