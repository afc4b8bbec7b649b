"""Who puts bytes on the wire: one small protocol, one module per HTTP library.

Nothing above this folder meets an HTTP library's types, and no engine is imported before it is chosen. Here is what an
engine of your own needs: ``NorceOrderClient(engine=...)`` takes anything that keeps to :class:`Engine`.
"""

from __future__ import annotations

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

__all__ = [
    "Caller",
    "Engine",
    "MaybeSentError",
    "SendError",
    "Timeouts",
    "UnsentError",
    "WireRequest",
    "WireResponse",
]
