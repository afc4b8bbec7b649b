"""A client over a scripted engine and virtual time, and calls by the table of operations."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from norce_order_async import ClientCredentials, NorceOrderClient
from norce_order_async.auth.providers import TokenProvider, TokenSource
from norce_order_async.engines.base import WireRequest
from norce_order_async.pipeline.answer import Answer
from norce_order_async.pipeline.operations import Operation
from norce_order_async.pipeline.readback import Baseline
from norce_order_async.pipeline.session import Session
from norce_order_async.pipeline.settings import CallOptions
from norce_order_async.scope import session_of

from .clock import FakeClock, Uniform, lowest
from .engine import Script, ScriptedEngine

BASE_URL = "https://acme.api-se.playground.norce.tech/checkout/order"
ORDER_ID = "o1"


@dataclass(frozen=True)
class Stand:
    """A client with its engine, clock and script."""

    client: NorceOrderClient
    engine: ScriptedEngine
    clock: FakeClock

    @property
    def session(self) -> Session:
        """Return the session that the parts of an order call."""
        return session_of(self.client)

    @property
    def sent(self) -> list[str]:
        """Return method and path of every request, without the common prefix."""
        return [f"{request.method} {short(request)}" for request in self.engine.requests]

    async def call(
        self,
        operation: Operation,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        before: Baseline | None = None,
        options: CallOptions | None = None,
    ) -> Answer:
        """Make a call of an operation with ids and a body that fit it."""
        body = sample_body(operation) if body is None else body
        path = {name: ORDER_ID if name == "order_id" else f"{name}-1" for name in path_names(operation)}
        return await self.session.call(operation, path, body=body, query=query, before=before, options=options)


def stand(
    script: Script,
    *,
    uniform: Uniform = lowest,
    seed: int | None = None,
    token: str | TokenSource | TokenProvider | ClientCredentials = "t0ken",
    engine: ScriptedEngine | None = None,
    **arguments: Any,
) -> Stand:
    """Make a client for merchant "acme" and channel "se" over a script."""
    clock = FakeClock(uniform, seed)
    engine = ScriptedEngine(script, clock) if engine is None else engine
    settings: dict[str, Any] = {"base_url": BASE_URL, "merchant": "acme", "channel": "se", **arguments}
    return Stand(NorceOrderClient(token=token, engine=engine, clock=clock, **settings), engine, clock)


def answered_id(operation: Operation) -> str:
    """Return the id in a good answer to :meth:`Stand.call`, of the addressed thing or of the created one."""
    if not operation.answers:
        return "x1"
    return ORDER_ID if operation.answers == "order_id" else f"{operation.answers}-1"


def short(request: WireRequest) -> str:
    """Return a request's address below the collection of orders."""
    return request.url.removeprefix(f"{BASE_URL}/api/v0/checkout")


@functools.cache
def description() -> dict[str, dict[str, Any]]:
    """Return the generated client's description: per operation id its method, path, tags, statuses and body schema."""
    text = resources.files("norce_order_api").joinpath("openapi.json").read_text("utf-8")
    found: dict[str, dict[str, Any]] = {}
    for path, methods in json.loads(text)["paths"].items():
        for method, operation in methods.items():
            if method in {"get", "put", "post", "patch", "delete"}:
                content = operation.get("requestBody", {}).get("content", {})
                found[operation["operationId"]] = {
                    "method": method.upper(),
                    "path": path,
                    "tags": operation["tags"],
                    "statuses": [int(status) for status in operation["responses"]],
                    "schema": content.get("application/json", {}).get("schema"),
                }
    return found


def path_names(operation: Operation) -> list[str]:
    """Return the names of the ids in an operation's address."""
    parts = description()[operation.id]["path"].split("/")
    return [part[1:-1] for part in parts if part.startswith("{")]


def sample_body(operation: Operation) -> Any:
    """Return a small valid body of an operation, or None for one without a body."""
    schema = description()[operation.id]["schema"]
    if schema is None:
        return None
    if schema.get("type") == "array":
        return [{"id": "b1"}]
    if schema.get("type") == "string":
        return "r1"
    return {
        "Order": {"cart": {"reference": "c1"}},
        "State": {"currentStatus": "processing"},
        "Payment": {"reference": "p-ref"},
        "Shipping": {"reference": "s-ref"},
        "Consent": {"id": "newsletter"},
        "Hook": {"adapterId": "a1", "invoke": "https://a1.example/hook"},
        "Notification": {"adapterId": "a1", "invoke": "https://a1.example/note"},
        "Callback": {"adapterId": "a1", "url": "https://a1.example/check"},
    }.get(schema["$ref"].rpartition("/")[2], {})
