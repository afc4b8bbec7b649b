"""An ASGI application served on loopback, in a thread, by the servers that people run."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Literal, TypeAlias

import anyio
import uvicorn

Server: TypeAlias = Literal["uvicorn", "hypercorn", "hypercorn on trio"]
SERVERS: tuple[Server, ...] = ("uvicorn", "hypercorn", "hypercorn on trio")

_START_WITHIN = 30.0


def listening() -> tuple[socket.socket, str]:
    """Return a listening socket on loopback and its address, for an application that needs the address before it is
    served."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def serving_app(
    app: Any, server: Server = "uvicorn", *, on: socket.socket | None = None, lifespan: bool = True
) -> Generator[str]:
    """Serve an application, and yield its address. Its lifespan is run, unless uvicorn must leave it out."""
    listener = listening()[0] if on is None else on
    running = _uvicorn(app, listener, lifespan) if server == "uvicorn" else _hypercorn(app, listener, server)
    with listener, running:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def _uvicorn(app: Any, listener: socket.socket, lifespan: bool) -> Generator[None]:
    config = uvicorn.Config(
        app,
        loop="asyncio",
        lifespan="on" if lifespan else "off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        give_up = time.monotonic() + _START_WITHIN
        while not running.started:
            assert thread.is_alive(), "uvicorn ended while it was starting"
            assert time.monotonic() < give_up, "uvicorn did not start"
            time.sleep(0.005)
        yield
    finally:
        running.should_exit = True
        thread.join()


@contextmanager
def _hypercorn(app: Any, listener: socket.socket, server: Server) -> Generator[None]:
    from hypercorn.config import Config

    backend = "trio" if server == "hypercorn on trio" else "asyncio"
    stop = threading.Event()
    config = Config()
    config.bind = [f"fd://{os.dup(listener.fileno())}"]  # the server closes its own
    config.accesslog = config.errorlog = None
    config.graceful_timeout = 5.0

    async def stopped() -> None:
        while not stop.is_set():  # noqa: ASYNC110 - set on another thread
            await anyio.sleep(0.01)

    async def serve() -> None:
        module: Any = import_module(f"hypercorn.{backend}")
        try:
            await module.serve(app, config, shutdown_trigger=stopped)
        except asyncio.CancelledError:
            if not stop.is_set():  # the server ends like this if a connection was still open
                raise

    thread = threading.Thread(target=anyio.run, args=(serve,), kwargs={"backend": backend})
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
