"""A caller for tests that sends to the sandbox and checks every answer against the description."""

import json
import re
from importlib.resources import files
from typing import Any, TypeAlias

import httpx
import pytest

from norce_order_async.sandbox import IN_PROCESS_URL, Sandbox

Json: TypeAlias = dict[str, Any]

API = "/api/v0/checkout"
DOCUMENT: Json = json.loads(files("norce_order_api").joinpath("openapi.json").read_text("utf-8"))

CART: Json = {
    "reference": "our-first-cart",
    "items": [{"sku": "T001", "name": "Thing", "quantity": 1, "total": {"includingVat": 12.5, "excludingVat": 10}}],
    "total": {"includingVat": 12.5, "excludingVat": 10},
}
SHIPPING: Json = {"total": {"includingVat": 7.5, "excludingVat": 6}, "vatRate": 0.25}

rule = pytest.mark.rule


class Api:
    """Calls that tests make. `ok` demands success and returns the body."""

    def __init__(self, sandbox: Sandbox, merchant: str = "acme", channel: str = "se") -> None:
        self.sandbox = sandbox
        self.headers = {
            "authorization": f"Bearer {sandbox.token}",
            "x-merchant": merchant,
            "x-channel": channel,
        }
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url=IN_PROCESS_URL + API)

    async def close(self) -> None:
        await self._client.aclose()

    async def send(self, method: str, path: str, body: Any = ..., **options: Any) -> httpx.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        if body is not ...:
            # Written here, because httpx reads json=None as no body at all.
            options["content"] = json.dumps(body)
            headers["content-type"] = "application/json"
        sent = {name: value for name, value in headers.items() if value is not None}
        response = await self._client.request(method, path, headers=sent, **options)
        conforms(method, path, response)
        return response

    async def ok(self, method: str, path: str, body: Any = ..., **options: Any) -> Any:
        response = await self.send(method, path, body, **options)
        assert response.is_success, response.text
        return response.json() if response.content else None

    async def refused(self, method: str, path: str, body: Any = ..., **options: Any) -> tuple[int, str]:
        """The status and code of a refusal."""
        response = await self.send(method, path, body, **options)
        assert response.is_error, response.text
        return response.status_code, response.json()["code"]

    async def order(self, **body: Any) -> str:
        """The path of a new order."""
        return f"/orders/{(await self.ok('POST', '/orders', body))['id']}"

    async def payable(self, **body: Any) -> str:
        """The path of a new order, with a cart, that is paid in full."""
        path = await self.order(**{"cart": {"items": CART["items"]}, **body})
        await self.ok("POST", f"{path}/payments", {"amount": 12.5})
        return path

    async def order_in(self, status: str) -> str:
        """The path of an order in a status."""
        path = await self.payable()
        for step in {"checkout": [], "declined": ["processing", "declined"]}.get(status, [status]):
            await self.status(path, step)
        return path

    async def status(self, path: str, status: str) -> httpx.Response:
        return await self.send("PUT", f"{path}/state", {"currentStatus": status})

    async def total(self, path: str) -> tuple[float, float]:
        total = (await self.ok("GET", path))["total"]
        return total["includingVat"], total["excludingVat"]


def conforms(method: str, path: str, response: httpx.Response) -> None:
    """Check that the description has such an answer for this operation, down to each member."""
    operation = operation_of(method, path)
    if operation is None or response.status_code in (405, 413):
        assert response.json().keys() == {"code", "message"}
        return
    declared = operation["responses"].get(str(response.status_code))
    assert declared is not None, f"{response.status_code} is not described for {method} {path}: {response.text}"
    content = followed(declared).get("content")
    if content is None:
        assert response.content == b""
        return
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    if response.status_code == 400 and not isinstance(body, list):
        # Validate has two shapes of 400: the list of findings, and the error every operation has.
        assert body.keys() == {"code", "message"}
        return
    _check(body, content["application/json"]["schema"], "$")


def operation_of(method: str, path: str) -> Json | None:
    """The operation of the description, or None if it has none."""
    for template, item in DOCUMENT["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), API + path):
            found: Json | None = item.get(method.lower())
            return found
    return None


def followed(schema: Json) -> Json:
    """A schema, or what it refers to."""
    if "$ref" in schema:
        target: Any = DOCUMENT
        for step in schema["$ref"].split("/")[1:]:
            target = target[step]
        return followed(target)
    return schema


def _check(value: Any, schema: Json, path: str) -> None:
    schema = followed(schema)
    if value is None:
        assert schema.get("nullable") or not schema.keys() & {"type", "allOf"}, path
        return
    for part in [*schema.get("allOf", []), *schema.get("anyOf", [])[:1]]:
        _check(value, part, path)
    match schema.get("type"):
        case "object":
            assert _is(value, dict), path
            members: Json = schema.get("properties", {})
            if members:
                extra = set(value) - members.keys()
                assert not extra, f"{path} has {extra}"
            for name, member in members.items():
                if name in value:
                    _check(value[name], member, f"{path}.{name}")
        case "array":
            assert _is(value, list), path
            for index, entry in enumerate(value):
                _check(entry, schema["items"], f"{path}[{index}]")
        case "string":
            assert isinstance(value, str), path
            assert value in schema.get("enum", [value]), path
            assert re.search(schema.get("pattern", ""), value), path
        case "integer":
            assert type(value) is int, path
        case "number":
            assert type(value) in (int, float), path
        case "boolean":
            assert type(value) is bool, path
        case _:
            pass


def _is(value: Any, kind: type) -> bool:
    """Check a type like isinstance, without narrowing it to a list or dict of unknown things."""
    return isinstance(value, kind)
