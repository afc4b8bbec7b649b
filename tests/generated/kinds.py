"""A description with a member of every kind that the templates support: required, nullable and neither.

The vendor's description has no nullable members and few required ones today, but the next one may have them.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_PART: Schema = {"$ref": "#/components/schemas/Part"}
_WORD: Schema = {"$ref": "#/components/schemas/Colour"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_FREE: Schema = {"type": "object", "additionalProperties": {}}
_KINDS: dict[str, Schema] = {
    "text": {"type": "string"},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "flag": {"type": "boolean"},
    "word": _WORD,
    "time": _TIME,
    "part": _PART,
    "free": _FREE,
    "texts": {"type": "array", "items": {"type": "string"}},
    "numbers": {"type": "array", "items": {"type": "number"}},
    "integers": {"type": "array", "items": {"type": "integer"}},
    "flags": {"type": "array", "items": {"type": "boolean"}},
    "words": {"type": "array", "items": _WORD},
    "times": {"type": "array", "items": _TIME},
    "parts": {"type": "array", "items": _PART},
    "lists": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
    "either": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    "whatever": {},
}


def _object(members: dict[str, Schema], required: list[str]) -> Schema:
    return {"type": "object", "properties": members, "required": required}


def _nullable(schema: Schema) -> Schema:
    return {"allOf": [schema], "nullable": True} if "$ref" in schema else {**schema, "nullable": True}


SCHEMAS: dict[str, Schema] = {
    "Part": _object({"size": {"type": "number"}, "of": {"$ref": "#/components/schemas/Optional"}}, ["size"]),
    "Colour": {"type": "string", "enum": ["red", "green"]},
    "Optional": _object(_KINDS, []),
    "Required": _object(_KINDS, sorted(_KINDS)),
    # "Anything" includes null.
    "Nullable": _object({name: _nullable(one) for name, one in _KINDS.items() if name != "whatever"}, []),
    "Both": _object(
        {name: _nullable(one) for name, one in _KINDS.items() if name != "whatever"}, sorted({*_KINDS} - {"whatever"})
    ),
}


def _answer(name: str) -> Schema:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": name, "content": {"application/json": {"schema": schema}}}


DESCRIPTION: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "Every kind of member", "version": "1"},
    "paths": {
        f"/{name.lower()}": {
            "get": {"operationId": f"get_{name}", "tags": ["kinds"], "responses": {"200": _answer(name)}}
        }
        for name in SCHEMAS
    },
    "components": {"schemas": SCHEMAS},
}
