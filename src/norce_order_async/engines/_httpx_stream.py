"""The sockets under httpx, through which its connection pool reads and writes.

httpx has no public way to choose the network backend of a transport. :func:`watch` sets a private attribute of
httpcore's pool. A version that no longer looks at it fails the tests; its own sockets are then used, without what is
here.

httpcore itself is imported by httpx when a pool is made, and takes its time: it loads trio where that is installed.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, final

import httpx

if TYPE_CHECKING:
    import httpcore


@final
class Stream:
    """One connection. httpcore asks whether it is readable before it uses an idle one, and drops it if so."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._dropped = False
        tls: ssl.SSLObject | None = inner.get_extra_info("ssl_object")
        self._tls = tls

    def drop(self) -> None:
        """Close it at once, whatever is on it."""
        self._dropped = True
        shut_down(self._inner)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """As httpcore asks for it."""
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """As httpcore asks for it."""
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close it."""
        self._dropped = True
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Stream:
        """The same connection, encrypted from here on."""
        return Stream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """What httpcore wants to know of it."""
        if info == "is_readable":
            return self._dropped or self._inner.get_extra_info(info) or self._has_decrypted()
        return self._inner.get_extra_info(info)

    def _has_decrypted(self) -> bool:
        """Whether bytes that came with the last answer wait inside TLS, where the socket shows nothing of them."""
        if self._tls is None:
            return False
        try:
            return bool(self._tls.read(1))
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError:
            return True


@final
class Backend:
    """Opens :class:`Stream`."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend) -> None:
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Stream:
        """Connect."""
        return Stream(await self._inner.connect_tcp(host, port, timeout, local_address, socket_options))


def watch(transport: object) -> None:
    """Have the connections of an ``AsyncHTTPTransport``, or of all of an ``AsyncClient``, made here."""
    for one in _transports(transport):
        pool: Any = getattr(one, "_pool", None)
        if pool is not None:
            pool._network_backend = Backend(pool._network_backend)  # noqa: SLF001


def left_over(response: Any) -> bool:
    """Whether bytes came behind an answer that was read whole. httpcore would take them for the next one's."""
    stream = getattr(response, "stream", None)
    while stream is not None:
        connection = getattr(stream, "_connection", None)
        if connection is not None:
            return bool(connection._h11_state.trailing_data[0])  # noqa: SLF001
        stream = getattr(stream, "_httpcore_stream", None) or getattr(stream, "_stream", None)
    return False


def shut_down(stream: Any) -> None:
    """Close a connection in both directions without waiting, so that whoever holds it sees its end."""
    sock = stream.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _transports(made: Any) -> Iterator[Any]:
    if isinstance(made, httpx.AsyncClient):
        client: Any = made
        yield client._transport  # noqa: SLF001
        yield from client._mounts.values()  # noqa: SLF001
    else:
        yield made
