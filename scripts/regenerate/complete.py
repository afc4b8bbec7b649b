"""Checks that a generated package has every operation, parameter and member of its description exactly once."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from regenerate.document import Document
from regenerate.drift.described import METHODS, Described
from regenerate.failure import RegenerationError
from regenerate.text import shown

Operation = tuple[str, str, tuple[str, ...], tuple[str, ...]]
"""Method, path with {} for each id, names of query parameters, names of headers."""


def check_complete(corrected: Document, package: Path) -> None:
    """Refuses a package that lacks a part of the description, or has more."""
    _same(Counter(_described(corrected)), Counter(_written(package)))
    members, written = Counter(_members(corrected)), Counter(_written_members(package))
    for names in members - written:
        some = ", ".join(shown(name, 40) for name in sorted(names)[:10])
        raise RegenerationError(f"no model has the members {some}: a schema is lost on the way into the code")


def _same(described: "Counter[Operation]", written: "Counter[Operation]") -> None:
    for one in described - written:
        raise RegenerationError(f"{_told(one)}: not in the generated code as it is described")
    for one in written - described:
        raise RegenerationError(f"{_told(one)}: in the generated code, but not described so")


def _told(operation: Operation) -> str:
    method, path, *_ = operation
    return f"{method.upper()} {shown(path)}"


def _described(corrected: Document) -> Iterator[Operation]:
    described = Described(corrected)
    for path, item in corrected["paths"].items():
        if "$ref" in item:
            raise RegenerationError(
                f"{shown(path)}: a path that is described elsewhere, which the generator can't read"
            )
        for method in METHODS & item.keys():
            given = [*item.get("parameters", []), *item[method].get("parameters", [])]
            names: dict[str, set[str]] = {"path": set(), "query": set(), "header": set()}
            for one in map(described.followed, given):
                _need_plain(one, f"{method.upper()} {shown(path)}")
                names.setdefault(one["in"], set()).add(one["name"])
            bare = path
            for name in names["path"]:
                bare = bare.replace(f"{{{name}}}", "{}")
            yield method, bare, tuple(sorted(names["query"])), tuple(sorted(names["header"]))


def _need_plain(parameter: dict[str, Any], where: str) -> None:
    """Parameters are written one way in each place."""
    usual = "form" if parameter["in"] in ("query", "cookie") else "simple"
    is_list = parameter.get("schema", {}).get("type") == "array"
    if "schema" not in parameter:
        what = "has something other than a schema,"
    elif parameter.get("style", usual) != usual or (usual == "form" and is_list and parameter.get("explode") is False):
        what = "is to be written in a style"
    else:
        return
    raise RegenerationError(f"{where}: the parameter {shown(parameter['name'])} {what} that no template knows")


def _written(package: Path) -> Iterator[Operation]:
    for path in package.glob("api/*/*.py"):
        for node in ast.parse(path.read_bytes()).body:
            if isinstance(node, ast.FunctionDef) and node.name == "_get_kwargs":
                yield _operation(node)


def _operation(function: ast.FunctionDef) -> Operation:
    """As a function that builds a request has it."""
    request: dict[str, str] = {}
    names: dict[str, set[str]] = {"headers": set(), "params": set(), "kwargs": set()}
    for node in ast.walk(function):
        match node:
            case ast.Dict(keys=[ast.Constant(value="method"), ast.Constant(value="url"), *_], values=[method, url, *_]):
                request = {"method": _text(method), "url": _text(url)}
            case ast.Subscript(value=ast.Name(id=place), slice=ast.Constant(value=str() as name), ctx=ast.Store()):
                names.setdefault(place, set()).add(name)
    # The type of a body is no parameter.
    headers = names["headers"] - {"Content-Type"}
    return request["method"], request["url"], tuple(sorted(names["params"])), tuple(sorted(headers))


def _text(node: ast.expr) -> str:
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)


def _members(corrected: Document) -> Iterator[frozenset[str]]:
    """The members of every schema that has some. A schema that only points to another one has no class."""
    schemas = corrected.get("components", {}).get("schemas", {})
    for schema in schemas.values():
        combined = [one for word in ("allOf", "anyOf", "oneOf") for one in schema.get(word, ())]
        if schema.get("properties") and not (len(combined) == 1 and "$ref" in combined[0]):
            yield frozenset(_all_members(schema, schemas, set()))


def _all_members(schema: Any, schemas: dict[str, Any], seen: set[str]) -> Iterator[str]:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if name in seen:
        return
    yield from schema.get("properties", ())
    if name in schemas:
        yield from _all_members(schemas[name], schemas, seen | {name})
    for one in schema.get("allOf", ()):
        yield from _all_members(one, schemas, seen)


def _written_members(package: Path) -> Iterator[frozenset[str]]:
    for path in package.glob("models/*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            match node:
                case ast.AnnAssign(target=ast.Name(id="MEMBERS"), value=ast.Call(args=[names])):
                    yield frozenset(one.value for one in ast.walk(names) if isinstance(one, ast.Constant))
