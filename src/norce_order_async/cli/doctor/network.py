"""Checks the connection to the host step by step: its name, its port, its certificate. Stops at a step that fails."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from urllib.parse import urlsplit

import anyio
from anyio.streams.tls import TLSAttribute

from norce_order_async.cli.doctor import Finding
from norce_order_async.runtime.clock import Clock

PATIENCE = 5.0
"""Seconds that each step may take."""

_SOON = 14.0
"""A certificate that expires within this many days is reported."""


async def way_to(base_url: str, clock: Clock) -> list[Finding]:
    """The findings about the host of an address: its name, its port, its certificate."""
    parts = urlsplit(base_url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    found = [await _name(host, port)]
    found.append(await _port(host, port, clock) if _passed(found) else _skipped("connection"))
    if not secure:
        found.append(Finding("TLS", "ok", "not used: the address is plain http"))
    else:
        found.append(await _certificate(host, port, clock) if _passed(found) else _skipped("TLS"))
    return found


def _passed(found: list[Finding]) -> bool:
    return all(finding.verdict in ("ok", "doubt") for finding in found)


def _skipped(check: str) -> Finding:
    return Finding(check, "skipped", "an earlier check failed")


async def _name(host: str, port: int) -> Finding:
    try:
        with anyio.fail_after(PATIENCE):
            known = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        return Finding("name", "wrong", f"{host} was not resolved within {PATIENCE:g} s: is DNS reachable?")
    except (OSError, UnicodeError):
        return Finding("name", "wrong", f"{host} is not known to DNS: check slug, location and environment")
    addresses = sorted({str(entry[4][0]) for entry in known})
    return Finding("name", "ok", f"{host} is {', '.join(addresses[:3])}{', ...' if len(addresses) > 3 else ''}")


async def _port(host: str, port: int, clock: Clock) -> Finding:
    started = clock.monotonic()
    try:
        with anyio.fail_after(PATIENCE):
            async with await anyio.connect_tcp(host, port):
                took = clock.monotonic() - started
    except TimeoutError:
        return Finding("connection", "wrong", f"port {port} did not answer within {PATIENCE:g} s: a firewall, or a "
                       "network that needs a proxy")  # fmt: skip
    except OSError:
        return Finding("connection", "wrong", f"port {port} refuses connections: nothing listens there, or a firewall")
    return Finding("connection", "ok", f"port {port} in {took * 1000:.0f} ms")


async def _certificate(host: str, port: int, clock: Clock) -> Finding:
    context = await anyio.to_thread.run_sync(ssl.create_default_context)
    try:
        with anyio.fail_after(PATIENCE):
            # Web servers may close a connection without the closing message of TLS.
            async with await anyio.connect_tcp(
                host, port, tls=True, ssl_context=context, tls_hostname=host, tls_standard_compatible=False
            ) as stream:
                spoken = stream.extra(TLSAttribute.tls_version)  # noqa: S610 - not that extra
                certificate = stream.extra(TLSAttribute.peer_certificate)  # noqa: S610
    except TimeoutError:
        return Finding("TLS", "wrong", f"no handshake within {PATIENCE:g} s: does something else listen there?")
    except ssl.SSLCertVerificationError as error:
        return Finding("TLS", "wrong", f"the certificate is not trusted here: {error.verify_message}; a wrong host, a "
                       "wrong clock, or a proxy that decrypts connections")  # fmt: skip
    except (OSError, anyio.BrokenResourceError, anyio.EndOfStream):
        return Finding("TLS", "wrong", f"no handshake: port {port} does not speak TLS, or only other versions")
    ends = ssl.cert_time_to_seconds(str((certificate or {}).get("notAfter", "Jan  1 00:00:00 2100 GMT")))
    days = (ends - clock.wall()) / 86400
    until = f"{datetime.fromtimestamp(ends, UTC):%Y-%m-%d}"
    return Finding("TLS", "ok" if days > _SOON else "doubt", f"{spoken}, certificate good until {until}")
