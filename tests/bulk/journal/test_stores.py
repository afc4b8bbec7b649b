"""The behaviour that all stores of a journal share."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from norce_order_async import JournalError, JournalLockedError
from norce_order_async.bulk.journal.place import PostgresJob
from norce_order_async.bulk.journal.postgres import PostgresStore
from norce_order_async.bulk.journal.reading import DUPLICATES, LISTED, SETTLES, State
from norce_order_async.bulk.journal.sqlite import SqliteStore
from norce_order_async.bulk.journal.store import Change, Store
from norce_order_async.bulk.source import Item

FACTS: dict[str, Any] = {
    "action": "transition",
    "parameters": {"to": "removed"},
    "columns": [],
    "merchant": "acme",
    "channel": "se",
    "service": "https://orders.example",
    "partition": [1, 1],
    "source": "items",
    "dates": {},
    SETTLES: True,
}

Stores = Callable[[], Store]
"""Another store on the same journal each time."""


@contextmanager
def in_sqlite(_: pytest.FixtureRequest) -> Generator[Stores]:
    with TemporaryDirectory() as folder:
        yield lambda: SqliteStore(Path(folder) / "job.journal")


@contextmanager
def in_postgres(request: pytest.FixtureRequest) -> Generator[Stores]:
    journal = PostgresJob(request.getfixturevalue("postgres"), uuid.uuid4().hex)
    yield lambda: PostgresStore(journal)


PLACES = [
    pytest.param(in_sqlite, id="sqlite"),
    pytest.param(in_postgres, id="postgres", marks=pytest.mark.slow(group="postgres")),
]


@pytest.fixture(params=PLACES)
def stores(request: pytest.FixtureRequest) -> Iterator[Stores]:
    with request.param(request) as stores:
        yield stores


@pytest.fixture
def store(stores: Stores) -> Iterator[Store]:
    """A store that this test has taken."""
    store = stores()
    store.take()
    yield store
    store.release()


def items(first: int, last: int, **row: Any) -> list[Item]:
    return [Item(number, f"o{number}", row) for number in range(first, last + 1)]


def listed(store: Store, count: int) -> None:
    """Make the list of a job complete."""
    store.begin(FACTS)
    assert store.add(items(1, count)) == (0, None)
    store.put_facts({LISTED: True, DUPLICATES: 0})


def keys(store: Store, state: State) -> list[str]:
    return [item.key for item in store.some(state, 0, 1000)]


def test_a_new_store_is_empty(store: Store) -> None:
    assert (store.facts(), store.counts(), store.since_sent(), store.last_change()) == ({}, {}, None, None)
    assert store.some("planned", 0, 10) == []


def test_facts_and_items_are_there_when_it_is_taken_again(stores: Stores) -> None:
    first = stores()
    first.take()
    listed(first, 3)
    first.record([Change(2, "sent")], {})
    first.release()
    second = stores()
    second.take()
    assert second.facts() == {**FACTS, LISTED: True, DUPLICATES: 0}
    assert (second.counts(), keys(second, "sent")) == ({"planned": 2, "sent": 1}, ["o2"])
    second.release()


def test_one_run_at_a_time(stores: Stores, store: Store) -> None:
    """Another run gets the store when it is released. Releasing a store that was refused changes nothing."""
    other = stores()
    with pytest.raises(JournalLockedError):
        other.take()
    other.release()
    store.renew()
    with pytest.raises(JournalLockedError):
        other.take()
    store.release()
    other.take()
    other.release()


def test_a_store_that_is_not_taken_can_not_be_used(stores: Stores) -> None:
    store = stores()
    with pytest.raises(JournalError, match="closed"):
        store.facts()


def test_items_are_given_in_the_order_of_the_source(store: Store) -> None:
    store.begin(FACTS)
    assert store.add([Item(number, f"o{number}", {"erp": f"e{number}"}) for number in range(1, 6)]) == (0, None)
    some = store.some("planned", 1, 3)
    assert [(item.number, item.key, item.row) for item in some] == [(n, f"o{n}", {"erp": f"e{n}"}) for n in (2, 3, 4)]


def test_an_order_that_comes_again(store: Store) -> None:
    """The order is in the same batch or in a later one. It is counted if its row is the same. It is named if the row
    differs."""
    store.begin(FACTS)
    assert store.add([*items(1, 3), Item(4, "o2"), *items(5, 6)]) == (1, None)
    assert store.add([Item(7, "o1"), Item(8, "o5"), Item(9, "o9")]) == (2, None)
    again, other = store.add([Item(10, "o10"), Item(11, "o1", {"erp": "e"})])
    assert (again, other) == (1, "o1")
    again, other = store.add([Item(12, "o12"), Item(13, "o12", {"erp": "e"})])
    assert (again, other) == (1, "o12")
    assert keys(store, "planned")[:6] == ["o1", "o2", "o3", "o5", "o6", "o9"]


def test_an_unfinished_listing_begins_again(store: Store) -> None:
    store.begin(FACTS)
    store.add(items(1, 5))
    store.begin({**FACTS, "channel": "no"})
    store.add(items(4, 6))
    assert (store.facts()["channel"], keys(store, "planned")) == ("no", ["o4", "o5", "o6"])


def test_a_list_that_was_acted_on_is_kept(store: Store) -> None:
    listed(store, 3)
    store.record([Change(2, "sent")], {})
    with pytest.raises(JournalError, match="row 2: it was acted on"):
        store.begin(FACTS)
    assert store.counts() == {"planned": 2, "sent": 1}


def test_the_difference_of_a_list_is_named(store: Store) -> None:
    listed(store, 10)
    store.begin_comparison()
    store.compare([*items(1, 8), Item(9, "o1")])
    store.compare([Item(10, "o9", {"erp": "e"}), *items(11, 14)])
    difference = store.difference()
    assert (difference.added[0], difference.gone, difference.changed) == (4, (1, ("o10",)), (1, ("o9",)))
    assert len(difference.added[1]) == 3
    store.begin_comparison()
    store.compare(items(1, 10))
    assert not store.difference()


def test_the_result_of_an_item(store: Store) -> None:
    """The item counts as sent for as long as it may have taken effect."""
    listed(store, 4)
    store.record([Change(1, "sent"), Change(2, "sent"), Change(3, "sent")], {})
    since, changed = store.since_sent(), store.last_change()
    assert since is not None
    assert -1 < since < 60
    assert changed is not None
    store.record(
        [
            Change(1, "refused", 2, "409 taken", "taken", "is taken", "c1"),
            Change(2, "planned", was_sent=True),
            Change(3, "planned"),
        ],
        {"spooled": 12},
    )
    assert (store.counts(), store.since_sent()) == ({"refused": 1, "planned": 3}, None)
    assert store.facts()["spooled"] == 12
    assert [item.was_sent for item in store.some("planned", 0, 10)] == [True, False, False]


def test_two_changes_of_one_item_at_once(store: Store) -> None:
    """A worker may be cancelled while it marks its item as sent. The later change counts."""
    listed(store, 2)
    store.record([Change(1, "sent"), Change(2, "sent"), Change(1, "planned")], {})
    assert (store.counts(), keys(store, "planned"), keys(store, "sent")) == ({"planned": 1, "sent": 1}, ["o1"], ["o2"])
    assert not store.some("planned", 0, 1)[0].was_sent


def test_texts_of_any_kind_are_accepted(store: Store) -> None:
    """Not every database accepts a NUL in a text, so a store has to replace it."""
    listed(store, 1)
    store.record([Change(1, "refused", 1, "400 å\u2028", "å'\"\\", "Å;--\n\ud7ff\U0001f600", "c")], {})
    store.record([Change(1, "refused", 1, "400 x\0y", "a\0b", "c\0d", "c")], {})
    assert store.counts() == {"refused": 1}


def test_items_of_a_state_are_moved(store: Store) -> None:
    """A refused item took no effect, so it does not count as sent. An unknown item may have taken effect."""
    listed(store, 4)
    store.record([Change(number, "sent") for number in (1, 2, 3)], {})
    store.record([Change(1, "refused"), Change(2, "unknown"), Change(3, "confirmed")], {})
    assert (store.move("refused", "planned"), store.move("unknown", "planned")) == (1, 1)
    assert [(item.key, item.was_sent) for item in store.some("planned", 0, 9)] == [
        ("o1", False),
        ("o2", True),
        ("o4", False),
    ]
    assert store.counts() == {"planned": 3, "confirmed": 1}


class Machine(RuleBasedStateMachine):
    """Compare a store with a dict, although the store is released and taken again at any moment."""

    place: Callable[[], AbstractContextManager[Stores]]

    @initialize(count=st.integers(0, 8))
    def begin(self, count: int) -> None:
        self._context = self.place()
        self._stores = self._context.__enter__()
        self._store = self._stores()
        self._store.take()
        self._states: dict[int, State] = dict.fromkeys(range(1, count + 1), "planned")
        self._sent: set[int] = set()
        self._facts: dict[str, Any] = {}
        if count:
            listed(self._store, count)
        else:
            self._store.begin(FACTS)

    @rule()
    def taken_again(self) -> None:
        self._store.release()
        self._store = self._stores()
        self._store.take()

    @precondition(lambda self: bool(self._states))
    @rule(data=st.data(), spooled=st.none() | st.integers(0, 99))
    def record(self, data: st.DataObject, spooled: int | None) -> None:
        numbers = st.sampled_from(sorted(self._states))
        states = st.sampled_from(["planned", "sent", "confirmed", "refused", "unknown"])
        changes = data.draw(st.lists(st.builds(Change, numbers, states, was_sent=st.booleans()), max_size=5))
        if spooled is not None:
            self._facts["spooled"] = spooled
        self._store.record(changes, {} if spooled is None else {"spooled": spooled})
        for change in changes:
            self._states[change.number] = change.state
            if change.state == "sent":
                self._sent.add(change.number)
            elif change.state == "planned" and not change.was_sent:
                self._sent.discard(change.number)

    @rule(state=st.sampled_from(["refused", "unknown"]), to=st.sampled_from(["planned", "sent"]))
    def move(self, state: State, to: State) -> None:
        moved = [number for number, was in self._states.items() if was == state]
        assert self._store.move(state, to) == len(moved)
        self._states.update(dict.fromkeys(moved, to))
        if state == "refused":
            self._sent.difference_update(moved)

    @invariant()
    def holds_the_same(self) -> None:
        if not hasattr(self, "_store"):
            return
        assert self._store.counts() == Counter(self._states.values())
        assert self._store.facts().get("spooled") == self._facts.get("spooled")
        for state in ("planned", "sent"):
            there = [number for number, was in sorted(self._states.items()) if was == state]
            assert [item.number for item in self._store.some(state, 0, 99)] == there
            assert [item.was_sent for item in self._store.some(state, 0, 99)] == [n in self._sent for n in there]

    def teardown(self) -> None:
        if hasattr(self, "_store"):
            self._store.release()
            self._context.__exit__(None, None, None)


@pytest.mark.parametrize("place", PLACES)
def test_a_store_agrees_with_the_model(place: Any, request: pytest.FixtureRequest) -> None:
    run_state_machine_as_test(
        type("Machine", (Machine,), {"place": staticmethod(lambda: place(request))}),
        settings=settings(
            max_examples=25, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
