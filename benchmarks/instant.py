"""An engine that answers at once, so that what is above it can be seen alone."""

from __future__ import annotations

from benchmarks.orders import TYPICAL
from norce_order_async.engines.base import WireRequest, WireResponse

ANSWER = WireResponse(200, {"content-type": "application/json", "content-length": str(len(TYPICAL))}, TYPICAL)


class InstantEngine:
    """Gives the typical order for whatever is asked."""

    name = "instant"

    async def send(self, request: WireRequest) -> WireResponse:  # noqa: ARG002 - the protocol's signature
        """The order."""
        return ANSWER

    async def aclose(self) -> None:
        """Nothing is open."""
