"""A caller over a socket for a sandbox that follows one reading."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import anyio
import httpx
import pytest

from norce_order_async.sandbox import ManualClock, Sandbox
from tests.sandbox.support import API, Json

SHOWN: dict[str, set[str]] = {}
"""The readings that tests show, by rule. Importing the modules of tests fills it."""

Test: TypeAlias = Callable[..., Any]


def under(rule: str, expected: Mapping[str, object], **options: Any) -> Callable[[Test], Test]:
    """Run a test over a socket under each reading of a rule, with the value that is expected there.

    The loops of the test take turns: the sandbox has a loop of its own, so that of the sender makes no difference.
    """
    SHOWN.setdefault(rule, set()).update(expected)
    cases = [((rule, reading, options), outcome) for reading, outcome in expected.items()]
    names = [f"{rule}={reading}" for reading in expected]
    parametrized = pytest.mark.parametrize(("wire", "expected"), cases, ids=names, indirect=["wire"])

    def marked(test: Test) -> Test:
        test = pytest.mark.in_turn("anyio_backend")(test)
        return parametrized(test)

    return marked


class Wire:
    """Sends requests over real connections. The sandbox's clock stands still until a test moves it."""

    def __init__(self, sandbox: Sandbox, clock: ManualClock, rule: str, reading: str) -> None:
        self.sandbox = sandbox
        self.clock = clock
        self.rule = rule
        self.reading = reading
        self.headers = {"authorization": f"Bearer {sandbox.token}", "x-merchant": "acme", "x-channel": "se"}
        # An empty context: loading the usual one takes long, and nothing here is https.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client = httpx.AsyncClient(base_url=sandbox.base_url + API, verify=context, trust_env=False, timeout=60)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def send(self, method: str, path: str, body: Any = ..., **options: Any) -> httpx.Response:
        given = {} if body is ... else {"json": body}
        headers = {**self.headers, **options.pop("headers", {})}
        return await self._client.request(method, path, headers=headers, **given, **options)

    async def ok(self, method: str, path: str, body: Any = ..., **options: Any) -> Any:
        """The body of a success."""
        response = await self.send(method, path, body, **options)
        assert response.is_success, response.text
        return response.json() if response.content else None

    async def status(self, method: str, path: str, body: Any = ..., **options: Any) -> int:
        return (await self.send(method, path, body, **options)).status_code

    async def order(self, **body: Any) -> str:
        """The path of a new order."""
        response = await self.send("POST", "/orders", body)
        assert response.is_success, response.text
        return f"/orders/{response.json()['id']}"

    async def read(self, path: str) -> Json:
        order: Json = await self.ok("GET", path)
        return order

    async def go(self, path: str, status: str) -> int:
        """The answer to a change of status."""
        return await self.status("PUT", f"{path}/state", {"currentStatus": status})

    async def is_in(self, path: str) -> str:
        """The status that an order has."""
        return str((await self.read(path))["state"]["currentStatus"])

    async def listed(self, **params: Any) -> Json:
        page: Json = await self.ok("GET", "/orders", params=params)
        return page

    def last(self) -> set[str]:
        """The rules that the last request touched."""
        return self.sandbox.requests[-1].rules


async def waits(condition: Callable[[], bool]) -> None:
    """Wait for something that the sandbox does on its own thread."""
    while not condition():  # noqa: ASYNC110 - it happens on another thread's loop
        await anyio.sleep(0.005)
