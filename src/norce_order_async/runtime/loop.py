"""Which library runs the event loop, and an event for a single waiter on either.

Calls wait for permits and for sends with such events. An ``anyio.Event`` would cost several times as much.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Literal, Protocol, final

if TYPE_CHECKING:
    import trio


class Wake(Protocol):
    """An event that one task waits for, once."""

    def set(self) -> None:
        """End the wait. A second call does nothing, nor does a call after the waiter has left."""
        ...

    async def wait(self) -> None:
        """Return when the event is set."""
        ...


def wake() -> Wake:
    """An event for the running loop."""
    return _OnTrio() if runs_on_trio() else OnAsyncio(asyncio.get_running_loop())


def runs_on_trio() -> bool:
    """Whether trio runs this task, and not asyncio."""
    # trio first: in its guest mode an asyncio loop is running as well.
    trio: Any = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_task())


def loop_name() -> Literal["asyncio", "trio"] | None:
    """The name of the loop that runs here; None if none does."""
    if runs_on_trio():
        return "trio"
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return None
    return "asyncio"


@final
class OnAsyncio:
    """An event on asyncio. ``future`` yields True if it was set, False if the time was up first.

    Awaiting ``future`` directly is cheaper than ``wait``: it needs no coroutine.
    """

    __slots__ = ("future",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[bool] = loop.create_future()

    def set(self) -> None:
        """End the wait."""
        if not self.future.done():
            self.future.set_result(True)

    def give_up(self) -> None:
        """End the wait because the time is up."""
        if not self.future.done():
            self.future.set_result(False)

    async def wait(self) -> None:
        """Return when the event is set or the time is up."""
        await self.future


@final
class _OnTrio:
    """An event on trio."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        import trio

        self._event: trio.Event = trio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()
