"""A write whose answer was lost: every branch of the three ways to find out its outcome, and the 404 of a DELETE."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from norce_order_async import CallOptions
from norce_order_async.engines.base import WireRequest
from norce_order_async.errors import (
    ConflictError,
    DuplicateOrderError,
    NotFoundError,
    OutcomeUnknownError,
    RefusedError,
    RejectedError,
    TransitionSupersededError,
)
from norce_order_async.pipeline.operations import (
    ADD_PAYMENT_ACTIONS,
    CREATE_CONSENT,
    CREATE_HOOK,
    CREATE_NOTIFICATION,
    CREATE_ORDER,
    CREATE_PAYMENT,
    CREATE_SHIPPING,
    CREATE_VALIDATION,
    DELETE_ORDER,
    EXECUTE_PAYMENT_ACTION,
    GET_ORDER,
    OPERATIONS,
    SET_CART,
    SET_STATE,
    VALIDATE,
    Operation,
)
from norce_order_async.pipeline.readback import Baseline
from tests.support.clock import START, FakeClock, highest, lowest
from tests.support.engine import Step, answer, lost
from tests.support.pipeline import Stand, sample_body, stand

pytestmark = pytest.mark.anyio

LOST = [lost("read"), lost("write"), answer(500), answer(504), answer(408), answer(201, body=b"<html>")]


def order_in(status: str) -> Step:
    return answer(200, {"id": "o1", "state": {"currentStatus": status}})


def orders(*found: tuple[str, str]) -> Step:
    """Return a listing of orders with their cart references."""
    return answer(200, {"data": [{"id": one, "cart": {"reference": ref}} for one, ref in found]})


# A change of status: to "processing", from "checkout"

FROM_CHECKOUT = Baseline(repeat_from=frozenset({"checkout"}))


@pytest.mark.parametrize("shown", ["processing", "Processing"])
@pytest.mark.parametrize("first", LOST[:5])
async def test_a_status_that_is_there_is_done(first: Step, shown: str) -> None:
    """If the read shows the status, one PUT and one read are all that is sent, and the attempt's note says so."""
    stand_ = stand([first, order_in(shown)])
    done = await stand_.call(SET_STATE, before=FROM_CHECKOUT)
    assert stand_.sent == ["PUT /orders/o1/state", "GET /orders/o1"]
    assert (done.adopted, done.status) == (True, None)
    assert [one.next for one in done.attempts] == ["read back, return: the order is processing"]


async def test_the_old_status_is_set_again() -> None:
    """If the read shows the old status, the PUT is sent again after the back-off, with a read before each repeat."""
    stand_ = stand(
        [lost("read"), order_in("checkout"), answer(500), order_in("checkout"), answer(200)], uniform=highest
    )
    done = await stand_.call(SET_STATE, before=FROM_CHECKOUT)
    assert [one.split()[0] for one in stand_.sent] == ["PUT", "GET", "PUT", "GET", "PUT"]
    assert stand_.clock.sleeps == [0.25, 0.5]
    assert [one.next for one in done.attempts] == [
        "read back, repeat after 0.25 s",
        "read back, repeat after 0.50 s",
        "return",
    ]


@pytest.mark.parametrize("second", [None, answer(400, {"code": "not.allowed"}), answer(409)])
async def test_a_third_status_is_reported_and_left(second: Step | None) -> None:
    """An order that another client moved on is never set back, even if the repeat was refused because of that."""
    steps = [lost("read"), order_in("completed")]
    if second:
        steps = [lost("read"), order_in("checkout"), second, order_in("completed")]
    stand_ = stand(steps)
    with pytest.raises(TransitionSupersededError, match=r"asked for processing.*completed now") as caught:
        await stand_.call(SET_STATE, before=FROM_CHECKOUT)
    assert (caught.value.target, caught.value.current) == ("processing", "completed")
    assert len(stand_.sent) == len(steps)


async def test_a_lost_change_is_read_again_before_every_repeat() -> None:
    """A rejected repeat says nothing about the lost change, which may have taken effect meanwhile, so the order is read
    again. The read waits for the pause that the service asked for."""
    stand_ = stand(
        [
            lost("read"),
            order_in("checkout"),
            answer(429, retry_after="2"),
            order_in("completed"),
        ],
        uniform=lowest,
    )
    with pytest.raises(TransitionSupersededError):
        await stand_.call(SET_STATE, before=FROM_CHECKOUT)
    assert [one.split()[0] for one in stand_.sent] == ["PUT", "GET", "PUT", "GET"]
    assert stand_.engine.times[3] - stand_.engine.times[2] == pytest.approx(2.0)


async def test_a_refused_repeat_after_an_effect_is_done() -> None:
    """If the repeat is refused and the order has the status, the lost change took effect and the call is done."""
    stand_ = stand([lost("read"), order_in("checkout"), answer(400), order_in("processing")])
    assert (await stand_.call(SET_STATE, before=FROM_CHECKOUT)).adopted


async def test_a_refused_repeat_at_the_old_status_is_refused() -> None:
    """A refused repeat at the old status raises the refusal, with ``maybe_changed`` because of the lost attempt."""
    stand_ = stand([lost("read"), order_in("checkout"), answer(400, {"code": "no"}), order_in("checkout")])
    with pytest.raises(RefusedError) as caught:
        await stand_.call(SET_STATE, before=FROM_CHECKOUT)
    assert (caught.value.status, caught.value.maybe_changed) == (400, True)


@pytest.mark.parametrize(
    ("reading", "told"),
    [
        ([answer(404)], "reading back failed: NotFoundError"),
        ([answer(500)] * 3, "reading back failed: UnavailableError"),
        ([lost("connect")] * 3, "reading back failed: NotSentError"),
        ([answer(429, retry_after="100")], "reading back failed: RejectedError"),
        ([answer(200, {})], "shows no status"),
        ([answer(200, {"state": {"currentStatus": "Anna Berg\n1.0"}})], "shows no status"),
        ([answer(200, [])], "shows no status"),
    ],
)
async def test_an_order_that_can_not_be_read_leaves_it_unknown(reading: list[Step], told: str) -> None:
    """If the order can't be read, nothing is sent again on a guess, and the error is about the write."""
    stand_ = stand([lost("read"), *reading])
    with pytest.raises(OutcomeUnknownError, match=told) as caught:
        await stand_.call(SET_STATE, before=FROM_CHECKOUT)
    assert (caught.value.gave_up, caught.value.operation) == ("not-repeatable", "UpdateCheckoutOrderState")
    assert len(stand_.sent) == 1 + len(reading)


async def test_a_token_that_fails_while_reading_back_does_not_hide_the_write() -> None:
    """If the read has no token, the error is still about the write, because "nothing was sent" would be false."""
    tokens = iter(["t0ken", None])

    async def token() -> str:
        return next(tokens) or ""

    stand_ = stand([lost("read")], token=token)
    with pytest.raises(OutcomeUnknownError, match="reading back failed: TokenError"):
        await stand_.call(SET_STATE, before=FROM_CHECKOUT)


# An order with a cart reference

LOOK = "GET /orders?cart_reference=c1"
NONE = [orders()] * 4
"""The reads of a lost creation if there is no such order."""


def listing(*found: tuple[str, str], created: str = "2026-01-01T00:00:00Z") -> list[dict[str, Any]]:
    return [{"id": one, "cart": {"reference": ref}, "created": created} for one, ref in found]


def page(entries: list[dict[str, Any]]) -> Step:
    return answer(200, {"data": entries})


@pytest.mark.parametrize("first", LOST)
async def test_an_order_found_by_its_cart_reference_is_adopted(first: Step) -> None:
    """The reference is compared exactly, because the service's filter may find more. No page size is sent, because the
    service might refuse it."""
    stand_ = stand([first, orders(("o8", "c10"), ("o9", "c1"), ("o7", "C1"))])
    done = await stand_.call(CREATE_ORDER)
    assert (done.id, done.adopted, done.uniqueness_checked) == ("o9", True, True)
    assert stand_.sent == ["POST /orders", LOOK]
    assert stand_.clock.sleeps == []


@pytest.mark.parametrize(("reads", "moment"), [(2, 1.0), (3, 3.0), (4, 7.0)])
async def test_a_slow_commit_is_found_when_it_shows(reads: int, moment: float) -> None:
    """The list is read at 0, 1, 3 and 7 s after the loss, and the order is adopted when it shows."""
    stand_ = stand([lost("read"), *NONE[: reads - 1], orders(("o9", "c1"))])
    assert (await stand_.call(CREATE_ORDER)).id == "o9"
    assert stand_.clock.passed == moment


async def test_the_times_of_reading_count_from_the_loss() -> None:
    """The pauses between the reads get shorter by the time that the reads take."""
    slow = answer(200, {"data": []}, takes=0.75)
    stand_ = stand([lost("read"), slow, slow, slow, orders(("o9", "c1"))])
    await stand_.call(CREATE_ORDER)
    assert [moment - START for moment in stand_.engine.times] == [0.0, 0.0, 1.0, 3.0, 7.0]


async def test_an_order_not_found_is_created_once_more_and_seen_to_be_the_only_one() -> None:
    """After the last read and the back-off the order is created again. Then the list is read to its end."""
    stand_ = stand([lost("read"), *NONE, answer(201, {"id": "o9"}), orders(("o9", "c1")), orders()], uniform=highest)
    done = await stand_.call(CREATE_ORDER, options=CallOptions(settling_pause=2.0))
    assert (done.id, done.adopted, done.uniqueness_checked) == ("o9", False, True)
    assert stand_.clock.sleeps == [2.0, 4.0, 8.0, 0.25]
    assert stand_.sent[-2:] == [LOOK, "GET /orders?offset=1&cart_reference=c1"]


@pytest.mark.parametrize(("deadline", "sends"), [(12.0, 2), (11.99, 1), (None, 2)])
async def test_with_less_than_five_seconds_left_it_is_not_created_again(deadline: float | None, sends: int) -> None:
    """The reads take 7 s. If less than 5 s are left then, there is no time for a repeat and the reads after it."""
    stand_ = stand(lambda request: lost("read") if request.method == "POST" else orders(), uniform=lowest)
    with pytest.raises(OutcomeUnknownError, match="no order with the cart reference is there") as caught:
        await stand_.call(CREATE_ORDER, options=CallOptions(deadline=deadline))
    assert [one.split()[0] for one in stand_.sent].count("POST") == sends
    assert ("less than 5 s are left" in str(caught.value)) == (sends == 1)


async def test_a_pause_past_the_deadline_is_not_begun() -> None:
    """If the next pause would pass the deadline, the outcome is unknown at once."""
    stand_ = stand([lost("read"), orders(), orders()])
    with pytest.raises(OutcomeUnknownError, match="no time was left to wait for one"):
        await stand_.call(CREATE_ORDER, options=CallOptions(deadline=3.0))
    assert stand_.clock.passed == 1.0


async def test_a_conflict_on_the_repeat_means_that_the_first_one_took_effect() -> None:
    """A 409 to the repeat means that the lost creation took effect, so its order is read and adopted."""
    stand_ = stand([lost("read"), *NONE, answer(409), orders(("o9", "c1")), orders()])
    done = await stand_.call(CREATE_ORDER)
    assert (done.id, done.uniqueness_checked) == ("o9", True)


async def test_a_conflict_without_a_visible_order_is_refused() -> None:
    """If no listing shows the order after a 409 to the repeat, the conflict is raised with ``maybe_changed``."""
    stand_ = stand([lost("read"), *NONE, answer(409), *NONE])
    with pytest.raises(ConflictError) as caught:
        await stand_.call(CREATE_ORDER)
    assert caught.value.maybe_changed


async def test_a_conflict_at_the_first_try_reaches_the_caller() -> None:
    """No answer was lost, so an order of another program is not adopted."""
    stand_ = stand([answer(409, {"code": "exists"})])
    with pytest.raises(ConflictError) as caught:
        await stand_.call(CREATE_ORDER)
    assert (caught.value.maybe_changed, len(stand_.sent)) == (False, 1)


async def test_the_second_loss_is_not_followed_by_a_third_try() -> None:
    """If the repeat is lost too, the order is not created a third time."""
    stand_ = stand([lost("read"), *NONE, lost("read"), *NONE])
    with pytest.raises(OutcomeUnknownError, match=r"find_by_cart_reference") as caught:
        await stand_.call(CREATE_ORDER, options=CallOptions(max_attempts=9))
    assert len(caught.value.attempts) == 2
    assert caught.value.request == sample_body(CREATE_ORDER)


async def test_an_attempt_that_was_never_sent_is_not_the_repeat() -> None:
    """Attempts that were rejected or never sent do not count as the one repeat after a loss."""
    alone = [orders(("o9", "c1")), orders()]
    steps = [lost("connect"), answer(429), lost("read"), *NONE, answer(201, {"id": "o9"}), *alone]
    assert (await stand(steps).call(CREATE_ORDER, options=CallOptions(max_attempts=9))).id == "o9"


async def test_the_repeat_can_be_turned_off() -> None:
    """``repeat_order_creation=False`` is for programs that do not trust the service to refuse a second order."""
    stand_ = stand([lost("read"), *NONE])
    with pytest.raises(OutcomeUnknownError, match="no order with the cart reference"):
        await stand_.call(CREATE_ORDER, options=CallOptions(repeat_order_creation=False))
    assert [one.split()[0] for one in stand_.sent] == ["POST", "GET", "GET", "GET", "GET"]


async def test_two_orders_with_the_cart_reference_are_reported() -> None:
    """If two orders have the reference, the client does not guess which one is the caller's."""
    stand_ = stand([lost("read"), orders(("o8", "c1"), ("o9", "c1"))])
    with pytest.raises(OutcomeUnknownError, match="2 orders have the cart reference"):
        await stand_.call(CREATE_ORDER)


# How much of the list is read


async def test_a_page_of_others_proves_nothing_and_the_next_one_is_read() -> None:
    """The filter may find more than was asked for, so the order may be on a later page."""
    others = [("o1", "c10"), ("o2", "c11")]
    stand_ = stand([lost("read"), orders(*others), orders(("o3", "c12"), ("o9", "c1"))])
    assert (await stand_.call(CREATE_ORDER)).id == "o9"
    assert stand_.sent[1:] == [LOOK, "GET /orders?offset=2&cart_reference=c1"]


async def test_an_empty_page_after_others_proves_that_it_is_not_there() -> None:
    """An empty page ends the list. If the order was not in it, it is created again, once."""
    look = [orders(("o1", "c10")), orders()]
    stand_ = stand([lost("read"), *look * 4, answer(201, {"id": "o9"}), orders(("o1", "c10"), ("o9", "c1")), orders()])
    assert (await stand_.call(CREATE_ORDER)).id == "o9"


class Unfiltered:
    """A service that ignores the filter, and the offset too unless it ``moves``."""

    def __init__(self, *, moves: bool, creation: Step) -> None:
        self.moves = moves
        self.creation = creation
        self.reads = 0

    def __call__(self, request: WireRequest) -> Step:
        if request.method == "POST":
            return self.creation
        self.reads += 1
        number = self.reads if self.moves else 1
        return page(listing(*((f"o{number}-{index}", "other") for index in range(10))))


@pytest.mark.parametrize(("moves", "reads"), [(True, 10), (False, 2)])
async def test_an_endless_list_leaves_it_unknown_and_nothing_is_repeated(moves: bool, reads: int) -> None:
    """At most ten pages are read, and the same page again ends the reading. The outcome is then unknown."""
    service = Unfiltered(moves=moves, creation=lost("read"))
    stand_ = stand(service)
    with pytest.raises(OutcomeUnknownError, match="does not show whether") as caught:
        await stand_.call(CREATE_ORDER)
    assert (service.reads, caught.value.gave_up) == (reads, "not-repeatable")
    assert [one.split()[0] for one in stand_.sent].count("POST") == 1


# Two orders after all


class Late:
    """Two creations of one cart reference both take effect: the first is lost and shows late.

    Args:
        first: seconds after the start from which the list shows it; None for never.
        second: the same for the order of the repeat.
        lost_again: whether the answer to the repeat is lost too.
    """

    def __init__(self, first: float | None, second: float | None, *, lost_again: bool = False) -> None:
        self.shown = {"o1": first, "o2": second}
        self.lost_again = lost_again
        self.creations = 0
        self.clock: FakeClock | None = None

    def __call__(self, request: WireRequest) -> Step:
        assert self.clock is not None
        if request.method == "POST":
            self.creations += 1
            return lost("read") if self.creations == 1 or self.lost_again else answer(201, {"id": "o2"})
        shown = [one for one, since in self.shown.items() if since is not None and self.clock.passed >= since]
        entries = [*listing(*((one, "c1") for one in reversed(shown)))]
        for entry in entries:
            entry["created"] = f"2026-01-01T00:00:0{entry['id'][1]}+00:00"
        return page([] if "offset" in request.url else entries)


def late(service: Late, **settings: Any) -> Stand:
    stand_ = stand(service, **settings)
    service.clock = stand_.clock
    return stand_


@pytest.mark.parametrize("second", [8.0, 9.0, None])
async def test_a_second_order_is_reported_with_both_oldest_first(second: float | None) -> None:
    """The first creation shows after the repeat, which the service did not refuse, and the error has both ids. The list
    need not show the repeat's order."""
    stand_ = late(Late(7.5, second))
    with pytest.raises(DuplicateOrderError, match="2 orders") as caught:
        await stand_.call(CREATE_ORDER)
    assert caught.value.order_ids == ("o1", "o2")
    assert (caught.value.may_call_again, len(caught.value.attempts)) == (False, 2)
    assert caught.value.attempts[-1].next == "look for another, raise: 2 orders have the cart reference"


async def test_two_orders_after_a_repeat_that_was_lost_too() -> None:
    """If the repeat's answer was lost too and the list shows two orders, both are reported."""
    stand_ = late(Late(7.5, 7.5, lost_again=True))
    with pytest.raises(DuplicateOrderError) as caught:
        await stand_.call(CREATE_ORDER)
    assert caught.value.order_ids == ("o1", "o2")


@pytest.mark.parametrize(("first", "second"), [(7.5, None), (None, 7.5), (7.5, 30.0)])
async def test_one_order_after_a_repeat_that_was_lost_too_may_not_be_the_only_one(
    first: float | None, second: float | None
) -> None:
    """If the repeat was lost too, the one order in the list may be either of the two, and the other may still come."""
    stand_ = late(Late(first, second, lost_again=True))
    done = await stand_.call(CREATE_ORDER)
    assert (done.id, done.adopted, done.uniqueness_checked) == ("o1" if first else "o2", True, False)
    assert stand_.clock.passed == 8.0


@pytest.mark.parametrize(("second", "moment"), [(7.0, 7.0), (8.0, 8.0), (9.5, 10.0), (18.0, 18.0), (18.5, 22.0)])
async def test_after_a_repeat_the_list_is_read_until_it_shows_the_order(second: float, moment: float) -> None:
    """After a repeat the list is read at 0, 1, 3 and 7 s, then every 4 s."""
    stand_ = late(Late(None, second))
    done = await stand_.call(CREATE_ORDER)
    assert (done.id, done.uniqueness_checked, stand_.clock.passed) == ("o2", True, moment)


@pytest.mark.parametrize(("deadline", "ends"), [(30.0, 26.0), (None, 22.0)])
async def test_an_order_that_does_not_show_in_time_may_not_be_the_only_one(deadline: float | None, ends: float) -> None:
    """The list is read until the deadline, or for 15 s without one. The order exists, and there may be another."""
    stand_ = late(Late(None, None))
    done = await stand_.call(CREATE_ORDER, options=CallOptions(deadline=deadline))
    assert (done.id, done.uniqueness_checked, stand_.clock.passed) == ("o2", False, ends)


async def test_an_endless_list_is_no_proof_that_it_is_the_only_one() -> None:
    """The list shows the order, and another one may be beyond the tenth page."""
    service = Unfiltered(moves=True, creation=answer(201, {"id": "o9"}))

    def script(request: WireRequest) -> Step:
        if len(stand_.sent) == 1:
            return lost("read")
        if len(stand_.sent) <= 5:
            return orders()
        if len(stand_.sent) == 7:
            return orders(("o9", "c1"))
        return service(request)

    stand_ = stand(script)
    done = await stand_.call(CREATE_ORDER)
    assert (done.id, done.uniqueness_checked) == ("o9", False)
    assert service.reads == 9


@pytest.mark.parametrize("reading", [[answer(404)], [answer(500)] * 3, [answer(200, {})]])
async def test_an_unreadable_list_takes_no_order_away(reading: list[Step]) -> None:
    """The repeat was answered, so the order exists even if the list can't be read."""
    stand_ = stand([lost("read"), *NONE, answer(201, {"id": "o9"}), *reading])
    done = await stand_.call(CREATE_ORDER)
    assert (done.id, done.uniqueness_checked) == ("o9", False)


async def test_without_a_settling_pause_the_list_is_read_once_a_second() -> None:
    """With a settling pause of 0, four reads after the loss and four after the repeat come at once. Then one follows
    each second."""
    stand_ = late(Late(None, 3.0))
    done = await stand_.call(CREATE_ORDER, options=CallOptions(settling_pause=0.0))
    assert (done.uniqueness_checked, stand_.clock.passed) == (True, 3.0)
    assert sum(moment - START < 1.0 for moment in stand_.engine.times) == 1 + 4 + 1 + 4


async def test_a_removed_order_is_not_adopted() -> None:
    """A removed order with the same cart reference is not the one that was created."""
    removed = {"id": "o8", "cart": {"reference": "c1"}, "state": {"currentStatus": "Removed"}}
    stand_ = stand([lost("read"), page([removed]), orders(), orders(("o9", "c1"))])
    assert (await stand_.call(CREATE_ORDER)).id == "o9"
    assert stand_.clock.passed == 1.0


async def test_an_order_without_a_cart_reference_is_never_repeated() -> None:
    """Without a cart reference the order can't be found, and the service would accept a second one."""
    stand_ = stand([lost("read")])
    with pytest.raises(OutcomeUnknownError, match="it has no members that identify it"):
        await stand_.call(CREATE_ORDER, body={"cart": {"items": []}})
    assert stand_.sent == ["POST /orders"]


# A 503 with Retry-After: from a gateway, perhaps after the effect


BUSY = answer(503, retry_after="5")
THREE_KINDS: list[tuple[Operation, Baseline | None, Step, str | None]] = [
    (SET_STATE, FROM_CHECKOUT, order_in("processing"), None),
    (CREATE_ORDER, None, orders(("o9", "c1")), "o9"),
    (CREATE_PAYMENT, Baseline(ids=frozenset()), answer(200, {"payments": [{"id": "p9", "reference": "p-ref"}]}), "p9"),
]
EACH_KIND = pytest.mark.parametrize(
    ("operation", "before", "shown", "found"), THREE_KINDS, ids=lambda value: getattr(value, "id", "")
)


@EACH_KIND
async def test_after_a_503_the_effect_is_looked_for_once_the_wait_is_over(
    operation: Operation, before: Baseline | None, shown: Step, found: str | None
) -> None:
    """The client reads after the time that the service named and not before, finds the effect and sends nothing
    again."""
    stand_ = stand([BUSY, shown])
    done = await stand_.call(operation, before=before)
    assert (done.id, done.adopted) == (found, True)
    assert len(stand_.sent) == 2
    assert [moment - START for moment in stand_.engine.times] == [0.0, 5.0]
    assert [one.next.partition(", return")[0] for one in done.attempts] == ["wait 5.00 s, read back"]


@EACH_KIND
@pytest.mark.parametrize(
    ("asked", "deadline"), [("61", None), ("20", 20.0), ("99999999999", None)], ids=["limit", "deadline", "far"]
)
async def test_a_503_with_too_long_a_wait_is_reported_as_unknown(
    operation: Operation, before: Baseline | None, shown: Step, found: str | None, asked: str, deadline: float | None
) -> None:
    """If the wait is too long, the error comes at once, without a read, and has the seconds to wait."""
    del shown, found
    stand_ = stand([answer(503, retry_after=asked)])
    with pytest.raises(OutcomeUnknownError, match="asked to wait") as caught:
        await stand_.call(operation, before=before, options=CallOptions(deadline=deadline))
    assert (caught.value.gave_up, caught.value.retry_after) == ("retry-after", float(asked))
    assert (caught.value.status, stand_.clock.passed) == (503, 0.0)


async def test_executing_after_a_503_reports_when_to_come_back() -> None:
    """The outcome of executing an action can't be read back, so the call does not wait."""
    stand_ = stand([BUSY])
    with pytest.raises(OutcomeUnknownError) as caught:
        await stand_.call(EXECUTE_PAYMENT_ACTION)
    assert (caught.value.retry_after, caught.value.gave_up, stand_.clock.passed) == (5.0, "not-repeatable", 0.0)


async def test_a_change_of_status_not_done_before_a_503_is_sent_again() -> None:
    """The call waits once, and the repeat costs as much of the budget as one after throttling."""
    stand_ = stand([BUSY, order_in("checkout"), answer(200)], uniform=lowest)
    await stand_.call(SET_STATE, before=FROM_CHECKOUT)
    assert stand_.clock.sleeps == [5.0, 0.0]
    assert stand_.session.budget.tokens == 500

    still = order_in("checkout")
    failing = stand([BUSY, still, answer(503, retry_after="1"), still, answer(400), still])
    with pytest.raises(RefusedError):
        await failing.call(SET_STATE, before=FROM_CHECKOUT)
    two_repeats, reads_since = 2 * 5, 2
    assert failing.session.budget.tokens == 500 - two_repeats + reads_since


async def test_a_503_pauses_the_client_although_its_outcome_is_unknown() -> None:
    """Throttling is separate from the outcome, so the pause holds for other calls too."""

    def service(request: WireRequest) -> Step:
        if request.method == "POST":
            return BUSY
        return orders(("o9", "c1")) if "?" in request.url else answer(200, {"id": "o1"})

    stand_ = stand(service)
    async with anyio.create_task_group() as group:
        group.start_soon(stand_.call, CREATE_ORDER)
        await stand_.clock.wait(1.0)
        group.start_soon(stand_.call, GET_ORDER)
    assert [moment - START for moment in stand_.engine.times] == [0.0, 5.0, 5.0]


async def test_a_read_that_has_to_wait_reports_for_how_long() -> None:
    """If the service wants no reads for more than a minute, the error about the lost write has that time."""
    stand_ = stand([lost("read"), answer(429, retry_after="100")])
    with pytest.raises(OutcomeUnknownError, match="reading back failed: RejectedError") as caught:
        await stand_.call(SET_STATE, before=FROM_CHECKOUT)
    assert caught.value.retry_after == 100.0


# Other creations

ENTRIES: list[tuple[Operation, str, dict[str, Any]]] = [
    (CREATE_PAYMENT, "payments", {"reference": "p-ref"}),
    (CREATE_SHIPPING, "shippings", {"reference": "s-ref"}),
    (CREATE_CONSENT, "consents", {}),
    (CREATE_HOOK, "hooks", {"adapterId": "a1", "invoke": "https://a1.example/hook"}),
    (CREATE_NOTIFICATION, "notifications", {"adapterId": "a1", "invoke": "https://a1.example/note"}),
    (CREATE_VALIDATION, "validations", {"adapterId": "a1", "url": "https://a1.example/check"}),
]
ENTRY = pytest.mark.parametrize(("operation", "member", "key"), ENTRIES, ids=lambda value: getattr(value, "id", ""))


def showing(member: str, *entries: dict[str, Any]) -> Step:
    return answer(200, {"id": "o1", member: list(entries)})


@ENTRY
@pytest.mark.parametrize("first", LOST[:5])
async def test_one_new_match_is_adopted(operation: Operation, member: str, key: dict[str, Any], first: Step) -> None:
    """The entry is found by its natural key among the new entries. Other new entries do not matter."""
    mine = {"id": "newsletter", **key}
    other = {"id": "other", **dict.fromkeys(key, "else")}
    stand_ = stand([first, showing(member, other, mine)])
    done = await stand_.call(operation, before=Baseline(ids=frozenset({"older"})))
    assert (done.id, done.adopted) == ("newsletter", True)
    assert len(stand_.sent) == 2
    assert stand_.sent[1] == "GET /orders/o1"


@ENTRY
async def test_an_earlier_entry_is_not_adopted(operation: Operation, member: str, key: dict[str, Any]) -> None:
    """An entry that existed before the send says nothing about it, even with the same natural key."""
    stand_ = stand([lost("read"), showing(member, {"id": "newsletter", **key})])
    with pytest.raises(OutcomeUnknownError, match=f"0 new {member} match.*look among its {member}"):
        await stand_.call(operation, before=Baseline(ids=frozenset({"newsletter"})))


@ENTRY
async def test_nothing_or_two_is_unknown(operation: Operation, member: str, key: dict[str, Any]) -> None:
    """If no new entry matches, or two do, the outcome is unknown and nothing is sent again."""
    nothing = stand([lost("read"), showing(member)])
    with pytest.raises(OutcomeUnknownError, match=f"0 new {member} match"):
        await nothing.call(operation, before=Baseline(ids=frozenset()))
    two = stand([lost("read"), showing(member, {"id": "newsletter", **key}, {"id": "newsletter", **key})])
    with pytest.raises(OutcomeUnknownError, match=f"2 new {member} match"):
        await two.call(operation, before=Baseline(ids=frozenset()))
    assert [len(nothing.sent), len(two.sent)] == [2, 2]


@ENTRY
async def test_without_an_earlier_read_nothing_is_adopted(
    operation: Operation, member: str, key: dict[str, Any]
) -> None:
    """Without an earlier read a match might be an older entry."""
    del member, key
    for before in (None, Baseline()):
        stand_ = stand([lost("read")])
        with pytest.raises(OutcomeUnknownError, match="before the send is not known"):
            await stand_.call(operation, before=before)


@ENTRY
async def test_a_failing_read_back_leaves_it_unknown(operation: Operation, member: str, key: dict[str, Any]) -> None:
    """If the read fails, the error is about the write and not about the read."""
    del member, key
    stand_ = stand([lost("read"), answer(403)])
    with pytest.raises(OutcomeUnknownError, match="reading back failed: ForbiddenError") as caught:
        await stand_.call(operation, before=Baseline(ids=frozenset()))
    assert caught.value.operation == operation.id


@pytest.mark.parametrize(
    ("operation", "body"),
    [(CREATE_PAYMENT, {"amount": 1}), (CREATE_HOOK, {"adapterId": "a1"}), (ADD_PAYMENT_ACTIONS, [{"id": "x"}])],
)
async def test_without_a_natural_key_nothing_is_read(operation: Operation, body: Any) -> None:
    """Without a natural key there is nothing to look for, so no read is sent."""
    stand_ = stand([lost("read")])
    with pytest.raises(OutcomeUnknownError, match="it has no members that identify it"):
        await stand_.call(operation, body=body, before=Baseline(ids=frozenset()))


async def test_executing_is_never_read_back() -> None:
    """The provider has the result and not the order, so no read is sent."""
    stand_ = stand([lost("read")])
    with pytest.raises(OutcomeUnknownError, match="look at the payment and at its provider"):
        await stand_.call(EXECUTE_PAYMENT_ACTION)


# Removing


REMOVING = pytest.mark.parametrize("operation", [row for row in OPERATIONS if row.removes], ids=lambda row: row.id)


@REMOVING
@pytest.mark.parametrize("first", [lost("read"), answer(500), answer(503), answer(503, retry_after="0")])
async def test_a_404_after_a_lost_delete_is_done(operation: Operation, first: Step) -> None:
    """A 404 after a lost DELETE means that the lost attempt removed the thing."""
    done = await stand([first, answer(404, {"code": "gone"})]).call(operation)
    assert (done.status, done.parsed) == (404, None)


@REMOVING
@pytest.mark.parametrize("first", [None, lost("connect"), answer(429), answer(425, retry_after="0")])
async def test_a_404_without_a_loss_is_not_found(operation: Operation, first: Step | None) -> None:
    """If no attempt was lost, no earlier attempt can have removed the thing."""
    with pytest.raises(NotFoundError) as caught:
        await stand([*([first] if first else []), answer(404)]).call(operation)
    assert not caught.value.maybe_changed


# A refusal after a loss


async def test_a_refusal_after_a_lost_write_warns() -> None:
    """If an earlier attempt may have taken effect, the refusal says so. An attempt that was rejected or never sent does
    not count."""
    with pytest.raises(RefusedError, match="an earlier attempt may have taken effect") as caught:
        await stand([lost("read"), answer(422)]).call(SET_CART)
    assert caught.value.maybe_changed
    with pytest.raises(RefusedError) as after_503:
        await stand([answer(503, retry_after="0"), answer(422)]).call(SET_CART)
    assert after_503.value.maybe_changed
    for first in (lost("connect"), answer(429, retry_after="0")):
        with pytest.raises(RefusedError) as refused:
            await stand([first, answer(422)]).call(SET_CART)
        assert not refused.value.maybe_changed


@pytest.mark.parametrize("operation", [GET_ORDER, VALIDATE])
async def test_a_refusal_after_a_lost_read_does_not_warn(operation: Operation) -> None:
    """A lost read changes nothing, so the refusal does not warn."""
    with pytest.raises(NotFoundError) as caught:
        await stand([lost("read"), answer(404)]).call(operation)
    assert not caught.value.maybe_changed
    assert "taken effect" not in str(caught.value)


@pytest.mark.parametrize("last", [lost("connect"), answer(429)])
async def test_a_503_is_not_forgotten_either(last: Step) -> None:
    """A request that got a 503 with Retry-After may have been done, so the error never says "not sent" or "nothing was
    changed"."""
    with pytest.raises(RejectedError, match="doing it twice has the same effect as once"):
        await stand([answer(503, retry_after="0"), last, last]).call(SET_CART)


@pytest.mark.parametrize("last", [lost("connect"), answer(429)])
async def test_a_loss_is_not_forgotten(last: Step) -> None:
    """The outcome stays unknown whatever comes after the lost attempt, because the write may have taken effect."""
    with pytest.raises(OutcomeUnknownError):
        await stand([lost("read"), last, last]).call(SET_CART)


@pytest.mark.parametrize("operation", [DELETE_ORDER, SET_CART])
async def test_a_lost_write_is_repeated_without_reading(operation: Operation) -> None:
    """Setting a value or removing twice has the same effect as once."""
    stand_: Stand = stand([lost("read"), answer(200)])
    await stand_.call(operation)
    assert len(set(stand_.sent)) == 1
