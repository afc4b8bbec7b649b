"""One task waits until another says so: an event for a single waiter.

Every call has two such waits, for a permit and for its send. An event of anyio's costs several times this.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Protocol, final

if TYPE_CHECKING:
    import trio


class Wake(Protocol):
    """What one task waits for, once."""

    def set(self) -> None:
        """End the wait; setting it twice, or when nobody waits any more, is fine."""
        ...

    async def wait(self) -> None:
        """Return when it is set."""
        ...


def wake() -> Wake:
    """One for the loop that runs here."""
    return _OnTrio() if runs_on_trio() else OnAsyncio(asyncio.get_running_loop())


def runs_on_trio() -> bool:
    """Whether it is trio that runs this task, and not asyncio."""
    # Asked of trio first: in its guest mode an asyncio loop is running as well.
    trio: Any = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_task())


def running() -> object | None:
    """The event loop that runs here, to be compared by identity: asyncio's own object, trio's token, or None."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = None
    # Inside one of asyncio's tasks it is not trio, which in its guest mode runs between them; this is the cheaper look.
    if loop is not None and asyncio.current_task(loop) is not None:
        return loop
    if runs_on_trio():
        trio: Any = sys.modules["trio"]
        token: object = trio.lowlevel.current_trio_token()
        return token
    return loop


@final
class OnAsyncio:
    """A future: True when it was set, False when the time was up first. Awaited itself, it spares a coroutine."""

    __slots__ = ("future",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[bool] = loop.create_future()

    def set(self) -> None:
        """End the wait."""
        if not self.future.done():
            self.future.set_result(True)

    def give_up(self) -> None:
        """The time is up."""
        if not self.future.done():
            self.future.set_result(False)

    async def wait(self) -> None:
        """Return when it is set, or the time is up."""
        await self.future


@final
class _OnTrio:
    """An event of trio's own."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        import trio

        self._event: trio.Event = trio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()
