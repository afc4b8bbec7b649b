"""What runs beside the requests for as long as a server does: notifications being delivered."""

import anyio
from starlette.types import Receive, Send

from .callbacks.courier import Courier


async def lifespan(courier: Courier, receive: Receive, send: Send) -> None:
    """Answer a server's start and stop, and deliver in between."""
    await receive()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(courier.run)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        tasks.cancel_scope.cancel()
    await send({"type": "lifespan.shutdown.complete"})
