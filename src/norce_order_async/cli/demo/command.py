"""The options of the demo, and the service that it runs against: a local one, or Norce's playground or stage."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from norce_order_async.cli.options import Choice

if TYPE_CHECKING:
    from norce_order_async.cli.demo.story import Connect

LOCAL_BATCH = 500
REMOTE_BATCH = 5


@click.command(short_help="Show orders going from checkout to completed.")
@click.option(
    "--environment",
    type=Choice(["playground", "stage", "production"]),
    metavar="playground|stage",
    help="Run against the real service there. Needs NORCE_SLUG (or NORCE_BASE_URL), NORCE_MERCHANT, NORCE_CHANNEL and "
    "NORCE_TOKEN. Without this option, the demo starts a local service.",
)
@click.option(
    "--orders",
    type=click.IntRange(min=1),
    help=f"Number of orders in the batch. Default: {LOCAL_BATCH}, and {REMOTE_BATCH} on the real service.",
)
@click.option("--loop", type=Choice(["asyncio", "trio"]), default="asyncio", show_default=True, help="The event loop.")
@click.option("--yes", is_flag=True, help="Do not ask before creating orders on the real service.")
def demo(environment: str | None, orders: int | None, loop: str, yes: bool) -> None:
    """Show an order going from checkout to completed, then a refusal, then a batch of orders.

    All calls use the public API over a socket. The demo starts a local imitation of the order service, so it needs no
    account and no token, and nothing leaves this machine.
    """
    if find_spec(loop) is None:
        raise click.ClickException(f"--loop {loop} needs {loop}: pip install {loop}")
    import anyio
    from rich.console import Console

    from norce_order_async.cli.demo.story import show

    # The service's texts are shown as they are: no markup, and no highlighting of numbers or paths.
    console = Console(markup=False, highlight=False, emoji=False)
    if environment is None:
        with local() as connect:
            anyio.run(partial(show, connect, console, orders or LOCAL_BATCH, loop, local=True), backend=loop)
        return
    count = orders or REMOTE_BATCH
    connect = remote(environment)
    if not yes:
        _confirm(connect, count)
    anyio.run(partial(show, connect, console, count, loop, local=False), backend=loop)


@contextmanager
def local() -> Generator[Connect]:
    """A client for a local service on a free port, which runs as long as the demo."""
    from norce_order_async import NorceOrderClient

    try:
        from norce_order_async.sandbox import Sandbox
    except ImportError as missing:
        raise click.ClickException(str(missing)) from missing
    with Sandbox() as sandbox:
        yield partial(NorceOrderClient, base_url=sandbox.base_url, token=sandbox.token, merchant="demo", channel="se")


def remote(environment: str) -> Connect:
    """A client for the real service that the ``NORCE_*`` variables name; never for production."""
    from norce_order_async import NorceOrderClient
    from norce_order_async.environments import is_production

    if environment == "production":
        raise click.ClickException("the demo creates orders, so it does not run against production")
    base_url = os.environ.get("NORCE_BASE_URL")
    needed = [*([] if base_url else ["NORCE_SLUG"]), "NORCE_MERCHANT", "NORCE_CHANNEL", "NORCE_TOKEN"]
    missing = [name for name in needed if not os.environ.get(name)]
    if missing:
        raise click.ClickException(f"not set: {', '.join(missing)}; --environment {environment} needs them")
    address: dict[str, Any] = {"base_url": base_url} if base_url else {"environment": environment}
    connect = partial(NorceOrderClient.from_env, **address)
    # Made only to check the settings and to learn the address.
    address_of = connect().base_url
    if is_production(address_of):
        raise click.ClickException("NORCE_BASE_URL is a production address; the demo does not run against production")
    host = (urlsplit(address_of).hostname or "").rstrip(".")
    if host.endswith(".norce.tech") and not host.endswith(f".{environment}.norce.tech"):
        raise click.ClickException(f"NORCE_BASE_URL is not an address in {environment}: {host}")
    return connect


def _confirm(connect: Connect, count: int) -> None:
    """Continue only if the user at the terminal agrees."""
    client = connect()
    click.echo("This creates orders on a real service, and they stay there:\n")
    click.echo(f"  address    {client.base_url}")
    click.echo(f"  merchant   {client.merchant}")
    click.echo(f"  channel    {client.channel}")
    click.echo(f"  orders     {count + 2}: {count + 1} completed, 1 left in checkout\n")
    if not sys.stdin.isatty():
        raise click.ClickException("there is no terminal to ask at: give --yes to continue")
    if not click.confirm("Continue?"):
        raise click.ClickException("not confirmed; nothing was sent")
