"""Writes the nulls, times and enums of answers as the readings of their rules say.

The stored form is always the same: members without a value are left out, times have six decimals, and enums have the
description's spelling. If a reading writes them differently, an answer is rewritten by the schema of its operation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, cast

from norce_order_async.sandbox import json_text
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.readings import ReadingsInUse
from norce_order_async.sandbox.schema import Description

Spellings: TypeAlias = Mapping[tuple[str, str], str]
"""By the name of a member and the description's spelling of its value, the spelling in which it was sent."""

_ORDER: Json = {"$ref": "#/components/schemas/Order"}
_FIRST = {"nulls": "left-out", "times": "microseconds", "enum-written": "as-described"}


class Presentation:
    """Rewrites answers and callbacks as the readings in force say."""

    def __init__(self, description: Description, readings: ReadingsInUse) -> None:
        self._description = description
        self._readings = readings
        self._spellings: dict[str, dict[tuple[str, str], str]] = {}
        self._concerned: dict[str, frozenset[str]] = {}

    def clear(self) -> None:
        """Drop the spellings of enums."""
        self._spellings.clear()

    def remember(self, order_id: str, spellings: Spellings) -> None:
        """Keep the spellings in which enums of an order were sent; the latest one of a value counts."""
        if spellings and self._readings.chosen["enum-written"] == "as-sent":
            self._spellings.setdefault(order_id, {}).update(spellings)

    def body(self, operation: str, order_id: str, body: bytes) -> bytes:
        """The body of a successful answer as it is sent; `order_id` is empty if the request names no order."""
        schema = self._description.answers.get(operation)
        if schema is None or not body:
            return body
        writing = self._writing(operation, schema)
        if not writing:
            return body
        return json_text.text(self._written(schema, json.loads(body), writing, order_id, "")).encode()

    def order(self, order: Json) -> Json:
        """An order as callbacks get it."""
        writing = self._writing("an order", _ORDER)
        if not writing:
            return order
        return cast("Json", self._written(_ORDER, order, writing, order["id"], ""))

    def _writing(self, name: str, schema: Json) -> Mapping[str, str]:
        """The readings that make a difference to data of this schema."""
        if name not in self._concerned:
            self._concerned[name] = frozenset(_concerned(self._description, schema, set()))
        looked_up = {rule: self._readings.of(rule) for rule in sorted(self._concerned[name])}
        return {rule: reading for rule, reading in looked_up.items() if reading != _FIRST[rule]}

    def _written(self, schema: Json, value: Any, writing: Mapping[str, str], order_id: str, name: str) -> Any:
        schema = self._description.followed(schema)
        if isinstance(value, list):
            entries: list[Any] = cast("Any", value)
            return [self._written(schema.get("items", {}), one, writing, order_id, name) for one in entries]
        if isinstance(value, dict):
            return self._object(schema, cast("Json", value), writing, order_id)
        if isinstance(value, str) and "enum" in schema:
            match writing.get("enum-written"):
                case "capitalised":
                    return value[:1].upper() + value[1:]
                case "as-sent":
                    return self._spellings.get(order_id, {}).get((name, value), value)
                case _:
                    return value
        if isinstance(value, str) and schema.get("format") == "date-time":
            return _time(value, writing.get("times"))
        return value

    def _object(self, schema: Json, value: Json, writing: Mapping[str, str], order_id: str) -> Json:
        members: Json = schema.get("properties", {})
        if not members:
            return value
        # In a list of orders, each entry has the id of its order.
        order_id = order_id or str(value.get("id", ""))
        written: Json = {
            name: self._written(members.get(name, {}), member, writing, order_id, name)
            for name, member in value.items()
        }
        if "nulls" in writing:
            written.update((name, None) for name in members if name not in value)
        return written


def _time(moment: str, reading: str | None) -> str:
    match reading:
        case "seven-digits":
            return moment.replace("Z", "0Z")
        case "no-offset":
            return moment.removesuffix("Z")
        case _:
            return moment


def _concerned(description: Description, schema: Json, seen: set[str]) -> Iterator[str]:
    """The rules that concern data of this schema."""
    reference = str(schema.get("$ref", ""))
    if reference in seen:
        return
    if reference:
        seen.add(reference)
    schema = description.followed(schema)
    if "enum" in schema:
        yield "enum-written"
    if schema.get("format") == "date-time":
        yield "times"
    members: Json = schema.get("properties", {})
    if len(members) > 1:
        yield "nulls"
    for member in members.values():
        yield from _concerned(description, member, seen)
    if "items" in schema:
        yield from _concerned(description, schema["items"], seen)


def spellings(sent: Any, kept: Any, name: str = "") -> Iterator[tuple[tuple[str, str], str]]:
    """The spellings of texts in a body: how each kept text was sent."""
    if isinstance(kept, dict) and isinstance(sent, dict):
        for member, value in cast("Json", kept).items():
            yield from spellings(cast("Json", sent).get(member), value, member)
    elif isinstance(kept, list) and isinstance(sent, list):
        for one, other in zip(cast("Any", sent), cast("Any", kept), strict=False):
            yield from spellings(one, other, name)
    elif isinstance(kept, str) and isinstance(sent, str):
        # Also if both are the same, because the latest spelling counts.
        yield (name, kept), sent
