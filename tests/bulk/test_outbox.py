"""Outcomes in the order in which their items were taken."""

from __future__ import annotations

from norce_order_async.bulk.outcome import ItemOutcome
from norce_order_async.bulk.results import ResultBuffer
from norce_order_async.bulk.source import Item

ITEMS = [Item(number, f"o{number}") for number in range(5)]


def taken(outbox: ResultBuffer[None]) -> list[str]:
    found: list[str] = []
    while (outcome := outbox.take()) is not None:
        found.append(outcome.key)
    return found


def put(outbox: ResultBuffer[None], *numbers: int) -> None:
    for number in numbers:
        outbox.put(ITEMS[number], ItemOutcome(key=f"o{number}", verdict="done"))


def begun() -> ResultBuffer[None]:
    outbox: ResultBuffer[None] = ResultBuffer(ordered=True)
    for item in ITEMS:
        outbox.expect(item)
    return outbox


def test_those_ahead_wait() -> None:
    """Also for one that went back, which keeps its place when it is taken again."""
    outbox = begun()
    put(outbox, 1, 2)
    outbox.expect(ITEMS[0])
    assert (taken(outbox), len(outbox)) == ([], 5)
    put(outbox, 0, 4)
    assert (taken(outbox), len(outbox)) == (["o0", "o1", "o2"], 2)


def test_nobody_waits_for_one_that_is_forgotten() -> None:
    """It comes in its new place."""
    outbox = begun()
    put(outbox, 1, 2)
    outbox.forget(ITEMS[0])
    assert taken(outbox) == ["o1", "o2"]
    outbox.expect(ITEMS[0])
    put(outbox, 0, 4, 3)
    assert taken(outbox) == ["o3", "o4", "o0"]


def test_the_end_gives_what_there_is() -> None:
    """In order, without those that never came; and nothing once nobody takes any."""
    outbox = begun()
    put(outbox, 3, 1)
    outbox.end()
    assert taken(outbox) == ["o1", "o3"]
    outbox.close()
    put(outbox, 4)
    assert (taken(outbox), len(outbox)) == ([], 0)
