"""An engine that answers at once, so that the code above it can be measured alone."""

from __future__ import annotations

from benchmarks.orders import TYPICAL
from norce_order_async.engines.base import WireRequest, WireResponse

ANSWER = WireResponse(200, {"content-type": "application/json", "content-length": str(len(TYPICAL))}, TYPICAL)


class InstantEngine:
    """Answers every request with the typical order."""

    name = "instant"

    async def send(self, request: WireRequest) -> WireResponse:  # noqa: ARG002 - the protocol's signature
        """The order."""
        return ANSWER

    async def aclose(self) -> None:
        """Nothing is open."""
