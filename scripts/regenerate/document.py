"""Reads a description in YAML or JSON, and checks that it is valid OpenAPI."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

import yaml
from openapi_spec_validator import validate as validate_openapi
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

from regenerate.failure import RegenerationError
from regenerate.limits import STEP, within
from regenerate.text import shown

_SCALARS: list[tuple[str, str, list[str]]] = [
    ("null", r"^(?:null|~|)$", ["", "~", "n"]),
    ("bool", r"^(?:true|false)$", ["t", "f"]),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", list("-0123456789")),
    ("float", r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)$", list("-0123456789")),
]


class _Loader(yaml.SafeLoader):
    """Reads scalars as YAML 1.2's JSON schema does, which OpenAPI asks for.

    The library's own rules turn NO into false, a date into an object, and would read a number into a telephone number
    with a leading zero.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 - the library's own way to set it
        first: [(f"tag:yaml.org,2002:{tag}", re.compile(rule)) for tag, rule, firsts in _SCALARS if first in firsts]
        for first in ["", *"~nft-0123456789"]
    }


Document = dict[str, Any]

MAX_NODES = 500_000
"""Largest number of values in a document, with every alias written out; the description of this API has about 7 000."""
MAX_DEPTH = 100
"""Largest depth of nesting; the description of this API has 14."""


def read(content: bytes, what: str, *, limit: float = STEP) -> Document:
    """The object in a YAML or JSON text, as plain JSON data: text keys, nothing shared, texts that can be encoded."""
    with within(limit, f"{what} can't be read"):
        document = _read(content, what)
        _check_texts(document, what)
    return document


def _read(content: bytes, what: str) -> Document:
    try:
        data = _parsed(content, what)
    except (yaml.YAMLError, ValueError) as error:
        raise RegenerationError(f"{what} is neither YAML nor JSON: {_first_line(error)}") from error
    except RecursionError as error:
        raise RegenerationError(f"{what} is nested too deeply") from error
    if not isinstance(data, dict):
        raise RegenerationError(f"{what} holds no object at its top")
    try:
        plain: Document = json.loads(json.dumps(data, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise RegenerationError(f"{what} holds what JSON can't: {_first_line(error)}") from error
    return plain


def _parsed(content: bytes, what: str) -> Any:
    """Tries JSON first, because YAML does not allow all of it: it allows no tabs."""
    if content.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"{":
        try:
            return json.loads(content)
        except ValueError:
            pass  # YAML can begin with a brace too
    loader = _Loader(content)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check_size(node, what)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _check_size(top: yaml.Node, what: str) -> None:
    """Refuses aliases that contain themselves, and aliases that turn a few lines into gigabytes.

    The parser gives one node for an anchor and all its aliases, so counting each node once and adding what it holds is
    cheap whatever the written-out size.
    """
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> int:
        if id(node) in sizes:
            return sizes[id(node)]
        if id(node) in open_nodes:
            raise RegenerationError(f"{what} has an alias that points to what holds it")
        open_nodes.add(id(node))
        total = 1 + sum(size(held) for held in _held(node))
        open_nodes.remove(id(node))
        if total > MAX_NODES:
            raise RegenerationError(f"{what} grows to more than {MAX_NODES} values through its aliases")
        sizes[id(node)] = total
        return total

    size(top)


def _held(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _check_texts(document: Document, what: str) -> None:
    """Refuses deep nesting, and halves of surrogate pairs: escapes can write them, but they are no valid text."""
    waiting: list[tuple[Any, tuple[str, ...]]] = [(document, ())]
    while waiting:
        value, where = waiting.pop()
        if len(where) > MAX_DEPTH:
            raise RegenerationError(f"{what} is nested too deeply")
        held: list[tuple[Any, Any]] = []
        if isinstance(value, dict):
            held = [*value.items(), *((name, name) for name in value)]
        elif isinstance(value, list):
            held = [*enumerate(value)]
        elif isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
            place = shown("/".join(where))
            raise RegenerationError(f"{what} holds half a character, a lone surrogate (at {place}): {shown(value, 60)}")
        waiting.extend((one, (*where, str(name))) for name, one in held)


def validate(document: Document, what: str, *, limit: float = STEP) -> None:
    """Refuses a document that is not an OpenAPI 3 description."""
    with within(limit, f"{what} can't be validated, perhaps over a pattern or its size,"):
        _validate(document, what)


def _validate(document: Document, what: str) -> None:
    version = document.get("openapi")
    if not isinstance(version, str) or not version.startswith("3.") or not isinstance(document.get("paths"), dict):
        raise RegenerationError(f"{what} is no OpenAPI 3 description")
    if not re.match(r"3\.[01]\.", version):
        raise RegenerationError(f"{what} is OpenAPI {shown(version, 40)}; the generator knows 3.0 and 3.1")
    # Before validation, because the validator would fetch the targets.
    for reference in _references(document):
        if not reference.startswith("#/"):
            raise RegenerationError(f"{what} points outside itself: {shown(reference)}; give it in one piece")
    try:
        validate_openapi(document)
    except OpenAPIValidationError as error:
        where = "/".join(str(part) for part in getattr(error, "absolute_path", ()))
        raise RegenerationError(
            f"{what} is no valid OpenAPI: {_first_line(error)}{f' (at {shown(where)})' if where else ''}"
        ) from error
    except Exception as error:  # the validator passes on what its own libraries raise on a broken reference
        raise RegenerationError(f"{what} is no valid OpenAPI: {_first_line(error)}") from error


def write(document: Document) -> bytes:
    """The document as JSON, in its own order: the same bytes for the same document."""
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, held in value.items():
            if name == "$ref" and isinstance(held, str):
                yield held
            else:
                yield from _references(held)
    elif isinstance(value, list):
        for held in value:
            yield from _references(held)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return shown(lines[0], 300) if lines else type(error).__name__
