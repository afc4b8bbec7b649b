"""``ensure`` and ``get_or_create`` by many callers at once, and after a creation that may still take effect."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest

from norce_order_async import (
    CallOptions,
    InvalidRequestError,
    NotSentError,
    OutcomeUnknownError,
    PendingError,
    Scope,
    UnavailableError,
)
from norce_order_async.engines.base import MaybeSentError, WireRequest, WireResponse
from norce_order_async.engines.httpx import HttpxEngine
from norce_order_async.models import HookDict
from norce_order_async.pipeline.creations import Creation, Creations, Flight
from norce_order_async.pipeline.operations import CREATE_PAYMENT
from norce_order_async.pipeline.readback import Baseline
from norce_order_async.runtime.clock import Deadline
from norce_order_async.sandbox import Sandbox
from tests.support.clock import FakeClock
from tests.support.engine import Step, answer, lost
from tests.support.orders import AT_ONCE, CHECK, CONTEXT, HOOK, NOTE, client_of
from tests.support.pipeline import Stand, short, stand

pytestmark = pytest.mark.anyio

Got = tuple[str | None, bool]
Ensure = Callable[..., Awaitable[Got]]


async def payments(scope: Scope, options: CallOptions | None = None) -> Got:
    order = scope.orders("o1")
    done = await order.payments.ensure({"amount": 1.0}, reference="inv", options=options)
    assert done.value in list(order.payments)
    return done.value.id, done.created


async def shippings(scope: Scope, options: CallOptions | None = None) -> Got:
    order = scope.orders("o1")
    done = await order.shippings.ensure({"total": {}, "vatRate": 0.25}, reference="home", options=options)
    assert done.value in list(order.shippings)
    return done.value.id, done.created


async def hooks(scope: Scope, options: CallOptions | None = None) -> Got:
    done = await scope.orders("o1").hooks.ensure(HOOK, options=options)
    return done.value.id, done.created


async def notifications(scope: Scope, options: CallOptions | None = None) -> Got:
    done = await scope.orders("o1").notifications.ensure(NOTE, options=options)
    return done.value.id, done.created


async def validations(scope: Scope, options: CallOptions | None = None) -> Got:
    done = await scope.orders("o1").validations.ensure(CHECK, options=options)
    return done.value.id, done.created


async def orders(scope: Scope, options: CallOptions | None = None) -> Got:
    order, created = await scope.orders.get_or_create(cart_reference="c1", options=options)
    return order.id, created


CREATES: dict[str, Callable[[Scope], Awaitable[object]]] = {
    "payments": lambda scope: scope.orders("o1").payments.create({"amount": 1.0, "reference": "inv"}),
    "shippings": lambda scope: scope.orders("o1").shippings.create({"total": {}, "vatRate": 0.25, "reference": "home"}),
    "hooks": lambda scope: scope.orders("o1").hooks.create(HOOK),
    "notifications": lambda scope: scope.orders("o1").notifications.create(NOTE),
    "validations": lambda scope: scope.orders("o1").validations.create(CHECK),
    "orders": lambda scope: scope.orders.create(cart={"reference": "c1"}),
}
KINDS: list[Ensure] = [payments, shippings, hooks, notifications, validations, orders]
every_kind = pytest.mark.parametrize("ensure", KINDS)


@dataclass
class Service:
    """A service that accepts every creation and keeps nothing unique.

    A creation shows ``lands`` seconds after its request. The answer comes after ``takes`` seconds, unless it is one of
    those that are lost.
    """

    takes: float = 0.1
    lands: float | None = 0.0
    """None if it never shows."""
    losing: int = 0
    """The number of answers to creations that are still to be lost."""
    lost_after: float = 0.1
    stand: Stand = field(init=False)
    made: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list[tuple[float, str, dict[str, Any]]])

    def __post_init__(self) -> None:
        # These tests are not about the repeat of an order's creation, so it is off.
        options = CallOptions(repeat_order_creation=False)
        self.stand = stand(self.reply, options=options, max_in_flight=1_000)

    @property
    def posts(self) -> int:
        return len([request for request in self.stand.engine.requests if request.method == "POST"])

    async def pass_by(self, until: float) -> None:
        """Wait until this many seconds have passed since the beginning."""
        await self.stand.clock.wait(until - self.stand.clock.passed)

    def reply(self, request: WireRequest) -> Step:
        member = short(request).partition("?")[0].rpartition("/")[2]
        if request.method == "POST":
            return self._create(member, json.loads(request.body or b"{}"))
        if "?" in short(request):
            wanted = parse_qs(urlsplit(request.url).query)["cart_reference"]
            found = [order for order in self._shown("orders") if [order["cart"]["reference"]] == wanted]
            return answer(200, {"data": found}, takes=self.takes)
        parts = ("payments", "shippings", "hooks", "notifications", "validations")
        return answer(200, {"id": "o1", **{part: self._shown(part) for part in parts}}, takes=self.takes)

    def _create(self, member: str, body: dict[str, Any]) -> Step:
        entry = {**body, "id": f"{member}-{len(self.made)}"}
        if self.lands is not None:
            self.made.append((self.stand.clock.now + self.lands, member, entry))
        if self.losing:
            self.losing -= 1
            return lost("read", takes=self.lost_after)
        return answer(201, {"id": entry["id"]}, takes=self.takes)

    def _shown(self, member: str) -> list[dict[str, Any]]:
        return [entry for shows, kind, entry in self.made if kind == member and shows <= self.stand.clock.now]


async def at_once(*calls: Callable[[], Awaitable[Got]]) -> list[Got | BaseException]:
    """Make calls at the same time, and return their results in the order of the calls."""
    came: dict[int, Got | BaseException] = {}

    async def one(number: int) -> None:
        try:
            came[number] = await calls[number]()
        except Exception as error:
            came[number] = error

    async with anyio.create_task_group() as tasks:
        for number in range(len(calls)):
            tasks.start_soon(one, number)
    return [came[number] for number in range(len(calls))]


@every_kind
async def test_ten_at_once_create_one(ensure: Ensure) -> None:
    """Ten callers share one creation, also with scopes and handles of their own: one of them is told that it created,
    and all get the id."""
    service = Service()
    client = service.stand.client
    scopes = [client, client.scoped(adapter_id="a2"), client.scoped(options=CallOptions(max_attempts=1))]
    came = await at_once(*[partial(ensure, scopes[number % 3]) for number in range(10)])
    assert service.posts == len(service.made) == 1
    assert sorted(came, key=str) == sorted([(service.made[0][2]["id"], number == 0) for number in range(10)], key=str)


async def test_ten_at_once_on_one_handle() -> None:
    """Calls on one handle create one payment, which the handle then shows; the handle is not stale."""
    service = Service()
    order = service.stand.client.orders("o1")

    async def one() -> Got:
        done = await order.payments.ensure({"amount": 1.0}, reference="inv")
        assert not order.stale
        return done.value.id, done.created

    came = await at_once(*[one] * 10)
    assert service.posts == 1
    assert [got[1] for got in came if isinstance(got, tuple)].count(True) == 1
    assert len(order.payments) == 1


@every_kind
async def test_another_channel_has_one_of_its_own(ensure: Ensure) -> None:
    service = Service()
    client = service.stand.client
    await at_once(*[partial(ensure, scope) for scope in (client, client.scoped(channel="no"))])
    assert service.posts == 2


async def test_callbacks_that_differ_do_not_share() -> None:
    """A callback for another part of the order is created by itself, even with the same adapter and address. The two
    spellings of the part count as the same."""
    service = Service()
    order = service.stand.client.orders("o1")

    async def one(changes: HookDict | None = None) -> Got:
        done = await order.hooks.ensure({**HOOK, **(changes or {})})
        return done.value.id, done.created

    came = await at_once(one, lambda: one({"target": "/cart"}), lambda: one({"subscribeTo": "/cart"}), one)
    assert service.posts == 3
    assert len({got[0] for got in came if isinstance(got, tuple)}) == 3


@pytest.mark.every_loop
@every_kind
async def test_the_first_caller_may_be_cancelled(ensure: Ensure) -> None:
    """If the first caller is cancelled while it reads or creates, the other callers keep the creation, and one of them
    is told that it created."""
    for after in (0.05, 0.15, 0.25):
        service = Service()

        async def leaves(service: Service = service, after: float = after) -> Got:
            with service.stand.clock.move_on_after(after):
                return await ensure(service.stand.client)
            return None, False

        async def stays(service: Service = service) -> Got:
            return await ensure(service.stand.client)

        came = await at_once(leaves, stays, stays)
        assert service.posts == 1
        made = service.made[0][2]["id"]
        # An order is not read again after its creation, so the one to be cancelled has it before.
        if (ensure, after) == (orders, 0.25):
            assert sorted(came, key=str) == sorted([(made, True), (made, False), (made, False)], key=str)
        else:
            assert sorted(came, key=str) == sorted([(None, False), (made, True), (made, False)], key=str)


@every_kind
async def test_nothing_is_created_if_all_callers_are_cancelled(ensure: Ensure) -> None:
    """If all callers are cancelled while the service is read, no creation is sent."""
    service = Service()

    async def leaves() -> Got:
        with service.stand.clock.move_on_after(0.05):
            return await ensure(service.stand.client)
        return None, False

    assert await at_once(leaves, leaves) == [(None, False)] * 2
    await service.pass_by(1.0)
    assert service.posts == 0
    assert (await ensure(service.stand.client))[1]


@every_kind
async def test_each_waits_within_its_own_deadline(ensure: Ensure) -> None:
    """The shortest deadline ends neither the creation nor the other calls, and nothing is created twice."""
    service = Service(takes=3.0)
    client = service.stand.client

    async def one(deadline: float | None) -> Got:
        return await ensure(client, CallOptions(deadline=deadline))

    came = await at_once(lambda: one(4.0), lambda: one(30.0), lambda: one(1.0), lambda: one(None))
    assert [type(got) for got in came] == [OutcomeUnknownError, tuple, OutcomeUnknownError, tuple]
    for got in came:
        assert not isinstance(got, OutcomeUnknownError) or got.gave_up == "deadline"
    assert service.posts == 1
    assert [got[1] for got in came if isinstance(got, tuple)].count(True) == 1


@every_kind
async def test_a_deadline_before_anything_was_created(ensure: Ensure) -> None:
    """If the deadline ends before the creation is sent, the error says that nothing was created, and nothing is created
    later."""
    service = Service(takes=3.0)
    with pytest.raises(UnavailableError, match="before anything was created") as raised:
        await ensure(service.stand.client, CallOptions(deadline=1.0))
    assert raised.value.gave_up == "deadline"
    assert service.stand.clock.passed == 1.0
    await service.pass_by(60.0)
    assert service.posts == 0


@every_kind
async def test_a_deadline_while_it_is_created(ensure: Ensure) -> None:
    """If the deadline ends during the creation, the outcome is unknown. The next ensure finds the entry."""
    service = Service(takes=3.0)
    with pytest.raises(OutcomeUnknownError) as raised:
        await ensure(service.stand.client, CallOptions(deadline=4.0))
    assert raised.value.gave_up == "deadline"
    made, _ = await ensure(service.stand.client)
    assert made == service.made[0][2]["id"]
    assert service.posts == 1


@every_kind
async def test_a_deadline_does_not_run_in_the_queue(ensure: Ensure) -> None:
    """The deadline counts from the first permit, as in any call. ``queue_timeout`` limits the wait before it."""
    service = Service(takes=2.0)
    scope = service.stand.client.scoped(max_in_flight=1, options=CallOptions(deadline=7.0))

    async def others() -> Got:
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(scope.orders("o1").refresh)
        return None, False

    async def impatient() -> Got:
        await service.stand.clock.wait(0.1)
        return await ensure(scope, CallOptions(queue_timeout=5.0))

    async def patient() -> Got:
        await service.stand.clock.wait(0.1)
        return await ensure(scope)

    _, first, second = await at_once(others, impatient, patient)
    assert isinstance(first, NotSentError | OutcomeUnknownError)
    assert first.gave_up == "queue"
    assert isinstance(second, tuple)
    assert second[1]


# After a creation whose outcome is unknown


@every_kind
async def test_an_entry_that_may_still_take_effect_is_not_created_again(ensure: Ensure) -> None:
    """The creation takes effect 20 s after it was sent. Until then every scope and handle raises the unknown outcome
    again."""
    service = Service(lands=20.0, losing=1)
    client = service.stand.client
    with pytest.raises(OutcomeUnknownError) as first:
        await ensure(client)
    for scope in (client, client.scoped(adapter_id="a2")):
        with pytest.raises(OutcomeUnknownError) as again:
            await ensure(scope)
        assert str(again.value) == str(first.value)
        assert again.value is not first.value
    await service.pass_by(21.0)
    assert await ensure(client) == (service.made[0][2]["id"], False)
    assert service.posts == 1


@every_kind
@pytest.mark.parametrize("lost_after", [0.1, 10.0])
async def test_an_entry_that_never_takes_effect_is_created_again_later(ensure: Ensure, lost_after: float) -> None:
    """The entry is created again 25 s after the first send and not sooner, however long the first call waited for its
    answer."""
    service = Service(lands=None, losing=1, lost_after=lost_after)
    client = service.stand.client
    with pytest.raises(OutcomeUnknownError):
        await ensure(client, CallOptions(deadline=None))
    sent = service.stand.engine.times[[r.method for r in service.stand.engine.requests].index("POST")]
    service.lands = 0.0
    await service.stand.clock.wait(sent + 24.8 - service.stand.clock.now)
    with pytest.raises(OutcomeUnknownError):
        await ensure(client)
    assert service.posts == 1
    await service.stand.clock.wait(sent + 25.1 - service.stand.clock.now)
    assert (await ensure(client))[1]
    assert service.posts == 2


@every_kind
async def test_longer_timeouts_make_the_doubt_longer(ensure: Ensure) -> None:
    """With a read timeout of 60 s the entry is still in doubt after 60 s, and no longer after 70 s."""
    service = Service(lands=None, losing=1)
    patient = service.stand.client.scoped(options=CallOptions(read_timeout=60.0))
    with pytest.raises(OutcomeUnknownError):
        await ensure(patient)
    await service.pass_by(60.0)
    with pytest.raises(OutcomeUnknownError):
        await ensure(service.stand.client)
    await service.pass_by(70.0)
    service.lands = 0.0
    assert (await ensure(service.stand.client))[1]
    assert service.posts == 2


@every_kind
async def test_ensure_after_a_create_that_is_unknown(ensure: Ensure) -> None:
    """``ensure`` respects the unknown outcome of another method and another handle."""
    service = Service(lands=20.0, losing=1)
    with pytest.raises(OutcomeUnknownError):
        await CREATES[ensure.__name__](service.stand.client)
    with pytest.raises(OutcomeUnknownError):
        await ensure(service.stand.client)
    await service.pass_by(21.0)
    assert await ensure(service.stand.client) == (service.made[0][2]["id"], False)
    assert service.posts == 1


@pytest.mark.every_loop
@every_kind
async def test_ensure_after_a_create_that_was_cancelled(ensure: Ensure) -> None:
    """A creation that was cancelled in flight has an unknown outcome, so ``ensure`` does not create again before it
    shows."""
    service = Service(takes=5.0, lands=12.0)
    with service.stand.clock.move_on_after(1.0):
        await CREATES[ensure.__name__](service.stand.client)
    service.takes = 0.1
    with pytest.raises(OutcomeUnknownError, match="was cut off while it was in flight"):
        await ensure(service.stand.client)
    await service.pass_by(13.0)
    assert await ensure(service.stand.client) == (service.made[0][2]["id"], False)
    assert service.posts == 1


@pytest.mark.every_loop
@every_kind
async def test_ensure_after_a_create_that_was_cancelled_in_the_queue(ensure: Ensure) -> None:
    """A creation that was cancelled in the queue was never sent, so ``ensure`` creates at once."""
    service = Service(takes=5.0)
    scope = service.stand.client.scoped(max_in_flight=1)

    async def leaves() -> Got:
        await service.stand.clock.wait(0.1)
        with service.stand.clock.move_on_after(1.0):
            await CREATES[ensure.__name__](scope)
        return None, False

    async def first() -> Got:
        await scope.orders("o1").refresh()
        return None, False

    await at_once(first, leaves)
    assert (await ensure(scope))[1]
    assert service.posts == 1


@every_kind
async def test_ensure_while_a_create_is_in_flight(ensure: Ensure) -> None:
    """``ensure`` waits for the creation that is in flight, and finds its entry."""
    service = Service(takes=3.0, lands=2.9)

    async def create() -> Got:
        await CREATES[ensure.__name__](service.stand.client)
        return None, True

    async def later() -> Got:
        await service.stand.clock.wait(1.0)
        service.takes = 0.1
        return await ensure(service.stand.client)

    _, got = await at_once(create, later)
    assert got == (service.made[0][2]["id"], False)
    assert service.posts == 1


@every_kind
async def test_a_create_that_changed_nothing_leaves_no_doubt(ensure: Ensure) -> None:
    """After a creation that was refused or never sent, the next ensure creates at once."""
    replies = [answer(400), lost("connect"), lost("connect"), lost("connect")]
    service = Service()
    plain: Callable[[WireRequest], Step] = service.reply
    refusing = stand(lambda request: replies.pop(0) if request.method == "POST" and replies else plain(request))
    service.stand = refusing
    with pytest.raises(Exception, match="refused with 400"):
        await ensure(refusing.client)
    with pytest.raises(NotSentError):
        await CREATES[ensure.__name__](refusing.client)
    assert (await ensure(refusing.client))[1]


@pytest.mark.parametrize("ensure", KINDS[:5])
async def test_an_entry_that_was_created_and_does_not_show_is_not_created_again(ensure: Ensure) -> None:
    """While the service does not show a confirmed creation yet, each ensure is pending and sends no second one. Once it
    shows, ensure finds it."""
    service = Service(lands=15.0)
    for _ in range(2):
        with pytest.raises(PendingError):
            await ensure(service.stand.client)
    await service.pass_by(16.0)
    assert await ensure(service.stand.client) == (service.made[0][2]["id"], False)
    assert service.posts == 1


@every_kind
async def test_each_caller_gets_an_error_of_its_own(ensure: Ensure) -> None:
    """Callers that share a creation get separate error objects with the same text, because a shared traceback would
    grow with every caller."""
    service = Service(lands=None, losing=1)
    came = await at_once(*[lambda: ensure(service.stand.client)] * 4)
    assert all(isinstance(got, OutcomeUnknownError) for got in came)
    assert len({str(got) for got in came}) == 1
    assert len({id(got) for got in came}) == 4
    assert service.posts == 1


async def test_a_wrong_argument_is_reported_to_its_caller() -> None:
    """Arguments are checked before a creation is shared, so only the caller with the wrong amount gets the error."""
    service = Service()
    order = service.stand.client.orders("o1")

    async def wrong() -> Got:
        done = await order.payments.ensure({"amount": 1.001}, reference="inv")
        return done.value.id, done.created

    first, second = await at_once(wrong, lambda: payments(service.stand.client))
    assert isinstance(first, InvalidRequestError)
    assert isinstance(second, tuple)
    assert service.posts == 1


@pytest.mark.every_loop
@every_kind
async def test_on_a_client_that_is_closed(ensure: Ensure) -> None:
    """If the client is closed meanwhile, no caller waits for ever and nothing is created. Afterwards ``ensure`` is
    refused like any call."""
    service = Service(takes=1.0)

    async def close() -> Got:
        await service.stand.clock.wait(0.5)
        await service.stand.client.aclose(grace=0.1)
        return None, False

    came, _ = await at_once(lambda: ensure(service.stand.client), close)
    assert isinstance(came, NotSentError | UnavailableError)
    assert service.posts == 0
    with pytest.raises(NotSentError) as raised:
        await ensure(service.stand.client)
    assert raised.value.gave_up == "closed"


# The limits of what is remembered


def creation(number: int) -> Creation:
    return Creation(("acme", "se", "o1", "payments", f"p{number}"), CREATE_PAYMENT, "o1", 25.0)


def begun(clock: FakeClock) -> Deadline:
    deadline = Deadline(clock, None)
    deadline.start()
    return deadline


def in_doubt(creations: Creations, number: int) -> bool:
    """Return whether a creation is refused because an earlier one may still take effect."""
    try:
        creations.check(creation(number), Flight(FakeClock()))
    except OutcomeUnknownError:
        return True
    return False


async def test_ten_thousand_doubts_are_remembered_one_by_one() -> None:
    """Up to 10,000 doubts are remembered by key. With one more, every key is in doubt until that doubt ends."""
    clock = FakeClock()
    creations = Creations(clock)

    def lose(number: int) -> None:
        with pytest.raises(OutcomeUnknownError), creations.creating(creation(number), Baseline(), begun(clock)):
            raise creation(number).unknown("lost", "not-repeatable")

    for number in range(10_000):
        lose(number)
    assert in_doubt(creations, 0)
    assert in_doubt(creations, 9_999)
    assert not in_doubt(creations, 10_000)
    clock.now += 10.0
    lose(10_000)
    lose(5)
    assert in_doubt(creations, 10_000)
    assert in_doubt(creations, 123_456)
    clock.now += 24.0
    assert in_doubt(creations, 123_456)
    assert in_doubt(creations, 5)
    clock.now += 1.5
    assert not in_doubt(creations, 123_456)
    assert not in_doubt(creations, 5)
    lose(20_000)
    assert in_doubt(creations, 20_000)
    assert not in_doubt(creations, 123_456)


async def test_a_new_loop_keeps_doubts_and_drops_flights() -> None:
    """A creation that was in flight when its event loop ended may take effect, so its key stays in doubt and no call
    waits for it."""
    clock = FakeClock()
    creations = Creations(clock)
    with creations.creating(creation(1), Baseline(), begun(clock)):
        creations.reset()
        assert in_doubt(creations, 1)
        assert not await creations.others_ended(creation(1).key)
    clock.now += 25.1
    assert not in_doubt(creations, 1)


# On one event loop after the other


class Nowhere:
    """An engine that drops payments in silence; other requests reach the service."""

    name = "nowhere"

    def __init__(self, posts: list[str], takes: float) -> None:
        self._inner = HttpxEngine()
        self._posts = posts
        self._takes = takes

    async def send(self, request: WireRequest) -> WireResponse:
        if request.method == "POST" and request.url.endswith("/payments"):
            self._posts.append(request.url)
            await anyio.sleep(self._takes)
            raise MaybeSentError("read", "lost")
        return await self._inner.send(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def test_a_doubt_survives_its_event_loop() -> None:
    """A doubt from one event loop holds on the next one, because a task runner uses a new loop for each task."""
    posts: list[str] = []
    with Sandbox() as sandbox:
        norce = client_of(sandbox, engine=lambda: Nowhere(posts, 0.0), options=AT_ONCE)
        order_id = asyncio.run(norce.orders.create(CONTEXT)).id
        for _ in range(2):
            with pytest.raises(OutcomeUnknownError):
                asyncio.run(norce.orders(order_id).payments.ensure({"amount": 1.0}, reference="inv"))
        asyncio.run(norce.aclose())
    assert len(posts) == 1


def test_a_flight_that_its_event_loop_did_not_finish() -> None:
    """No caller on a new event loop waits for a creation of the old one, and that creation is in doubt."""
    posts: list[str] = []
    with Sandbox() as sandbox:
        norce = client_of(sandbox, engine=lambda: Nowhere(posts, 3600.0), options=AT_ONCE)

        async def ensure(order_id: str) -> None:
            await norce.orders(order_id).payments.ensure({"amount": 1.0}, reference="inv")

        async def leave(order_id: str) -> None:
            task = asyncio.create_task(ensure(order_id))
            while not posts:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            task.cancel()

        order_id = asyncio.run(norce.orders.create(CONTEXT)).id
        asyncio.run(leave(order_id))
        with pytest.raises(OutcomeUnknownError):
            asyncio.run(ensure(order_id))
        asyncio.run(norce.aclose())
    assert len(posts) == 1
