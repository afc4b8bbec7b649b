"""An ASGI application served on loopback, in a thread, by the servers that people run."""

from __future__ import annotations

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


@contextmanager
def serving_app(app: Any, server: Server = "uvicorn", *, lifespan: bool = True) -> Generator[str]:
    """Its address. Its lifespan is run, unless the server is not to: then the app has to do without."""
    with _uvicorn(app, lifespan) if server == "uvicorn" else _hypercorn(app, server) as address:
        yield address


@contextmanager
def _uvicorn(app: Any, lifespan: bool) -> Generator[str]:
    config = uvicorn.Config(
        app, loop="asyncio", lifespan="on" if lifespan else "off", log_config=None, timeout_graceful_shutdown=5
    )
    running = uvicorn.Server(config)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(2048)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            give_up = time.monotonic() + _START_WITHIN
            while not running.started:
                assert thread.is_alive(), "uvicorn ended while it was starting"
                assert time.monotonic() < give_up, "uvicorn did not start"
                time.sleep(0.005)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join()


@contextmanager
def _hypercorn(app: Any, server: Server) -> Generator[str]:
    from hypercorn.config import Config

    on_trio = server == "hypercorn on trio"
    stop = threading.Event()
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    port = listener.getsockname()[1]
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.accesslog = config.errorlog = None
    config.graceful_timeout = 5.0

    async def stopped() -> None:
        while not stop.is_set():  # noqa: ASYNC110 - set on another thread
            await anyio.sleep(0.01)

    async def serve() -> None:
        module: Any = import_module(f"hypercorn.{'trio' if on_trio else 'asyncio'}")
        await module.serve(app, config, shutdown_trigger=stopped)

    thread = threading.Thread(target=anyio.run, args=(serve,), kwargs={"backend": "trio" if on_trio else "asyncio"})
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        stop.set()
        thread.join()
        listener.close()
