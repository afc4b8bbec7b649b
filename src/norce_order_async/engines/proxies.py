"""Proxies, given or from the environment: which one an address uses, and whether it can be used."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from norce_order_async.errors import ConfigurationError

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy and where it was configured."""

    address: str = field(repr=False)
    """May hold credentials."""
    named: str = "proxy"
    """The argument or environment variable that the address comes from."""

    @property
    def is_plain(self) -> bool:
        """Whether aiohttp supports it too."""
        return self.address.lower().startswith(("http://", "https://"))

    def check(self) -> None:
        """Check that an engine can use it.

        Raises:
            ConfigurationError: The address has no scheme, an unknown one, or no host. The text says where the address
                comes from and does not contain it.
        """
        scheme, separator, _ = self.address.partition("://")
        if not separator:
            raise ConfigurationError(f"{self.named} must have a scheme, such as http://host:port")
        try:
            parts = urlsplit(self.address)
            has_host = bool(parts.hostname) and parts.port != 0
        except ValueError:
            has_host = False
        if not has_host:
            raise ConfigurationError(f"{self.named} must name a host, such as http://host:port")
        if self.is_plain:
            return
        if scheme.lower() not in ("socks5", "socks5h"):
            raise ConfigurationError(f"{self.named} must be an http, https, socks5 or socks5h address; got {scheme}")
        if importlib.util.find_spec("socksio") is None:
            raise ConfigurationError(f"{self.named} is a SOCKS proxy, which needs: pip install 'httpx[socks]'")


def from_environment(url: str) -> Proxy | None:
    """The environment's proxy for an address; None if it names none, or excludes the address."""
    if sys.platform not in ("darwin", "win32") and not any(name[-6:].lower() == "_proxy" for name in os.environ):
        # On other systems only these variables count, and urllib.request is slow to import.
        return None
    import urllib.request

    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme)
    if urllib.request.proxy_bypass(f"{parts.hostname}:{port}"):
        return None
    proxies = urllib.request.getproxies()
    for name in (parts.scheme, "all"):
        if address := proxies.get(name):
            return Proxy(address, _variable(name))
    return None


def _variable(name: str) -> str:
    for variable in (f"{name}_proxy", f"{name}_proxy".upper()):
        if os.environ.get(variable):
            return variable
    return f"the system's proxy for {name}"
