"""A sandbox with orders in it, for commands that run in processes of their own."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from norce_order_async.sandbox import Sandbox
from tests.support.plain import NO_TLS

TOKEN = "t0p-s3cret-" + "x" * 33


@dataclass(frozen=True)
class Shop:
    """The sandbox, and the variables that a command needs for it."""

    sandbox: Sandbox
    env: dict[str, str] = field(repr=False)

    def ids(self, count: int, status: str = "processing") -> list[str]:
        """Return a number of orders in a status, the newest first."""
        found: list[str] = []
        while len(found) < count:
            page = self._get(params={"status": status, "limit": "100", "offset": str(len(found))})["data"]
            assert page, f"there are not {count} orders in {status}"
            found += [order["id"] for order in page]
        return found[:count]

    def status(self, order_id: str) -> str:
        return str(self.whole(order_id)["state"]["currentStatus"])

    def whole(self, order_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self._get(f"/{order_id}")
        return found

    def delete(self, order_id: str) -> None:
        self._call("DELETE", f"/{order_id}")

    def _get(self, path: str = "", **query: Any) -> Any:
        return self._call("GET", path, **query).json()

    def _call(self, method: str, path: str, **query: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {TOKEN}", "x-merchant": "demo", "x-channel": "se"}
        address = f"{self.sandbox.base_url}/api/v0/checkout/orders{path}"
        return httpx.request(method, address, headers=headers, verify=NO_TLS, **query).raise_for_status()


@contextmanager
def shop(orders: int = 300, **how: Any) -> Generator[Shop]:
    """Run a sandbox with orders in five channels. The commands see those of one."""
    with Sandbox(token=TOKEN, seed=11, **how) as sandbox:
        sandbox.seed_orders(orders)
        yield Shop(
            sandbox,
            {
                "NORCE_BASE_URL": sandbox.base_url,
                "NORCE_MERCHANT": "demo",
                "NORCE_CHANNEL": "se",
                "NORCE_TOKEN": TOKEN,
            },
        )
