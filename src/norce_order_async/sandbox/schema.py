"""The API description, compiled to checks of bodies and queries.

It is read from the data file `openapi.json` in the package of the generated client; the package's code is not used.
Each schema becomes a function that gets a value and its path, and returns the value as it is kept: without read-only
and unknown members, and with enums in the description's spelling. A wrong value raises `Invalid` with its path, but
never with the value itself, which may be personal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias, TypeGuard, cast

from norce_order_async.sandbox import json_text
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.service.clock import written

Check: TypeAlias = Callable[[Any, str], Any]

_INT32 = range(-(2**31), 2**31)
_AMOUNT_BOUND = 10**12
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)
# Members of a schema that do not restrict the value. A $ref with only these beside it means the schema it points to.
_REMARKS = frozenset({"description", "example", "title", "readOnly", "deprecated", "default"})


class Invalid(Exception):  # noqa: N818 - it is the sender's
    """A value that the description forbids."""

    def __init__(self, path: str, complaint: str) -> None:
        super().__init__(path, complaint)

    def __str__(self) -> str:
        return ": ".join(self.args)


@dataclass(frozen=True, slots=True)
class Body:
    """The body of an operation."""

    check: Check
    required: bool


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter; one with ``many`` may come several times."""

    check: Check
    many: bool
    whole_number: bool
    moment: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    id: str
    method: str
    path: str
    body: Body | None
    query: Mapping[str, Parameter]


class Description:
    """The operations of an OpenAPI document, with compiled checks."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self._referenced: dict[str, Check] = {}
        self.answers: Mapping[str, Json] = {
            data["operationId"]: schema
            for item in document["paths"].values()
            for data in item.values()
            if _is_object(data) and "operationId" in data and (schema := self._answer(data)) is not None
        }
        """By operationId, the schema of a successful answer with a body."""
        self.operations = tuple(
            self._operation(path, method, data)
            for path, item in document["paths"].items()
            for method, data in item.items()
            if _is_object(data) and "operationId" in data
        )

    def _operation(self, path: str, method: str, data: Json) -> Operation:
        parameters = [self.followed(parameter) for parameter in data.get("parameters", [])]
        return Operation(
            id=data["operationId"],
            method=method.upper(),
            path=path,
            body=self._body(data),
            query={p["name"]: self._parameter(p["schema"]) for p in parameters if p["in"] == "query"},
        )

    def _answer(self, data: Json) -> Json | None:
        for status, response in data.get("responses", {}).items():
            content: Json = self.followed(response).get("content", {})
            if status.startswith("2") and "application/json" in content:
                return cast("Json", content["application/json"]["schema"])
        return None

    def _body(self, data: Json) -> Body | None:
        if "requestBody" not in data:
            return None
        body = self.followed(data["requestBody"])
        return Body(self._compile(body["content"]["application/json"]["schema"]), body.get("required", False))

    def _parameter(self, schema: Json) -> Parameter:
        plain = self.followed(schema)
        many = plain.get("type") == "array"
        single = self.followed(plain["items"]) if many else plain
        return Parameter(
            self._compile(single), many, single.get("type") == "integer", single.get("format") == "date-time"
        )

    def _compile(self, schema: Json) -> Check:
        name = _only_reference(schema)
        if name is None:
            return self._build(self.followed(schema))
        if name not in self._referenced:
            # A schema may contain itself, as an item holds items: this stands in while its check is being built.
            def once_built(value: Any, path: str) -> Any:
                return self._referenced[name](value, path)

            self._referenced[name] = once_built
            self._referenced[name] = self._build(self.followed(schema))
        return self._referenced[name]

    def followed(self, schema: Json) -> Json:
        """The schema with its outermost $ref and allOf resolved."""
        if "$ref" in schema:
            target: Any = self._document
            for step in schema["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            return self.followed({**target, **{k: v for k, v in schema.items() if k != "$ref"}})
        if "allOf" in schema:
            merged: Json = {"properties": {}, "required": []}
            for part in [*schema["allOf"], {k: v for k, v in schema.items() if k != "allOf"}]:
                followed = self.followed(part)
                merged = {
                    **merged,
                    **followed,
                    "properties": {**merged["properties"], **followed.get("properties", {})},
                    "required": [*merged["required"], *followed.get("required", [])],
                }
            return merged
        return schema

    def _build(self, schema: Json) -> Check:
        kind = schema.get("type")
        nullable = bool(schema.get("nullable"))
        if isinstance(kind, list):
            kinds = cast("list[str]", kind)
            nullable = nullable or "null" in kinds
            kind = next((name for name in kinds if name != "null"), None)
        check = self._build_kind(kind, schema)
        return _nullable(check) if nullable else check

    def _build_kind(self, kind: object, schema: Json) -> Check:
        if kind == "object" or (kind is None and schema.get("properties")):
            return self._object(schema)
        if kind == "array":
            return _array(self._compile(schema.get("items", {})))
        if kind == "string":
            return _string(schema)
        if kind == "integer":
            return _whole_number(_INT32 if schema.get("format") == "int32" else None)
        if kind == "number":
            return _number
        if kind == "boolean":
            return _boolean
        return _anything

    def _object(self, schema: Json) -> Check:
        properties: Json = schema.get("properties", {})
        if not properties:
            return _free_form
        read_only = {name for name, member in properties.items() if self.followed(member).get("readOnly")}
        members = {name: self._compile(member) for name, member in properties.items() if name not in read_only}
        required = [name for name in schema.get("required", []) if name in members]

        def check(value: Any, path: str) -> Json:
            given = _with_values(_mapping(value, path), members)
            for name in required:
                if name not in given:
                    raise Invalid(f"{path}.{name}", "is required")
            if unknown := given.keys() - properties.keys():
                _note_unknown(f"{path}.{name}" for name in given if name in unknown)
            return {name: members[name](given[name], f"{path}.{name}") for name in given if name in members}

        return check


def _with_values(given: Json, members: Mapping[str, Check]) -> Json:
    """The members that have a value. If answers write null for a missing value, a body may do so too."""
    if all(value is not None for value in given.values()):
        return given
    return {name: value for name, value in given.items() if value is not None or not _is_absent(members.get(name))}


def _is_absent(member: Check | None) -> bool:
    if member is None:
        return False
    try:
        member(None, "")
    except Invalid:
        return _READING.get()("nulls") == "written"
    return False


_READING: ContextVar[Callable[[str], str]] = ContextVar("the reading of a rule", default=lambda _: "")


@contextmanager
def written_as_read(reading: Callable[[str], str]) -> Generator[None]:
    """Inside this block, bodies may have nulls and times without an offset if answers have them by the readings."""
    token = _READING.set(reading)
    try:
        yield
    finally:
        _READING.reset(token)


_UNKNOWN: ContextVar[list[str] | None] = ContextVar("paths of members that are not described", default=None)


def _note_unknown(paths: Iterable[str]) -> None:
    noted = _UNKNOWN.get()
    if noted is not None:
        noted.extend(paths)


@contextmanager
def unknown_members() -> Generator[list[str]]:
    """Collects the paths of the members that checks in this block drop because the description does not have them."""
    noted: list[str] = []
    token = _UNKNOWN.set(noted)
    try:
        yield noted
    finally:
        _UNKNOWN.reset(token)


@cache
def published() -> Description:
    """The description that the generated client was made from."""
    return Description(json_text.parsed(files("norce_order_api").joinpath("openapi.json").read_text("utf-8")))


def moment(value: Any, path: str) -> datetime:
    """Read a date-time. It must have an offset, unless answers have none by the readings."""
    try:
        return _moment(value, path)
    except Invalid:
        given = _moment(f"{value}Z", path)
        if _READING.get()("times") != "no-offset":
            raise
    return given


def _moment(value: Any, path: str) -> datetime:
    if isinstance(value, str) and _DATE_TIME.match(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise Invalid(path, "must be a date-time with an offset, such as 2026-01-31T12:00:00Z")


def _only_reference(schema: Json) -> str | None:
    """The reference to a component, if the schema adds nothing to it."""
    rest = schema.keys() - _REMARKS
    if rest == {"$ref"}:
        return cast("str", schema["$ref"])
    if rest == {"allOf"} and len(schema["allOf"]) == 1:
        return _only_reference(schema["allOf"][0])
    return None


def _nullable(check: Check) -> Check:
    return lambda value, path: None if value is None else check(value, path)


def _anything(value: Any, _path: str) -> Any:
    return value


def _is_object(value: Any) -> TypeGuard[Json]:
    return isinstance(value, dict)


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _mapping(value: Any, path: str) -> Json:
    if not _is_object(value):
        raise Invalid(path, "must be an object")
    return value


_free_form: Check = _mapping


def _array(element: Check) -> Check:
    def check(value: Any, path: str) -> list[Any]:
        if not _is_list(value):
            raise Invalid(path, "must be a list")
        return [element(entry, f"{path}[{index}]") for index, entry in enumerate(value)]

    return check


def _string(schema: Json) -> Check:
    if "enum" in schema:
        return _enum(schema["enum"])
    if schema.get("format") == "date-time":
        return _date_time
    shortest: int = schema.get("minLength", 0)
    # In the description's dialect $ is the very end; in Python it also stands before a last newline.
    pattern = re.compile(re.sub(r"(?<!\\)\$\Z", r"\\Z", schema["pattern"])) if "pattern" in schema else None

    def check(value: Any, path: str) -> str:
        if not isinstance(value, str):
            raise Invalid(path, "must be a string")
        if len(value) < shortest:
            raise Invalid(path, "must not be empty" if shortest == 1 else f"must have at least {shortest} characters")
        if pattern is not None and not pattern.search(value):
            raise Invalid(path, f"must match {schema['pattern']}")
        return value

    return check


def _enum(spellings: list[str]) -> Check:
    by_lower = {spelling.lower(): spelling for spelling in spellings}

    def check(value: Any, path: str) -> str:
        known = by_lower.get(value.lower()) if isinstance(value, str) else None
        if known is None:
            raise Invalid(path, "must be one of " + ", ".join(spellings))
        return known

    return check


def _date_time(value: Any, path: str) -> str:
    # All times are kept in one form, so that they can be written as the readings say.
    return written(moment(value, path))


def _whole_number(bounds: range | None) -> Check:
    def check(value: Any, path: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Invalid(path, "must be a whole number")
        if bounds is not None and value not in bounds:
            raise Invalid(path, "must fit in 32 bits")
        return value

    return check


def _number(value: Any, path: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Invalid(path, "must be a number")
    if abs(value) >= _AMOUNT_BOUND:
        raise Invalid(path, "is too large")
    return value


def _boolean(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise Invalid(path, "must be true or false")
    return value
