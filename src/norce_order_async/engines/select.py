"""Which engine a client gets.

``"auto"`` means aiohttp if it is installed and the loop is asyncio's, otherwise httpx. The loop is known only inside
one: there, :func:`choose` decides at once. Outside it returns an :class:`AutoEngine`, which decides at its first use.
With an ``http_client``, or with a proxy that aiohttp does not support, ``"auto"`` is always httpx. The proxy may be
given or come from the environment.
"""

from __future__ import annotations

import asyncio
import importlib.util
import ssl
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, final

from norce_order_async.engines.base import Engine, WireRequest, WireResponse
from norce_order_async.engines.proxies import Proxy, from_environment
from norce_order_async.errors import ConfigurationError
from norce_order_async.runtime.clock import Clock

EngineName = Literal["auto", "httpx", "aiohttp"]


def choose(
    name: EngineName,
    *,
    client: Any | None,
    verify: ssl.SSLContext | bool,
    cert: str | tuple[str, str] | None,
    proxy: str | None,
    trust_env: bool,
    clock: Clock,
    closes_client: bool = False,
    addresses: Sequence[str] = (),
) -> Engine:
    """The engine of that name, or for ``"auto"`` the better one of the two.

    Args:
        addresses: The addresses that requests go to; the environment's proxies for them are looked up.

    Raises:
        ConfigurationError: There is no engine of that name; or aiohttp is not installed, or can't be combined with the
            ``http_client``; or the proxy can't be used.
        ValueError: The arguments contradict each other.
    """
    proxies = [] if client is not None else _proxies(proxy, addresses if trust_env else ())
    given: dict[str, Any] = {"verify": verify, "cert": cert, "proxy": proxy, "trust_env": trust_env, "clock": clock}
    make_httpx = partial(_httpx, client=client, closes_client=closes_client, **given)
    make_aiohttp = partial(_aiohttp, **given)
    if name == "httpx":
        return make_httpx()
    if name == "aiohttp":
        if client is not None:
            raise ConfigurationError('an http_client needs httpx: leave engine out, or give engine="httpx"')
        if not _has_aiohttp():
            raise ConfigurationError("the engine aiohttp needs the extra 'fast': install norce-order-async with [fast]")
        for one in proxies:
            if not one.is_plain:
                raise ConfigurationError(f"{one.named} is a SOCKS proxy, which needs httpx: leave engine out")
        return make_aiohttp()
    if name != "auto":
        raise ConfigurationError(f"engine must be auto, httpx, aiohttp or an engine of your own; got {name!r}")
    if client is not None or not _has_aiohttp() or not all(one.is_plain for one in proxies):
        return make_httpx()
    if cert is not None and isinstance(verify, ssl.SSLContext):
        raise ValueError("load the client certificate into the context given as verify")
    auto = AutoEngine(make_aiohttp, make_httpx)
    return auto if _loop() is None else auto.chosen()


@final
class AutoEngine:
    """Chooses one of two engines at its first use, when the running loop is known."""

    def __init__(self, on_asyncio: Callable[[], Engine], elsewhere: Callable[[], Engine]) -> None:
        self._on_asyncio = on_asyncio
        self._elsewhere = elsewhere
        self._engine: Engine | None = None

    @property
    def name(self) -> str:
        """The name of the chosen engine, or of the one that this loop would get; ``"auto"`` if no loop is running."""
        if self._engine is not None:
            return self._engine.name
        loop = _loop()
        if loop is None:
            return "auto"
        return "aiohttp" if loop == "asyncio" else "httpx"

    def chosen(self) -> Engine:
        """The engine; the first call chooses it."""
        if self._engine is None:
            self._engine = self._on_asyncio() if _loop() == "asyncio" else self._elsewhere()
        return self._engine

    async def send(self, request: WireRequest) -> WireResponse:
        """Send with the chosen engine."""
        return await (self._engine or self.chosen()).send(request)

    async def aclose(self) -> None:
        """Close the chosen engine. If none was chosen yet, choose one and close it, so that later sends fail."""
        await self.chosen().aclose()


def _httpx(**arguments: Any) -> Engine:
    from norce_order_async.engines.httpx import HttpxEngine

    return HttpxEngine(**arguments)


def _aiohttp(**arguments: Any) -> Engine:
    from norce_order_async.engines.aiohttp import AiohttpEngine

    return AiohttpEngine(**arguments)


def _has_aiohttp() -> bool:
    return importlib.util.find_spec("aiohttp") is not None


def _proxies(given: str | None, addresses: Sequence[str]) -> list[Proxy]:
    """The proxies that will be used, after a check of each."""
    if given is not None:
        found = [Proxy(given)]
    else:
        found = [one for one in map(from_environment, addresses) if one is not None]
    for one in found:
        one.check()
    return found


def _loop() -> str | None:
    """The loop that runs here: ``"asyncio"``, ``"trio"`` or None."""
    # trio first: in its guest mode an asyncio loop is running as well.
    trio: Any = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        return "trio"
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return None
    return "asyncio"
