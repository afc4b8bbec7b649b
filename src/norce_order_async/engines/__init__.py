"""Who puts bytes on the wire: one small protocol, one module per HTTP library.

Nothing above this folder meets an HTTP library's types, and no engine is imported before it is chosen. Here is what an
engine of your own needs: ``NorceOrderClient(engine=...)`` takes anything that keeps to :class:`Engine`.
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
