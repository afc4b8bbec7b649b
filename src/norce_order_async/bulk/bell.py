"""Waking those who wait inside a run: workers for something to do, and whoever iterates for news."""

from __future__ import annotations

from collections import deque

import anyio


class Bell:
    """Rung whenever something has changed."""

    def __init__(self) -> None:
        self._idle: deque[anyio.Event] = deque()
        self._news = anyio.Event()

    async def work(self) -> None:
        """Wait until there may be something to do for one more worker."""
        turn = anyio.Event()
        self._idle.append(turn)
        await turn.wait()

    async def news(self) -> None:
        """Wait until anything has changed."""
        await self._news.wait()

    def ring(self) -> None:
        """Something has changed that one more worker may go on with."""
        if self._idle:
            self._idle.popleft().set()
        self._tell()

    def ring_for_all(self) -> None:
        """Something has changed that concerns everybody."""
        while self._idle:
            self._idle.popleft().set()
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, anyio.Event()
        news.set()
