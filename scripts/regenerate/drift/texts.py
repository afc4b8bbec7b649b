"""Compares the texts for people in two descriptions. They become docstrings, so a changed text is reported too."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from regenerate.drift.described import METHODS, Described

_WORDS = {
    "description",
    "summary",
    "title",
    "example",
    "examples",
    "externalDocs",
    "termsOfService",
    "contact",
    "license",
}
# Below these, keys are names, not keywords of OpenAPI.
_NAMES = {
    *("properties", "patternProperties", "schemas", "parameters", "responses", "requestBodies", "headers", "content"),
    *("securitySchemes", "links", "callbacks", "pathItems", "webhooks", "paths", "variables", "scopes", "$defs"),
}


@dataclass(frozen=True)
class TextChange:
    """A text that is new, gone or changed."""

    subject: str
    """`operation X`, `schema X` or `description`."""
    where: str
    before: str | None
    after: str | None


def compare_texts(old: Described, new: Described) -> list[TextChange]:
    """Every text that differs, in the order of the new description; without the texts of a schema that is gone."""
    before, after = dict(_texts(old)), dict(_texts(new))
    subjects = {subject for subject, _ in after}
    gone = [place for place in before if place not in after and place[0] in subjects]
    changed = [place for place in after if before.get(place) != after[place]]
    return [TextChange(*place, before.get(place), after.get(place)) for place in (*changed, *gone)]


def _texts(described: Described) -> Iterator[tuple[tuple[str, str], str]]:
    """Every text, by subject and place."""
    document = described.document
    for path, item in document["paths"].items():
        if not isinstance(item, dict):
            continue
        for method, operation in item.items():
            if method in METHODS:
                yield from _of(f"operation {operation.get('operationId', f'{method} {path}')}", operation)
        yield from _of("description", {key: one for key, one in item.items() if key not in METHODS}, f"paths.{path}")
    components = document.get("components", {})
    for name, schema in components.get("schemas", {}).items():
        yield from _of(f"schema {name}", schema)
    rest = {key: one for key, one in components.items() if key != "schemas"}
    yield from _of("description", {**document, "paths": {}, "components": rest})


def _of(subject: str, value: Any, where: str = "") -> Iterator[tuple[tuple[str, str], str]]:
    yield from (((subject, place), words) for place, words in _held(value, where, are_names=False))


def _held(value: Any, where: str, *, are_names: bool) -> Iterator[tuple[str, str]]:
    """Place and text of every text below a value."""
    entries = value.items() if isinstance(value, dict) else _listed(value) if isinstance(value, list) else ()
    for key, held in entries:
        place = f"{where}.{key}".lstrip(".")
        is_word = isinstance(value, dict) and not are_names
        if is_word and (key in _WORDS or key.startswith("x-")):
            yield place, held if isinstance(held, str) else json.dumps(held, ensure_ascii=False)
        else:
            yield from _held(held, place, are_names=is_word and key in _NAMES and isinstance(held, dict))


def _listed(values: list[Any]) -> list[tuple[str, Any]]:
    """Keys for the elements of a list: names, as parameters have them, so that a new one does not shift the others; or
    positions."""
    named = [
        f"{one.get('in', '')} {one['name']}".strip() if isinstance(one, dict) and "name" in one else ""
        for one in values
    ]
    return [
        (name if name and named.count(name) == 1 else str(at), one)
        for at, (name, one) in enumerate(zip(named, values, strict=True))
    ]
