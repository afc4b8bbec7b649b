"""Compares a description with the hand-written code. Each difference is a named place to change.

It compares the present state, not the changes, so it reports a place again in each run until the place is fixed.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from regenerate.drift.described import Described, Operation
from regenerate.drift.sdk import (
    CONTEXT,
    FILTER,
    HANDLERS,
    INPUTS,
    LIFECYCLE,
    REQUEST,
    TABLE,
    Row,
    Sdk,
    line_of,
)
from regenerate.text import said, unmarked

# Parameters of the listing's pages; all other query parameters are filters.
_LISTING = "GetCheckoutOrders"
_PAGING = {"offset", "limit"}
_STATUS = "OrderStatus"


@dataclass(frozen=True)
class Place:
    """A place to change."""

    name: str
    where: str
    """File and line."""
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.where}: {unmarked(self.text)}"


def check(described: Described, sdk: Sdk, generated_models: frozenset[str]) -> list[Place]:
    """Every place where the code no longer fits."""
    rows = {row.operation: row for row in sdk.rows}
    return [
        *_operations(described, sdk, rows),
        *_parameters(described, sdk, rows),
        *_statuses(described, sdk),
        *_patterns(described, sdk),
        *_models(sdk, generated_models),
        *_natural_keys(described, sdk),
    ]


def _operations(described: Described, sdk: Sdk, rows: dict[str, Row]) -> Iterator[Place]:
    for operation in described.operations.values():
        row = rows.get(operation.id)
        if row is None:
            called = f"{said(operation.id)} ({operation.method.upper()} {said(operation.path)})"
            text = f"{called} has no row, and no facade method"
            yield Place("operation-without-method", f"{TABLE}:{line_of(sdk.root, TABLE, 'OPERATIONS:')}", text)
        elif not sdk.methods[row.constant]:
            text = f"no facade method names {row.constant}: {said(operation.id)} can't be reached"
            yield Place("operation-without-method", f"{TABLE}:{row.line}", text)
        if row is not None and row.tag != operation.tag:
            text = f"{said(operation.id)} has the tag {said(operation.tag)} now; its row says {row.tag}"
            yield Place("module-moved", f"{TABLE}:{row.line}", text)
        if operation.id not in sdk.handlers:
            file = _handlers_beside(operation, described, sdk)
            where = f"{file}:{line_of(sdk.root, file, 'HANDLERS:')}"
            yield Place("operation-without-handler", where, f"the sandbox does not carry out {said(operation.id)}")
    for row in sdk.rows:
        if row.operation not in described.operations:
            callers = ", ".join(map(str, sdk.methods[row.constant])) or "no facade method"
            text = f"{said(row.operation)} is no longer described; called by {callers}"
            yield Place("method-without-operation", f"{TABLE}:{row.line}", text)
    for operation_id, handler in sdk.handlers.items():
        if operation_id not in described.operations:
            file = Path(handler.partition(" ")[0])
            where = f"{file}:{line_of(sdk.root, file, operation_id)}"
            yield Place("handler-without-operation", where, f"{said(operation_id)} is no longer described ({handler})")


def _handlers_beside(operation: Operation, described: Described, sdk: Sdk) -> Path:
    """The module that carries out what has the most of an operation's path."""
    there = [one for one in described.operations.values() if one.id in sdk.handlers]
    if not there:
        return HANDLERS / "__init__.py"
    nearest = max(there, key=lambda one: len(os.path.commonpath([one.path, operation.path])))
    return Path(sdk.handlers[nearest.id].partition(" ")[0])


def _parameters(described: Described, sdk: Sdk, rows: dict[str, Row]) -> Iterator[Place]:
    missing: dict[str, list[str]] = {}
    unknown: dict[str, list[str]] = {}
    for operation in described.operations.values():
        headers = {name for place, name in operation.parameters if place == "header"}
        for name in headers - sdk.headers:
            unknown.setdefault(name, []).append(operation.id)
        for name in sdk.headers - headers:
            missing.setdefault(name, []).append(operation.id)
        if operation.id in rows:
            yield from _path(operation, sdk, rows[operation.id])
        yield from _query(operation, sdk)
    for name, operations in sorted(unknown.items()):
        where = f"{CONTEXT}:{line_of(sdk.root, CONTEXT, 'class Context')}"
        yield Place(
            "header-not-injected", where, f"{said(name)} is described on {_few(operations)}; the context has it not"
        )
    for name, operations in sorted(missing.items()):
        where = f"{REQUEST}:{line_of(sdk.root, REQUEST, name)}"
        yield Place(
            "header-not-described", where, f"{said(name)} is handed to builders that lack it: {_few(operations)}"
        )


def _path(operation: Operation, sdk: Sdk, row: Row) -> Iterator[Place]:
    named = {name for place, name in operation.parameters if place == "path"} - {"order_id"}
    for name in sorted(named - sdk.words[row.constant]):
        for method in sdk.methods[row.constant]:
            text = f"{said(operation.id)} wants the path parameter {said(name)}, which {method.name} does not give"
            yield Place("path-parameter-not-given", f"{method.file}:{method.line}", text)


def _query(operation: Operation, sdk: Sdk) -> Iterator[Place]:
    named = {name for place, name in operation.parameters if place == "query"}
    where = f"{FILTER}:{line_of(sdk.root, FILTER, 'class OrderFilter')}"
    if operation.id != _LISTING:
        for name in sorted(named):
            text = f"{said(operation.id)} has the query parameter {said(name)}, which no facade method takes"
            yield Place("parameter-not-offered", f"{TABLE}:{line_of(sdk.root, TABLE, operation.id)}", text)
        return
    for name in sorted(named - _PAGING - sdk.filters):
        yield Place(
            "parameter-not-offered", where, f"{said(operation.id)} can be filtered by {said(name)}, OrderFilter can't"
        )
    for name in sorted((sdk.filters | _PAGING) - named):
        yield Place("parameter-vanished", where, f"{said(operation.id)} no longer takes {said(name)}")


def _statuses(described: Described, sdk: Sdk) -> Iterator[Place]:
    where = f"{LIFECYCLE}:{line_of(sdk.root, LIFECYCLE, 'EDGES')}"
    words = set(described.schemas.get(_STATUS, {}).get("enum", ()))
    if not words:
        yield Place("status-unknown", where, f"the schema {_STATUS} is gone, and with it what the statuses are")
        return
    for word in sorted(words - sdk.statuses, key=str):
        yield Place("status-unknown", where, f"the state machine does not know the status {said(word)}")
    for word in sorted(sdk.statuses - words):
        yield Place("status-vanished", where, f"the state machine has the status {said(word)}, which is gone")


def _patterns(described: Described, sdk: Sdk) -> Iterator[Place]:
    for (schema, member), pattern in sdk.patterns.items():
        found = described.schemas.get(schema, {}).get("properties", {}).get(member, {}).get("pattern")
        if found != pattern:
            row = f'("{schema}", "{member}")'
            where = f"{INPUTS}:{line_of(sdk.root, INPUTS, row)}"
            yield Place(
                "pattern-changed", where, f"{schema}.{member} is checked against {said(pattern)}, now {said(found)}"
            )


def _models(sdk: Sdk, generated: frozenset[str]) -> Iterator[Place]:
    for name, where in sorted(sdk.models.items()):
        if name not in generated:
            yield Place("model-vanished", where, f"uses {said(name)}, which is no longer generated")


def _natural_keys(described: Described, sdk: Sdk) -> Iterator[Place]:
    """A key's list is a member of the order, and its other members are members of what is in it."""
    for row in sdk.rows:
        operation = described.operations.get(row.operation)
        if not row.keys or operation is None:
            continue
        sent = operation.body or {}
        schema = described.schemas.get(str(sent.get("$ref", "")).rpartition("/")[2], sent)
        members = set(schema.get("properties", {}))
        orders = set(described.schemas.get("Order", {}).get("properties", {}))
        gone = [name for name in row.keys[1:] if name not in members] + [row.keys[0]] * (row.keys[0] not in orders)
        for name in gone:
            text = f"{said(row.operation)} is recognised by {said(name)}, which is no longer described"
            yield Place("natural-key-vanished", f"{TABLE}:{line_of(sdk.root, Path(TABLE), 'NaturalKey(')}", text)


def _few(operations: list[str]) -> str:
    return ", ".join(map(said, operations[:3])) + (f" and {len(operations) - 3} more" if len(operations) > 3 else "")
