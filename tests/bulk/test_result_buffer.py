"""A result buffer gives outcomes in the order in which their items were taken."""

from __future__ import annotations

from norce_order_async.bulk.outcome import ItemOutcome
from norce_order_async.bulk.queue import ResultBuffer
from norce_order_async.bulk.source import Item

ITEMS = [Item(number, f"o{number}") for number in range(5)]


def taken(buffer: ResultBuffer[None]) -> list[str]:
    found: list[str] = []
    while (outcome := buffer.take()) is not None:
        found.append(outcome.key)
    return found


def put(buffer: ResultBuffer[None], *numbers: int) -> None:
    for number in numbers:
        buffer.put(ITEMS[number], ItemOutcome(key=f"o{number}", verdict="done"))


def begun() -> ResultBuffer[None]:
    buffer: ResultBuffer[None] = ResultBuffer(ordered=True)
    for item in ITEMS:
        buffer.expect(item)
    return buffer


def test_outcomes_ahead_wait() -> None:
    """They also wait for an item that went back, which keeps its place when it is taken again."""
    buffer = begun()
    put(buffer, 1, 2)
    buffer.expect(ITEMS[0])
    assert (taken(buffer), len(buffer)) == ([], 5)
    put(buffer, 0, 4)
    assert (taken(buffer), len(buffer)) == (["o0", "o1", "o2"], 2)


def test_a_forgotten_item_is_not_waited_for() -> None:
    """When it is taken again it gets a new place."""
    buffer = begun()
    put(buffer, 1, 2)
    buffer.forget(ITEMS[0])
    assert taken(buffer) == ["o1", "o2"]
    buffer.expect(ITEMS[0])
    put(buffer, 0, 4, 3)
    assert taken(buffer) == ["o3", "o4", "o0"]


def test_the_end_gives_all_outcomes() -> None:
    """They come in order, without those that are missing. A closed buffer accepts no further outcome."""
    buffer = begun()
    put(buffer, 3, 1)
    buffer.end()
    assert taken(buffer) == ["o1", "o3"]
    buffer.close()
    put(buffer, 4)
    assert (taken(buffer), len(buffer)) == ([], 0)
