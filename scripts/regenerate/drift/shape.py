"""A schema in one form for all OpenAPI versions, without the texts for people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_PREFIX = "#/components/schemas/"
_LIMITS = frozenset(
    [
        *("pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("minItems", "maxItems", "uniqueItems", "multipleOf", "default", "const"),
    ]
)
# Formats that change the Python type; the generator ignores others.
_TYPED_FORMATS = {"date", "date-time", "uuid", "binary"}


@dataclass(frozen=True)
class Shape:
    """The type and limits of a value."""

    kind: str
    """`string`, `number`, `array`, `object`, `date-time`..., or the name of a schema."""
    nullable: bool = False
    read_only: bool = False
    enum: tuple[Any, ...] = ()
    limits: Mapping[str, Any] = field(default_factory=dict)
    members: Mapping[str, "Shape"] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    items: "Shape | None" = None
    choices: tuple["Shape", ...] = ()


def shape(schema: Any, rename: Callable[[str], str] = str) -> Shape:
    """The form of a schema; `rename` maps a schema's old name to its new one."""
    if not isinstance(schema, dict):
        return Shape("anything")
    read_only = schema.get("readOnly") is True
    nullable = schema.get("nullable") is True
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix(_PREFIX)
        return Shape(rename(name), nullable, read_only)
    types = schema.get("type")
    types = [types] if isinstance(types, str) else list(types or [])
    nullable = nullable or "null" in types
    types = [one for one in types if one != "null"]
    alternatives = [one for word in ("allOf", "oneOf", "anyOf") for one in schema.get(word, [])]
    real = [one for one in alternatives if not _is_null(one)]
    nullable = nullable or len(real) < len(alternatives)
    if len(real) == 1 and not schema.get("properties"):
        inner = shape(real[0], rename)
        return Shape(**{**vars(inner), "nullable": nullable or inner.nullable, "read_only": read_only})
    kind = " or ".join(sorted(types)) or ("object" if "properties" in schema else "anything")
    if real:
        kind = "one of several"
    if schema.get("format") in _TYPED_FORMATS:
        kind = schema["format"]
    return Shape(
        kind=kind,
        nullable=nullable,
        read_only=read_only,
        enum=tuple(word for word in schema.get("enum", ()) if word is not None),
        limits={word: held for word, held in schema.items() if word in _LIMITS},
        members={name: shape(one, rename) for name, one in schema.get("properties", {}).items()},
        required=frozenset(schema.get("required", ())),
        items=shape(schema["items"], rename) if "items" in schema else None,
        choices=tuple(shape(one, rename) for one in real),
    )


def references(value: Any) -> set[str]:
    """The names of all schemas that the value refers to."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            target = one.get("$ref")
            if isinstance(target, str) and target.startswith(_PREFIX):
                found.add(target.removeprefix(_PREFIX))
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return found


def _is_null(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "null"
