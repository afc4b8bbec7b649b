"""Connects adapters of tests to the local order service: within the process, or behind a server of their own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import uvicorn

from norce_order_async.adapter import Adapter
from norce_order_async.client import NorceOrderClient
from norce_order_async.sandbox import Sandbox
from norce_order_async.sandbox.serving import PromptServer
from norce_order_async.testing.fixtures import SandboxClient, client_of

IN_PROCESS = "asgi://adapter"
"""The address of an adapter without a ``public_url``."""

_START_WITHIN = 10.0
_TICK = 0.005


class ConnectAdapter:
    """The fixture ``norce_adapter``. Called with a function that makes an adapter from a client, it returns the
    adapter, and the sandbox calls the adapter from then on.

    Example::

        def make_adapter(norce):
            adapter = norce.adapter("erp", public_url="https://erp.example.com", secret=SECRET)
            ...
            return adapter

        async def test_credit(norce_adapter, norce_order):
            adapter = norce_adapter(make_adapter)
            await adapter.ensure(norce_order)
    """

    def __init__(
        self, sandbox: Sandbox, client: SandboxClient, options: Mapping[str, Any], *, over_socket: bool
    ) -> None:
        self._sandbox = sandbox
        self._client = client
        self._options = options
        self._over_socket = over_socket
        self._servers = ExitStack()

    def __call__(self, make: Callable[[NorceOrderClient], Adapter]) -> Adapter:
        """Make an adapter, and have the sandbox call it.

        Within the process, the adapter gets ``norce_client`` and is called at its ``public_url``, whatever that is.
        Over a socket, it is served on an event loop of its own. So it gets a client of its own, and its ``public_url``
        becomes the address at which it is served.

        Args:
            make: a function that makes an adapter from a client.

        Raises:
            TypeError: ``make`` is not a function, or it does not return an adapter.
        """
        if not callable(make):  # pyright: ignore[reportUnnecessaryComparison]
            raise TypeError("norce_adapter takes a function that makes an adapter from a client")
        client = client_of(self._sandbox, self._options, over_socket=True) if self._over_socket else self._client
        adapter = make(client)
        if not isinstance(adapter, Adapter):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"the function must return an Adapter, not {type(adapter).__name__}")
        if self._over_socket:
            adapter.public_url = self._servers.enter_context(_Served(adapter)).url
            return adapter
        adapter.public_url = adapter.public_url or IN_PROCESS
        self._sandbox.register_app(urlsplit(adapter.public_url).hostname or "", adapter)
        return adapter

    def close(self) -> None:
        """Stop the servers of all adapters."""
        self._servers.close()


class _Served:
    """An adapter behind uvicorn, in a thread of its own."""

    def __init__(self, adapter: Adapter) -> None:
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._listener.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        # Without the access log, which would show the secret of the address.
        self._server = PromptServer(
            uvicorn.Config(adapter, loop="asyncio", lifespan="on", log_config=None, access_log=False)
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, name="norce-adapter", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        give_up = time.monotonic() + _START_WITHIN
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > give_up:
                self.__exit__(None, None, None)
                raise RuntimeError("the adapter's server did not start; its log says why")
            time.sleep(_TICK)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        self._thread.join()
        self._listener.close()
