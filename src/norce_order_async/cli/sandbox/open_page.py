"""``norce-order open``: opens the inspector of a running local order service in a browser."""

from __future__ import annotations

import sys
import webbrowser

import click

from norce_order_async.cli.sandbox.running import LocalService, local_service_options


@click.command("open", short_help="Open the inspector of a local service in a browser.")
@local_service_options
@click.option("--browser/--no-browser", default=None, help="Open a browser, or not. Default: on a terminal.")
def open_page(service: LocalService, browser: bool | None) -> None:
    """Print a link to the inspector of a local order service, and open it in a browser. The link works once.

    Without URL, it is the service that `norce-order sandbox --inspect` runs on this machine.
    """
    import anyio

    link = anyio.run(_link, service)
    click.echo(link)
    if (sys.stdout.isatty() if browser is None else browser) and not webbrowser.open(link):
        click.echo("no browser could be opened: open the link yourself", err=True)


async def _link(service: LocalService) -> str:
    async with service.client() as client:
        path: str = (await service.ask(client, "POST", "inspector", "without --inspect"))["link"]
        return service.address + path
