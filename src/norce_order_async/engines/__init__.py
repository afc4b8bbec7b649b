"""The engines that send requests: one small protocol, and one module per HTTP library.

No HTTP library's types are used above this folder, and an engine is imported only when it is chosen. To write an engine
of your own, implement :class:`Engine` and give an instance to ``NorceOrderClient(engine=...)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from norce_order_async._exports import on_first_use
from norce_order_async.engines.base import (
    Caller,
    Engine,
    MaybeSentError,
    SendError,
    Timeouts,
    UnsentError,
    WireRequest,
    WireResponse,
)

if TYPE_CHECKING:
    from norce_order_async.engines.aiohttp import AiohttpEngine
    from norce_order_async.engines.httpx import HttpxEngine

_HOMES = {"AiohttpEngine": "aiohttp", "HttpxEngine": "httpx"}

__all__ = [
    "AiohttpEngine",
    "Caller",
    "Engine",
    "HttpxEngine",
    "MaybeSentError",
    "SendError",
    "Timeouts",
    "UnsentError",
    "WireRequest",
    "WireResponse",
]

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
