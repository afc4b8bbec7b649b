"""Where the demo runs: a sandbox started for it, or the playground or stage that the environment variables name."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import click

from norce_order_async import NorceOrderClient
from norce_order_async.engines.base import Engine
from norce_order_async.environments import is_production


@dataclass(frozen=True, slots=True)
class Service:
    """A service to run against."""

    base_url: str
    merchant: str
    channel: str
    local: bool
    connect: Callable[[Engine], NorceOrderClient]
    """A client for it that sends through the engine given."""


@contextmanager
def local() -> Generator[Service]:
    """A sandbox on a free port, for as long as the demo lasts."""
    try:
        from norce_order_async.sandbox import Sandbox
    except ImportError as missing:
        raise click.ClickException(str(missing)) from missing

    with Sandbox() as sandbox:
        base_url, merchant, channel = sandbox.base_url, "demo", "se"

        def connect(engine: Engine) -> NorceOrderClient:
            return NorceOrderClient(
                base_url=base_url, merchant=merchant, channel=channel, token=sandbox.token, engine=engine
            )

        yield Service(base_url, merchant, channel, local=True, connect=connect)


def remote(environment: str) -> Service:
    """The real service, as ``NORCE_*`` describe it; never production."""
    if environment == "production":
        raise click.ClickException("the demo creates orders, so it does not run against production")
    base_url = os.environ.get("NORCE_BASE_URL")
    needed = ["NORCE_MERCHANT", "NORCE_CHANNEL", "NORCE_TOKEN"]
    if not base_url:
        needed.insert(0, "NORCE_SLUG")
    missing = [name for name in needed if not os.environ.get(name)]
    if missing:
        raise click.ClickException(f"not set: {', '.join(missing)}; --environment {environment} needs them")
    address: dict[str, Any] = {"base_url": base_url} if base_url else {"environment": environment}

    def connect(engine: Engine) -> NorceOrderClient:
        return NorceOrderClient.from_env(engine=engine, **address)

    # Built once here only to have the settings checked, and to know the address they come to.
    client = NorceOrderClient.from_env(**address)
    if is_production(client.base_url):
        raise click.ClickException("NORCE_BASE_URL is a production address; the demo does not run against production")
    host = (urlsplit(client.base_url).hostname or "").rstrip(".")
    if host.endswith(".norce.tech") and not host.endswith(f".{environment}.norce.tech"):
        raise click.ClickException(f"NORCE_BASE_URL is not an address in {environment}: {host}")
    return Service(client.base_url, client.merchant, client.channel, local=False, connect=connect)
