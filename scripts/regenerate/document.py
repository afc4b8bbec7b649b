"""Reads a description, YAML or JSON, and makes sure that it is valid OpenAPI."""

import json
import re
from typing import Any

import yaml
from openapi_spec_validator import validate as validate_openapi
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

from regenerate.failure import RegenerationError

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

    yaml_implicit_resolvers = {  # noqa: RUF012 - the library's own way to be told
        first: [(f"tag:yaml.org,2002:{tag}", re.compile(rule)) for tag, rule, firsts in _SCALARS if first in firsts]
        for first in ["", *"~nft-0123456789"]
    }


Document = dict[str, Any]


def read(content: bytes, what: str) -> Document:
    """The object in a YAML or JSON text, as plain JSON data: text keys, nothing shared."""
    try:
        data = yaml.load(content, Loader=_Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError) as error:
        raise RegenerationError(f"{what} is neither YAML nor JSON: {_first_line(error)}") from error
    if not isinstance(data, dict):
        raise RegenerationError(f"{what} holds no object at its top")
    try:
        plain: Document = json.loads(json.dumps(data))
    except (TypeError, ValueError) as error:
        raise RegenerationError(f"{what} holds what JSON can't: {_first_line(error)}") from error
    return plain


def validate(document: Document, what: str) -> None:
    """Refuses what is no OpenAPI 3 description."""
    version = document.get("openapi")
    if not isinstance(version, str) or not version.startswith("3.") or not isinstance(document.get("paths"), dict):
        raise RegenerationError(f"{what} is no OpenAPI 3 description")
    try:
        validate_openapi(document)
    except OpenAPIValidationError as error:
        where = "/".join(str(part) for part in getattr(error, "absolute_path", ()))
        raise RegenerationError(
            f"{what} is no valid OpenAPI: {_first_line(error)}{f' (at {where})' if where else ''}"
        ) from error
    except Exception as error:  # the validator passes on what its own libraries raise on a broken reference
        raise RegenerationError(f"{what} is no valid OpenAPI: {_first_line(error)}") from error


def write(document: Document) -> bytes:
    """The document as JSON, in its own order: the same bytes for the same document."""
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
