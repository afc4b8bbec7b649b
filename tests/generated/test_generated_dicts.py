"""The types of dicts for bodies: every member that a caller can give, in the API's spelling, and nothing at run
time."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import pytest

from norce_order_api import dicts

from . import kinds, stock

Schema = dict[str, Any]

SCHEMAS: dict[str, Schema] = stock.DESCRIPTION["components"]["schemas"]


def called(schema: str) -> str:
    return "OrderDataDict" if schema == "Order" else f"{schema}Dict"


def sent(description: dict[str, Any]) -> set[str]:
    """Return the schemas of all bodies and those inside them, without the parts that only the service writes."""
    schemas: dict[str, Schema] = description["components"]["schemas"]
    found: set[str] = set()
    waiting: list[Any] = [
        operation["requestBody"]
        for path in description["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict) and "requestBody" in operation
    ]
    while waiting:
        held: Any = waiting.pop()
        match held:
            case {"readOnly": True}:
                pass
            case {"$ref": str() as reference}:
                name = reference.rpartition("/")[2]
                if name not in found:
                    found.add(name)
                    waiting.append(schemas[name])
            case dict():
                waiting += held.values()
            case list():
                waiting += held
            case _:
                pass
    return {name for name in found if "properties" in schemas[name]}


def types_in(module: ModuleType) -> dict[str, dict[str, str]]:
    """Return the type of each member of each dict, as it is written."""
    told: dict[str, dict[str, str]] = {}
    for node in ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")).body:
        match node:
            case ast.ClassDef(name=name, body=body):
                told[name] = {
                    ast.unparse(one.target): ast.unparse(one.annotation)
                    for one in body
                    if isinstance(one, ast.AnnAssign)
                }
            case ast.Assign(value=ast.Call(args=[ast.Constant(value=str() as name), ast.Dict() as held])):
                told[name] = ast.literal_eval(held)
            case _:
                pass
    return told


def test_a_schema_has_a_dict_if_it_is_sent() -> None:
    assert set(dicts.__all__) == {called(name) for name in sent(stock.DESCRIPTION)}
    assert {"CartDict", "OrderDataDict", "PaymentDict", "HookDict"} <= set(dicts.__all__)
    assert not {"PaginationDict", "CreateResponseDict", "OrderPaginationSetDict"} & set(dicts.__all__)


@pytest.mark.parametrize("name", sorted(sent(stock.DESCRIPTION)))
def test_a_dict_has_the_members_that_a_caller_can_give(name: str) -> None:
    """All members are optional, and each has a type that can be evaluated."""
    kind: Any = getattr(dicts, called(name))
    members = {member for member, schema in SCHEMAS[name]["properties"].items() if not schema.get("readOnly")}
    assert set(get_type_hints(kind)) == members
    assert kind.__optional_keys__ == members


def test_members_that_the_service_alone_writes_are_left_out() -> None:
    assert not {"id", "created", "updated", "payments", "shippings"} & set(get_type_hints(dicts.OrderDataDict))
    assert "id" not in get_type_hints(dicts.HookDict)


def test_the_texts_of_the_description_are_their_documentation() -> None:
    assert dicts.CartDict.__doc__ == SCHEMAS["Cart"]["description"]
    written = Path(str(dicts.__file__)).read_text(encoding="utf-8")
    assert '    givenName: str\n    """First name."""\n' in written


def test_every_kind_of_member(tmp_path: Path) -> None:
    """Objects may be dicts or models, amounts decimals too, words unknown ones and times texts. A null is accepted
    where it is allowed."""
    description = {**kinds.DESCRIPTION, "paths": {"/sent": {"post": _sending("Optional", "Nullable")}}}
    with stock.made(tmp_path, "our_dicts", description, ours=True):
        module = importlib.import_module("our_dicts.dicts")
        told = types_in(module)
        assert set(told) == set(module.__all__) == {"NullableDict", "OptionalDict", "PartDict"}
        for name in module.__all__:
            assert set(get_type_hints(getattr(module, name))) == {*told[name]}
    assert told["OptionalDict"] == {
        "text": "str",
        "number": "float | int | Decimal",
        "integer": "int",
        "flag": "bool",
        "word": "Colour | str",
        "time": "datetime | str",
        "part": "PartDict | Part",
        "free": "Mapping[str, Any]",
        "texts": "list[str] | tuple[str, ...]",
        "numbers": "Sequence[float | int | Decimal]",
        "integers": "Sequence[int]",
        "flags": "Sequence[bool]",
        "words": "list[Colour | str] | tuple[Colour | str, ...]",
        "times": "list[datetime | str] | tuple[datetime | str, ...]",
        "parts": "Sequence[PartDict | Part]",
        "lists": "list[Any] | tuple[Any, ...]",
        "either": "Any",
        "whatever": "Any",
    }
    nullable = {name: kind if kind == "Any" else f"{kind} | None" for name, kind in told["OptionalDict"].items()}
    del nullable["whatever"]
    assert told["NullableDict"] == nullable


def test_names_that_are_not_valid_in_code_are_members_all_the_same(tmp_path: Path) -> None:
    """A member may have the name of a Python keyword or of a type, or one with punctuation or with letters that Python
    normalises."""
    odd = [
        "class",
        "str",
        "Any",
        "Decimal",
        "$ref",
        "a-b",
        "1st",
        "__slots",
        "_own",
        "\ufb01nd",
        'x"""y',
        "None",
        "PartDict",
    ]
    members = {name: {"type": "string", "description": '"""'} for name in odd}
    schemas = {**kinds.SCHEMAS, "Odd": {"type": "object", "properties": members}}
    description = {
        **kinds.DESCRIPTION,
        "components": {"schemas": schemas},
        "paths": {"/sent": {"post": _sending("Odd", "Part")}},
    }
    with stock.made(tmp_path, "odd_dicts", description, ours=True):
        module = importlib.import_module("odd_dicts.dicts")
        hints = get_type_hints(module.OddDict)
    assert hints == dict.fromkeys(odd, str)


def _sending(*schemas: str) -> dict[str, Any]:
    """Return an operation whose body holds one of each."""
    body = {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in schemas]}
    return {
        "tags": ["T"],
        "operationId": "send",
        "requestBody": {"content": {"application/json": {"schema": body}}},
        "responses": {"200": {"description": "Done."}},
    }
