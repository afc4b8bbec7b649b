"""A corrected description for comparing: its operations, with every reference resolved except those to schemas."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from regenerate.drift.shape import references

if TYPE_CHECKING:
    from regenerate.document import Document

METHODS = frozenset(["get", "put", "post", "patch", "delete", "head", "options", "trace"])


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    id: str
    tag: str
    method: str
    path: str
    parameters: dict[tuple[str, str], dict[str, Any]]
    """By place (path, query, header) and name in the spelling of the generated builder."""
    body: Any
    """The schema of the JSON body; None without one."""
    body_required: bool
    answers: dict[str, Any]
    """The schema of the JSON answer by status; None without one."""


@dataclass(frozen=True)
class Described:
    """The parts of a description that are compared."""

    document: Document = field(repr=False)

    @property
    def schemas(self) -> dict[str, Any]:
        found: dict[str, Any] = self.document.get("components", {}).get("schemas", {})
        return found

    @cached_property
    def operations(self) -> dict[str, Operation]:
        return {one.id: one for one in self._operations()}

    def sent(self, operation: Operation) -> set[str]:
        """The schemas that its request may contain."""
        return self._reached([operation.body, *operation.parameters.values()])

    def read(self, operation: Operation) -> set[str]:
        """The schemas that a successful answer may contain."""
        return self._reached([schema for status, schema in operation.answers.items() if status.startswith("2")])

    def _operations(self) -> Iterator[Operation]:
        for path, item in self.document["paths"].items():
            for method, described in item.items():
                if method in METHODS:
                    yield self._operation(path, method, described, item.get("parameters", []))

    def _operation(self, path: str, method: str, described: dict[str, Any], shared: list[Any]) -> Operation:
        parameters = [self.followed(one) for one in [*shared, *described.get("parameters", [])]]
        body = self.followed(described.get("requestBody", {}))
        answers = {
            str(status): _json(self.followed(answer)) for status, answer in described.get("responses", {}).items()
        }
        return Operation(
            id=described.get("operationId", f"{method} {path}"),
            tag=snake((described.get("tags") or ["default"])[0]),
            method=method,
            path=path,
            parameters={(one["in"], snake(one["name"])): one for one in parameters},
            body=_json(body),
            body_required=body.get("required") is True,
            answers=answers,
        )

    def followed(self, value: Any) -> Any:
        """What a reference points to, or the value itself."""
        while isinstance(value, dict) and "$ref" in value:
            target: Any = self.document
            for step in value["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            value = target
        return value

    def _reached(self, start: Any) -> set[str]:
        found: set[str] = set()
        waiting = references(start)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting |= references(self.schemas.get(name))
        return found


def snake(name: str) -> str:
    """A name as the generated code has it."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def _json(holder: dict[str, Any]) -> Any:
    for media, content in holder.get("content", {}).items():
        if "json" in media:
            return content.get("schema")
    return None
