"""Which combinations of a test's parameters an ordinary run has; a soak has every one.

``@pytest.mark.in_turn("anyio_backend")`` says that the tested behaviour does not depend on how this parameter is
combined with the others. Every combination of the others then runs with one of its values, and the values take turns,
so that each of them runs too. The order of collection decides which ones, and nothing is chosen by hand.

With ``over="module"`` the marked tests of a module take turns among themselves.

The loops do so without a mark in the folders of :data:`LOOPS_IN_TURN`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, TypeVar

import pytest

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)

LOOPS_IN_TURN = tuple(
    f"tests/{folder}/"
    for folder in ("adapter", "bulk", "chaos", "orders", "public_api", "sandbox", "security", "storage", "telemetry")
)
"""Folders of code above the pipeline, which runs on anyio and is the same on each loop. Code that depends on the
loop is below it and is tested on every loop. A test about the end of tasks, or about loops, has
``@pytest.mark.every_loop``."""

_selected: list[str] = []


def begin(config: pytest.Config) -> None:
    """Note, before collection, which tests this run selects."""
    _selected[:] = [str(config.getoption("markexpr"))]


def for_soak(parameters: Iterable[V]) -> list[V | Any]:
    """Mark these for a soak. Return none in a run that would make thousands of tests only to leave them out."""
    if any("not soak" in expression for expression in _selected):
        return []
    return [pytest.param(one, marks=pytest.mark.soak) for one in parameters]


def examples(number: int, *, soak: int) -> int:
    """Return how many examples or items a test tries: ``number`` in an ordinary run, and ``soak`` in a soak."""
    return number if any("not soak" in expression for expression in _selected) else soak


def chosen(pairs: Iterable[tuple[K, V]]) -> set[tuple[K, V]]:
    """Return the combinations of an ordinary run: each value, and each combination of the others, at least once."""
    given = list(pairs)
    others, values = list(dict.fromkeys(key for key, _ in given)), list(dict.fromkeys(value for _, value in given))
    wanted = {(key, values[number % len(values)]) for number, key in enumerate(others)}
    wanted |= {(others[number % len(others)], value) for number, value in enumerate(values)}
    there = set(given)
    # A missing combination, such as one with a mark of its own, is replaced by the next value.
    missing = {key for key, _ in wanted - there}
    return (wanted & there) | {next(pair for pair in given if pair[0] == key) for key in missing}


def _may_take_one_loop(item: pytest.Item) -> bool:
    return item.nodeid.startswith(LOOPS_IN_TURN) and item.get_closest_marker("every_loop") is None


def mark_for_soak(items: Sequence[pytest.Item]) -> None:
    """Mark the combinations that only a soak has."""
    groups: dict[Hashable, list[tuple[tuple[tuple[Hashable, ...], Hashable], pytest.Item]]] = {}
    for item in items:
        mark, spec = item.get_closest_marker("in_turn"), getattr(item, "callspec", None)
        if mark is None and spec is not None and _may_take_one_loop(item) and "anyio_backend" in spec.params:
            mark = pytest.mark.in_turn("anyio_backend", over="module").mark
        if mark is None or spec is None or item.get_closest_marker("soak"):
            continue
        function: Any = item
        name = function.originalname
        unknown = set(mark.args) - spec.params.keys()
        assert not unknown, f"{item.nodeid} has no parameter {', '.join(unknown)}"
        # Values are compared by identity, because they need not be hashable and every combination has the same objects.
        others = tuple(id(given) for parameter, given in spec.params.items() if parameter not in mark.args)
        value = tuple(id(spec.params[parameter]) for parameter in mark.args)
        by_module = mark.kwargs.get("over") == "module"
        scope = (item.path, "") if by_module else (item.path, name)
        groups.setdefault(scope, []).append((((name, *others), value), item))
    for group in groups.values():
        wanted = chosen(pair for pair, _ in group)
        for pair, item in group:
            if pair not in wanted:
                item.add_marker(pytest.mark.soak)
