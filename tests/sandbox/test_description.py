"""Checks are compiled from a description: references, merged schemas, both spellings of null."""

from typing import Any

import pytest

from norce_order_async.sandbox.schema import Description, Invalid


def check(schema: dict[str, Any], value: Any, **schemas: Any) -> Any:
    """Check a value as the body of an operation with this schema."""
    content = {"application/json": {"schema": schema}}
    operation = {"operationId": "Try", "requestBody": {"$ref": "#/components/requestBodies/Try"}}
    document: dict[str, Any] = {
        "paths": {"/try": {"post": operation, "parameters": []}},
        "components": {"schemas": schemas, "requestBodies": {"Try": {"required": True, "content": content}}},
    }
    (compiled,) = Description(document).operations
    assert compiled.body is not None
    assert compiled.body.required
    return compiled.body.check(value, "$")


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def test_a_schema_may_hold_itself() -> None:
    node = {
        "type": "object",
        "properties": {"nodes": {"type": "array", "items": ref("Node")}, "n": {"type": "integer"}},
    }
    tree = {"nodes": [{"n": 1, "nodes": [{"n": 2}]}], "extra": 1}
    assert check(ref("Node"), tree, Node=node) == {"nodes": [{"n": 1, "nodes": [{"n": 2}]}]}
    with pytest.raises(Invalid, match=r"^\$\.nodes\[0\]\.nodes\[0\]\.n: must be a whole number$"):
        check(ref("Node"), {"nodes": [{"nodes": [{"n": "2"}]}]}, Node=node)


def test_parts_of_allof_are_joined() -> None:
    base = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    schema = {"allOf": [ref("Base"), {"properties": {"b": {"type": "string"}}, "required": ["b"]}]}
    assert check(schema, {"a": "1", "b": "2"}, Base=base) == {"a": "1", "b": "2"}
    for value in ({"a": "1"}, {"b": "2"}):
        with pytest.raises(Invalid, match="is required"):
            check(schema, value, Base=base)


def test_a_reference_beside_remarks_is_its_target() -> None:
    schema = {"type": "object", "properties": {"kind": {"allOf": [ref("Kind")], "description": "Which."}}}
    kind = {"type": "string", "enum": ["giftCard"]}
    assert check(schema, {"kind": "GIFTCARD"}, Kind=kind) == {"kind": "giftCard"}


def test_a_read_only_member_is_dropped_and_never_required() -> None:
    member = {"allOf": [ref("Kind")], "readOnly": True}
    schema = {"type": "object", "properties": {"kind": member}, "required": ["kind"]}
    assert check(schema, {"kind": 5}, Kind={"type": "string"}) == {}
    assert check(schema, {}, Kind={"type": "string"}) == {}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "nullable": True},
        {"type": ["string", "null"]},
        {"allOf": [{"$ref": "#/components/schemas/Text"}], "nullable": True},
    ],
)
def test_null_is_accepted_if_the_description_says_so(schema: dict[str, Any]) -> None:
    assert check(schema, None, Text={"type": "string"}) is None
    assert check(schema, "x", Text={"type": "string"}) == "x"
    with pytest.raises(Invalid):
        check(schema, 5, Text={"type": "string"})


def test_without_a_type_anything_goes() -> None:
    assert check({}, None) is None
    assert check({"type": "array", "items": {}}, [1, None]) == [1, None]
    assert check({"type": "object", "additionalProperties": {}}, {"a": None}) == {"a": None}


def test_a_pattern_ends_where_the_text_ends() -> None:
    schema = {"type": "string", "pattern": "^[a-z]+$"}
    assert check(schema, "abc") == "abc"
    with pytest.raises(Invalid):
        check(schema, "abc\n")
