"""Builds the request of a call: from the generated builder's output, checked and encoded."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlencode

from norce_order_async import _api
from norce_order_async._json import list_or_empty, mapping_or_empty, write_json
from norce_order_async.context import Context
from norce_order_async.errors import InvalidRequestError
from norce_order_async.pipeline.middleware import CallInfo
from norce_order_async.pipeline.operations import V0, Api, Operation
from norce_order_async.pipeline.settings import CORRELATION_HEADER

# Characters that would leave the path segment or the request line. No id of the service has them.
_UNFIT_FOR_PATH = re.compile(r"[/\\\x00-\x1f\x7f]")
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_NEEDS_NO_CARE = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]*")
"""An id that can't leave its path segment and needs no quoting."""


@dataclass(slots=True)
class Prepared:
    """The request of one call, ready to be sent any number of times."""

    operation: Operation
    path: Mapping[str, str]
    """The ids in its address."""
    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    """Without the correlation id and the token. Calls share them."""
    correlation_id: str
    json: Any = field(default=None, repr=False)
    """The body as JSON data; None if there is none."""
    body: bytes | None = field(default=None, repr=False)

    @property
    def order_id(self) -> str | None:
        """The id of the order that the call is about, if it is about one."""
        return self.path.get("order_id")

    def info(self, context: Context) -> CallInfo:
        """The call as middleware sees it."""
        return CallInfo(self.operation.id, self.order_id, context.merchant, context.channel, self.correlation_id)


class _Built(NamedTuple):
    """The output of the generated module with the whole address and the encoded body."""

    method: str
    url: str
    headers: dict[str, str]
    json: Any
    body: bytes | None


def check_id(name: str, value: object) -> str:
    """Check that an id stays in its path segment, and return it.

    Raises:
        InvalidRequestError: the id is not a string, is empty or a dot segment, or holds a slash, a control character
            or half a surrogate pair.
    """
    if not isinstance(value, str):
        raise InvalidRequestError(f"{name} must be a string, not {type(value).__name__}")
    if not value or value.isspace():
        raise InvalidRequestError(f"{name} must not be empty")
    if value in (".", ".."):
        raise InvalidRequestError(f"{name} must not be {value!r}: it would address something else")
    if _UNFIT_FOR_PATH.search(value):
        raise InvalidRequestError(f"{name} must not hold slashes, backslashes or control characters")
    if not value.isascii() and _HALF_PAIR.search(value):
        raise InvalidRequestError(f"{name} can't be sent: it holds half a surrogate pair")
    return value


def _segment(operation: Operation, name: str, value: object) -> str:
    """An id in the form that addresses have it."""
    if isinstance(value, str) and _NEEDS_NO_CARE.fullmatch(value):
        return value
    try:
        return _api.path_segment(check_id(name, value), name)
    except ValueError as error:
        if isinstance(error, InvalidRequestError):
            raise
        raise InvalidRequestError(f"{operation.id} can't be sent like this: {error}") from error


class Requests:
    """Builds the requests of one context. The parts that requests or operations have in common are built once."""

    __slots__ = ("_api", "_arguments", "_base_url", "_headers", "_outlines")

    def __init__(self, base_url: str, context: Context, user_agent: str, api: Api = V0) -> None:
        self._api = api
        self._base_url = base_url
        self._headers = {"user-agent": user_agent, "accept": "application/json", **dict(context.headers)}
        arguments: dict[str, Any] = {}
        arguments["x_merchant"] = context.merchant
        arguments["x_channel"] = context.channel
        if context.adapter_id is not None:
            arguments["x_adapterid"] = context.adapter_id
        self._arguments = arguments
        self._outlines: dict[str, _Built] = {}

    def prepare(
        self,
        operation: Operation,
        path: Mapping[str, str],
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        correlation_id: str | None = None,
    ) -> Prepared:
        """Build, check and encode the request of one call. All ids are checked here: the ids in the address, and the
        ids of entries if the body is a list.

        Args:
            operation: the operation to call.
            path: the ids in its address.
            query: its query parameters, by the generated builder's names.
            body: a generated model or plain data in the API's spelling.
            correlation_id: the correlation id of another call that this one belongs to.

        Raises:
            InvalidRequestError: an id, a query value or the body can't be sent. The text names it.
        """
        if query is None and body is None:
            segments = {name: _segment(operation, name, value) for name, value in path.items()}
            built = self._outlines.get(operation.id) or self._outlined(operation, path)
            url = built.url.format_map(segments)
        else:
            ids = {name: check_id(name, value) for name, value in path.items()}
            built = self._built(operation, {**ids, **(query or {})}, body)
            url = built.url
            for entry in map(mapping_or_empty, list_or_empty(built.json)):
                if "id" in entry:
                    check_id("id", entry["id"])
        correlation_id = correlation_id or built.headers.get(CORRELATION_HEADER) or os.urandom(16).hex()
        return Prepared(operation, path, built.method, url, built.headers, correlation_id, built.json, built.body)

    def _outlined(self, operation: Operation, path: Mapping[str, str]) -> _Built:
        """What all calls of an operation without query and body share. Only the ids in the address differ; they have
        places in it."""
        places = {name: f"-{name}-" for name in path}
        outline = self._built(operation, places, None)
        url = outline.url.replace("{", "{{").replace("}", "}}")
        for name, place in places.items():
            url = url.replace(place, f"{{{name}}}")
        return self._outlines.setdefault(operation.id, outline._replace(url=url))

    def _built(self, operation: Operation, arguments: Mapping[str, Any], body: Any) -> _Built:
        arguments = {**arguments, **self._arguments}
        if body is not None:
            arguments["body"] = body
        try:
            built = self._api.endpoint(operation).build(**arguments)
            encoded = write_json(built["json"]) if "json" in built else None
            params = built.get("params")
            query_string = f"?{urlencode(params, doseq=True)}" if params else ""
        except RecursionError:
            raise InvalidRequestError(f"{operation.id} can't be sent like this: it is nested too deeply") from None
        except UnicodeError:  # its text holds the whole body
            raise InvalidRequestError(f"{operation.id} can't be sent like this: a text is not Unicode") from None
        except (ValueError, TypeError) as error:
            problem = str(error)
        else:
            url = f"{self._base_url}{built['url']}{query_string}"
            headers = {**self._headers, **{name.lower(): value for name, value in built.get("headers", {}).items()}}
            return _Built(built["method"].upper(), url, headers, built.get("json"), encoded)
        # Raised outside the except block, because the caught error's frames hold the encoded body.
        raise InvalidRequestError(f"{operation.id} can't be sent like this: {problem}")
