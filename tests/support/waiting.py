"""Waiting for another thread, the event loop or the operating system.

How long this takes depends on the machine, so there is no limit here. If it never happens, the timeout that every test
has ends the test and shows where it stood.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import anyio

_LOOK_EVERY = 0.005


async def until(true: Callable[[], object]) -> None:
    """Wait until it is true, and let the event loop run meanwhile."""
    while not true():  # noqa: ASYNC110 - there is no event of it on this loop
        await anyio.sleep(_LOOK_EVERY)


def wait_until(true: Callable[[], object]) -> None:
    """Wait until it is true, in a test without an event loop."""
    while not true():
        time.sleep(_LOOK_EVERY)


class Ticks:
    """Time as the running loop experiences it: counts the hundredths of a second in which the loop wakes up.

    On a quiet machine a second has a hundred ticks. If the loop hardly runs, it has few, so a limit in ticks shows
    whether something waited, and not whether the machine was slow.
    """

    count = 0

    async def __aenter__(self) -> Self:
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._tick)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._group.cancel_scope.cancel()
        return await self._group.__aexit__(kind, error, trace)

    async def _tick(self) -> None:
        while True:
            await anyio.sleep(0.01)
            self.count += 1
