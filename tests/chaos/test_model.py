"""The results of callers are true for any sequence of calls and faults.

Hypothesis draws calls on the facade and what the proxy does to the requests that each of them makes. After each call
the test reads the service's log of effects. A creating call took effect once if its caller was told that it is done, at
most once if told that the outcome is unknown, and not at all if told that nothing was done. At the end of a sequence
every order is compared as a whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.error import HTTPError

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)

from norce_order_async import (
    CallError,
    NotFoundError,
    NotSentError,
    Order,
    OutcomeUnknownError,
    RefusedError,
    RejectedError,
    TransitionSupersededError,
    UnavailableError,
)
from norce_order_async.engines.select import EngineName
from norce_order_async.models import OrderStatus
from norce_order_async.sandbox import Sandbox
from tests.support.faults import ALL_THAT_END, Fault, Scripted, passes
from tests.support.proxy import Proxy

from .service import CONTEXT, CREATE_ORDER, SET_STATE, Truth, cart
from .test_creating_parts import KINDS, Kind

SET_REFERENCE = "UpdateCheckoutOrderReference"
DELETE = "DeleteCheckoutOrder"

FAULTS = st.lists(st.sampled_from([Fault.PASS, *ALL_THAT_END]), max_size=4)
NAMES = st.sampled_from(["a", "b", "c"])
STATUSES: st.SearchStrategy[OrderStatus] = st.sampled_from(["checkout", "processing", "accepted", "completed"])

Word = Literal["done", "nothing", "unknown"]


@dataclass(frozen=True)
class Told:
    """The result of a caller: done with an answer, not done, or unknown."""

    word: Word
    answer: Any = None
    error: CallError | None = None


def reported_by(error: CallError) -> Told:
    """What an error says of the outcome."""
    if isinstance(error, RefusedError):
        return Told("unknown" if error.maybe_changed else "nothing", error=error)
    if isinstance(error, NotSentError | RejectedError | UnavailableError):
        return Told("nothing", error=error)
    assert isinstance(error, OutcomeUnknownError | TransitionSupersededError)
    return Told("unknown", error=error)


@dataclass(eq=False)
class Known:
    """One order as its callers know it."""

    order: Order
    parts: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """The ids that callers got, by the list that they are in."""


class Calls(RuleBasedStateMachine):
    """Sequences of calls by one client, for a merchant of its own."""

    truth: Truth
    proxy: Proxy
    portal: BlockingPortal

    orders: Bundle[Known] = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        self.client = self.truth.client(self.proxy)
        self.known: list[Known] = []

    @initialize(target=orders, read=st.booleans())
    def an_order_is_there(self, read: bool) -> Known:
        known = self._created(self._call(lambda: self.client.orders.create(**CONTEXT, cart=cart()), []).answer)
        if read:
            self._call(known.order.refresh, [])
        return known

    @rule(target=orders, reference=st.none() | NAMES, faults=FAULTS)
    def create_order(self, reference: str | None, faults: list[Fault]) -> Known | MultipleResults[Known]:
        before = self._carts()
        told = self._call(lambda: self.client.orders.create(**CONTEXT, cart=cart(reference)), faults)
        acted = [order_id for order_id in self._carts() if order_id not in before]
        holder = next(
            (order_id for order_id, held in before.items() if reference is not None and held == reference), None
        )
        if holder:
            # A caller whose answer was lost may get the order that had this cart reference before.
            assert not acted
            assert told.word != "done" or told.answer.id == holder
            return multiple()
        self._once(told, acted)
        if told.word != "done":
            return multiple()
        assert acted == [told.answer.id]
        return self._created(told.answer)

    @rule(known=orders, kind=st.sampled_from(list(KINDS.values())), name=NAMES, faults=FAULTS)
    def add(self, known: Known, kind: Kind, name: str, faults: list[Fault]) -> None:
        told, acted = self._change(known, kind.operation, lambda: kind.create(known.order, name), faults)
        self._once(told, acted)
        if told.answer is not None:
            assert acted == [told.answer]
            known.parts.setdefault(kind.member, set()).add(told.answer)

    @rule(known=orders, reference=NAMES, faults=FAULTS)
    def set_reference(self, known: Known, reference: str, faults: list[Fault]) -> None:
        told, acted = self._change(known, SET_REFERENCE, lambda: known.order.set_reference(reference), faults)
        assert told.word != "nothing" or not acted
        assert told.word != "done" or self.truth.order(known.order.id)["reference"] == reference

    @rule(known=orders, status=STATUSES, force=st.booleans(), faults=FAULTS)
    def transition(self, known: Known, status: OrderStatus, force: bool, faults: list[Fault]) -> None:
        told, acted = self._change(known, SET_STATE, lambda: known.order.transition_to(status, force=force), faults)
        assert len(acted) <= 1, "a change of status took effect twice"
        assert told.word != "nothing" or not acted
        assert told.word != "done" or self.truth.status(known.order.id) == status

    @rule(known=orders, faults=FAULTS)
    def refresh(self, known: Known, faults: list[Fault]) -> None:
        told = self._call(known.order.refresh, faults)
        if told.word == "done":
            self._as_it_is(known)

    @rule(known=orders, faults=FAULTS)
    def delete(self, known: Known, faults: list[Fault]) -> None:
        told, acted = self._change(known, DELETE, known.order.delete, faults)
        assert len(acted) <= 1
        assert told.word != "nothing" or not acted
        assert told.word != "done" or self._gone(known.order.id)

    def teardown(self) -> None:
        """Every order, read once more without faults, equals the service's, with all that callers got."""
        for known in self.known:
            told = self._call(known.order.refresh, [])
            if told.word == "done":
                self._as_it_is(known)
            else:
                assert isinstance(told.error, NotFoundError)
                assert self._gone(known.order.id)
        deleted = [effect.order_id for effect in self.truth.effects(DELETE)]
        created = [effect.order_id for effect in self.truth.effects(CREATE_ORDER)]
        assert sorted(created) == sorted([*self._carts(), *deleted])
        self.portal.call(self.client.aclose)

    # Making and checking calls

    def _call(self, make: Callable[[], Awaitable[Any]], faults: list[Fault]) -> Told:
        """Make a call under these faults and wait until all of it has ended, late requests too."""

        async def call() -> Told:
            try:
                return Told("done", await make())
            except CallError as error:
                return reported_by(error)

        self.proxy.plan = Scripted(*faults)
        try:
            return self.portal.call(call)
        finally:
            self.proxy.plan = passes
            self.proxy.settle()

    def _change(
        self, known: Known, operation: str, make: Callable[[], Awaitable[Any]], faults: list[Fault]
    ) -> tuple[Told, list[str]]:
        """Make a call that changes an order. Returns the caller's result and the effects, all of this operation."""
        seen = len(self.truth.effects(order_id=known.order.id))
        told = self._call(make, faults)
        effects = self.truth.effects(order_id=known.order.id)[seen:]
        assert {effect.operation for effect in effects} <= {operation}
        return told, [effect.subject for effect in effects]

    def _once(self, told: Told, acted: list[str]) -> None:
        """A creating call takes effect as often as its caller's result says, and never twice."""
        assert len(acted) in {"done": (1,), "nothing": (0,), "unknown": (0, 1)}[told.word], told

    def _created(self, order: Order) -> Known:
        known = Known(order)
        self.known.append(known)
        return known

    def _carts(self) -> dict[str, str | None]:
        """All orders, with their cart references."""
        return {order["id"]: order["cart"].get("reference") for order in self.truth.orders()}

    def _gone(self, order_id: str) -> bool:
        try:
            self.truth.order(order_id)
        except HTTPError as error:
            return error.code == 404
        return False

    def _as_it_is(self, known: Known) -> None:
        """The handle equals the service's order, and the service has all that callers got."""
        there = self.truth.order(known.order.id)
        assert known.order.status == there["state"]["currentStatus"]
        assert known.order.reference == there.get("reference")
        for kind in KINDS.values():
            ids = [part["id"] for part in there.get(kind.member, [])]
            assert [part.id for part in getattr(known.order, kind.member)] == ids
            assert known.parts.get(kind.member, set()) <= set(ids)
            assert len(ids) == len(self.truth.effects(kind.operation, known.order.id))


_merchants = itertools.count(1)

EXTENTS = [
    pytest.param(settings(max_examples=15, stateful_step_count=12, derandomize=True), id="some"),
    pytest.param(settings(max_examples=200, stateful_step_count=30), id="many", marks=pytest.mark.soak),
]


@pytest.fixture
def portal(anyio_backend: str) -> Iterator[BlockingPortal]:
    """An event loop on a thread of its own, for a state machine that is not async."""
    with start_blocking_portal(anyio_backend) as portal:
        yield portal


@pytest.mark.parametrize("extent", EXTENTS)
def test_reports_to_callers_are_true(
    sandbox: Sandbox, proxy: Proxy, portal: BlockingPortal, engine: EngineName, extent: settings
) -> None:

    class CallsHere(Calls):
        def __init__(self) -> None:
            self.proxy, self.portal = proxy, portal
            self.truth = Truth(sandbox, f"model-{next(_merchants)}", engine)
            super().__init__()

    run_state_machine_as_test(
        CallsHere,
        settings=settings(extent, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]),
    )
