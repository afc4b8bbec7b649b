"""The description of the API: finds what answers have beyond it, and looks for the vendor's own description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from norce_order_async._api import PACKAGE
from norce_order_async._json import UNREADABLE, is_list, is_mapping, list_or_empty, mapping_or_empty, read_json
from norce_order_async.calibration.masking import Masking
from norce_order_async.calibration.wire import Exchange, Wire
from norce_order_async.environments import is_loopback

_USUAL_HEADERS: Final = frozenset(
    ["access-control-allow-origin", "alt-svc", "cache-control", "connection", "content-encoding", "content-length",
     "content-type", "date", "etag", "expires", "keep-alive", "location", "pragma", "server", "set-cookie",
     "strict-transport-security", "transfer-encoding", "vary", "via", "x-content-type-options", "x-frame-options"]
)  # fmt: skip
_HEADER = re.compile(r"(?!.*[0-9]{4})[a-z][a-z0-9-]{0,39}\Z", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,5}\Z", re.ASCII)
_ENVIRONMENTS: Final = ("playground", "stage")
_LINE = re.compile(r'- "([^"\s]+)"\s*\Z')
_YAML = re.compile(rb'^(?:openapi|swagger):\s*["\']?[23]\.', re.MULTILINE)


@dataclass(slots=True)
class Differences:
    """What answers had beyond the description, in words that may be shown."""

    members: set[str] = field(default_factory=set[str])
    words: set[str] = field(default_factory=set[str])
    statuses: set[str] = field(default_factory=set[str])
    headers: set[str] = field(default_factory=set[str])


@dataclass(frozen=True, slots=True)
class Described:
    """The result of the search for the vendor's description."""

    tried: tuple[tuple[str, str], ...] = ()
    """The addresses, each with its result."""
    body: bytes | None = field(default=None, repr=False)
    """The first description that was found; None if there was none."""
    address: str = ""
    is_json: bool = False


# --------------------------------------------------------------------------------------------------- differences


def differences(exchanges: Iterable[Exchange], masking: Masking) -> Differences:
    """What these answers have beyond the package's description."""
    described = _Description(masking)
    for exchange in exchanges:
        described.look_at(exchange)
    return described.found


class _Description:
    def __init__(self, masking: Masking) -> None:
        self.found = Differences()
        self._masking = masking
        self._whole: Mapping[str, Any] = json.loads(files(PACKAGE).joinpath("openapi.json").read_bytes())
        # By the id of a schema, which is part of the description and lives as long.
        self._members: dict[int, dict[str, Any]] = {}
        self._allowed: dict[int, set[str]] = {}

    def look_at(self, exchange: Exchange) -> None:
        where = f"{exchange.method} {exchange.path}"
        paths: Mapping[str, Any] = self._whole["paths"]
        operation = mapping_or_empty(mapping_or_empty(paths.get(exchange.path)).get(exchange.method.lower()))
        responses = mapping_or_empty(operation.get("responses"))
        response = self._resolved(responses.get(str(exchange.status)))
        if str(exchange.status) not in responses:
            self.found.statuses.add(f"{where}: {exchange.status}")
        for name, value in exchange.headers.items():
            if name not in _USUAL_HEADERS:
                self.found.headers.add(self._header(name, value))
        content = mapping_or_empty(response.get("content")).get("application/json")
        schema = mapping_or_empty(content).get("schema")
        if schema is not None and exchange.data is not UNREADABLE:
            self._compare(exchange.data, schema, _name_of(schema))

    def _header(self, name: str, value: str) -> str:
        if not _HEADER.fullmatch(name) or self._masking.is_secret(name):
            return "<a name that is not shown>"
        # The numbers of a rate limit are useful and not personal; other values may be anything.
        return f"{name}: {value}" if "limit" in name and _COUNT.fullmatch(value) else name

    def _resolved(self, schema: object) -> Mapping[str, Any]:
        found = mapping_or_empty(schema)
        reference = found.get("$ref")
        if isinstance(reference, str):
            target: Any = self._whole
            for step in reference.removeprefix("#/").split("/"):
                target = mapping_or_empty(target).get(step)
            return self._resolved(target)
        return found

    def _compare(self, data: Any, schema: object, where: str) -> None:
        if not isinstance(data, str) and not is_list(data) and not is_mapping(data):
            return
        resolved = self._resolved(schema)
        if options := list_or_empty(resolved.get("anyOf")):
            kind = "array" if is_list(data) else "object"
            fitting = [option for option in options if self._kind(option) == kind]
            # An object may be any of these, so the members of all of them count as described.
            if is_mapping(data):
                known = {name for option in fitting for name in self._properties(option)}
                self._unknown(data, known, where)
            elif fitting:
                self._compare(data, fitting[0], where)
            return
        if is_list(data):
            for entry in data:
                self._compare(entry, resolved.get("items"), f"{where}[]")
        elif is_mapping(data):
            properties = self._properties(schema)
            if not properties:
                return
            self._unknown(data, properties, where)
            for name, value in data.items():
                if name in properties:
                    self._compare(value, properties[name], f"{where}.{name}")
        elif isinstance(data, str) and (words := self._words(schema)) and data.lower() not in words:
            self.found.words.add(f"{where}: {self._masking.word(data)}")

    def _unknown(self, data: Mapping[str, Any], known: Iterable[str], where: str) -> None:
        for name in data.keys() - set(known):
            self.found.members.add(f"{where}.{self._masking.word(name)}")

    def _parts(self, schema: object) -> Iterator[Mapping[str, Any]]:
        resolved = self._resolved(schema)
        yield resolved
        for part in list_or_empty(resolved.get("allOf")):
            yield from self._parts(part)

    def _properties(self, schema: object) -> dict[str, Any]:
        if (known := self._members.get(id(schema))) is None:
            known = self._members[id(schema)] = {
                name: value
                for part in self._parts(schema)
                for name, value in mapping_or_empty(part.get("properties")).items()
            }
        return known

    def _words(self, schema: object) -> set[str]:
        if (known := self._allowed.get(id(schema))) is None:
            known = self._allowed[id(schema)] = {
                str(word).lower() for part in self._parts(schema) for word in list_or_empty(part.get("enum"))
            }
        return known

    def _kind(self, schema: object) -> str:
        return str(next((part["type"] for part in self._parts(schema) if "type" in part), "object"))


def _name_of(schema: object) -> str:
    reference = mapping_or_empty(schema).get("$ref")
    return reference.rpartition("/")[2] if isinstance(reference, str) else "answer"


# ------------------------------------------------------------------------------------------------ the vendor's own


def candidates() -> list[str]:
    """The patterns of addresses in ``openapi/candidates.yaml``; empty if the file is not there."""
    for path in (Path(__file__).with_name("candidates.yaml"), Path(__file__).parents[3] / "openapi/candidates.yaml"):
        if path.is_file():
            lines = path.read_text("utf-8").splitlines()
            return [found[1] for line in lines if (found := _LINE.match(line))]
    return []


def addresses(base_url: str) -> list[tuple[str, bool]]:
    """The addresses where the description may be, each with whether it is at the service's host and gets the token."""
    parts = urlsplit(base_url)
    root = f"{parts.scheme}://{parts.netloc}"
    labels = (parts.hostname or "").split(".")
    environment = next((name for name in _ENVIRONMENTS if name in labels), None)
    found: dict[str, bool] = {}
    for pattern in candidates():
        own = pattern.startswith(("{base}/", "{root}/"))
        if not own and (environment is None or is_loopback(base_url)):
            continue
        address = pattern.replace("{base}", base_url).replace("{root}", root)
        found.setdefault(address.replace("{environment}", environment or ""), own)
    return list(found.items())


async def look_for(wire: Wire) -> Described:
    """Request the candidates one after the other, until one has a description of an API."""
    tried: list[tuple[str, str]] = []
    for address, own in addresses(wire.base_url):
        answer = await wire.fetch(address, wire.authorised() if own else {"accept": "*/*"})
        if answer is None:
            tried.append((address, "no answer"))
            continue
        status, body = answer
        is_json = _is_openapi(read_json(body))
        if status == 200 and (is_json or _YAML.search(body)):
            tried.append((address, "found"))
            return Described(tuple(tried), body, address, is_json)
        tried.append((address, f"HTTP {status}" if status != 200 else "something else"))
    return Described(tuple(tried))


def _is_openapi(data: object) -> bool:
    return is_mapping(data) and ("openapi" in data or "swagger" in data) and "paths" in data
