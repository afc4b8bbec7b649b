"""The properties of a delivery, and which deliveries count as seen."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

import anyio
import pytest

from norce_order_async.adapter import deliveries
from norce_order_async.adapter.deliveries import Delivery, SeenDeliveries
from tests.adapter.deliveries import delivery
from tests.support.clock import FakeClock

SEEN_WITHIN = 24 * 3600.0


class Handler:
    """A handler that counts its calls, waits for ``go`` and fails for its first ``fails`` calls."""

    def __init__(self, *, fails: int = 0, waits: bool = False) -> None:
        self.calls = 0
        self.fails = fails
        self.began = anyio.Event()
        self.go = anyio.Event()
        if not waits:
            self.go.set()

    async def __call__(self) -> None:
        self.calls += 1
        self.began.set()
        await self.go.wait()
        if self.calls <= self.fails:
            raise ValueError("the provider is away")


def test_twins_have_one_key() -> None:
    """The order of members and white space make no difference. If a member is given twice, the last one counts."""
    key = delivery(b'{"id": "o_1", "cart": {"total": 125.0}}').key
    assert delivery(b'{"cart":{"total":125.0},"id":"o_1"}\n').key == key
    assert delivery(b'{"cart":{"total":1},"cart":{"total":125.0},"id":"o_1"}').key == key


@pytest.mark.parametrize(
    "other",
    [
        delivery(b'{"id": "o_1", "cart": {"total": 126.0}}'),
        delivery(b'{"id": "o_1", "cart": {"total": "125.0"}}'),
        delivery(b'{"id": "o_1", "cart": {"total": true}}'),
        delivery(b'{"id": "o_1", "cart": {"total": 125.0}'),
        delivery(b"null"),
        delivery(b""),
        delivery(adapter_id="pim"),
        delivery(merchant="other"),
        delivery(channel="no"),
        delivery(route="/payments"),
        delivery(b'{"id": "o_1", "cart": {"total": 125.0}}', order_id="o_2"),
        delivery(merchant="acm", channel="ese"),
    ],
)
def test_a_delivery_that_differs_in_anything_is_not_a_twin(other: Delivery) -> None:
    """That holds if the same letters are divided differently between members, and if the body is not JSON."""
    assert other.key != delivery(b'{"id": "o_1", "cart": {"total": 125.0}}').key


def test_the_key_is_the_same_in_every_version_and_on_every_machine() -> None:
    """Databases hold keys. If their form changed, the adapter would handle everything in them again."""
    body = b'{"id":"o_1","price":1e16,"small":1e-7,"long":12345678901234567890,"name":"\xc3\xa5","none":NaN}'
    assert delivery(body).key == "4f6d19691c18479d4b13b365bd7dc2c613ccde7ef8139bdb59de7c30d2c81b2e"


def test_a_body_that_was_read_already_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data that was read before gives the same delivery."""
    body = b'{"id":"o_1","lastModified":"2026-03-01T12:00:00Z"}'
    read = delivery(body)
    monkeypatch.setattr(deliveries, "read_json", None)
    again = delivery(body, data={"id": "o_1", "lastModified": "2026-03-01T12:00:00Z"})
    assert again == read


def test_the_repr_shows_no_personal_data() -> None:
    """A delivery can be pickled."""
    secret = delivery({"customer": {"email": "eva@example.com"}})
    assert repr(secret) == "<Delivery /cart of order o_1>"
    assert pickle.loads(pickle.dumps(secret)) == secret


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T12:00:00.123456789Z", datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)),
        ("2026-03-01T13:00:00+01:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("yesterday", None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_the_time_of_change_is_read_from_the_body(text: str, moment: datetime | None) -> None:
    """The time is in UTC. A text that is no time gives none."""
    assert delivery(modified=text).modified == moment


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"lastModified": 5}', b'{"lastModified": null}', b"{}"])
def test_a_body_without_it_has_no_time_of_change(body: bytes) -> None:
    """Such a delivery is never stale."""
    assert delivery(body).modified is None


@pytest.mark.anyio
async def test_a_delivery_is_handled_once() -> None:
    """Another delivery is not taken for its twin."""
    seen, handler = SeenDeliveries(), Handler()
    assert await seen.once(delivery(), handler) == "handled"
    assert await seen.once(delivery(), handler) == "twin"
    assert await seen.once(delivery(order_id="o_2"), handler) == "handled"
    assert handler.calls == 2


@pytest.mark.anyio
async def test_after_a_failure_it_is_handled_again() -> None:
    """Only success counts as seen."""
    seen, handler = SeenDeliveries(), Handler(fails=1)
    with pytest.raises(ValueError, match="provider"):
        await seen.once(delivery(), handler)
    assert len(seen) == 0
    assert await seen.once(delivery(), handler) == "handled"


@pytest.mark.anyio
@pytest.mark.parametrize("fails", [0, 1])
async def test_a_twin_waits_for_the_one_in_progress_and_ends_as_it_does(fails: int) -> None:
    """The twin is not handled itself, whether the first one succeeds or fails."""
    seen, handler, ends = SeenDeliveries(), Handler(fails=fails, waits=True), list[str]()

    async def arrives() -> None:
        try:
            ends.append(await seen.once(delivery(), handler))
        except ValueError:
            ends.append("failed")

    async with anyio.create_task_group() as group:
        group.start_soon(arrives)
        await handler.began.wait()
        group.start_soon(arrives)
        group.start_soon(arrives)
        await anyio.wait_all_tasks_blocked()
        assert ends == []
        handler.go.set()
    assert sorted(ends) == (["failed"] * 3 if fails else ["handled", "twin", "twin"])
    assert handler.calls == 1


@pytest.mark.every_loop
@pytest.mark.anyio
async def test_a_twin_takes_over_from_one_that_is_cancelled() -> None:
    """A cancelled delivery has no result that a twin could share."""
    seen, handler, ends = SeenDeliveries(), Handler(waits=True), list[str]()

    async def arrives(scope: anyio.CancelScope) -> None:
        with scope:
            ends.append(await seen.once(delivery(), handler))

    async with anyio.create_task_group() as group:
        first = anyio.CancelScope()
        group.start_soon(arrives, first)
        await handler.began.wait()
        group.start_soon(arrives, anyio.CancelScope())
        group.start_soon(arrives, anyio.CancelScope())
        await anyio.wait_all_tasks_blocked()
        first.cancel()
        await anyio.wait_all_tasks_blocked()
        handler.go.set()
    assert sorted(ends) == ["handled", "twin"]
    assert handler.calls == 2


@pytest.mark.anyio
async def test_a_handled_delivery_is_known_for_a_day() -> None:
    """The day begins when the delivery was handled."""
    clock, handler = FakeClock(), Handler()
    seen = SeenDeliveries(clock=clock)
    await seen.once(delivery(), handler)
    clock.now += SEEN_WITHIN - 1
    assert await seen.once(delivery(), handler) == "twin"
    clock.now += 1
    assert await seen.once(delivery(), handler) == "handled"


@pytest.mark.anyio
async def test_no_more_than_the_window_is_kept() -> None:
    """The oldest delivery is forgotten first, and handled when it comes again."""
    seen, handler = SeenDeliveries(keys=3), Handler()
    for number in range(5):
        assert await seen.once(delivery(order_id=f"o_{number}"), handler) == "handled"
    assert len(seen) == 3
    assert await seen.once(delivery(order_id="o_2"), handler) == "twin"
    assert await seen.once(delivery(order_id="o_1"), handler) == "handled"


@pytest.mark.anyio
async def test_an_older_change_than_a_handled_one_is_stale() -> None:
    """The order's own time of change decides. Only handled changes count, and only those of this order and adapter."""
    seen, handler = SeenDeliveries(), Handler()
    early, late = delivery(modified="2026-03-01T12:00:00Z"), delivery(modified="2026-03-01T12:00:01Z")
    assert not seen.is_stale(early)
    failing = Handler(fails=1)
    with pytest.raises(ValueError, match="provider"):
        await seen.once(late, failing)
    assert not seen.is_stale(early)
    await seen.once(late, handler)
    assert seen.is_stale(early)
    assert not seen.is_stale(late)
    await seen.once(early, handler)
    assert seen.is_stale(early), "what was handled late does not turn time back"
    assert not seen.is_stale(delivery(modified="2026-03-01T12:00:00Z", order_id="o_2"))
    assert not seen.is_stale(delivery(modified="2026-03-01T12:00:00Z", adapter_id="pim"))
    assert not seen.is_stale(delivery())


@pytest.mark.anyio
async def test_newest_changes_are_kept_of_a_bounded_number_of_orders() -> None:
    """They are kept of the orders that were handled last. No other order is ever stale."""
    seen, handler = SeenDeliveries(keys=2), Handler()
    for number in range(4):
        await seen.once(delivery(order_id=f"o_{number}", modified="2026-03-01T12:00:01Z"), handler)
    stale = [seen.is_stale(delivery(order_id=f"o_{n}", modified="2026-03-01T12:00:00Z")) for n in range(4)]
    assert stale == [False, False, True, True]
