"""Which engine a client gets.

``"auto"`` means aiohttp if it is installed and the loop is asyncio's, otherwise httpx2 if that is installed, and httpx
if not. The loop is known only inside one: there, :func:`choose` decides at once. Outside it returns an
:class:`AutoEngine`, which decides at its first use. With a proxy that aiohttp does not support, ``"auto"`` is never
aiohttp; the proxy may be given or come from the environment. An ``http_client`` is of httpx or httpx2 already.
"""

from __future__ import annotations

import importlib.util
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, final

from norce_order_async.engines.base import Engine, WireRequest, WireResponse
from norce_order_async.engines.proxies import Proxy, from_environment
from norce_order_async.errors import ConfigurationError
from norce_order_async.runtime.clock import Clock
from norce_order_async.runtime.loop import loop_name

EngineName = Literal["auto", "httpx", "httpx2", "aiohttp"]
"""The allowed names for ``engine``. Each of them except ``"auto"`` has a row in :data:`ENGINES`."""


@dataclass(frozen=True, slots=True)
class NamedEngine:
    """An engine of this package, as :data:`ENGINES` lists it."""

    make: Callable[..., Engine]
    """Makes the engine. Every engine takes ``verify``, ``cert``, ``proxy``, ``trust_env`` and ``clock``."""
    loops: tuple[str, ...]
    """The event loops that it runs on: ``"asyncio"``, ``"trio"`` or both."""
    library: str | None = None
    """The module that has to be installed; None if none has to be."""
    extra: str | None = None
    """The extra that installs it."""

    @property
    def installed(self) -> bool:
        """Whether its library is installed."""
        return self.library is None or importlib.util.find_spec(self.library) is not None


def _httpx(**arguments: Any) -> Engine:
    from norce_order_async.engines.httpx import HttpxEngine

    return HttpxEngine(**arguments)


def _aiohttp(**arguments: Any) -> Engine:
    from norce_order_async.engines.aiohttp import AiohttpEngine

    return AiohttpEngine(**arguments)


ENGINES: Mapping[str, NamedEngine] = {
    "httpx": NamedEngine(_httpx, loops=("asyncio", "trio")),
    "httpx2": NamedEngine(
        partial(_httpx, library="httpx2"), loops=("asyncio", "trio"), library="httpx2", extra="httpx2"
    ),
    "aiohttp": NamedEngine(_aiohttp, loops=("asyncio",), library="aiohttp", extra="fast"),
}
"""The engines by name. An engine is imported only when it is made. The tests go over this table."""


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
    """The engine of that name, or for ``"auto"`` the better one for the loop.

    Args:
        addresses: The addresses that requests go to; the environment's proxies for them are looked up.

    Raises:
        ConfigurationError: There is no engine of that name; or its library is not installed; or it can't be combined
            with the ``http_client``; or the ``http_client`` is not a client of httpx or httpx2; or the proxy can't be
            used.
        ValueError: The arguments contradict each other.
    """
    proxies = [] if client is not None else _proxies(proxy, addresses if trust_env else ())
    given: dict[str, Any] = {"verify": verify, "cert": cert, "proxy": proxy, "trust_env": trust_env, "clock": clock}
    if client is not None and name in ("auto", "httpx", "httpx2"):
        if not all(hasattr(client, used) for used in ("build_request", "send", "aclose")):
            raise ConfigurationError(
                f"http_client must be an httpx.AsyncClient or an httpx2.AsyncClient, not {type(client).__name__}"
            )
        engine = _httpx(client=client, closes_client=closes_client, **given)
        if name not in ("auto", engine.name):
            raise ConfigurationError(f"the http_client is one of {engine.name}: leave engine out")
        return engine
    if name != "auto":
        named = ENGINES.get(name)
        if named is None:
            names = ", ".join(["auto", *ENGINES])
            raise ConfigurationError(f"engine must be {names} or an engine of your own; got {name!r}")
        if client is not None:
            raise ConfigurationError("an http_client needs httpx or httpx2: leave engine out")
        if not named.installed:
            raise ConfigurationError(
                f"the engine {name} needs the extra {named.extra!r}: install norce-order-async with [{named.extra}]"
            )
        for one in proxies:
            if name == "aiohttp" and not one.is_plain:
                raise ConfigurationError(f"{one.named} is a SOCKS proxy, which needs httpx: leave engine out")
        return named.make(**given)
    fast, elsewhere = ENGINES["aiohttp"], "httpx2" if ENGINES["httpx2"].installed else "httpx"
    make_elsewhere = partial(ENGINES[elsewhere].make, **given)
    if not fast.installed or not all(one.is_plain for one in proxies):
        return make_elsewhere()
    if cert is not None and isinstance(verify, ssl.SSLContext):
        raise ValueError("load the client certificate into the context given as verify")
    auto = AutoEngine(partial(fast.make, **given), make_elsewhere, elsewhere)
    return auto if loop_name() is None else auto.chosen()


@final
class AutoEngine:
    """Chooses one of two engines at its first use, when the running loop is known."""

    def __init__(self, on_asyncio: Callable[[], Engine], elsewhere: Callable[[], Engine], named: str) -> None:
        self._on_asyncio = on_asyncio
        self._elsewhere = elsewhere
        self._named_elsewhere = named
        self._engine: Engine | None = None

    @property
    def name(self) -> str:
        """The name of the chosen engine, or of the one that this loop would get; ``"auto"`` if no loop is running."""
        if self._engine is not None:
            return self._engine.name
        loop = loop_name()
        if loop is None:
            return "auto"
        return "aiohttp" if loop == "asyncio" else self._named_elsewhere

    def chosen(self) -> Engine:
        """The engine; the first call chooses it."""
        if self._engine is None:
            self._engine = self._on_asyncio() if loop_name() == "asyncio" else self._elsewhere()
        return self._engine

    async def send(self, request: WireRequest) -> WireResponse:
        """Send with the chosen engine."""
        return await (self._engine or self.chosen()).send(request)

    async def aclose(self) -> None:
        """Close the chosen engine. If none was chosen yet, choose one and close it, so that later sends fail."""
        await self.chosen().aclose()


def _proxies(given: str | None, addresses: Sequence[str]) -> list[Proxy]:
    """The proxies that will be used, after a check of each."""
    if given is not None:
        found = [Proxy(given)]
    else:
        found = [one for one in map(from_environment, addresses) if one is not None]
    for one in found:
        one.check()
    return found
