"""Certificates made for a test, and contexts that use them."""

from __future__ import annotations

import ssl

import trustme


def server_context(authority: trustme.CA, *names: str, clients: trustme.CA | None = None) -> ssl.SSLContext:
    """A server's side, for these names; with ``clients`` it wants a certificate from there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with authority.issue_cert(*names).private_key_and_cert_chain_pem.tempfile() as pem:
        context.load_cert_chain(pem)
    if clients is not None:
        context.load_verify_locations(cadata=clients.cert_pem.bytes().decode())
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client's side that trusts this authority alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority.cert_pem.bytes().decode())
    return context
