"""The client under every reading of the rules that nobody has published: what its caller is told is true of each."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import Any, TypeVar

import httpx
import pytest

from norce_order_async import (
    CallOptions,
    DuplicateOrderError,
    Fixed,
    NorceError,
    NorceOrderClient,
    Order,
    OrderFilter,
)
from norce_order_async.bulk import actions
from norce_order_async.bulk.actions.base import Action
from norce_order_async.engines.select import EngineName
from norce_order_async.pipeline.creations import untouched
from norce_order_async.sandbox import FaultPlan, FaultRule, Readings, Sandbox
from norce_order_async.sandbox.faults.kinds import LoseAnswer, Respond
from norce_order_async.sandbox.faults.plan import WRITES

from .service import CONTEXT, CREATE_ORDER, SET_STATE, cart, payment, shipping

pytestmark = [pytest.mark.anyio, pytest.mark.in_turn("anyio_backend")]

T = TypeVar("T")
FASTER = 20
"""How much faster the service's clock goes than the client's, so that its 2 and 3 s are waited for in a test."""
OPTIONS = CallOptions(base_delay=0.0, throttled_base_delay=0.0, settling_pause=1.0 / FASTER)
CREATE_PAYMENT, CREATE_SHIPPING = "CreateOrderPayment", "CreateOrderShipping"
TUTORIAL = Path(__file__).parents[2] / "examples" / "tutorial.py"


class FastClock:
    """A service's clock that goes faster than the machine's, and can be moved ahead as well."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._began: float | None = monotonic()

    def now(self) -> datetime:
        passed = 0.0 if self._began is None else (monotonic() - self._began) * FASTER
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=passed + self._ahead)

    @contextmanager
    def standing_still(self) -> Generator[None]:
        """What lists do not show yet, they do not show inside, however slow the machine is."""
        self._ahead, self._began = (self.now() - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds(), None
        yield
        self._began = monotonic()

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


class Truth:
    """The service as it is, asked without the client, and what callers were told of it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def order(self, order_id: str) -> dict[str, Any] | None:
        """The order as stored; None when it is not there."""
        headers = {"authorization": f"Bearer {self.sandbox.token}", "x-merchant": "acme", "x-channel": "se"}
        url = f"{self.sandbox.base_url}/api/v0/checkout/orders/{order_id}"
        answer = httpx.get(url, headers=headers, trust_env=False)
        return None if answer.status_code == 404 else answer.raise_for_status().json()

    def status(self, order_id: str) -> str | None:
        order = self.order(order_id)
        return None if order is None else str(order["state"]["currentStatus"]).lower()

    def is_in(self, order_id: str, status: str, _result: object) -> bool:
        return self.status(order_id) == status

    def active(self, order_id: str, member: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = (self.order(order_id) or {}).get(member) or []
        return [entry for entry in entries if str(entry.get("state")).lower() != "removed"]

    def times(self, operation: str, order_id: str | None = None) -> int:
        return len(self.sandbox.effects.of(order_id, operation))

    def steps(self, order_id: str) -> list[str]:
        """The changes of an order's status that took effect."""
        return [effect.detail for effect in self.sandbox.effects.of(order_id, SET_STATE)]

    async def hold(
        self,
        call: Awaitable[T],
        operation: str,
        order_id: str | None,
        is_so: Callable[[T], object],
    ) -> T | None:
        """Make a call, and hold what it says against what is there: at once and, if it says that nothing was done, in
        the end."""
        before = self.times(operation, order_id)

        def took_effect() -> int:
            return self.times(operation, order_id) - before

        try:
            value = await call
        except NorceError as error:
            if untouched(error):
                self._later(lambda: took_effect() == 0, f"told {error!r}, and it was done")
            return None
        assert is_so(value), f"told that {operation} is done, and it is not"
        assert took_effect() == 1, f"told that {operation} is done, and it was done {took_effect()} times"
        return value

    def _later(self, holds: Callable[[], object], told: str) -> None:
        # What is not done may come late: looked at before the next change, and counted then.
        self.sandbox.advance(10.0)
        self.order("o-nobody-has")
        assert holds(), told


@pytest.fixture(
    params=[*Readings.each(), Readings.harsh()],
    ids=lambda one: "+".join(f"{each.rule}={each.id}" for each in one.changed) if len(one.changed) == 1 else "harsh",
)
def readings(request: pytest.FixtureRequest) -> Readings:
    chosen: Readings = request.param
    return chosen


@pytest.fixture
def clock() -> FastClock:
    return FastClock()


@pytest.fixture
def sandbox(readings: Readings, clock: FastClock) -> Iterator[Sandbox]:
    with Sandbox(readings=readings, clock=clock) as sandbox:
        yield sandbox
    sandbox.close()


@pytest.fixture
def told(sandbox: Sandbox) -> Truth:
    return Truth(sandbox)


@pytest.fixture
async def norce(sandbox: Sandbox, engine: EngineName) -> AsyncIterator[NorceOrderClient]:
    async with client_of(sandbox, engine) as norce:
        yield norce


def client_of(sandbox: Sandbox, engine: EngineName) -> NorceOrderClient:
    return NorceOrderClient(
        base_url=sandbox.base_url, token=sandbox.token, merchant="acme", channel="se", engine=engine, options=OPTIONS
    )


@pytest.fixture(scope="module")
def tutorial() -> ModuleType:
    source = TUTORIAL.read_text().rpartition("asyncio.run(")[0]
    module = ModuleType("tutorial")
    exec(compile(source, TUTORIAL, "exec"), module.__dict__)
    return module


async def test_the_tutorial(told: Truth, norce: NorceOrderClient, tutorial: ModuleType, capsys: Any) -> None:
    """It comes to its end, or an error of ours says why not; the order is completed where it says so, and paid once."""
    try:
        await tutorial.walk(norce)
    except NorceError as error:
        refused = repr(error)
    else:
        refused = ""
    out = capsys.readouterr().out
    if refused:
        assert "completed" not in out, refused
        return
    (made,) = told.sandbox.effects.of(None, CREATE_ORDER)
    assert told.status(made.order_id) == "completed"
    assert "completed" in out
    assert told.steps(made.order_id) == ["checkout -> completed"]
    order = told.order(made.order_id) or {}
    assert [each["amount"] for each in told.active(made.order_id, "payments")] == [174.0]
    assert order["total"]["includingVat"] == 174.0


async def test_a_walk_through_the_domain(told: Truth, norce: NorceOrderClient, clock: FastClock) -> None:
    with clock.standing_still():
        order = await created_once(told, norce)
        again, is_new = await norce.orders.get_or_create(**CONTEXT, cart=cart(), cart_reference="c-1")
        assert (again.id, is_new) == (order.id, False)
        assert told.times(CREATE_ORDER) == 1, "an order was created twice"
    await its_parts(told, order)
    await its_attributes(told, order)
    report = await order.validate()
    assert report.ok, report
    for status in ("processing", "checkout", "completed"):
        await told.hold(order.transition_to(status), SET_STATE, order.id, partial(told.is_in, order.id, status))
        assert (await order.refresh()).status == told.status(order.id)
    told.sandbox.advance(10.0)
    found = await norce.orders.find_by_cart_reference("c-1")
    assert found is not None
    assert found.id == order.id
    assert [each.id for each in (await norce.orders.list(limit=10)).orders] == [order.id]
    others = [(await norce.orders.create(**CONTEXT, cart=cart(f"c-{number}"))).id for number in range(2, 25)]
    told.sandbox.advance(10.0)
    for where in (None, OrderFilter(date_from=datetime(2025, 1, 1, tzinfo=UTC))):
        given = [each.id async for each in norce.orders.iterate(where, page_size=10)]
        assert sorted(given) == sorted([order.id, *others])
    gone = norce.orders(others[0])
    await told.hold(gone.delete(), "DeleteCheckoutOrder", gone.id, lambda _: told.status(gone.id) in (None, "removed"))


async def test_an_order_that_another_program_created(
    told: Truth, sandbox: Sandbox, norce: NorceOrderClient, engine: EngineName, readings: Readings
) -> None:
    """It is found, or refused as the service has it, or a second one is made where the service takes that."""
    async with client_of(sandbox, engine) as other:
        theirs = await other.orders.create(**CONTEXT, cart=cart("c-1"))
    ours, is_new = await norce.orders.get_or_create(**CONTEXT, cart=cart(), cart_reference="c-1")
    assert told.times(CREATE_ORDER) == 1 + is_new
    assert is_new == (ours.id != theirs.id)
    if readings["cart-reference-unique"] != "not-unique":
        assert not is_new


async def created_once(told: Truth, norce: NorceOrderClient) -> Order:
    order = await told.hold(
        norce.orders.create(**CONTEXT, cart=cart("c-1")), CREATE_ORDER, None, lambda made: told.order(made.id)
    )
    assert order is not None
    return await order.refresh()


async def its_parts(told: Truth, order: Order) -> None:
    await order.customer.set_billing({"type": "person", "givenName": "Åsa", "city": "Solna", "country": "SE"})
    assert (told.order(order.id) or {})["customer"]["billing"]["givenName"] == "Åsa"
    await order.refresh()
    assert order.customer.type is None or str(order.customer.type).lower() == "person"
    for part, entry, operation, member in (
        (order.shippings, shipping("s-1"), CREATE_SHIPPING, "shippings"),
        (order.payments, payment("p-1"), CREATE_PAYMENT, "payments"),
    ):
        for _ in range(2):
            ensured = await part.ensure(entry)  # type: ignore[arg-type]
            assert [each["id"] for each in told.active(order.id, member)] == [ensured.value.id]
            assert told.times(operation, order.id) == 1
    # Refused where the service writes nulls that it does not take back (docs/uncertain.md): then nothing was done.
    await told.hold(
        order.payments.update(order.payments.active[0].id or "", lambda one: setattr(one, "name", "Card")),
        "UpdateOrderPayment",
        order.id,
        lambda _: [each["name"] for each in told.active(order.id, "payments")] == ["Card"],
    )
    extra = await order.payments.create(payment("p-2", 1.0))
    await told.hold(
        order.payments.remove(extra),
        "UpdateOrderPayment",
        order.id,
        lambda _: [each["reference"] for each in told.active(order.id, "payments")] == ["p-1"],
    )
    if len(told.active(order.id, "payments")) == 2:
        await order.payments.put(extra, {**payment("p-2", 1.0), "state": "removed"})
    await order.refresh()
    assert [each.reference for each in order.payments.active] == ["p-1"]
    assert order.outstanding == 0


async def its_attributes(told: Truth, order: Order) -> None:
    def stored() -> dict[str, Any]:
        return (told.order(order.id) or {}).get("attributes") or {}

    await order.attributes.update({"kept": 1, "gone": 2})
    assert stored() == {"kept": 1, "gone": 2}
    await told.hold(
        order.attributes.update({"gone": None}),
        "PatchCheckoutOrderAttributes",
        order.id,
        lambda _: stored().get("gone") is None,
    )
    await order.refresh()
    assert dict(order.attributes) == stored()


async def test_a_job_whose_answers_are_lost(
    told: Truth, sandbox: Sandbox, norce: NorceOrderClient, tmp_path: Path
) -> None:
    ids = [(await norce.orders.create(**CONTEXT, cart=cart(f"c-{number}"))).id for number in range(12)]
    for order_id in ids:
        await norce.orders(order_id).payments.create(payment("whole"))
    sandbox.faults.play("lost-answers")
    attributes = actions.patch_attributes({"sent": True})
    verdicts = await ran(norce, tmp_path / "attributes", ids, attributes)
    assert set(verdicts.values()) == {"done"}
    assert all((told.order(each) or {})["attributes"] == {"sent": True} for each in ids)
    verdicts = await ran(norce, tmp_path / "states", ids, actions.transition("completed"))
    for order_id, verdict in verdicts.items():
        if verdict == "done":
            assert told.status(order_id) == "completed"
            assert told.steps(order_id) == ["checkout -> completed"]
    sandbox.advance(10.0)
    for order_id, verdict in verdicts.items():
        assert len(told.steps(order_id)) <= 1, "moved twice"
        assert verdict != "refused" or told.status(order_id) == "checkout"
    assert set(verdicts.values()) == {"done"}
    sandbox.faults.stop()
    out = tmp_path / "orders.jsonl"
    async with norce.bulk(load=Fixed(in_flight=3)) as job:
        async for _ in job.run(OrderFilter(), actions.export(out)):
            pass
    assert job.summary.complete
    assert sorted(json.loads(line)["id"] for line in out.read_text().splitlines()) == sorted(ids)


async def ran(norce: NorceOrderClient, journal: Path, ids: list[str], action: Action[Any]) -> dict[str, str]:
    async with norce.bulk(journal, load=Fixed(in_flight=3)) as job:
        return {outcome.key: outcome.verdict async for outcome in job.run(ids, action)}


LOST = FaultPlan((FaultRule(LoseAnswer(), WRITES, first=1),))
TURNED_AWAY = FaultPlan((FaultRule(Respond(503, retry_after=0.05, form="milliseconds"), WRITES, first=1),))


async def created_or_told_twice(norce: NorceOrderClient, reference: str) -> tuple[Order, bool]:
    try:
        order = await norce.orders.create(**CONTEXT, cart=cart(reference))
    except DuplicateOrderError as error:
        first: Order = error.orders[0]
        return first, True
    return order, not order.uniqueness_checked


@pytest.mark.parametrize("plan", [LOST, TURNED_AWAY], ids=["lost", "turned-away"])
async def test_answers_that_are_lost_and_turned_away(
    told: Truth, sandbox: Sandbox, norce: NorceOrderClient, plan: FaultPlan
) -> None:
    """The first answer to each change is lost, or is a 503 that says when to come back."""
    sandbox.faults.play(plan)
    order, told_twice = await created_or_told_twice(norce, "c-1")
    assert told.order(order.id)
    assert told.times(CREATE_ORDER) == 1 or told_twice, "created twice, and told that it is alone"
    sandbox.advance(10.0)
    sandbox.faults.play(plan)
    again, is_new = await norce.orders.get_or_create(**CONTEXT, cart=cart(), cart_reference="c-2")
    assert is_new
    assert told.order(again.id)
    assert told.times(CREATE_ORDER) <= 2 + told_twice + (not again.uniqueness_checked)
    await order.refresh()
    await told.hold(
        order.payments.ensure(payment("p-1")),
        CREATE_PAYMENT,
        order.id,
        lambda ensured: [each["id"] for each in told.active(order.id, "payments")] == [ensured.value.id],
    )
    sandbox.faults.stop()
    if not told.active(order.id, "payments"):
        # Told that the outcome is unknown: what validates is not what this is about.
        await order.payments.create(payment("p-1"))
    assert len(told.active(order.id, "payments")) == 1
    for status in ("processing", "completed"):
        sandbox.faults.play(plan)
        await told.hold(order.transition_to(status), SET_STATE, order.id, partial(told.is_in, order.id, status))
