"""The options of the demo, and the question before it touches a service that is not its own."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from norce_order_async.cli.demo.service import Service

LOCAL_BATCH = 500
REMOTE_BATCH = 5


@click.command(short_help="Watch orders go from checkout to completed.")
@click.option(
    "--environment",
    type=click.Choice(["playground", "stage", "production"]),
    metavar="playground|stage",
    help="Run against the real service there, with NORCE_SLUG (or NORCE_BASE_URL), NORCE_MERCHANT, NORCE_CHANNEL and "
    "NORCE_TOKEN set. A local imitation is started when left out.",
)
@click.option(
    "--orders",
    type=click.IntRange(min=1),
    help=f"How many orders the batch has: {LOCAL_BATCH} unless said otherwise, {REMOTE_BATCH} on the real service.",
)
@click.option(
    "--concurrency", type=click.IntRange(min=1), default=25, show_default=True, help="Orders worked on at once."
)
@click.option(
    "--loop", type=click.Choice(["asyncio", "trio"]), default="asyncio", show_default=True, help="Which event loop."
)
@click.option("--yes", is_flag=True, help="Do not ask before creating orders on the real service.")
def demo(environment: str | None, orders: int | None, concurrency: int, loop: str, yes: bool) -> None:
    """Watch an order go from checkout to completed, one being refused, and a batch of them.

    Everything goes through the public API over a socket, to a local imitation of the order service that the demo
    starts for itself: no account, no token, nothing leaves this machine.
    """
    if find_spec(loop) is None:
        raise click.ClickException(f"--loop {loop} needs {loop}: pip install {loop}")
    import anyio
    from rich.console import Console

    from norce_order_async.cli.demo.service import local, remote
    from norce_order_async.cli.demo.show import show

    # What the services say is shown as it is: no markup, no guessing at what a number or a path might be.
    console = Console(markup=False, highlight=False, emoji=False)
    if environment is None:
        with local() as service:
            anyio.run(show, service, console, orders or LOCAL_BATCH, concurrency, loop, backend=loop)
        return
    count = orders or REMOTE_BATCH
    service = remote(environment)
    if not yes:
        _confirm(service, count)
    anyio.run(show, service, console, count, concurrency, loop, backend=loop)


def _confirm(service: Service, count: int) -> None:
    """Continue only if the user at the terminal says so."""
    click.echo("This creates orders on a real service, and they stay there:\n")
    click.echo(f"  address    {service.base_url}")
    click.echo(f"  merchant   {service.merchant}")
    click.echo(f"  channel    {service.channel}")
    click.echo(f"  orders     {count + 2}: {count + 1} completed, 1 left in checkout\n")
    if not sys.stdin.isatty():
        raise click.ClickException("there is no terminal to ask at: give --yes to continue")
    if not click.confirm("Continue?"):
        raise click.ClickException("not confirmed; nothing was sent")
