"""Bodies that follow a description and values that do not, for Hypothesis to draw from."""

# These tests are about JSON data of unknown shape.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, cast

from hypothesis import strategies as st

Schema = dict[str, Any]
Body = dict[str, Any]

texts = st.text(max_size=8)
numbers = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def _time_text(time: datetime, minutes: int) -> str:
    return time.replace(tzinfo=timezone(timedelta(minutes=minutes))).isoformat().replace("+00:00", "Z")


times = st.builds(
    _time_text, st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), st.sampled_from([0, 0, 60, -210])
)


class Described:
    """The bodies of a description."""

    def __init__(self, schemas: dict[str, Schema]) -> None:
        self.schemas = schemas
        self._made: dict[str, st.SearchStrategy[Any]] = {}

    def bodies(self, name: str) -> st.SearchStrategy[Body]:
        """Draw every body that a schema allows, also with unknown members."""
        more = st.dictionaries(texts.map("x-{}".format), anything, max_size=1)
        return st.tuples(self._named(name), more).map(lambda parts: {**parts[0], **parts[1]})

    def members(self, name: str) -> dict[str, Schema]:
        """Return the schema of each member, with its reference followed."""
        properties = cast("dict[str, Schema]", self.schemas[name].get("properties", {}))
        return {member: self._followed(schema) for member, schema in properties.items()}

    def _followed(self, schema: Schema) -> Schema:
        if "allOf" in schema:
            return self._followed(schema["allOf"][0])
        reference = schema.get("$ref")
        return self.schemas[reference.rpartition("/")[2]] if reference else schema

    def _named(self, name: str) -> st.SearchStrategy[Any]:
        if name not in self._made:
            # The strategy is deferred, because a line of a cart can have lines of its own.
            self._made[name] = st.deferred(lambda: self._values(self.schemas[name]))
        return self._made[name]

    def _values(self, schema: Schema) -> st.SearchStrategy[Any]:
        values = self._not_null(schema)
        return values | st.none() if schema.get("nullable") else values

    def _not_null(self, schema: Schema) -> st.SearchStrategy[Any]:
        if "allOf" in schema:
            return self._values(schema["allOf"][0])
        if "$ref" in schema:
            return self._named(schema["$ref"].rpartition("/")[2])
        if "oneOf" in schema:
            return st.one_of(*map(self._values, schema["oneOf"]))
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        match schema.get("type"):
            case "string":
                return times if schema.get("format") == "date-time" else texts
            case "number":
                return numbers
            case "integer":
                return st.integers(-(10**30), 10**30)
            case "boolean":
                return st.booleans()
            case "array":
                return st.lists(self._values(schema["items"]), max_size=2)
            case "object" if "properties" in schema:
                members = {name: self._values(one) for name, one in schema["properties"].items()}
                required = {name: members.pop(name) for name in schema.get("required", ())}
                return st.fixed_dictionaries(required, optional=members)
            case "object":
                return st.dictionaries(texts, anything, max_size=2)
            case _:
                # A null without a type reads as a missing value.
                return anything.filter(lambda value: value is not None)


def misfits(schema: Schema) -> st.SearchStrategy[Any]:
    """Draw values that a member of this schema can't have. An unknown word is allowed."""
    kinds: dict[str, list[Any]] = {
        "string": [7, True, [], {"a": 1}],
        "number": ["12", True, [1], {}, float("inf")],
        "integer": ["1", 1.5, False, [], {}],
        "boolean": [0, 1, "true", []],
        "array": [7, "x", {}, False],
        "object": ["x", 7, [{}], True],
    }
    wrong = kinds[schema["type"]]
    return st.sampled_from([*wrong, "yesterday", ""] if schema.get("format") == "date-time" else wrong)
