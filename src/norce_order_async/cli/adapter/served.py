"""The program that uvicorn runs: the developer's adapter, registered on the order before the first call comes."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from typing import Any, Final

from norce_order_async import NorceOrderClient
from norce_order_async.adapter import Adapter
from norce_order_async.models import OrderDataDict, PriceDict

TARGET: Final = "NORCE_ADAPTER_DEV_TARGET"
ORDER: Final = "NORCE_ADAPTER_DEV_ORDER"
READY_PATH: Final = "NORCE_ADAPTER_DEV_READY_PATH"
"""The variable with the path that the command requests to see whether this program accepts calls."""

HOST: Final = "adapter"
"""The host under which the local service calls the adapter."""

_PRICE: Final[PriceDict] = {"includingVat": 125.0, "excludingVat": 100.0}
NEW_ORDER: Final[OrderDataDict] = {
    "culture": "sv-SE",
    "currency": "SEK",
    "country": "SE",
    "cart": {"items": [{"sku": "T001", "name": "Thing", "quantity": 1, "price": _PRICE, "total": _PRICE}]},
}
"""An order with something in its cart."""


class TargetError(Exception):
    """The target is not an adapter; the text says why."""


def adapter_of(target: str, norce: NorceOrderClient) -> Adapter:
    """The adapter at ``module:name``: an adapter, or a function that makes one from a client.

    Raises:
        TargetError: there is no such adapter.
    """
    module, _, name = target.partition(":")
    try:
        found: Any = getattr(import_module(module), name or "adapter")
    except (ImportError, AttributeError) as wrong:
        raise TargetError(f"{target}: {wrong}") from wrong
    made = found if isinstance(found, Adapter) else found(norce) if callable(found) else None
    if not isinstance(made, Adapter):
        raise TargetError(f"{target} is not an adapter, nor a function that makes one from a client")
    return made


def app() -> Callable[..., Awaitable[None]]:
    """Make the ASGI application; ``uvicorn --factory`` calls this."""
    sys.path.insert(0, os.getcwd())
    norce, ready_path = NorceOrderClient.from_env(), os.environ[READY_PATH]
    adapter = adapter_of(os.environ[TARGET], norce)
    adapter.public_url = f"asgi://{HOST}"

    async def registered_first(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            own = norce.scoped(adapter_id=adapter.adapter_id)
            order = await own.orders.get(os.environ[ORDER])
            if order.status != "checkout":
                # Nothing can be registered on it any more.
                order = await own.orders.create(NEW_ORDER)
                print(f"  created order {order.id}, because the earlier one has left checkout", flush=True)
            plan = await adapter.ensure(order)
            for one in (*plan.add, *plan.keep):
                print(f"  registered  {one}", flush=True)
        if scope["type"] == "http" and scope["path"] == ready_path:
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})
            return
        await adapter(scope, receive, send)
        if scope["type"] == "lifespan":
            await norce.aclose()

    return registered_first
