"""An inbox agrees with a model of its states for events in any order."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import hypothesis.strategies as st
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from norce_order_async.adapter import Taken
from norce_order_async.runtime.clock import SystemClock
from tests.adapter.deliveries import delivery
from tests.adapter.inbox.places import Inbox, InFile, InPostgres, Place, let_pass, work_until

DAY = 24 * 3600.0
EVENTS = [*["arrives"] * 3, *["works"] * 3, "a day passes", "an hour passes", "is retried", "is dropped", "a restart"]
MOST = 2
MANY = 300
NUMBERS = st.integers(0, 3)
BUSY = "SELECT id FROM norce_inbox WHERE state = 'working' OR (state = 'waiting' AND due = 0)"


class Longest(SystemClock):
    """A clock that draws the longest pause."""

    def uniform(self, low: float, high: float) -> float:
        return max(low, high)


@dataclass
class Known:
    """An entry of the model."""

    id: int
    state: str
    attempts: int
    age: float
    """Seconds since it entered its state."""


class Machine(RuleBasedStateMachine):
    """Four notifications that arrive again and again."""

    place: Callable[[], Place]
    backend: str
    handled: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[int, Known] = {}
        self.last_id = 0

    @initialize()
    def opens(self) -> None:
        self.at = self.place()
        self._portal = start_blocking_portal(self.backend)
        self.portal: BlockingPortal = self._portal.__enter__()
        self.inbox: Inbox = self.at.inbox(max_attempts=MOST, backoff_base=1e8, backoff_cap=1e8, clock=Longest())
        self._opened = self.portal.wrap_async_context_manager(self.inbox)
        self._opened.__enter__()

    def teardown(self) -> None:
        if hasattr(self, "_opened"):
            self._opened.__exit__(None, None, None)
            self._portal.__exit__(None, None, None)

    def call(self, work: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any) -> Any:
        return self.portal.call(work, *arguments)

    # All events are one rule, because hypothesis leaves out some of several rules in each of its runs.
    @rule(event=st.sampled_from(EVENTS), number=NUMBERS, fails=st.sets(NUMBERS, max_size=2))
    def happens(self, event: str, number: int, fails: set[int]) -> None:
        match event:
            case "arrives":
                self.arrives(number)
            case "works":
                self.works(fails)
            case "a day passes":
                self.time_passes(DAY)
            case "an hour passes":
                self.time_passes(3600.0)
            case "is retried":
                self.retries(number)
            case "is dropped":
                self.drops(number)
            case _:
                self.restarts()

    def arrives(self, number: int) -> None:
        known = self.known.get(number)
        new = known is None or known.state == "dead" or (known.state == "handled" and known.age >= DAY)
        assert self.call(self.inbox.store, delivery(order_id=f"o_{number}")) is new
        # Notifications that were handled a day ago are forgotten when another is stored.
        for other, each in list(self.known.items()):
            if each.state == "handled" and each.age >= DAY and other != number:
                del self.known[other]
        if known is None:
            # An id may be skipped, so the next one is read.
            self.last_id = self.ids()[f"o_{number}"]
            self.known[number] = Known(self.last_id, "waiting", 0, 0.0)
        elif new:
            known.state, known.attempts, known.age = "waiting", 0, 0.0

    def works(self, fails: set[int]) -> None:
        """Give each waiting entry one attempt."""
        waiting = {number for number, each in self.known.items() if each.state == "waiting"}
        assert sorted(self.call(self.one_attempt, fails)) == sorted(waiting)
        for number in waiting:
            known = self.known[number]
            known.attempts += 1
            known.age = 0.0
            if number not in fails:
                known.state = "handled"
                Machine.handled += 1
            elif known.attempts == MOST:
                known.state = "dead"

    async def one_attempt(self, fails: set[int]) -> list[int]:
        """Work until each waiting entry has had its attempt. The next attempt is far away."""
        began: list[int] = []

        async def handle(taken: Taken) -> None:
            number = int(taken.delivery.order_id[2:])
            began.append(number)
            assert taken.attempt == self.known[number].attempts + 1
            if number in fails:
                raise ValueError

        self.at.query("UPDATE norce_inbox SET due = 0 WHERE state = 'waiting'")
        await work_until(self.inbox, handle, lambda: not self.at.query(BUSY))
        return began

    def time_passes(self, seconds: float) -> None:
        let_pass(self.at, seconds)
        for each in self.known.values():
            each.age += seconds

    def retries(self, number: int) -> None:
        known = self.known.get(number)
        if known is None:
            assert self.call(self.inbox.retry, self.last_id + 1000) is None
            return
        assert self.call(self.inbox.retry, known.id) == known.state
        if known.state == "handled":
            del self.known[number]
        else:
            known.state, known.attempts = "waiting", 0

    def drops(self, number: int) -> None:
        known = self.known.pop(number, None)
        if known is not None:
            assert self.call(self.inbox.drop, known.id) == known.state

    def restarts(self) -> None:
        self._opened.__exit__(None, None, None)
        self.inbox = self.at.inbox(max_attempts=MOST, backoff_base=1e8, backoff_cap=1e8, clock=Longest())
        self._opened = self.portal.wrap_async_context_manager(self.inbox)
        self._opened.__enter__()

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "_opened"):
            return
        found = self.at.query("SELECT id, order_id, state, attempts FROM norce_inbox")
        there = {int(order[2:]): (entry, state, attempts) for entry, order, state, attempts in found}
        assert there == {number: (each.id, each.state, each.attempts) for number, each in self.known.items()}

    def ids(self) -> dict[str, int]:
        return {order: entry for entry, order in self.at.query("SELECT id, order_id FROM norce_inbox")}


# An inbox is the same on each loop.
@pytest.mark.in_turn("backend", over="module")
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_file_agrees_with_the_model(tmp_path: Path, backend: str) -> None:
    made = 0

    def place() -> Place:
        nonlocal made
        made += 1
        return InFile(tmp_path / f"{made}.inbox")

    _run(place, backend, examples=25)


@pytest.mark.slow(group="postgres")
@pytest.mark.in_turn("backend", over="module")
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_database_agrees_with_the_model(postgres: str, backend: str) -> None:

    def place() -> Place:
        there = InPostgres(postgres)
        there.query("DROP TABLE IF EXISTS norce_inbox")
        return there

    _run(place, backend, examples=8)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_file_agrees_with_the_model_for_long(tmp_path: Path) -> None:
    """The soak tries many more orders of events."""
    made = 0

    def place() -> Place:
        nonlocal made
        made += 1
        return InFile(tmp_path / f"{made}.inbox")

    _run(place, "asyncio", examples=MANY)


def _run(place: Callable[[], Place], backend: str, *, examples: int) -> None:
    Machine.handled = 0
    run_state_machine_as_test(
        type("Inboxes", (Machine,), {"place": staticmethod(place), "backend": backend}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            # An ordinary run tries the same examples each time.
            derandomize=examples < MANY,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
            database=None,
        ),
    )
    assert Machine.handled > examples, "hardly anything was handled"
