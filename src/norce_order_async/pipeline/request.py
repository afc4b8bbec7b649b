"""A call as data: the generated keyword builder's output, checked, addressed and encoded."""

from __future__ import annotations

import functools
import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast
from urllib.parse import urlencode

from norce_order_async.context import Context
from norce_order_async.errors import InvalidRequestError
from norce_order_async.pipeline.operations import Operation

# What no id of the service holds and what would leave its path segment or the request line.
_UNFIT_FOR_PATH = re.compile(r"[/\\\x00-\x1f\x7f]")


class Endpoint(Protocol):
    """What is used here of a generated endpoint module."""

    @property
    def statuses(self) -> frozenset[int]:
        """The statuses that the description has."""
        ...

    def build(self, **arguments: Any) -> dict[str, Any]:
        """The request as data: method, url, params, headers, json."""
        ...

    def parse(self, *, status_code: int, data: Any) -> Any:
        """The models for an answer's JSON."""
        ...


@dataclass(frozen=True, slots=True)
class _GeneratedEndpoint:
    statuses: frozenset[int]
    build: Any
    parse: Any


@dataclass(frozen=True, slots=True)
class Prepared:
    """One call, ready to be sent any number of times."""

    method: str
    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    json: Any = field(repr=False)
    """The body as JSON data; None without one."""
    body: bytes | None = field(repr=False)


@functools.cache
def endpoint(module: str) -> Endpoint:
    """The generated endpoint module, imported at its first use."""
    generated = importlib.import_module(f"norce_order_api.api.{module}")
    # The generator names its keyword builder as private; its shape is pinned by a test.
    found = _GeneratedEndpoint(generated.STATUSES, generated._get_kwargs, generated.parse)  # noqa: SLF001
    return cast("Endpoint", found)


def check_id(name: str, value: object) -> str:
    """An id that stays in its path segment.

    Raises:
        InvalidRequestError: it is empty, a dot segment, or holds a slash or a control character.
    """
    if not isinstance(value, str):
        raise InvalidRequestError(f"{name} must be a string, not {type(value).__name__}")
    if not value or value.isspace():
        raise InvalidRequestError(f"{name} must not be empty")
    if value in (".", ".."):
        raise InvalidRequestError(f"{name} must not be {value!r}: it would address something else")
    if _UNFIT_FOR_PATH.search(value):
        raise InvalidRequestError(f"{name} must not hold slashes, backslashes or control characters")
    return value


def prepare(
    operation: Operation,
    *,
    base_url: str,
    context: Context,
    base_headers: Mapping[str, str],
    path: Mapping[str, str],
    query: Mapping[str, Any] | None,
    body: Any,
) -> Prepared:
    """Build, check and encode one call.

    Raises:
        InvalidRequestError: an id, a query value or a body that can't be sent; the text names it.
    """
    arguments: dict[str, Any] = {name: check_id(name, value) for name, value in path.items()}
    arguments |= query or {}
    arguments["x_merchant"] = context.merchant
    arguments["x_channel"] = context.channel
    if context.adapter_id is not None:
        arguments["x_adapterid"] = context.adapter_id
    if body is not None:
        arguments["body"] = body
    try:
        built = endpoint(operation.module).build(**arguments)
        encoded = encode(built["json"]) if "json" in built else None
        params = built.get("params")
        query_string = f"?{urlencode(params, doseq=True)}" if params else ""
    except (ValueError, TypeError) as error:
        raise InvalidRequestError(f"{operation.id} can't be sent like this: {error}") from error
    url = f"{base_url}{built['url']}{query_string}"
    headers = {**base_headers, **{name.lower(): value for name, value in built.get("headers", {}).items()}}
    return Prepared(built["method"].upper(), url, headers, built.get("json"), encoded)


def encode(data: Any) -> bytes:
    """JSON bytes; NaN and infinities are refused, because JSON has none."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
