"""Compares the schemas of two descriptions, member by member."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from regenerate.drift.change import Change, Level
from regenerate.drift.described import Described
from regenerate.drift.shape import Shape, shape
from regenerate.text import said, unmarked


@dataclass(frozen=True)
class Use:
    """Whether values of a schema are sent or read; an unused schema counts as read."""

    sent: bool
    read: bool


def renamed(old: Described, new: Described) -> dict[str, str]:
    """Schemas with a new name and the same content: old name to new."""
    gone = [name for name in old.schemas if name not in new.schemas]
    come = [name for name in new.schemas if name not in old.schemas]
    found: dict[str, str] = {}
    for name in gone:
        alike = [other for other in come if _alike(old, new, name, other) and other not in found.values()]
        if len(alike) == 1:
            found[name] = alike[0]
    return found


def _alike(old: Described, new: Described, name: str, other: str) -> bool:
    """Whether two schemas differ only in their own name, which they may contain."""
    one = shape(old.schemas[name], lambda held: other if held == name else held)
    return bool(one.members or one.enum) and one == shape(new.schemas[other])


def compare_schemas(old: Described, new: Described, names: dict[str, str]) -> Iterator[Change]:
    """Every change of a named schema; `names` are the renamed ones."""
    uses = _Uses(old, new)
    for name, schema in old.schemas.items():
        other = names.get(name, name)
        operations = uses.operations(name, other)
        if other != name:
            text = (
                f"is now called {said(other)}: the name of the model, which callers import, changes, unless "
                "class_overrides in openapi/generator.yaml keeps the old one"
            )
            yield Change("schema-renamed", f"schema {name}", text, "breaking", operations)
        elif name not in new.schemas:
            yield Change("schema-removed", f"schema {name}", "is gone, and its model with it", "breaking", operations)
        if other in new.schemas:
            before = shape(schema, lambda held: names.get(held, held))
            for change in compare(before, shape(new.schemas[other]), "", uses.use(name, other)):
                yield replace(change, subject=f"schema {other}", operations=operations)
    for name in new.schemas:
        if name not in old.schemas and name not in names.values():
            yield Change("schema-added", f"schema {name}", "is new", "addition", uses.operations(name, name))


def compare(old: Shape, new: Shape, where: str, use: Use) -> Iterator[Change]:
    """Every change between two shapes; the caller fills in the subject."""

    def change(kind: str, text: str, level: Level) -> Change:
        return Change(kind, "", f"{where}: {text}" if where else text, level)

    if old.kind != new.kind:
        yield change("type-changed", f"was {said(old.kind)}, is {said(new.kind)}", "breaking")
        return
    yield from _compare_marks(old, new, where, use)
    yield from _compare_enum(old, new, where)
    if old.limits != new.limits:
        yield change("limits-changed", f"was {_limits(old)}, is {_limits(new)}", "breaking" if use.sent else "note")
    if old.choices != new.choices:
        yield change("choices-changed", "other shapes to choose from", "breaking")
    yield from _compare_members(old, new, where, use)
    if old.items and new.items:
        yield from compare(old.items, new.items, f"{where}[]", use)


def _compare_marks(old: Shape, new: Shape, where: str, use: Use) -> Iterator[Change]:
    place = f"{where}: " if where else ""
    if new.nullable and not old.nullable:
        text = "can be null: reading gives NULL too, which `is None` does not cover"
        yield Change("nullable", "", place + text, "breaking")
    if old.nullable and not new.nullable:
        text = "can no longer be null" + (": a NULL that is sent is refused" if use.sent else "")
        yield Change("not-nullable", "", place + text, "breaking" if use.sent else "note")
    if new.read_only and not old.read_only:
        text = "is now the service's to set: what is sent is ignored or refused"
        yield Change("read-only", "", place + text, "breaking" if use.sent else "note")
    if old.read_only and not new.read_only:
        yield Change("writable", "", place + "can now be sent", "addition" if use.sent else "note")


def _compare_enum(old: Shape, new: Shape, where: str) -> Iterator[Change]:
    place = f"{where}: " if where else ""
    grown = [said(word) for word in new.enum if word not in old.enum]
    gone = [said(word) for word in old.enum if word not in new.enum]
    if grown:
        text = f"new words {', '.join(grown)}: enums are open, so reading them never failed"
        yield Change("enum-grown", "", place + text, "addition")
    if gone:
        yield Change("enum-shrunk", "", f"{place}words gone: {', '.join(gone)}", "breaking")


def _compare_members(old: Shape, new: Shape, where: str, use: Use) -> Iterator[Change]:
    for name, before in old.members.items():
        place = _member(where, name)
        after = new.members.get(name)
        if after is None:
            yield Change("member-removed", "", f"{place} is gone", "breaking")
            continue
        sent = use.sent and not before.read_only
        yield from compare(before, after, place, Use(sent, use.read))
        if name in new.required - old.required:
            text = "is now required" + (": who does not send it is refused" if sent else " and always there")
            yield Change("member-required", "", f"{place} {text}", "breaking" if sent else "note")
        if name in old.required - new.required:
            text = "is no longer required" + (": reading it can give None" if use.read else "")
            yield Change("member-optional", "", f"{place} {text}", "breaking" if use.read else "addition")
    for name, after in new.members.items():
        if name not in old.members:
            place = _member(where, name)
            if name in new.required and use.sent and not after.read_only:
                text = f"{place} is new and required: who does not send it is refused"
                yield Change("required-member-added", "", text, "breaking")
            else:
                yield Change("member-added", "", f"{place} is new ({said(after.kind)})", "addition")


def _member(where: str, name: str) -> str:
    """The place of a member: the place around it, and the member's name."""
    return said(f"{unmarked(where)}.{name}") if where else said(name)


def _limits(one: Shape) -> str:
    return ", ".join(f"{name} {said(value)}" for name, value in one.limits.items()) or "without limits"


class _Uses:
    """The operations that use a schema, in either description."""

    def __init__(self, old: Described, new: Described) -> None:
        both = [(one, operation) for one in (old, new) for operation in one.operations.values()]
        self._sent = [(operation.id, one.sent(operation)) for one, operation in both]
        self._read = [(operation.id, one.read(operation)) for one, operation in both]

    def operations(self, *names: str) -> tuple[str, ...]:
        reached = {which for which, held in [*self._sent, *self._read] if held.intersection(names)}
        return tuple(sorted(reached))

    def use(self, *names: str) -> Use:
        sent = any(held.intersection(names) for _, held in self._sent)
        read = any(held.intersection(names) for _, held in self._read)
        return Use(sent, read or not sent)
