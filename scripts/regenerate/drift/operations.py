"""Compares the operations of two descriptions, by their ids."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from regenerate.drift.change import Change, Level
from regenerate.drift.described import Described, Operation
from regenerate.drift.schemas import Use, compare, compare_schemas, renamed
from regenerate.drift.shape import Shape, shape
from regenerate.text import said


def compare_descriptions(old: Described, new: Described) -> list[Change]:
    """Everything that changed, operations first, in the order of the descriptions."""
    names = renamed(old, new)
    return [*_compare_operations(old, new, names), *compare_schemas(old, new, names)]


def _compare_operations(old: Described, new: Described, names: dict[str, str]) -> Iterator[Change]:
    places = {(one.method, one.path): one.id for one in new.operations.values()}
    taken_over: set[str] = set()
    for before in old.operations.values():
        after = new.operations.get(before.id)
        heir = places.get((before.method, before.path))
        if after is None and heir is not None and heir not in old.operations:
            taken_over.add(heir)
            text = f"is now called {said(heir)}, under the same path: callers of the facade do not see it"
            yield Change("operation-renamed", f"operation {before.id}", text, "note", (heir,))
            after = new.operations[heir]
        if after is None:
            yield Change("operation-removed", f"operation {before.id}", "is gone", "breaking", (before.id,))
            continue
        for change in _compare_operation(before, after, names):
            yield replace(change, subject=f"operation {after.id}", operations=(after.id,))
    for after in new.operations.values():
        if after.id not in old.operations and after.id not in taken_over:
            text = f"is new: {after.method.upper()} {said(after.path)}"
            yield Change("operation-added", f"operation {after.id}", text, "addition", (after.id,))


def _compare_operation(old: Operation, new: Operation, names: dict[str, str]) -> Iterator[Change]:
    if old.method != new.method:
        yield Change("method-changed", "", f"was {old.method.upper()}, is {new.method.upper()}", "note")
    if old.path != new.path:
        text = f"its path {_path_difference(old.path, new.path)}: callers of the facade do not see it"
        yield Change("path-changed", "", text, "note")
    if old.tag != new.tag:
        yield Change("tag-changed", "", f"its generated module moves from {said(old.tag)} to {said(new.tag)}", "note")
    yield from _compare_parameters(old, new, names)
    yield from _compare_body(old, new, names)
    yield from _compare_answers(old, new, names)


def _path_difference(old: str, new: str) -> str:
    """The segments that differ. A change that many operations share gets the same text for each."""
    was, now = old.split("/"), new.split("/")
    if len(was) != len(now):
        return f"was {said(old)}, is {said(new)}"
    return "has " + ", ".join(
        f"{said(then)} for {said(before)}" for before, then in zip(was, now, strict=True) if before != then
    )


def _compare_parameters(old: Operation, new: Operation, names: dict[str, str]) -> Iterator[Change]:
    for key, before in old.parameters.items():
        place, name = key
        after = new.parameters.get(key)
        if after is None:
            yield Change("parameter-removed", "", f"{place} parameter {said(name)} is gone", _hidden(place, "breaking"))
            continue
        if after.get("required") and not before.get("required"):
            text = f"{place} parameter {said(name)} is now required"
            yield Change("parameter-required", "", text, _hidden(place, "breaking"))
        was, now = _shape(before.get("schema"), names), shape(after.get("schema"))
        yield from compare(was, now, f"{place} parameter {said(name)}", Use(sent=True, read=False))
    for key, after in new.parameters.items():
        if key not in old.parameters:
            place, name = key
            if after.get("required"):
                text, level = f"{place} parameter {said(name)} is new and required", _hidden(place, "breaking")
            else:
                text, level = f"{place} parameter {said(name)} is new", _hidden(place, "addition")
            yield Change("parameter-added", "", text, level)


def _hidden(place: str, level: Level) -> Level:
    """The facade fills in path and header parameters; the check of the facade reports them."""
    return level if place == "query" else "note"


def _compare_body(old: Operation, new: Operation, names: dict[str, str]) -> Iterator[Change]:
    if old.body is None and new.body is not None:
        level: Level = "breaking" if new.body_required else "addition"
        yield Change("body-added", "", "now takes a body", level)
    elif old.body is not None and new.body is None:
        yield Change("body-removed", "", "no longer takes a body", "breaking")
    elif old.body is not None:
        yield from compare(_shape(old.body, names), shape(new.body), "body", Use(sent=True, read=False))
        if new.body_required and not old.body_required:
            yield Change("body-required", "", "its body is now required: the facade always sends one", "note")


def _compare_answers(old: Operation, new: Operation, names: dict[str, str]) -> Iterator[Change]:
    for status in sorted(old.answers.keys() | new.answers.keys()):
        was, now = old.answers.get(status), new.answers.get(status)
        if status not in new.answers:
            yield Change("answer-removed", "", f"{status} is no longer declared", "note")
        elif status not in old.answers:
            text = f"{status} is newly declared"
            yield Change("answer-added", "", text, "note")
        elif not status.startswith("2"):
            if _shape(was, names) != shape(now):
                yield Change("error-changed", "", f"{status} has another body: errors are read tolerantly", "note")
        elif was is None or now is None:
            if was is not now:
                text = f"answer {status} {'now has' if was is None else 'no longer has'} a body"
                yield Change("answer-changed", "", text, "addition" if was is None else "breaking")
        else:
            yield from compare(_shape(was, names), shape(now), f"answer {status}", Use(sent=False, read=True))


def _shape(schema: Any, names: dict[str, str]) -> Shape:
    return shape(schema, lambda held: names.get(held, held))
