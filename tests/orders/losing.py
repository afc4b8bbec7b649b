"""An engine that really sends requests and loses answers on the way back."""

from __future__ import annotations

from collections import deque

from norce_order_async.engines.base import MaybeSentError, WireRequest, WireResponse
from norce_order_async.engines.httpx import HttpxEngine


class LosingEngine:
    """An engine that loses the answers to the next requests with this method and an address that ends like this.

    ::

        engine.lose("POST", "/payments")
    """

    name = "losing"

    def __init__(self) -> None:
        self._inner = HttpxEngine()
        self._to_lose: deque[tuple[str, str]] = deque()

    def lose(self, method: str, ending: str) -> None:
        """Lose one more answer to this method at an address with this ending."""
        self._to_lose.append((method, ending))

    async def send(self, request: WireRequest) -> WireResponse:
        response = await self._inner.send(request)
        if self._to_lose:
            method, ending = self._to_lose[0]
            if request.method == method and request.url.endswith(ending):
                self._to_lose.popleft()
                raise MaybeSentError("read", "lost on the way back")
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()
