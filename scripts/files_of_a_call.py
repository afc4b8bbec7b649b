"""Prints the files of the package that one PUT runs through, in the order in which it first enters them.

    .venv/bin/python scripts/files_of_a_call.py [aiohttp|httpx]

The call is `await order.cart.put(...)` of a client that has made calls before, against the local order service in
another thread. A profiler records each Python function that runs in the client's thread. A reader has to follow fewer
files in a call that runs through fewer.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import norce_order_async
from norce_order_async import NorceOrderClient
from norce_order_async.sandbox import Sandbox

PACKAGE = Path(norce_order_async.__file__).parent
CART = {"items": [{"sku": "MUG-01", "quantity": 1}]}


class Crossed:
    """The files of the package that run, in the order of their first function, with how many functions of each ran."""

    def __init__(self) -> None:
        self.functions: dict[str, set[str]] = {}

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE):
            name = str(path.relative_to(PACKAGE))
            self.functions.setdefault(name, set()).add(frame.f_code.co_qualname)


async def one_put(engine: str) -> Crossed:
    """The functions of a client's second PUT: the first one also loads modules, connects and prepares."""
    crossed = Crossed()
    with Sandbox() as sandbox:
        service: dict[str, Any] = {"base_url": sandbox.base_url, "token": sandbox.token, "engine": engine}
        async with NorceOrderClient(**service, merchant="acme", channel="se") as norce:
            order = await norce.orders.create(cart=CART)
            await order.cart.put(CART)
            sys.setprofile(crossed)
            try:
                await order.cart.put(CART)
            finally:
                sys.setprofile(None)
    return crossed


def main() -> None:
    engine = sys.argv[1] if len(sys.argv) > 1 else "aiohttp"
    crossed = asyncio.run(one_put(engine))
    for name, functions in crossed.functions.items():
        print(f"{name:36} {', '.join(sorted(functions))}")
    print(f"one PUT with {engine} crosses {len(crossed.functions)} files")


if __name__ == "__main__":
    main()
