"""The order in other libraries' types, made from the description, so that all have the same members."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from datetime import datetime
from importlib import resources
from types import GenericAlias
from typing import Any, Literal

from benchmarks.contestants.base import library

_SCALARS: dict[str, Any] = {"string": str, "integer": int, "number": float, "boolean": bool}
_FREE_FORM = ("Attributes", "JsonSchema")

Make = Callable[[str, dict[str, Any]], Any]
"""From a name and its members' types to a class."""


@functools.cache
def pydantic_order() -> Any:
    """A pydantic model: snake case in Python, the API's spelling as alias."""
    pydantic = library("pydantic")
    to_camel = library("pydantic.alias_generators").to_camel
    config = pydantic.ConfigDict(alias_generator=to_camel, populate_by_name=True)

    def make(name: str, members: dict[str, Any]) -> Any:
        fields: dict[str, Any] = {_snake(member): (kind | None, None) for member, kind in members.items()}
        return pydantic.create_model(name, __config__=config, **fields)

    return _built("Order", make, {})


@functools.cache
def msgspec_order() -> Any:
    """A msgspec struct."""
    msgspec = library("msgspec")

    def make(name: str, members: dict[str, Any]) -> Any:
        fields = [(_snake(member), kind | None, None) for member, kind in members.items()]
        return msgspec.defstruct(name, fields, rename="camel", omit_defaults=True)

    return _built("Order", make, {})


@functools.cache
def _schemas() -> dict[str, Any]:
    text = resources.files("norce_order_api").joinpath("openapi.json").read_text("utf-8")
    schemas: dict[str, Any] = json.loads(text)["components"]["schemas"]
    return schemas


def _built(name: str, make: Make, known: dict[str, Any]) -> Any:
    if name not in known:
        members = _schemas()[name]["properties"]
        # Parts of a bundle are lines too; one level of plain data keeps the types simple.
        known[name] = dict[str, Any]
        known[name] = make(name, {member: _type(schema, make, known) for member, schema in members.items()})
    return known[name]


def _type(schema: dict[str, Any], make: Make, known: dict[str, Any]) -> Any:
    if "allOf" in schema:
        (schema,) = schema["allOf"]
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name in _FREE_FORM:
            return dict[str, Any]
        words = _schemas()[name].get("enum")
        return Literal[tuple(words)] if words else _built(name, make, known)
    if schema["type"] == "array":
        return GenericAlias(list, (_type(schema["items"], make, known),))
    if schema.get("format") == "date-time":
        return datetime
    return _SCALARS[schema["type"]]


def _snake(name: str) -> str:
    spelled = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    # Keywords of the language, and names that a base class has.
    return f"{spelled}_" if spelled in ("class", "schema") else spelled
