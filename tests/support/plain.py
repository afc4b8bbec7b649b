"""Requests of a test over plain HTTP, without our client."""

from __future__ import annotations

import ssl

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""``httpx``'s ``verify`` where nothing is https. It trusts nobody: reading the usual authorities takes every new client
20 ms of the processor, more than most tests."""
